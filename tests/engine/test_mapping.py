"""Maps do not depend on batch size, extent or overlap bookkeeping; a constant model maps to a constant."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from affine import Affine

from satdifuser_qgis.engine.inference import mapping
from satdifuser_qgis.engine.inference.mapping import MapPlan, map_strips
from satdifuser_qgis.engine.inference.tiles import blend_weights, side_in_raster, tile_grid
from satdifuser_qgis.engine.raster.grid import Grid, Window
from satdifuser_qgis.engine.raster.normalise import Scaling
from satdifuser_qgis.engine.reporter import Silent

SCALING = Scaling("none", (0.0,) * 3, (1.0,) * 3)


class _Raster:
    """A raster in memory; beyond its edge everything is invalid, as in a file."""

    def __init__(self, values: np.ndarray, valid: np.ndarray) -> None:
        self.values, self.valid = values, valid
        self.grid = Grid("", Affine.identity(), values.shape[2], values.shape[1])
        self.filled = SimpleNamespace(meets=lambda window: True)

    def across(self, bands, window, side):
        return self

    def read(self, bands, window):
        values = np.zeros((len(bands), window.height, window.width), np.float32)
        valid = np.zeros((window.height, window.width), bool)
        inside = window.intersection(self.grid.whole)
        rows, columns = slice(inside.row, inside.row + inside.height), slice(inside.col, inside.col + inside.width)
        values[:, : inside.height, : inside.width] = self.values[:, rows, columns]
        valid[: inside.height, : inside.width] = self.valid[rows, columns]
        return values, valid


class _Model:
    """Logits that depend on the pixel and, away from a tile's middle, on the tile: blending must hide that."""

    header = SimpleNamespace(classes=("a", "b"))

    def logits(self, tiles, raster, positions):
        drift = torch.linspace(-1, 1, tiles.shape[-1]).abs()
        first = tiles[:, 0] + drift[:, None] * torch.tensor([float(r % 3) for r, _ in positions])[:, None, None]
        return torch.stack([first, tiles[:, 1]], dim=1)


def _raster(height: int, width: int, seed: int = 0) -> _Raster:
    rng = np.random.default_rng(seed)
    valid = np.ones((height, width), bool)
    valid[: height // 5, : width // 4] = False
    return _Raster(rng.random((3, height, width), np.float32), valid)


def _map(raster: _Raster, window: Window, batch: int, overlap: int = 25) -> tuple[np.ndarray, np.ndarray]:
    grid = tile_grid(raster.grid.height, raster.grid.width, 16, 16, overlap).touching(window)
    plan = MapPlan(window, grid, (1, 2, 3), SCALING, batch)
    strips = list(map_strips(plan, _Model(), raster, Silent()))
    logits = np.full((2, window.height, window.width), np.nan, np.float32)
    valid = np.zeros((window.height, window.width), bool)
    for strip in strips:
        top, left = strip.window.row - window.row, strip.window.col - window.col
        rows, columns = slice(top, top + strip.window.height), slice(left, left + strip.window.width)
        assert np.isnan(logits[:, rows, columns]).all(), "each pixel is finished once"
        logits[:, rows, columns], valid[rows, columns] = strip.logits, strip.valid
    logits[:, ~valid] = 0  # strips without a valid pixel are left out
    assert not np.isnan(logits).any()
    return logits, valid


@pytest.mark.parametrize(("height", "width"), [(5, 7), (16, 16), (17, 40), (50, 33), (64, 90)])
@pytest.mark.parametrize("overlap", [0, 25, 60])
def test_strips_cover_the_window_and_keep_nodata(height, width, overlap):
    raster = _raster(height, width)
    logits, valid = _map(raster, raster.grid.whole, 3, overlap)
    assert logits.shape == (2, height, width)
    assert (valid == raster.valid).all()
    # The second class repeats the raster's second band, whatever the blending (scaled to -1..1).
    expected = raster.values[1] * 2 - 1
    assert np.abs(logits[1] - expected)[valid].max() < 1e-5


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_batch_size_changes_nothing(batch):
    raster = _raster(50, 61)
    assert np.array_equal(_map(raster, raster.grid.whole, batch)[0], _map(raster, raster.grid.whole, 5)[0])


@pytest.mark.parametrize("window", [Window(20, 17, 9, 30), Window(0, 0, 3, 3), Window(33, 40, 17, 21)])
def test_an_extent_gives_the_same_numbers_as_the_whole(window):
    raster = _raster(50, 61)
    whole = _map(raster, raster.grid.whole, 4)[0]
    rows, columns = slice(window.row, window.row + window.height), slice(window.col, window.col + window.width)
    assert np.abs(_map(raster, window, 4)[0] - whole[:, rows, columns]).max() < 1e-6


@pytest.mark.parametrize("window", [Window(0, 0, 50, 200), Window(13, 70, 20, 61), Window(3, 64, 9, 64)])
def test_blocks_of_columns_give_the_same_numbers_as_one(window, monkeypatch):
    raster = _raster(50, 200)
    whole = _map(raster, window, 4)[0]
    monkeypatch.setattr(mapping, "WIDEST_PX", 64)
    monkeypatch.setattr(mapping, "FEWEST_TILES", 2)
    assert np.abs(_map(raster, window, 4)[0] - whole).max() < 1e-6


@pytest.mark.parametrize(("side", "width"), [(128, 4096), (400, 6400), (640, 6553), (1280, 3276), (2032, 4064)])
def test_a_strip_has_a_bounded_number_of_pixels(side, width):
    grid = tile_grid(40_000, 40_000, side, 128, 25)
    plan = MapPlan(Window(0, 0, 40_000, 40_000), grid, (1, 2, 3), SCALING, 3)
    assert max(block.width for block in plan.blocks()) == width
    assert width * side <= max(mapping.LARGEST_STRIP_PX, 2 * side**2)


def test_what_is_finished_is_not_computed_again_and_the_rest_is_the_same_to_the_bit():
    raster = _raster(90, 40)
    plan = MapPlan(raster.grid.whole, tile_grid(90, 40, 16, 16, 60), (1, 2, 3), SCALING, 3)
    everything = {strip.window: strip for strip in map_strips(plan, _Model(), raster, Silent())}
    there = [window for number, window in enumerate(everything) if number % 5 < 3]
    rest = list(map_strips(plan, _Model(), raster, Silent(), there.__contains__))
    assert [strip.window for strip in rest] == [window for window in everything if window not in there]
    assert all((strip.logits == everything[strip.window].logits).all() for strip in rest)


def test_another_order_of_tiles_gives_the_same_bits():
    raster = _raster(90, 70)
    plan = MapPlan(raster.grid.whole, tile_grid(90, 70, 16, 16, 25), (1, 2, 3), SCALING, 3)
    everything = list(map_strips(plan, _Model(), raster, Silent()))
    for strip in reversed(everything):
        (alone,) = map_strips(plan, _Model(), raster, Silent(), lambda window, own=strip.window: window != own)
        assert (alone.logits == strip.logits).all()
        assert (alone.valid == strip.valid).all()


def test_weights_are_positive_and_fall_towards_the_edge():
    weights = blend_weights(32)
    assert weights.min() > 0
    assert weights[16, 16] > weights[16, 1] > weights[1, 1]


@pytest.mark.parametrize(
    ("model_gsd", "gsd", "side"),
    [(10, 10, 128), (10, 9.9, 128), (10, 5, 256), (0, 1, 128), (10, None, 128), (10, 20, 64)],
)
def test_tiles_cover_the_ground_that_the_model_was_trained_on(model_gsd, gsd, side):
    assert side_in_raster(128, model_gsd, gsd) == side
