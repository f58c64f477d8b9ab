"""Whatever a raster is like, its map has its grid, and nodata exactly where it has none."""

from __future__ import annotations

import dataclasses
import uuid
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from benchmarks.awkward_checks import map_differences
from satdifuser_qgis.engine.inference.seams import Seams, differences
from satdifuser_qgis.engine.inference.tiles import TileGrid, tile_grid
from satdifuser_qgis.engine.outputs import Outputs
from satdifuser_qgis.engine.raster.grid import Window
from satdifuser_qgis.engine.raster.read import open_raster
from satdifuser_qgis.engine.reporter import Silent
from satdifuser_qgis.engine.worker import execute
from satdifuser_qgis.protocol.segment import SegmentRequest
from tests.data import PLACE, UTM, write_raster

PLACES = {
    "north up": (UTM, PLACE),
    "south up": (UTM, Affine(10, 0, 500_000, 0, 10, 5_200_000)),
    "rotated": (UTM, PLACE @ Affine.rotation(33)),
    "geographic": ("EPSG:4326", Affine(1e-4, 0, 15, 0, -1e-4, 47)),
    "no CRS": (None, PLACE),
    "nowhere": (None, None),
}
DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
SCENES = {"max_examples": 25, "deadline": None, "suppress_health_check": list(HealthCheck)}


@dataclasses.dataclass(frozen=True)
class Scene:
    """What is drawn at random."""

    dtype: str
    height: int
    width: int
    bands: int
    place: str
    nodata: bool
    hole: tuple[float, float, float, float]
    tiled: bool
    seed: int


scenes = st.builds(
    Scene,
    dtype=st.sampled_from(DTYPES),
    height=st.integers(1, 200),
    width=st.integers(1, 200),
    bands=st.integers(1, 6),
    place=st.sampled_from(sorted(PLACES)),
    nodata=st.booleans(),
    hole=st.tuples(*[st.floats(0, 1)] * 4),
    tiled=st.booleans(),
    seed=st.integers(0, 99),
)


def paint(scene: Scene) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Values (C,h,w), valid pixels (h,w) and how to write them: holes are nodata, or NaN where there is none."""
    rng = np.random.default_rng(scene.seed)
    shape = (scene.bands, scene.height, scene.width)
    floats = scene.dtype.startswith("float")
    values = (rng.random(shape) if floats else rng.integers(1, 120, shape)).astype(scene.dtype)
    options: dict[str, Any] = {"nodata": -1.5 if floats else 0} if scene.nodata else {}
    valid = np.ones(shape[1:], bool)
    if scene.nodata or floats:
        rows, columns = (sorted((int(a * n), int(b * n))) for a, b, n in zip(
            scene.hole[:2], scene.hole[2:], shape[1:], strict=True
        ))  # fmt: skip
        hole = slice(*rows), slice(*columns)
        values[rng.integers(min(scene.bands, 3))][hole] = options.get("nodata", np.nan)
        valid[hole] = False
    if scene.tiled:
        options |= {"tiled": True, "blockxsize": 64, "blockysize": 32}
    return values, valid, options


def write(folder: Path, scene: Scene) -> tuple[str, np.ndarray]:
    values, valid, options = paint(scene)
    crs, transform = PLACES[scene.place]
    return write_raster(folder / f"{uuid.uuid4().hex}.tif", values, crs, transform, **options), valid


@given(scene=scenes)
@settings(**SCENES)
def test_what_is_valid_is_read_as_valid(tmp_path, scene):
    path, valid = write(tmp_path, scene)
    with open_raster(path) as raster:
        found = raster.read(raster.choose_bands(), Window(-3, -2, scene.height + 5, scene.width + 9))[1]
    assert (found[3 : 3 + scene.height, 2 : 2 + scene.width] == valid).all()
    assert found.sum() == valid.sum()


@given(scene=scenes)
@settings(**SCENES | {"max_examples": 12})
def test_maps_keep_grid_and_nodata(tmp_path, model, scene):
    path, valid = write(tmp_path, scene)
    assume(valid.any())
    maps = tmp_path / uuid.uuid4().hex
    names = {name: str(maps / f"{name}.tif") for name in ("output", "probabilities", "entropy")}
    request = SegmentRequest(input=path, model=str(model), polygons=str(maps / "map.gpkg"), threads=1, **names)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        execute(request, Silent(), Outputs("test"))
        assert map_differences(request, [1, 2, 3, 4]) == []


def strips(shares: np.ndarray, height: int) -> list[tuple[Window, np.ndarray]]:
    """The whole cut into strips of rows."""
    _, rows, columns = shares.shape
    return [(Window(row, 0, min(height, rows - row), columns), shares[:, row : row + height])
            for row in range(0, rows, height)]  # fmt: skip


def take(seams: Seams, grid: TileGrid, window: Window, shares: np.ndarray) -> None:
    seams.add(window, differences(window, shares, grid.touching(window)), shares[:, [0, -1]].swapaxes(0, 1))


@pytest.mark.parametrize("height", [7, 12, 60])
def test_seams_are_found_and_do_not_depend_on_the_strips(height):
    grid = tile_grid(60, 80, 16, 16, 25)
    noise = np.random.default_rng(0).random((2, 60, 80), np.float32)
    smooth, stepped = Seams(grid), Seams(grid)
    steps = noise.copy()
    for origin in grid.columns[1:]:
        steps[:, :, origin:] += 1
    for window, part in strips(noise, height):
        take(smooth, grid, window, part)
    for window, part in strips(steps, height):
        take(stepped, grid, window, part)
    assert smooth.statistic == pytest.approx(1, abs=0.1)
    assert stepped.statistic > 1.3
    whole = Seams(grid)
    take(whole, grid, Window(0, 0, 60, 80), noise)
    assert smooth.statistic == pytest.approx(whole.statistic, rel=1e-6)
    other_way = Seams(grid)
    for window, part in sorted(strips(noise, height), key=lambda item: -item[0].row % 5):
        take(other_way, grid, window, part)
    assert other_way.statistic == smooth.statistic


def test_invalid_pixels_and_single_tiles_have_no_seams():
    grid = tile_grid(60, 80, 16, 16, 25)
    shares = np.random.default_rng(0).random((2, 60, 80), np.float32)
    expected, holed = Seams(grid), Seams(grid)
    take(expected, grid, Window(0, 0, 30, 80), shares[:, :30])
    shares[:, 30:] = -1
    take(holed, grid, Window(0, 0, 60, 80), shares)
    assert holed.statistic == pytest.approx(expected.statistic)
    single = tile_grid(16, 16, 16, 16, 25)
    alone = Seams(single)
    take(alone, single, Window(0, 0, 16, 16), shares[:, :16, :16])
    assert alone.statistic is None
