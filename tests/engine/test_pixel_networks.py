"""The networks that read the encoder's maps: what they compute, learn and count for, and what model files say."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from satdifuser_qgis.engine.encoders import encoder as encoders
from satdifuser_qgis.engine.encoders.encoding import Encoding, enlargement
from satdifuser_qgis.engine.encoders.weights import NotInstalled
from satdifuser_qgis.engine.heads.pixel_networks import PixelNetworks, enlarged
from satdifuser_qgis.engine.inference import landcover_model
from satdifuser_qgis.engine.model_file import read_header
from satdifuser_qgis.engine.outputs import Outputs
from satdifuser_qgis.engine.reporter import Silent
from satdifuser_qgis.engine.streams import Scale
from satdifuser_qgis.engine.tasks import segment, trainsegmentation
from satdifuser_qgis.engine.training import pixel_networks
from satdifuser_qgis.engine.training.crops import crop_side
from satdifuser_qgis.engine.training.pixel_networks import Labelled, fit_networks, mixing
from satdifuser_qgis.engine.training.samples import Sample
from satdifuser_qgis.protocol.errors import EngineError
from satdifuser_qgis.protocol.segment import SegmentRequest
from satdifuser_qgis.protocol.trainsegmentation import TrainSegmentationRequest
from tests.data import write_landscape
from tests.engine.tiny import pixel_backbone

pytestmark = pytest.mark.usefixtures("in_full")

SCALES = (Scale(1, ("a",), (3,)), Scale(2, ("b",), (4,)), Scale(4, ("c",), (5,)), Scale(8, ("d",), (6,)))
CLASSES = 3


@pytest.fixture(scope="module")
def in_full() -> Iterator[None]:
    """Steps, pixels and tiles as users have them."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"STEPS": 400, "TRIAL_STEPS": 200, "MOST_PX": 100_000}.items():
            patch.setattr(pixel_networks, name, value)
        patch.setattr(trainsegmentation, "ENCODED_TILE_PX", 256)
        yield


