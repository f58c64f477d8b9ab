"""Contract of heads, and what each of them promises."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from satdifuser_qgis.engine.heads import build_head
from satdifuser_qgis.engine.heads.layers import head_norm
from satdifuser_qgis.engine.heads.light import DEVIATION_GAIN, local_statistics

STRIDES = (2, 4, 8)
KINDS = [("linear", 0), ("light", 0), ("light", 4), ("upernet", 0), ("upernet", 3)]


def maps(batch: int = 3, size: tuple[int, int] = (20, 12), width: int = 8) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    return [
        torch.randn(batch, width, *(math.ceil(side / stride) for side in size), generator=generator)
        for stride in STRIDES
    ]


def sides(channels: int, size: tuple[int, int], batch: int = 3) -> torch.Tensor | None:
    return torch.rand(batch, channels, *size, generator=torch.Generator().manual_seed(3)) if channels else None


def head(kind: str, side: int, **options: Any) -> torch.nn.Module:
    torch.manual_seed(1)
    return build_head(kind, 8, STRIDES, 5, side, **({} if kind == "linear" else {"channels": 16} | options))


@pytest.mark.parametrize(("kind", "side"), KINDS)
@pytest.mark.parametrize("size", [(20, 12), (17, 9), (3, 5)])
def test_contract_forward_and_backward_are_finite(kind: str, side: int, size: tuple[int, int]) -> None:
    module = head(kind, side)
    logits = module(maps(size=size), size, sides(side, size))
    assert logits.shape == ((3, 5) if kind == "linear" else (3, 5, *size))
    logits.square().mean().backward()
    assert all(torch.isfinite(p.grad).all() for p in module.parameters())


@pytest.mark.parametrize(("kind", "side"), KINDS)
def test_contract_a_tile_does_not_depend_on_its_batch(kind: str, side: int) -> None:
    module, size = head(kind, side).eval(), (20, 12)
    beside = sides(side, size)
    together = module(maps(), size, beside)
    alone = module([m[1:2] for m in maps()], size, None if beside is None else beside[1:2])
    torch.testing.assert_close(together[1:2], alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("kind", "side"), KINDS)
def test_contract_weights_survive_a_file(kind: str, side: int, tmp_path: Path) -> None:
    module, other = head(kind, side).eval(), head(kind, side).eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_()
    save_file(module.state_dict(), tmp_path / "h.safetensors")
    other.load_state_dict(load_file(tmp_path / "h.safetensors"), strict=True)
    assert torch.equal(module(maps(), (20, 12), sides(side, (20, 12))), other(maps(), (20, 12), sides(side, (20, 12))))


@pytest.mark.parametrize("kind", ["light", "upernet"])
def test_the_side_input_matters_and_is_asked_for(kind: str) -> None:
    module = head(kind, 3).eval()
    first, second = (module(maps(), (20, 12), torch.full((3, 3, 20, 12), v)) for v in (0.0, 1.0))
    assert not torch.allclose(first, second)
    with pytest.raises(ValueError, match="3 side channels"):
        module(maps(), (20, 12))


def test_local_statistics_are_those_of_the_window_without_what_lies_beyond() -> None:
    side = torch.rand(1, 2, 9, 7)
    mean, deviation = local_statistics(side, 5)
    patch = side[0, 1, 2:7, 1:6]
    assert mean[0, 1, 4, 3].item() == pytest.approx(patch.mean().item(), abs=1e-5)
    assert deviation[0, 1, 4, 3].item() == pytest.approx(DEVIATION_GAIN * patch.std(unbiased=False).item(), abs=1e-3)
    assert mean[0, 0, 0, 0].item() == pytest.approx(side[0, 0, :3, :3].mean().item(), abs=1e-5)


def test_batch_norm_upernet_is_there_for_published_weights() -> None:
    state = build_head("upernet", 8, STRIDES, 5, channels=16, norm="batch", rescales=(4, 2, 0.5)).state_dict()
    assert {"neck.ops.0.0.weight", "psp_modules.3.2.running_mean", "fpn_convs.1.0.weight", "conv_seg.bias"} <= set(
        state
    )


@pytest.mark.parametrize("factor", [4, 2, 1, 0.5, 0.25])
def test_every_rescale_gives_logits_of_the_images_size(factor: float) -> None:
    module = build_head("upernet", 8, STRIDES, 5, channels=8, rescales=(factor,) * 3).eval()
    assert module(maps(size=(32, 32)), (32, 32)).shape == (3, 5, 32, 32)


def test_wrong_options_are_refused() -> None:
    with pytest.raises(ValueError, match="choose one of linear"):
        build_head("dense", 8, STRIDES, 2)
    with pytest.raises(ValueError, match="no side input"):
        build_head("linear", 8, STRIDES, 2, 3)
    with pytest.raises(ValueError, match="3 scales but 2"):
        build_head("upernet", 8, STRIDES, 2, rescales=(1, 1))
    with pytest.raises(ValueError, match="rescaled by 3"):
        build_head("upernet", 8, STRIDES, 2, rescales=(3, 1, 1))
    with pytest.raises(ValueError, match="norm"):
        build_head("upernet", 8, STRIDES, 2, norm="layer")


@pytest.mark.parametrize(("channels", "groups"), [(64, 8), (32, 8), (16, 4), (12, 3), (3, 1)])
def test_no_group_of_a_norm_is_a_single_channel(channels: int, groups: int) -> None:
    assert head_norm(channels).num_groups == groups
