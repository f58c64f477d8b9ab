"""The classifier of single pixels: what it learns, when a map is left to it, and what that map then costs."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from satdifuser_qgis.engine.decoder import DecoderConfig
from satdifuser_qgis.engine.features import Extractor
from satdifuser_qgis.engine.heads.layers import mixed
from satdifuser_qgis.engine.model_file import read_header
from satdifuser_qgis.engine.outputs import Outputs
from satdifuser_qgis.engine.report.scores import confusion_matrix, score
from satdifuser_qgis.engine.reporter import Silent
from satdifuser_qgis.engine.streams import Scale
from satdifuser_qgis.engine.tasks import segment, trainsegmentation
from satdifuser_qgis.engine.training.learners import OnFeatures
from satdifuser_qgis.engine.training.loop import FitSettings, class_counts, fit, new_decoder
from satdifuser_qgis.engine.training.pixels import (
    MOST_PX,
    SHARES,
    UNKNOWN_SHARE,
    Weighing,
    _labelled,
    add_pixels,
    best_and_chosen,
)
from satdifuser_qgis.engine.training.samples import Sample
from satdifuser_qgis.protocol.errors import EngineError
from satdifuser_qgis.protocol.segment import SegmentRequest
from satdifuser_qgis.protocol.trainsegmentation import TrainSegmentationRequest
from tests.data import write_landscape
from tests.engine.tiny import pixel_backbone, weigh_features

CONFIG = DecoderConfig(
    "global", "light", (Scale(2, ("a",), (3,)),), (1,), 3, width=8, side_channels=3, head_channels=8, pixels=True
)


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


def weighing_on(samples: list[Sample]) -> Weighing:
    """What a trained decoder's weighing says, having checked that the decoder does as it says."""
    learner = OnFeatures(new_decoder(CONFIG, 0), torch.device("cpu"), True)
    fit(learner, samples, 3, FitSettings(60, 4, look_every=60), Silent(), "")
    found = add_pixels(learner, learner.module, samples, 3, 0, Silent())
    assert learner.module.config.share == found.share
    if found.matrices is not None:
        matrix = np.zeros((3, 3), np.int64)
        for sample in samples:
            pyramid = [level[None].float() for level in sample.pyramid]
            with torch.inference_mode():
                predicted = learner.module(pyramid, (32, 32), sample.pixels[None])[0].argmax(0)
            matrix += confusion_matrix(sample.held_back.numpy(), predicted.numpy(), 3)
        assert (matrix == found.matrices.sum(0)).all()
        assert score(matrix).miou == found.miou
    return found


def test_where_features_are_noise_the_map_is_left_to_the_pixels():
    found = weighing_on(ground(told_by_pixels=True, told_by_features=False))
    assert found.share < 0.5
    assert found.miou > 0.9


def test_where_pixels_are_noise_the_map_is_left_to_fuser_and_head():
    found = weighing_on(ground(told_by_pixels=False, told_by_features=True))
    assert found.share > 0.8
    assert found.pixels_miou < 0.4 < 0.8 < found.fused_miou


def test_without_ground_held_back_both_count_alike():
    assert weighing_on(ground(True, True, held_back=False)) == Weighing(UNKNOWN_SHARE)


def test_held_back_pixels_of_classes_that_nothing_trained_on_say_nothing():
    samples = ground(True, True)
    for sample in samples:
        sample.target[sample.target == 2] = -1
        sample.held_back[sample.held_back != 2] = -1
    assert weighing_on(samples) == Weighing(UNKNOWN_SHARE)


def test_of_many_pixels_the_rare_ones_are_all_kept():
    side, classes = 512, 3
    target = torch.zeros(side, side, dtype=torch.long)
    target[:10, :10], target[20:420] = 1, 2
    unknown = torch.full_like(target, -1)
    sample = Sample([], torch.randn(3, side, side), target, unknown, unknown, (0, 0))
    counts = class_counts([sample], classes)
    kept = counts.clamp(max=MOST_PX // classes)
    values, targets = _labelled([sample], kept / counts, 0)
    found = torch.bincount(targets, minlength=classes)
    assert values.shape == (len(targets), 9)
    assert found[1] == 100
    assert torch.allclose(found.float(), kept, rtol=0.02)


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
        encoder=1,
    )


