"""Latent backbones from training to the map: conditioned network and autoencoder, noised and by inversion."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import rasterio

from satdifuser_qgis.engine.model_file import read_header
from satdifuser_qgis.engine.outputs import Outputs
from satdifuser_qgis.engine.reporter import Silent
from satdifuser_qgis.engine.tasks import trainsegmentation
from satdifuser_qgis.engine.worker import execute
from satdifuser_qgis.protocol.segment import SegmentRequest
from satdifuser_qgis.protocol.trainsegmentation import TrainSegmentationRequest
from tests.data import landscape, write_landscape, write_raster
from tests.engine.tiny import latent_backbone, weigh_features

NOISED, INVERSION = 1, 2


@pytest.fixture
def request_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainSegmentationRequest:
    """The diffusion model alone, with tiles of 64 pixels: those of 256 take minutes here."""
    monkeypatch.setitem(trainsegmentation.TILE_PX, "latent", 64)
    folder = tmp_path / "training"
    folder.mkdir()
    image, labels = write_landscape(folder, height=96, width=128)
    return TrainSegmentationRequest(
        input=image,
        label_rasters=(labels,),
        model=str(folder / "model.safetensors"),
        backbone=str(latent_backbone(folder / "latent")),
        timesteps=(40, 160),
        epochs=1,
        scaling=1,
        encoder=1,
        threads=1,
    )


def mapped(model: str, image: str, folder: Path, batch: int = 0) -> np.ndarray:
    """(4, h, w) probabilities of a map."""
    shares = str(folder / "shares.tif")
    request = SegmentRequest(image, model, str(folder / "map.tif"), probabilities=shares, batch=batch, threads=1)
    execute(request, Silent(), Outputs("made"))
    with rasterio.open(shares) as file, rasterio.open(folder / "map.tif") as classes:
        assert (file.read().argmax(axis=0) + 1 == classes.read(1)).all()
        return file.read()


def test_a_latent_backbone_trains_and_maps_noised_and_by_inversion(request_, tmp_path):
    image = write_raster(tmp_path / "other.tif", landscape(height=70, width=90, seed=4)[0])
    maps = {}
    for extraction, mode in ((NOISED, "noised"), (INVERSION, "inversion")):
        model = str(tmp_path / f"{mode}.safetensors")
        execute(dataclasses.replace(request_, model=model, extraction=extraction), Silent(), Outputs("made"))
        header = read_header(model)
        assert (header.tile_px, header.features["mode"], header.features["times"]) == (64, mode, [40, 160])
        weigh_features(Path(model))
        maps[mode] = mapped(model, image, tmp_path)
        assert maps[mode].shape == (4, 70, 90)
        assert np.abs(mapped(model, image, tmp_path, batch=1) - maps[mode]).max() < 1e-4
    assert np.abs(maps["noised"] - maps["inversion"]).max() > 1e-3


def test_a_latent_backbone_works_beside_the_encoder(request_, tmp_path):
    model = str(tmp_path / "both.safetensors")
    execute(dataclasses.replace(request_, model=model, encoder=0), Silent(), Outputs("made"))
    header = read_header(model)
    assert header.encoder is not None
    assert header.features["mode"] == "noised"
    image = write_raster(tmp_path / "other.tif", landscape(height=70, width=90, seed=4)[0])
    assert mapped(model, image, tmp_path).shape == (4, 70, 90)


def test_automatic_extraction_of_a_latent_backbone_is_noised_at_its_own_times(request_, tmp_path):
    model = str(tmp_path / "automatic.safetensors")
    execute(dataclasses.replace(request_, model=model, timesteps=()), Silent(), Outputs("made"))
    features = read_header(model).features
    assert features["mode"] == "noised"
    assert features["times"]
