"""Grids, windows and tiles."""

from __future__ import annotations

import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS

from satdifuser_qgis.engine.raster.grid import Grid, Window, same_crs, tile_origins
from satdifuser_qgis.protocol.errors import EngineError

UTM = CRS.from_epsg(32633).to_wkt()


def grid_at(code: int, transform: Affine, size: int = 100) -> Grid:
    return Grid(CRS.from_epsg(code).to_wkt(), transform, size, size)


@given(length=st.integers(1, 4000), tile=st.integers(1, 600), share=st.floats(0, 0.9))
def test_tiles_cover_the_axis_are_full_size_and_share_the_overlap(length, tile, share):
    overlap = int(tile * share)
    origins = tile_origins(length, tile, overlap)
    assert origins[0] == 0
    assert origins == sorted(set(origins))
    assert origins[-1] == max(0, length - tile)
    assert all(b - a <= tile - overlap for a, b in zip(origins, origins[1:], strict=False))


def test_an_overlap_of_a_whole_tile_is_refused():
    with pytest.raises(ValueError, match="overlap is 8 px"):
        tile_origins(100, 8, 8)


@given(
    row=st.integers(0, 40), col=st.integers(0, 40), height=st.integers(1, 40), width=st.integers(1, 40),
    angle=st.floats(-80, 80), size=st.floats(0.1, 500), south_up=st.booleans(),
)  # fmt: skip
def test_the_extent_of_a_window_snaps_back_to_it(row, col, height, width, angle, size, south_up):
    turn = 0.0 if abs(angle) > 40 else angle
    flip = Affine.scale(size, size if south_up else -size)
    grid = Grid(UTM, Affine.translation(5e5, 5e6) @ Affine.rotation(turn) @ flip, 100, 100)
    window = Window(row, col, height, width)
    snapped = grid.snap(grid.crop(window).extent)
    assert snapped.intersection(window) == window
    if turn == 0.0:
        assert snapped == window


def test_an_extent_snaps_outward_and_stops_at_the_edge():
    grid = Grid(UTM, Affine(10, 0, 0, 0, -10, 0), 20, 10)
    assert grid.snap((14.0, -1000, 25.1, -5)) == Window(0, 1, 10, 2)


def test_an_extent_elsewhere_is_refused_with_both_extents():
    with pytest.raises(EngineError, match="covers 0, -100, 200, 0") as caught:
        Grid(UTM, Affine(10, 0, 0, 0, -10, 0), 20, 10).snap((300, -50, 400, 0))
    assert caught.value.code == "no_overlap"


@given(st.integers(1, 50), st.integers(1, 50), st.integers(1, 20))
def test_blocks_cover_a_window_once(height, width, size):
    window = Window(3, 5, height, width)
    pixels = [
        (r, c)
        for block in window.blocks(size)
        for r in range(block.row, block.row + block.height)
        for c in range(block.col, block.col + block.width)
    ]
    assert len(pixels) == len(set(pixels)) == height * width
    assert min(pixels) == (3, 5)
    assert max(pixels) == (2 + height, 4 + width)


def test_pixel_sizes_are_metres_on_the_ground():
    assert grid_at(32633, Affine(10, 0, 5e5, 0, -20, 5e6)).pixel_size_m == (10, 20)
    assert grid_at(32633, Affine(10, 0, 5e5, 0, -40, 5e6)).gsd_m == 20
    assert Grid("", Affine(10, 0, 0, 0, -10, 0), 5, 5).pixel_size_m is None
    assert Grid("", Affine(10, 0, 0, 0, -10, 0), 5, 5).gsd_m is None
    # US survey feet
    assert grid_at(2263, Affine(10, 0, 983000, 0, -10, 200000)).pixel_size_m == pytest.approx((3.048006, 3.048006))
    # A degree of longitude at 60 degrees north is half of one at the equator.
    width, height = grid_at(4326, Affine(0.001, 0, 10, 0, -0.001, 60.05)).pixel_size_m
    assert width == pytest.approx(55.8, abs=0.2)
    assert height == pytest.approx(111.4, abs=0.2)
    # Web Mercator stretches by two there.
    width, _ = grid_at(3857, Affine(10, 0, 1113195, 0, -10, 8399738)).pixel_size_m
    assert width == pytest.approx(5.0, abs=0.05)


def test_a_rotated_pixel_has_its_own_size():
    turned = Affine.translation(5e5, 5e6) @ Affine.rotation(30) @ Affine.scale(10, -10)
    assert grid_at(32633, turned).pixel_size_m == pytest.approx((10, 10))


def test_same_crs_whatever_the_writing():
    assert same_crs(UTM, CRS.from_epsg(32633).to_wkt("WKT1_GDAL"))
    assert not same_crs(UTM, CRS.from_epsg(32634).to_wkt())
    assert same_crs("", "")
    assert not same_crs(UTM, "")


def test_grids_are_equal_within_a_thousandth_of_a_pixel():
    grid = Grid(UTM, Affine(10, 0, 5e5, 0, -10, 5e6), 100, 100)
    assert grid.same_as(Grid(UTM, Affine(10, 0, 5e5 + 0.001, 0, -10, 5e6), 100, 100))
    assert not grid.same_as(Grid(UTM, Affine(10, 0, 5e5 + 5, 0, -10, 5e6), 100, 100))
    assert not grid.same_as(Grid(UTM, Affine(10.01, 0, 5e5, 0, -10, 5e6), 100, 100))
    assert not grid.same_as(Grid("", grid.transform, 100, 100))
    assert grid.same_pixels(Grid("", grid.transform, 100, 100))
