"""The decoder: from an extractor's pyramid to logits, rebuilt from its configuration."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tiny import pixel_backbone

from satdifuser_qgis.engine.backbones import load_backbone
from satdifuser_qgis.engine.decoder import Decoder, DecoderConfig
from satdifuser_qgis.engine.features import Extractor, Recipe
from satdifuser_qgis.protocol.codec import from_plain, to_plain

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def extractor(tmp_path_factory: pytest.TempPathFactory) -> Extractor:
    return Extractor(load_backbone(str(pixel_backbone(tmp_path_factory.mktemp("decoder"))), CPU), Recipe(), CPU)


def config(extractor: Extractor, **changes: object) -> DecoderConfig:
    fields: dict[str, object] = {
        "fusion": "global",
        "head": "light",
        "scales": extractor.scales,
        "times": extractor.recipe.times,
        "classes": 3,
        "width": 8,
        "side_channels": 3,
        "head_channels": 8,
    }
    return DecoderConfig(**(fields | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("fusion", ["global", "localized", "mixture"])
@pytest.mark.parametrize("head", ["light", "upernet", "linear"])
def test_images_become_logits_through_every_pair(extractor: Extractor, fusion: str, head: str) -> None:
    images = torch.rand(2, 3, 17, 22) * 2 - 1
    side = 0 if head == "linear" else 3
    decoder = Decoder(config(extractor, fusion=fusion, head=head, side_channels=side))
    pyramid = extractor(images, [(0, 0), (0, 22)])
    logits, balance = decoder.forward_with_balance(pyramid, (17, 22), images if side else None)
    (logits.square().mean() + balance).backward()
    assert logits.shape == ((2, 3) if head == "linear" else (2, 3, 17, 22))
    assert torch.isfinite(logits).all()
    assert torch.isfinite(balance)


def test_a_decoder_is_rebuilt_from_json(extractor: Extractor) -> None:
    first = Decoder(config(extractor, fusion="localized", rescales=(1.0, 2.0), head="upernet")).eval()
    again = Decoder(from_plain(DecoderConfig, json.loads(json.dumps(to_plain(first.config))))).eval()
    again.load_state_dict(first.state_dict(), strict=True)
    images = torch.rand(1, 3, 16, 16)
    pyramid = extractor(images, [(0, 0)])
    assert torch.equal(first(pyramid, (16, 16), images), again(pyramid, (16, 16), images))


def test_the_fusion_table_names_every_pair_in_order(extractor: Extractor) -> None:
    decoder = Decoder(config(extractor))
    with torch.no_grad():
        decoder.fuser.mixing_weights[0] = 3
    table = decoder.fusion_table([])
    streams = [name for scale in extractor.scales for name in scale.streams]
    assert [(row["time"], row["stream"]) for row in table] == [(t, s) for t in (20, 60) for s in streams]
    assert sum(float(row["weight"]) for row in table) == pytest.approx(1)
    assert max(table, key=lambda row: row["weight"]) == table[0]


@pytest.mark.parametrize("fusion", ["localized", "mixture"])
def test_weights_that_depend_on_the_image_are_shown_as_means_over_tiles(extractor: Extractor, fusion: str) -> None:
    decoder = Decoder(config(extractor, fusion=fusion)).eval()
    assert decoder.fusion_table([]) == []
    first, second = ([level[0] for level in extractor(torch.rand(1, 3, 16, 16), [(0, i)])] for i in range(2))
    table, other, both = (decoder.fusion_table(tiles) for tiles in ([first], [second], [first, second]))
    assert sum(float(row["weight"]) for row in both) == pytest.approx(1)
    for one, two, mean in zip(table, other, both, strict=True):
        assert mean["weight"] == pytest.approx((one["weight"] + two["weight"]) / 2)
    names = {row["stream"] for row in both}
    if fusion == "localized":
        assert names == {name for scale in extractor.scales for name in scale.streams}
    else:
        assert len(names) == 4 * len(extractor.scales)


def test_few_steps_learn_a_simple_map(extractor: Extractor) -> None:
    torch.manual_seed(0)
    images = torch.full((4, 3, 16, 16), -0.5)
    images[:, :, :, 8:] = 0.5
    target = (images[:, 0] > 0).long()
    decoder = Decoder(config(extractor, classes=2, side_channels=0))
    pyramid = extractor(images, [(0, i) for i in range(4)])
    optimiser = torch.optim.AdamW(decoder.parameters(), lr=1e-2)
    for _ in range(40):
        loss = torch.nn.functional.cross_entropy(decoder(pyramid, (16, 16)), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    decoder.eval()
    assert (decoder(pyramid, (16, 16)).argmax(1) == target).float().mean() > 0.9


def test_published_weights_are_taken_side_by_side(extractor: Extractor, tmp_path: Path) -> None:
    first, second = (Decoder(config(extractor, head="upernet", side_channels=0, norm="batch")) for _ in range(2))
    state = {**first.fuser.state_dict(), **first.head.state_dict()}
    second.load_published(state)
    assert all(torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values()))
    state.pop("conv_seg.bias")
    with pytest.raises(RuntimeError, match="conv_seg"):
        second.load_published(state)
