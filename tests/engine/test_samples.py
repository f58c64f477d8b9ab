"""Samples: labels on the network's pixels, whatever the pixels of the image."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from satdifuser_qgis.engine.backbones import load_backbone
from satdifuser_qgis.engine.decoder import DecoderConfig
from satdifuser_qgis.engine.features import Extractor, Recipe
from satdifuser_qgis.engine.raster.grid import Window
from satdifuser_qgis.engine.raster.normalise import Scaling
from satdifuser_qgis.engine.raster.read import open_raster
from satdifuser_qgis.engine.reporter import Silent
from satdifuser_qgis.engine.training.blocks import lattices
from satdifuser_qgis.engine.training.learners import OnFeatures
from satdifuser_qgis.engine.training.loop import FitSettings, fit, new_decoder
from satdifuser_qgis.engine.training.samples import UNLABELLED, LabelledImage, Sample, compute_samples, find_tiles
from satdifuser_qgis.protocol.errors import EngineError
from tests.data import write_raster
from tests.engine.tiny import pixel_backbone

CPU = torch.device("cpu")
TILE_PX = 16


@pytest.fixture(scope="module")
def extractor(tmp_path_factory: pytest.TempPathFactory) -> Extractor:
    return Extractor(load_backbone(str(pixel_backbone(tmp_path_factory.mktemp("samples"))), CPU), Recipe(), CPU)


def sampled(folder: Path, extractor: Extractor, codes: NDArray[np.int16], held_back: bool = False) -> Sample:
    """The sample of an image of one tile with these labels; of 16 blocks, every other one may be held back."""
    side = len(codes)
    with open_raster(write_raster(folder / "image.tif", np.full((3, side, side), 9, np.uint8))) as raster:
        image = LabelledImage(raster, (1, 2, 3), lambda window: codes, raster.grid.whole, side)
        (lattice,) = lattices([raster.grid], side // 4)
        blocks = sorted(lattice.ids(Window(0, 0, side, side))[1])[::2] if held_back else []
        tiles = find_tiles([image], [lattice], 3, TILE_PX, Silent())[0]
        scaling = Scaling("constant", (0.0, 0.0, 0.0), (255.0, 255.0, 255.0))
        (sample,) = compute_samples(
            [image], [lattice], tiles, frozenset(blocks), extractor, None, [scaling], TILE_PX, 1, Silent(), ""
        )
    return sample


def points(side: int, count: int) -> NDArray[np.int16]:
    """Single labelled pixels of three classes, and a thin line."""
    rng = np.random.default_rng(side)
    codes = np.full((side, side), UNLABELLED, np.int16)
    codes[side // 3] = 2
    codes[tuple(rng.integers(0, side, (2, count)))] = rng.integers(0, 3, count)
    return codes


@pytest.mark.parametrize("side", [19, 40, 160])
def test_points_and_lines_of_a_finer_image_reach_the_network(tmp_path, extractor, side):
    codes = points(side, 30)
    target = sampled(tmp_path, extractor, codes).target.numpy()
    rows, columns = np.nonzero(codes != UNLABELLED)
    at = [((2 * part + 1) * TILE_PX // (2 * side)) for part in (rows, columns)]
    there: dict[tuple[int, int], set[int]] = {}
    for row, column, code in zip(*at, codes[rows, columns], strict=True):
        there.setdefault((row, column), set()).add(int(code))
    assert {tuple(place) for place in np.argwhere(target != UNLABELLED)} == set(there)
    assert all(target[place] in classes for place, classes in there.items())


def test_where_the_centre_is_labelled_it_counts(tmp_path, extractor):
    codes = np.random.default_rng(0).integers(0, 3, (160, 160)).astype(np.int16)
    assert (sampled(tmp_path, extractor, codes).target.numpy() == codes[5::10, 5::10]).all()


def test_labels_on_the_networks_own_pixels_stay_as_they_are(tmp_path, extractor):
    codes = points(TILE_PX, 30)
    assert (sampled(tmp_path, extractor, codes).target.numpy() == codes).all()
    coarse = points(8, 5)
    assert (sampled(tmp_path, extractor, coarse).target.numpy() == np.kron(coarse, np.ones((2, 2), int))).all()


def test_a_pixel_trains_or_validates_as_its_block_says(tmp_path, extractor):
    codes = points(150, 60)
    everything = sampled(tmp_path, extractor, codes).target
    sample = sampled(tmp_path, extractor, codes, held_back=True)
    trains, validates = sample.target != UNLABELLED, sample.held_back != UNLABELLED
    assert trains.any()
    assert validates.any()
    assert not (trains & validates).any()
    assert ((trains | validates) == (everything != UNLABELLED)).all()
    assert (sample.block[validates] >= 0).all()
    assert (sample.block[trains] < 0).all()


def test_training_without_a_pixel_to_learn_from_is_refused(tmp_path, extractor):
    sample = sampled(tmp_path, extractor, points(TILE_PX, 30))
    sample = dataclasses.replace(
        sample, target=torch.full_like(sample.target, UNLABELLED), held_back=sample.target, block=sample.block * 0
    )
    config = DecoderConfig("global", "light", extractor.scales, extractor.recipe.times, 3, head_channels=8)
    learner = OnFeatures(new_decoder(config, 0), CPU, False)
    with pytest.raises(EngineError, match="outside of the validation blocks") as caught:
        fit(learner, [sample], 3, FitSettings(2), Silent(), "")
    assert caught.value.code == "too_few_labels"
