"""Class rasters strip by strip: small patches absorbed as polygons absorb them, and areas on the ground."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import CRS, Geod
from scipy import ndimage

from satdifuser_qgis.engine.raster.areas import area_lines, class_areas
from satdifuser_qgis.engine.raster.grid import Grid, Window
from satdifuser_qgis.engine.raster.read import open_raster
from satdifuser_qgis.engine.raster.write import BandWriter
from satdifuser_qgis.engine.reporter import Silent
from satdifuser_qgis.engine.vector import patches
from satdifuser_qgis.engine.vector.class_raster import measure_classes, sieve
from satdifuser_qgis.engine.vector.coverage import CoverageSettings, write_coverage
from satdifuser_qgis.protocol.classes import LandCoverClass
from tests.data import write_raster

CLASSES = tuple(LandCoverClass(code, name, "#112233") for code, name in ((1, "water"), (2, "wood"), (7, "field")))
NODATA = 0


@pytest.fixture
def noisy(tmp_path):
    """A class raster of blotches and single pixels with a hole, 10 m a pixel."""
    generator = np.random.default_rng(3)
    smooth = ndimage.gaussian_filter(generator.normal(size=(3, 120, 150)), (0, 3, 3)).argmax(axis=0)
    codes = np.array([1, 2, 7])[np.where(generator.random(smooth.shape) < 0.05, (smooth + 1) % 3, smooth)]
    codes[30:50, 40:80] = NODATA
    codes[38:40, 60:61] = 2  # an island: nobody can absorb it
    return write_raster(tmp_path / "noisy.tif", codes[None].astype(np.uint8), nodata=NODATA)


def sieved(path, tmp_path, min_area):
    target = tmp_path / "sieved.tif"
    with open_raster(str(path)) as raster:
        whole = Window(0, 0, raster.grid.height, raster.grid.width)
        place = (target, raster.grid, whole, 1, "uint8", NODATA)
        with BandWriter(*place, ("land cover",), CLASSES) as writer:
            sieve(path, tmp_path / "numbers.bin", writer, min_area, NODATA, lambda: None)
    with rasterio.open(target) as file:
        return target, file.read(1)


def test_no_patch_below_the_size_stays_but_islands(noisy, tmp_path):
    with rasterio.open(noisy) as file:
        before = file.read(1)
    _, after = sieved(noisy, tmp_path, 900.0)
    np.testing.assert_array_equal(after == NODATA, before == NODATA)
    small = [
        size
        for code in (1, 2, 7)
        for size in np.bincount(ndimage.label(after == code)[0].ravel())[1:].tolist()
        if size < 9
    ]
    assert small == [2]
    assert (after != before).sum() > 100


def test_raster_and_polygons_agree_at_the_same_size(noisy, tmp_path):
    target, _ = sieved(noisy, tmp_path, 900.0)
    for name, raster, min_area in (("of-raster", target, 0.0), ("of-polygons", noisy, 900.0)):
        scratch = (tmp_path / f"{name}.bin", tmp_path / f"{name}-outlines.gpkg")
        settings = CoverageSettings(min_area, 0.0)
        write_coverage(raster, None, *scratch, tmp_path / f"{name}.geojson", CLASSES, settings, Silent())
    one, other = (json.loads((tmp_path / f"{name}.geojson").read_text()) for name in ("of-raster", "of-polygons"))
    assert [each["geometry"] for each in one["features"]] == [each["geometry"] for each in other["features"]]
    assert [each["properties"]["class"] for each in one["features"]] == [
        each["properties"]["class"] for each in other["features"]
    ]


def test_strips_make_no_difference(noisy, tmp_path, monkeypatch):
    _, whole = sieved(noisy, tmp_path, 900.0)
    monkeypatch.setattr(patches, "STRIP_PX", 1000)
    _, by_strips = sieved(noisy, tmp_path, 900.0)
    np.testing.assert_array_equal(whole, by_strips)


def test_areas_are_those_on_the_ground(tmp_path):
    """At 60 degrees north a pixel of a degree grid is half as wide as at the equator."""
    codes = np.full((100, 40), 1, np.uint8)
    codes[:50] = 2
    codes[:, 30:] = NODATA
    transform = Affine(0.01, 0, 10, 0, -0.6, 60)
    path = write_raster(tmp_path / "degrees.tif", codes[None], crs="EPSG:4326", transform=transform, nodata=NODATA)
    water, wood, field = measure_classes(path, CLASSES, lambda: None)
    geod = Geod(ellps="WGS84")
    for area, south, north in ((wood, 30, 60), (water, 0, 30)):
        lon = np.concatenate([np.linspace(10, 10.3, 50), np.linspace(10.3, 10, 50)])
        lat = np.concatenate([np.full(50, south), np.full(50, north)])
        truth = abs(geod.polygon_area_perimeter(lon, lat)[0]) / 1e4
        assert area.hectares == pytest.approx(truth, rel=1e-3)
    assert (water.pixels, wood.pixels, field.pixels) == (1500, 1500, 0)
    assert water.share + wood.share == pytest.approx(1)
    assert water.share > 0.5


def test_areas_of_a_map_in_metres(tmp_path):
    codes = np.repeat(np.array([[1, 1, 2, 7]], np.uint8), 25, axis=0)
    path = write_raster(tmp_path / "metres.tif", codes[None], nodata=NODATA)
    water, wood, _ = measure_classes(path, CLASSES, lambda: None)
    assert water.hectares == pytest.approx(0.5, rel=2e-3)
    assert (water.share, wood.share) == pytest.approx((0.5, 0.25), rel=1e-3)
    assert water.figures == {
        "class": 1, "name": "water", "pixels": 50, "hectares": pytest.approx(0.5, rel=2e-3), "percent": 50.0,
    }  # fmt: skip


def test_without_a_crs_areas_are_pixels():
    grid = Grid("", Affine.identity(), 4, 2)
    counts = np.array([[3, 1, 0], [4, 0, 0]])
    areas = class_areas(counts, grid, CLASSES)
    assert [area.hectares for area in areas] == [None, None, None]
    many = [dataclasses.replace(areas[0], share=1 / 13)] * 13
    assert area_lines(many)[9:] == ["water: 7 pixels, 7.7 %", "3 more classes: 23.1 %"]
    assert area_lines(areas) == ["water: 7 pixels, 87.5 %", "wood: 1 pixel, 12.5 %", "field: 0 pixels, 0.0 %"]


def test_the_log_leaves_the_names_of_classes_as_they_are():
    (area,) = class_areas(
        np.array([[4]]), Grid("", Affine.identity(), 4, 1), [LandCoverClass(1, "cover > 50%", "#112233")]
    )
    assert area_lines([area]) == ["cover > 50%: 4 pixels, 100.0 %"]


def test_a_map_of_nothing_has_no_areas():
    areas = class_areas(
        np.zeros((2, 3), np.int64), Grid(CRS.from_epsg(32633).to_wkt(), Affine(10, 0, 5e5, 0, -10, 5e6), 4, 2), CLASSES
    )
    assert [area.share for area in areas] == [0, 0, 0]
