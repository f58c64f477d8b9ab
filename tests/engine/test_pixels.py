"""The classifier of single pixels: what it learns, when a map is left to it, and what that map then costs."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from satdifuser_qgis.engine.backbones.streams import Scale
from satdifuser_qgis.engine.decoder import Decoder, DecoderConfig, mixed
from satdifuser_qgis.engine.features import Extractor
from satdifuser_qgis.engine.model_file import read_header
from satdifuser_qgis.engine.outputs import Outputs
from satdifuser_qgis.engine.report.scores import score
from satdifuser_qgis.engine.reporter import Silent
from satdifuser_qgis.engine.tasks import segment, trainsegmentation
from satdifuser_qgis.engine.training.learners import OnFeatures
from satdifuser_qgis.engine.training.loop import FitSettings, fit, new_decoder
from satdifuser_qgis.engine.training.pixels import UNKNOWN_SHARE, add_pixels
from satdifuser_qgis.engine.training.samples import Sample
from satdifuser_qgis.protocol.segment import SegmentRequest
from satdifuser_qgis.protocol.trainsegmentation import TrainSegmentationRequest
from tests.data import write_landscape
from tests.engine.tiny import pixel_backbone, weigh_features

CONFIG = DecoderConfig("global", "light", (Scale(2, ("a",), (3,)),), (1,), 3, width=8, side_channels=3, head_channels=8)


def ground(told_by_pixels: bool, told_by_features: bool, held_back: bool = True) -> list[Sample]:
    """Tiles of three classes in stripes; pixels and features show the class with little noise, or noise alone."""
    torch.manual_seed(5)
    samples = []
    for number in range(6):
        classes = (torch.arange(32) // 4 + number).remainder(3).repeat(32, 1)
        sign = torch.nn.functional.one_hot(classes, 3).permute(2, 0, 1).float() - 0.3
        noise, coarse_noise = 0.1 * torch.randn(3, 32, 32), torch.randn(1, 3, 16, 16)
        pixels = noise + sign * told_by_pixels
        features = 0.1 * coarse_noise + sign[None, :, ::2, ::2] * told_by_features
        unknown = torch.full_like(classes, -1)
        checks = held_back and number >= 4
        labels = (unknown, classes) if checks else (classes, unknown)
        block = torch.full_like(classes, number - 4 if checks else -1)
        samples.append(Sample([features.half()], pixels, *labels, block, (0, 0)))
    return samples


def decoder_on(samples: list[Sample]) -> tuple[Decoder, float | None]:
    """A trained decoder, and its mean IoU on the ground held back."""
    learner = OnFeatures(new_decoder(CONFIG, 0), torch.device("cpu"), True)
    fit(learner, samples, 3, FitSettings(60, 4, look_every=60), Silent(), "")
    matrices = add_pixels(learner, learner.module, samples, 3, 0, Silent())
    return learner.module, None if matrices is None else score(matrices.sum(0)).miou


def test_where_features_are_noise_the_map_is_left_to_the_pixels():
    decoder, miou = decoder_on(ground(told_by_pixels=True, told_by_features=False))
    assert float(decoder.share) < 0.5
    assert miou > 0.9


def test_where_pixels_are_noise_the_map_is_left_to_the_features():
    decoder, miou = decoder_on(ground(told_by_pixels=False, told_by_features=True))
    assert float(decoder.share) > 0.8
    assert miou > 0.8


def test_without_ground_held_back_both_count_alike():
    decoder, miou = decoder_on(ground(True, True, held_back=False))
    assert float(decoder.share) == UNKNOWN_SHARE
    assert miou is None


def test_a_map_is_the_weighed_mean_of_both_probabilities():
    torch.manual_seed(0)
    one, other = torch.randn(2, 3, 4, 4), 30 * torch.randn(2, 3, 4, 4)
    expected = 0.3 * one.softmax(1) + 0.7 * other.softmax(1)
    assert torch.allclose(mixed(one, other, 0.3).softmax(1), expected, atol=1e-6)
    for share, alone in ((1.0, one), (0.0, other)):
        assert torch.allclose(mixed(one, other, share), alone.log_softmax(1), atol=1e-6)


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


def test_model_and_report_say_who_decides(request_):
    assert "comes from the values of single pixels alone" in train(request_)
    assert read_header(request_.model).training["features_share"] == 0
    assert "count alike" in train(dataclasses.replace(request_, validation=0.0))
    assert read_header(request_.model).training["features_share"] == UNKNOWN_SHARE
    assert "single pixels" not in train(dataclasses.replace(request_, spectral=False))
    assert read_header(request_.model).training["features_share"] == 1


def test_a_fine_tuned_model_has_its_pixels_too(request_):
    train(dataclasses.replace(request_, finetune=1, seed=1))
    header = read_header(request_.model)
    assert header.scores["miou"] > max(header.training["finetune"]["frozen"], header.training["finetune"]["tuned"])


def test_a_map_of_single_pixels_computes_no_features(request_, tmp_path, monkeypatch):
    train(request_)
    mapping = SegmentRequest(input=request_.input, model=request_.model, output=str(tmp_path / "map.tif"))

    def refuse(*_: object) -> None:
        raise AssertionError("features were computed")

    monkeypatch.setattr(Extractor, "__call__", refuse)
    with Outputs("test") as outputs:
        segment.run(mapping, Silent(), outputs)
    weigh_features(Path(request_.model))
    with pytest.raises(AssertionError, match="features were computed"), Outputs("test") as outputs:
        segment.run(mapping, Silent(), outputs)