def train(request: TrainSegmentationRequest) -> str:
    """The report."""
    with Outputs("test") as outputs:
        trainsegmentation.run(request, Silent(), outputs)
        outputs.commit()
    return Path(request.report).read_text(encoding="utf-8")


def test_model_and_report_say_who_decides(request_):
    assert "Single pixels with the 5 × 5 around them decide alone" in train(request_)
    header = read_header(request_.model)
    assert header.decoder["share"] == header.training["weighing"]["share"] == 0
    assert header.scores["miou"] == header.training["weighing"]["pixels_miou"] > 0.5
    assert "without validation blocks nothing tells" in train(dataclasses.replace(request_, validation=0.0))
    assert read_header(request_.model).decoder["share"] == UNKNOWN_SHARE
    assert "single pixels" not in train(dataclasses.replace(request_, spectral=False))
    assert read_header(request_.model).decoder["share"] == 1


def test_fusion_weights_that_no_map_uses_are_not_shown(request_):
    assert "Fusion weights" not in train(request_)
    assert "Fusion weights" in train(dataclasses.replace(request_, spectral=False))


def test_a_tuned_backbone_that_no_map_uses_is_not_kept(request_):
    train(dataclasses.replace(request_, finetune=1, seed=1))
    header = read_header(request_.model)
    assert header.training["finetune"]["kept"]
    assert not header.backbone.tuned


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


# Two shares, the first of which is worse on block after block by these means of cross-entropy.
WORSE = np.array([0.5, 0.1, 0.3, -0.1, 0.2, 0.2])


def losses_of(worse: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Sums of a share that is worse, and of the best one."""
    return np.stack([weight * (1 + worse), weight])


@pytest.mark.parametrize(("factor", "chosen"), [(0.98, 1), (1.02, 0)])
def test_the_least_share_within_one_standard_error_is_given(factor, chosen):
    weight = np.full(6, 100.0)
    error = WORSE.std(ddof=1) / np.sqrt(6)
    worse = (WORSE - WORSE.mean()) * factor + error
    assert best_and_chosen(losses_of(worse, weight), weight) == (1, chosen)


@pytest.mark.parametrize(("factor", "chosen"), [(0.98, 1), (1.02, 0)])
def test_the_standard_error_leaves_each_block_out_by_what_is_known_of_it(factor, chosen):
    weight = np.array([300.0, 50, 200, 80, 120, 250])
    mean = np.average(WORSE, weights=weight)
    left_out = [np.average(np.delete(WORSE, i), weights=np.delete(weight, i)) for i in range(6)]
    error = np.sqrt(5 / 6 * sum((value - np.mean(left_out)) ** 2 for value in left_out))
    worse = (WORSE - mean) * factor + error
    assert best_and_chosen(losses_of(worse, weight), weight) == (1, chosen)


def test_of_one_block_or_next_to_one_half_the_best_share_is_given():
    shares = np.array([9.0, 8, 7, 6, 5, 4, 5, 6, 7, 8, 9])
    for weight in (np.array([100.0]), np.array([100.0, 0.1])):
        assert best_and_chosen(np.outer(shares, weight), weight) == (5, 2)
        assert best_and_chosen(np.outer(-np.arange(11), weight), weight) == (10, 5)


def test_one_block_that_features_tell_does_not_lose_them():
    samples = [
        sample for sample in ground(told_by_pixels=False, told_by_features=True) if not (sample.block == 1).any()
    ]
    found = weighing_on(samples)
    assert found.best_share > 0.8
    assert found.share == SHARES[SHARES.index(found.best_share) // 2]
    assert found.miou > 0.8


def test_losses_that_are_no_numbers_are_told():
    samples = ground(True, True)
    learner = OnFeatures(new_decoder(CONFIG, 0), torch.device("cpu"), True)
    samples[-1].pyramid[0][:] = float("nan")
    with pytest.raises(EngineError, match="no number"):
        add_pixels(learner, learner.module, samples, 3, 0, Silent())


def test_a_share_that_chance_kept_small_is_explained():
    assert "favour 50 %" in Weighing(0.1, 0.5, 0.38, 0.31, 0.31).sentence
    assert "favours" not in Weighing(0.9, 0.9, 0.5004, 0.40, 0.5003).sentence
    assert "favours" not in Weighing(UNKNOWN_SHARE).sentence