def maps_of(size: tuple[int, int], batch: int = 1) -> list[torch.Tensor]:
    sides = [[-(-side // scale.stride) for side in size] for scale in SCALES]
    return [torch.randn(batch, *scale.channels, *side) for scale, side in zip(SCALES, sides, strict=True)]


@pytest.mark.parametrize("size", [(32, 32), (33, 27), (9, 9)])
def test_maps_are_decided_as_their_pixels_were_learnt(size):
    torch.manual_seed(0)
    networks = PixelNetworks(3, SCALES, CLASSES).eval()
    side, encoded = torch.randn(2, 3, *size), maps_of(size, 2)
    values = networks.values(side, encoded)
    for network in networks:
        network.measure(torch.randn(100, values.shape[-1]) * 3 + 1)
        around = values[..., :21].movedim(-1, 1)
        expected = network.of_standardised(network.standardised(values.reshape(-1, values.shape[-1])))
        found = network(around, encoded).movedim(1, -1).reshape(-1, CLASSES)
        assert torch.allclose(found, expected, atol=1e-4)


def test_a_cell_that_reaches_beyond_the_image_is_as_large_as_the_others():
    column = torch.arange(2.0)[None, None, None].expand(1, 1, 1, 2)
    assert torch.equal(enlarged(column, 8, (1, 9))[0, 0, 0, :5], torch.tensor([0.0, 0, 0, 0, 0.0625]))


def test_probabilities_are_the_mean_by_weight_over_three_pixels_a_side():
    torch.manual_seed(0)
    networks = PixelNetworks(3, SCALES, CLASSES).eval()
    networks.weights.copy_(torch.tensor([0.25, 0.0, 0.75, 0.0]))
    side, encoded = torch.randn(1, 3, 16, 16), maps_of((16, 16))
    members, around = list(networks), networks.values(side, encoded)[..., :21].movedim(-1, 1)
    with torch.inference_mode():
        mean = sum(w * members[i](around, encoded).softmax(1) for i, w in ((0, 0.25), (2, 0.75)))
        found = networks(side, encoded).exp()
    assert torch.allclose(found[0, :, 5, 7], mean[0, :, 4:7, 6:9].mean((1, 2)), atol=1e-5)
    assert torch.allclose(found.sum(1), torch.ones(1, 16, 16), atol=1e-4)


def ground(told_by: str, tiles: int = 6) -> list[Sample]:
    """Tiles of 256 px, classes in squares of 16 px; pixels or the coarsest map show them, the rest is noise."""
    torch.manual_seed(3)
    samples = []
    for _ in range(tiles):
        coarse = torch.randint(CLASSES, (16, 16))
        classes = coarse.repeat_interleave(16, 0).repeat_interleave(16, 1)
        shown = torch.nn.functional.one_hot(classes, CLASSES).permute(2, 0, 1).float()
        pixels = torch.randn(3, 256, 256) * 0.3 + shown * (told_by == "pixels")
        encoded = [maps[0] for maps in maps_of((256, 256))]
        if told_by == "maps":
            encoded[3][:3] = shown[:, ::8, ::8] * 2 + 0.3 * encoded[3][:3]
        unknown = torch.full_like(classes, -1)
        target = torch.where(torch.rand(256, 256) < 0.02, classes, unknown)
        samples.append(
            Sample([], pixels, target, unknown, unknown, (0, 0), tuple(maps.half() for maps in encoded))
        )  # fmt: skip
    return samples


@pytest.mark.parametrize(("told_by", "least"), [("pixels", (0, 1)), ("maps", (2, 3))])
def test_networks_count_for_what_they_say_of_cells_they_were_not_shown(told_by, least):
    networks = PixelNetworks(3, SCALES, CLASSES)
    samples = ground(told_by)
    fit_networks(networks, samples, CLASSES, 0, Silent())
    assert networks.weights.sum() == pytest.approx(1)
    assert networks.weights[list(least)].sum() > 0.6
    unseen = ground(told_by, 7)[-1]
    with torch.inference_mode():
        said = networks(unseen.pixels[None], [maps[None].float() for maps in unseen.encoded]).argmax(1)[0]
    known = unseen.target >= 0
    assert (said[known] == unseen.target[known]).float().mean() > 0.85


def test_the_same_seed_gives_the_same_networks():
    found = []
    for _ in range(2):
        networks = PixelNetworks(3, SCALES, CLASSES)
        torch.rand(1)  # what was drawn before does not matter
        fit_networks(networks, ground("pixels", 2), CLASSES, 5, Silent())
        found.append(networks.state_dict())
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


@pytest.mark.parametrize(("cells", "low", "high"), [(10, 0.5, 0.6), (20_000, 0.9, 1.0)])
def test_the_fewer_pieces_of_ground_the_nearer_to_equal(cells, low, high):
    classes = torch.arange(20_000) % 2
    right = torch.nn.functional.one_hot(classes, 2) * 0.8 + 0.1
    said = torch.stack([right, torch.full_like(right, 0.5)])
    known = Labelled(torch.zeros(20_000, 1), classes, torch.arange(20_000) % cells)
    weights = mixing(said, known, torch.ones(2))
    assert low < weights[0] <= high


def test_one_cell_of_labels_is_learnt_without_a_vote():
    sample = ground("pixels", 1)[0]
    sample.target[64:], sample.target[:, 64:] = -1, -1
    networks = PixelNetworks(3, SCALES, CLASSES)
    fit_networks(networks, [sample], CLASSES, 0, Silent())
    assert torch.equal(networks.weights, torch.full((4,), 0.25))


@pytest.mark.parametrize(("side", "stride", "crop"), [(128, 4, 64), (256, 4, 64), (256, 64, 128), (256, 8, 128)])
def test_crops_have_room_for_the_coarsest_map(side, stride, crop):
    assert crop_side(side, stride) == crop


def test_coarse_pixels_are_enlarged():
    assert [enlargement(gsd) for gsd in (0.0, 0.3, 3.0, 10.0, 30.0)] == [1, 1, 1, 2, 2]


@pytest.fixture
def request_(tmp_path: Path) -> TrainSegmentationRequest:
    image, labels = write_landscape(tmp_path, height=200, width=260)
    return TrainSegmentationRequest(
        input=image,
        label_rasters=(labels,),
        model=str(tmp_path / "m.safetensors"),
        report=str(tmp_path / "m.html"),
        backbone=str(pixel_backbone(tmp_path / "tiny")),
        epochs=1,
        scaling=1,
    )


def train(request: TrainSegmentationRequest) -> str:
    """The report."""
    with Outputs("test") as outputs:
        trainsegmentation.run(request, Silent(), outputs)
        outputs.commit()
    return Path(request.report).read_text(encoding="utf-8")


def segmented(request: TrainSegmentationRequest, tmp_path: Path) -> None:
    mapping = SegmentRequest(input=request.input, model=request.model, output=str(tmp_path / "map.tif"))
    with Outputs("test") as outputs:
        segment.run(mapping, Silent(), outputs)


def test_model_and_report_name_the_encoder_and_what_each_network_counts_for(request_, tmp_path):
    report = train(request_)
    assert "EfficientNet-Lite2" in report
    assert "of four networks" in report
    header = read_header(request_.model)
    assert (header.format, header.encoder.name, header.encoder.enlarged) == (2, "EfficientNet-Lite2", 2)
    assert sum(header.training["weighing"]["networks"].values()) == pytest.approx(1)
    segmented(request_, tmp_path)


def test_without_an_encoder_models_are_as_earlier_versions_read_them(request_, tmp_path):
    assert "EfficientNet" not in train(dataclasses.replace(request_, encoder=1))
    header = read_header(request_.model)
    assert (header.format, header.encoder, header.tile_px) == (1, None, 128)
    segmented(request_, tmp_path)


class Heard(Silent):
    """Keeps the log."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def log(self, message: str, level: str = "info") -> None:
        self.lines.append(message)


def test_where_it_is_not_installed_training_says_so_and_goes_on(request_, monkeypatch):
    monkeypatch.setattr(trainsegmentation, "load_encoder", lambda device: NotInstalled())
    reporter = Heard()
    with Outputs("test") as outputs:
        trainsegmentation.run(request_, reporter, outputs)
        outputs.commit()
    assert any("EfficientNet-Lite2 is not installed" in line for line in reporter.lines)
    assert read_header(request_.model).encoder is None
    with pytest.raises(EngineError, match="not installed"):
        train(dataclasses.replace(request_, encoder=2))


def test_a_model_that_reads_it_is_refused_where_it_is_missing_or_another(request_, tmp_path, monkeypatch):
    train(request_)
    monkeypatch.setattr(landcover_model, "load_encoder", lambda device: NotInstalled())
    with pytest.raises(EngineError, match='"m" reads the encoder EfficientNet-Lite2, which is not installed'):
        segmented(request_, tmp_path)
    monkeypatch.undo()
    monkeypatch.setattr(encoders, "SHA256", "another")
    with pytest.raises(EngineError, match=r"SHA-256|other weights"):
        segmented(request_, tmp_path)


def test_an_encoder_beside_no_pixels_is_refused(request_):
    with pytest.raises(ValueError, match="EfficientNet-Lite2"):
        dataclasses.replace(request_, encoder=2, spectral=False)


def test_tiles_are_read_alone():
    torch.manual_seed(0)
    encoding = Encoding(encoders.load_encoder(torch.device("cpu")), 2)
    tiles = torch.rand(3, 3, 64, 64) * 2 - 1
    for together, alone in zip(encoding(tiles), encoding(tiles[1:2]), strict=True):
        assert torch.equal(together[1:2], alone)
    assert [scale.stride for scale in encoding.scales] == [1, 2, 4, 8]
