"""Fine-tuning: the backbone learns with the decoder, and is kept only where held-back ground says so."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch

from satdifuser_qgis.engine.backbones import load_backbone
from satdifuser_qgis.engine.decoder import DecoderConfig
from satdifuser_qgis.engine.features import Extractor, Recipe
from satdifuser_qgis.engine.inference.landcover_model import LandCoverModel
from satdifuser_qgis.engine.model_file import read_model, split_tensors, write_model
from satdifuser_qgis.engine.outputs import Outputs
from satdifuser_qgis.engine.reporter import Silent
from satdifuser_qgis.engine.tasks import segment, trainsegmentation
from satdifuser_qgis.engine.training import finetune, pixels
from satdifuser_qgis.engine.training.learners import WithBackbone
from satdifuser_qgis.engine.training.loop import FitSettings, fit, new_decoder
from satdifuser_qgis.engine.training.samples import Sample
from satdifuser_qgis.protocol.errors import EngineError
from satdifuser_qgis.protocol.segment import SegmentRequest
from satdifuser_qgis.protocol.trainsegmentation import TrainSegmentationRequest
from tests.data import write_landscape
from tests.engine.notes import Notes
from tests.engine.tiny import pixel_backbone

CPU = torch.device("cpu")


class Cancelling(Notes):
    """Cancels at a message."""

    def __init__(self, at: str) -> None:
        super().__init__()
        self.at = at

    def progress(self, done: float, total: float, unit: str, message: str = "") -> None:
        super().progress(done, total, unit, message)
        if message.startswith(self.at):
            raise EngineError("cancelled", "Cancelled.")


def train(request: TrainSegmentationRequest, reporter: Silent | None = None) -> None:
    with Outputs("test") as outputs:
        trainsegmentation.run(request, reporter or Silent(), outputs)
        outputs.commit()


@pytest.fixture
def request_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainSegmentationRequest:
    """Frozen features hardly get anywhere in one epoch, so that the second stage pays; single pixels are trained, but
    have no say, since their landscape is too easy."""
    monkeypatch.setattr(pixels, "SHARES", (1.0,))
    image, labels = write_landscape(tmp_path, height=128, width=256)
    return TrainSegmentationRequest(
        input=image,
        label_rasters=(labels,),
        model=str(tmp_path / "out" / "m.safetensors"),
        report=str(tmp_path / "out" / "m.html"),
        backbone=str(pixel_backbone(tmp_path / "tiny", clean=True)),
        epochs=1,
        scaling=1,
        finetune=1,
    )


@pytest.fixture
def extractor(tmp_path: Path) -> Extractor:
    return Extractor(load_backbone(str(pixel_backbone(tmp_path / "own")), CPU), Recipe(), CPU)


@pytest.mark.parametrize("extraction", [1, 3])
def test_the_model_holds_a_changed_backbone_and_maps_with_it(request_, tmp_path, extraction):
    notes = Notes()
    train(dataclasses.replace(request_, extraction=extraction, seed=1), notes)
    header, tensors = read_model(request_.model)
    tuning = finetune.Tuning(**header.training["finetune"])
    assert header.backbone.tuned
    assert tuning.tuned > tuning.frozen
    assert header.scores["miou"] == pytest.approx(tuning.tuned)
    assert any("the backbone was fine-tuned" in line.lower() for line in notes.lines)
    assert "rose from" in Path(request_.report).read_text(encoding="utf-8")
    assert {t.dtype for name, t in tensors.items() if name.startswith("backbone.")} == {torch.float16}

    original = load_backbone(request_.backbone, CPU)
    original = original.clean if extraction == 3 else original
    network = LandCoverModel.load(Path(request_.model), CPU).extractor.backbone.network.state_dict()
    stored = split_tensors(tensors)[1]
    assert all(torch.equal(network[name], stored[name]) for name in network)
    assert any(not torch.equal(value, network[name]) for name, value in original.network.state_dict().items())
    assert header.backbone.digest == original.digest

    target = str(tmp_path / "map.tif")
    with Outputs("test") as outputs:
        segment.run(SegmentRequest(input=request_.input, model=request_.model, output=target), Silent(), outputs)
        outputs.commit()
    with rasterio.open(target) as file:
        assert set(np.unique(file.read(1))) <= {1, 2, 3, 4}


def test_the_same_request_gives_the_same_model(request_):
    train(request_)
    first = Path(request_.model).read_bytes()
    train(request_)
    assert Path(request_.model).read_bytes() == first


@pytest.mark.parametrize("rate", [3e-4, 1e30])
def test_what_does_not_pay_or_diverges_is_not_kept(request_, monkeypatch, rate):
    def hopeless(learner, samples, classes, settings, reporter, message, _to_beat):
        return fit(learner, samples, classes, dataclasses.replace(settings, learning_rate=rate), reporter, message, 1.0)

    monkeypatch.setattr(finetune, "fit", hopeless)
    notes = Notes()
    train(request_, notes)
    header, tensors = read_model(request_.model)
    assert not header.backbone.tuned
    assert not header.training["finetune"]["kept"]
    assert not split_tensors(tensors)[1]
    assert any("did not pay" in line for line in notes.lines)
    assert "did not pay" in Path(request_.report).read_text(encoding="utf-8")
    train(dataclasses.replace(request_, finetune=0))
    frozen = read_model(request_.model)[1]
    assert all(torch.equal(tensors[name], frozen[name]) for name in frozen)


def test_training_sees_a_tile_with_the_noise_that_mapping_gives_it(extractor):
    pixels = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(3)) * 2 - 1
    config = DecoderConfig("global", "light", extractor.scales, extractor.recipe.times, 2, head_channels=8)
    decoder = new_decoder(config, 0).eval()
    target = torch.zeros(16, 16, dtype=torch.long)
    learner = WithBackbone(extractor, decoder, False)
    seen = learner.logits([Sample([], pixels, target, target, target, (32, 48))])[0]
    expected = decoder(extractor(pixels[None], [(32, 48)]), (16, 16))
    elsewhere = decoder(extractor(pixels[None], [(0, 0)]), (16, 16))
    assert torch.equal(seen, expected)
    assert not torch.equal(seen, elsewhere)


def test_features_carry_gradients_only_while_the_backbone_learns(extractor):
    images = torch.zeros(2, 3, 16, 16)
    assert not any(maps.requires_grad for maps in extractor(images, [(0, 0), (0, 16)]))
    extractor.backbone.learn(True)
    sum(maps.square().mean() for maps in extractor(images, [(0, 0), (0, 16)])).backward()
    network = extractor.backbone.network
    assert network.conv_in.weight.grad.abs().sum() > 0
    assert network.conv_out.weight.grad is None
    extractor.backbone.learn(False)
    assert not any(maps.requires_grad for maps in extractor(images, [(0, 0), (0, 16)]))


def test_cancel_is_heard_and_leaves_nothing(request_):
    with pytest.raises(EngineError) as caught:
        train(request_, Cancelling("Fine-tuning"))
    assert caught.value.code == "cancelled"
    assert not list(Path(request_.model).parent.glob("*"))


def test_large_and_latent_backbones_are_refused_with_the_reason(request_, shared_reference, monkeypatch):
    latent = str(shared_reference / "inversion" / "backbone")
    with pytest.raises(EngineError, match="latent space") as caught:
        train(dataclasses.replace(request_, backbone=latent))
    assert caught.value.code == "bad_request"
    monkeypatch.setattr(finetune, "LARGEST", 1000)
    with pytest.raises(EngineError, match="at most 0 million"):
        train(request_)


@pytest.mark.parametrize("change", [{"validation": 0.0}, {"extraction": 2}, {"finetune": 2}])
def test_what_cannot_be_judged_or_trained_is_refused(request_, change):
    with pytest.raises(ValueError, match="finetune is"):
        dataclasses.replace(request_, **change)


def test_steps_follow_from_counts():
    assert finetune.tuning_settings(1, 0, 0).steps == 40
    assert finetune.tuning_settings(120, 0, 0).steps == 120
    assert finetune.tuning_settings(10_000, 0, 0).steps == 240
    assert finetune.tuning_settings(120, 2, 0).steps == 60
    assert isinstance(finetune.tuning_settings(120, 9, 0), FitSettings)


def test_a_model_without_the_weights_it_promises_is_refused(request_):
    train(dataclasses.replace(request_, seed=1))
    header, tensors = read_model(request_.model)
    write_model(request_.model, header, split_tensors(tensors)[0])
    assert header.backbone.tuned
    with pytest.raises(EngineError, match="do not fit") as caught:
        LandCoverModel.load(Path(request_.model), CPU)
    assert caught.value.code == "bad_model"
