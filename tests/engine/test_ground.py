"""The ground that training sees: its classes, and what the log says before it begins."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from satdifuser_qgis.engine.backbones import load_backbone
from satdifuser_qgis.engine.decoder import DecoderConfig
from satdifuser_qgis.engine.features import Extractor, Recipe
from satdifuser_qgis.engine.raster.grid import Window
from satdifuser_qgis.engine.raster.read import open_raster
from satdifuser_qgis.engine.report.verdict import check_classes
from satdifuser_qgis.engine.reporter import Silent, Whole
from satdifuser_qgis.engine.training.estimate import Costs
from satdifuser_qgis.engine.training.landcover import (
    NO_DATA,
    NO_ROOM,
    choose_scaling,
    fit_settings,
    survey,
    within_budget,
)
from satdifuser_qgis.engine.training.loop import FitSettings
from satdifuser_qgis.engine.training.samples import LabelledImage
from satdifuser_qgis.engine.training.summary import label_lines
from satdifuser_qgis.protocol.classes import LandCoverClass
from tests.data import write_raster
from tests.engine.notes import Notes
from tests.engine.tiny import pixel_backbone

NATIONAL = tuple(LandCoverClass(100 + code, f"class {code}", f"#0000{code:02x}") for code in range(40))
PRESENT = (3, 7, 12, 30, 39)


@pytest.fixture
def image(tmp_path) -> Iterator[LabelledImage]:
    """64 × 64 pixels with five of forty classes; one more lies where the image holds no data."""
    codes = np.repeat(np.array(PRESENT, np.int16), 13)[:64, None].repeat(64, axis=1)
    codes[:, 60:], codes[:4, :4] = -1, 20
    values = np.full((3, 64, 64), 9, np.uint8)
    values[:, :4, :4] = 0

    def labels(window: Window):
        padded = np.pad(codes, 64, constant_values=-1)
        return padded[64 + window.row :, 64 + window.col :][: window.height, : window.width]

    with open_raster(write_raster(tmp_path / "image.tif", values, nodata=0)) as raster:
        yield LabelledImage(raster, (1, 2, 3), labels, raster.grid.whole, 16)


def test_a_class_without_a_labelled_pixel_is_no_class_of_the_model(image):
    notes = Notes()
    ground = survey([image], NATIONAL, 16, 0.2, 0, notes)
    assert ground.classes == tuple(NATIONAL[code] for code in PRESENT)
    whole = Window(0, 0, 64, 64)
    before, after = image.labels(whole), ground.images[0].labels(whole)
    assert (after == np.select([before == code for code in PRESENT], range(5), -1)).all()
    # Of the first class, 16 pixels are taken by one without data.
    assert ground.class_pixels.tolist() == [13 * 60 - 16, 13 * 60, 13 * 60, 13 * 60, 12 * 60]
    assert len(ground.ignored[NO_DATA]) == len(ground.held_back_pixels) == 5
    named = ", ".join(f'"class {code}"' for code in (0, 1, 2, 4, 5, 6, 8, 9, 10, 11))
    assert notes.lines == [
        f"35 classes have no labelled pixel with data on the images and are left out: {named} and 25 more."
    ]


def test_of_many_classes_the_log_tells_those_with_the_fewest_labels(image):
    codes = np.arange(64 * 64, dtype=np.int16).reshape(64, 64) % 40
    codes[0, :16] = 7
    drawn = dataclasses.replace(image, labels=lambda w: codes[w.row :, w.col :][: w.height, : w.width])
    ground = survey([drawn], NATIONAL, 16, 0, 0, Silent())
    lines = label_lines(ground)
    assert len(lines) == 11
    told = [int(re.search(r"class (\d+)", line)[1]) for line in lines[:10]]
    assert told == sorted(told)
    assert 7 not in told
    least = sorted(ground.class_pixels)[10]
    assert lines[10] == f"30 more classes: from {least} labelled pixels on."


def test_where_every_class_has_pixels_nothing_is_said_or_changed(image):
    notes = Notes()
    classes = NATIONAL[:5]
    five = dataclasses.replace(image, labels=survey([image], NATIONAL, 16, 0, 0, Silent()).images[0].labels)
    ground = survey([five], classes, 16, 0.2, 0, notes)
    assert (ground.classes, ground.images) == (classes, [five])
    assert not notes.lines


@pytest.mark.parametrize(("images", "validation", "reason"), [(1, 0.2, "one image"), (2, 0.0, "no validation blocks")])
def test_a_scaling_that_is_not_tried_is_told_with_the_reason(tmp_path, image, images, validation, reason):
    notes = Notes()
    ground = survey([image] * images, NATIONAL, 16, validation, 0, Silent())
    cpu = torch.device("cpu")
    extractor = Extractor(load_backbone(str(pixel_backbone(tmp_path / "tiny")), cpu), Recipe(), cpu)
    config = DecoderConfig("global", "light", extractor.scales, extractor.recipe.times, 5)
    costs, whole = Costs(1, 1), Whole(notes, 1)
    kind, tried = choose_scaling(ground, 0, 0, extractor, config, FitSettings(1), False, costs, whole)
    assert (kind, tried) == ("constant", {})
    assert [line.startswith("Scaling of values: constants") and reason in line for line in notes.lines] == [True]


def test_tiles_beyond_the_memory_budget_are_told_and_counted_as_ignored(image, tmp_path, monkeypatch):
    ground = survey([image], NATIONAL, 16, 0.2, 0, Notes())
    cpu = torch.device("cpu")
    extractor = Extractor(load_backbone(str(pixel_backbone(tmp_path / "tiny")), cpu), Recipe(), cpu)
    assert within_budget(ground, extractor, None, Notes()) is ground
    monkeypatch.setattr("satdifuser_qgis.engine.training.landcover.FEATURE_BUDGET", 1)
    notes = Notes()
    smaller = within_budget(ground, extractor, None, notes)
    assert len(smaller.tiles) == 8 < len(ground.tiles)
    assert notes.lines[0].startswith(f"Of the labelled tiles {8 / len(ground.tiles):.0%} is used")
    assert (smaller.class_pixels > 0).all()
    assert (smaller.class_pixels + smaller.ignored[NO_ROOM] == ground.class_pixels).all()


@pytest.mark.parametrize(
    ("tiles", "epochs", "steps", "look_every", "patience"),
    [
        (1, 0, 300, 50, 3),
        (160, 0, 720, 120, 3),
        (10_000, 0, 1000, 166, 3),
        (9, 4, 8, 8, 0),
        (160, 3, 60, 50, 0),
        (1, 1, 1, 1, 0),
    ],
)
def test_steps_follow_from_counts_and_only_automatic_ones_end_early(tiles, epochs, steps, look_every, patience):
    settings = fit_settings(tiles, epochs, seed=7)
    assert (settings.steps, settings.look_every, settings.patience) == (steps, look_every, patience)
    assert settings.seed == 7


@pytest.mark.parametrize(("squares", "unproven"), [(15, 3), (25, 0)])
def test_labels_as_the_guide_advises_can_be_judged(tmp_path, squares, unproven):
    """Squares of 7 × 7 pixels of five classes, anywhere on the image, all of them mapped rightly."""
    classes, rng = NATIONAL[:5], np.random.default_rng(1)
    codes = np.full((384, 384), -1, np.int16)
    for number, place in enumerate(rng.permutation(32**2)[: 5 * squares]):
        row, column = 8 * (place // 32), 8 * (place % 32)
        codes[row : row + 7, column : column + 7] = number % 5
    path = write_raster(tmp_path / "image.tif", np.full((3, 256, 256), 9, np.uint8))
    with open_raster(path) as raster:
        image = LabelledImage(
            raster, (1, 2, 3), lambda w: codes[w.row :, w.col :][: w.height, : w.width], raster.grid.whole, 128
        )
        ground = survey([image], classes, 128, 0.2, 0, Silent())
    blocks = {block: np.zeros(5, np.int64) for block in ground.held_back}
    for tile in ground.tiles:
        for block in tile.counts.keys() & blocks.keys():
            blocks[block] += tile.counts[block]
    checked = check_classes(classes, ground.class_pixels, [np.diag(pixels) for pixels in blocks.values()])
    assert sum(item.grade == "unproven" for item in checked) <= unproven
    assert {item.grade for item in checked} <= {"unproven", "good"}
