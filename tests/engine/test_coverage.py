"""Coverages of polygons from class rasters."""

from __future__ import annotations

import sqlite3
import warnings

import geopandas
import numpy as np
import pandas
import pyogrio
import pytest
import rasterio.features
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pyproj import CRS
from scipy import ndimage

from satdifuser_qgis.engine.file_names import DRIVERS
from satdifuser_qgis.engine.outputs import Outputs
from satdifuser_qgis.engine.raster.grid import Grid
from satdifuser_qgis.engine.reporter import Silent
from satdifuser_qgis.engine.vector import coverage as room
from satdifuser_qgis.engine.vector import patches
from satdifuser_qgis.engine.vector.coverage import (
    ArraySource,
    CoverageSettings,
    write_coverage,
    write_polygons,
)
from satdifuser_qgis.engine.vector.outlines import draw_by_strips
from satdifuser_qgis.protocol.classes import LandCoverClass
from satdifuser_qgis.protocol.errors import EngineError
from tests.data import CLASS_NAMES, landscape, write_raster

WKT = CRS.from_epsg(32633).to_wkt()
CLASSES = tuple(LandCoverClass(code, name, "#112233") for code, name in CLASS_NAMES.items())


PLACE = Affine(10, 0, 5e5, 0, -10, 5.2e6)


def batches(codes, valid, grid, classes, how, confidence=None, reporter=None):
    """The coverage of arrays, as it comes."""
    sure = None if confidence is None else ArraySource(confidence, valid)
    numbers = np.zeros(codes.shape, np.int32)
    return room.coverage(ArraySource(codes, valid), grid, classes, how, numbers, sure, reporter)


def coverage(*args):
    """The coverage of arrays in one frame, in reading order."""
    frames = list(batches(*args))
    frame = pandas.concat([part for part in frames if len(part)] or frames).sort_values("number", ignore_index=True)
    assert frame["number"].tolist() == list(range(1, len(frame) + 1))
    return frame.drop(columns="number")


def find_patches(codes, valid, smallest_px=0):
    """Codes and patches of arrays after small ones were absorbed."""
    numbers = np.zeros(codes.shape, np.int32)
    found = patches.find_patches(ArraySource(codes, valid), smallest_px, numbers)
    return np.concatenate([[0], found.codes])[numbers], numbers


def write(frames, target, tags=None):
    """Writes a coverage with its scratch file in a folder of its own."""
    (target.parent / "scratch").mkdir()
    return write_polygons(frames, target.parent / "scratch" / "outlines.gpkg", target, tags)


def grid_of(codes, crs=WKT, transform=PLACE):
    return Grid(crs, transform, codes.shape[1], codes.shape[0])


def patchwork(height=60, width=70, seed=0, holes=True):
    """Codes 1 to 4 in small patches, and which pixels are valid."""
    rng = np.random.default_rng(seed)
    codes = ndimage.gaussian_filter(rng.normal(size=(4, height, width)), (0, 0.8, 0.8)).argmax(axis=0) + 1
    valid = np.ones(codes.shape, bool)
    if holes:
        valid[5:15, 20:40] = False
    return codes.astype(np.uint8), valid


@settings(max_examples=25, deadline=None)
@given(
    codes=arrays(np.uint8, st.tuples(st.integers(1, 14), st.integers(1, 14)), elements=st.integers(0, 3)),
    min_px=st.integers(0, 12),
    simplify=st.sampled_from([0.0, 8.0, 25.0]),
)
def test_polygons_have_no_gaps_and_no_overlaps(codes, min_px, simplify):
    frame = coverage(codes, codes > 0, grid_of(codes), CLASSES, CoverageSettings(min_px * 100.0, simplify))
    polygons = np.asarray(frame.geometry.values)
    assert shapely.is_valid(polygons).all()
    assert shapely.coverage_is_valid(polygons)
    assert set(shapely.get_type_id(polygons).tolist()) <= {3}
    covered = shapely.area(polygons).sum()
    assert covered == pytest.approx((codes > 0).sum() * 100.0)
    assert frame["area_px"].sum() == (codes > 0).sum()


def test_without_settings_polygons_are_the_pixels():
    codes, valid = patchwork()
    grid = grid_of(codes)
    frame = coverage(codes, valid, grid, CLASSES, CoverageSettings())
    tree = shapely.STRtree(frame.geometry.values)
    rows, cols = np.nonzero(valid)
    xs, ys = grid.transform @ (cols + 0.5, rows + 0.5)
    points, owners = tree.query(shapely.points(xs, ys), predicate="within")
    assert np.array_equal(points, np.arange(len(rows)))
    assert np.array_equal(frame["class"].to_numpy()[owners], codes[valid])
    np.testing.assert_allclose(frame["area_px"], frame.geometry.area / 100)


def test_small_patches_go_to_the_longest_border_and_nodata_stays():
    codes = np.array([
        [1, 1, 1, 1, 1, 0],
        [1, 2, 3, 3, 1, 0],
        [1, 1, 3, 3, 1, 0],
        [4, 4, 4, 4, 4, 0],
        [4, 4, 4, 4, 4, 2],
    ], np.uint8)  # fmt: skip
    merged, numbers = find_patches(codes, codes > 0, 4)
    assert merged[1, 1] == 1
    # With one neighbour it goes there; the patch of exactly the smallest size stays.
    assert merged[4, 5] == 4
    assert (merged[1:3, 2:4] == 3).all()
    assert (merged[:4, 5] == 0).all()
    assert np.bincount(numbers.ravel()).tolist() == [4, 11, 4, 11]


def test_a_patch_that_only_nodata_surrounds_stays():
    codes = np.array([[1, 0, 2, 2, 2]], np.uint8)
    assert find_patches(codes, codes > 0, 3)[0].tolist() == codes.tolist()


def test_no_patch_with_a_neighbour_is_below_the_smallest_area():
    codes, valid = patchwork(seed=3, holes=False)
    frame = coverage(codes, valid, grid_of(codes), CLASSES, CoverageSettings(min_area=1500))
    assert frame["area_px"].min() >= 15
    # Neighbours differ: patches of one class that met became one.
    merged = find_patches(codes, valid, 15)[0]
    assert len(frame) == find_patches(merged, valid)[1].max()


@settings(max_examples=60, deadline=None)
@given(
    codes=arrays(np.uint8, st.tuples(st.integers(1, 14), st.integers(1, 14)), elements=st.integers(0, 2)),
    min_px=st.integers(0, 9),
    simplify=st.sampled_from([0.0, 12.0]),
    strip_px=st.integers(1, 60),
)
def test_strips_cannot_be_seen_in_the_coverage(codes, min_px, simplify, strip_px):
    confidence = np.linspace(0, 1, codes.size, dtype=np.float32).reshape(codes.shape)
    how = CoverageSettings(min_px * 100.0, simplify)
    whole = coverage(codes, codes > 0, grid_of(codes), CLASSES, how, confidence)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patches, "STRIP_PX", strip_px)
        by_strips = coverage(codes, codes > 0, grid_of(codes), CLASSES, how, confidence)
    assert by_strips.drop(columns="geometry").equals(whole.drop(columns="geometry"))
    assert shapely.equals_exact(by_strips.geometry.values, whole.geometry.values).all()


def drawn_at_once(numbers):
    """Outlines of all patches by GEOS: a vertex a pixel, less those that only divide a line between two patches."""
    shapes = rasterio.features.shapes(numbers, numbers > 0, connectivity=4)
    polygons = {number: shapely.geometry.shape(shape) for shape, number in shapes}
    dense = shapely.segmentize([polygons[number] for number in sorted(polygons)], 1.0)
    return shapely.normalize(shapely.coverage_simplify(dense, 0.0)) if polygons else dense


@settings(max_examples=100, deadline=None)
@given(
    codes=arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 40)), elements=st.integers(0, 3)),
    coarse=st.integers(1, 3),
    strip_px=st.integers(1, 200),
)
def test_outlines_by_strips_are_those_of_the_whole_to_the_vertex(codes, coarse, strip_px):
    codes = ndimage.maximum_filter(codes, coarse)
    _, numbers = find_patches(codes, codes > 0)
    drawn = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patches, "STRIP_PX", strip_px)
        strips = patches.strips_of(*numbers.shape)
        for (row, rows), (owners, polygons) in zip(strips, draw_by_strips(numbers), strict=True):
            end = row + rows
            # none is drawn before its last row was read, none later
            assert set(owners) == set(np.unique(numbers[:end])) - set(np.unique(numbers[end:])) - {0, *drawn}
            drawn.update(zip(owners.tolist(), polygons, strict=True))
    by_strips = shapely.normalize([drawn[number] for number in sorted(drawn)])
    assert shapely.equals_exact(by_strips, drawn_at_once(numbers)).all()


def test_a_long_border_has_its_vertices_on_whole_pixels():
    # 9 divided by 9 steps from 13 is not always 14, 15, …
    codes = np.ones((20, 22), np.uint8)
    codes[10, 13:15] = 2
    _, numbers = find_patches(codes, codes > 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patches, "STRIP_PX", 220)
        ((_, none), (owners, polygons)) = draw_by_strips(numbers)
    assert (len(none), owners.tolist()) == (0, [2, 1])
    assert polygons[1].equals(shapely.box(0, 0, 22, 20) - shapely.box(13, 10, 15, 11))


class _Cancelling(Silent):
    """Cancels when it is told to."""

    cancelled = False

    def check(self):
        if self.cancelled:
            raise EngineError("cancelled", "Cancelled.")

    def progress(self, done, total, unit, message=""):
        self.check()


def test_drawing_can_be_cancelled_between_strips(monkeypatch, tmp_path):
    monkeypatch.setattr(patches, "STRIP_PX", 700)
    codes, valid = patchwork()
    reporter = _Cancelling()

    def cancelled_after_two():
        frames = batches(codes, valid, grid_of(codes), CLASSES, CoverageSettings(), None, reporter)
        yield from (next(frames), next(frames))
        reporter.cancelled = True
        yield from frames

    with pytest.raises(EngineError, match="Cancelled"):
        write_polygons(cancelled_after_two(), tmp_path / "scratch.gpkg", tmp_path / "a.gpkg")
    assert not (tmp_path / "a.gpkg").exists()


def test_patches_are_sought_no_longer_than_it_takes_to_cancel():
    codes, valid = patchwork()

    def cancelled():
        raise EngineError("cancelled", "Cancelled.")

    with pytest.raises(EngineError, match="Cancelled"):
        patches.find_patches(ArraySource(codes, valid), 9, np.zeros(codes.shape, np.int32), cancelled)


def test_the_smallest_area_is_in_square_metres_or_pixels_without_crs():
    codes = np.ones((9, 9), np.uint8)
    codes[4, 4:7] = 2
    lonlat = grid_of(codes, CRS.from_epsg(4326).to_wkt(), Affine(1e-4, 0, 10, 0, -1e-4, 60))
    # About 5.6 m by 11.1 m a pixel: three of them are 186 m².
    for grid, area, count in (
        (grid_of(codes), 300, 2), (grid_of(codes), 301, 1), (lonlat, 180, 2), (lonlat, 190, 1),
        (grid_of(codes, ""), 3, 2), (grid_of(codes, ""), 4, 1),
    ):  # fmt: skip
        assert len(coverage(codes, codes > 0, grid, CLASSES, CoverageSettings(area))) == count


def test_areas_are_of_the_ellipsoid_and_null_without_crs():
    codes = np.ones((500, 500), np.uint8)
    frame = coverage(codes, codes > 0, grid_of(codes), CLASSES, CoverageSettings())
    # At the central meridian of UTM lengths are shortened by 0.9996.
    assert frame["area_m2"][0] == pytest.approx(25e6 / 0.9996**2, rel=1e-5)
    lonlat = grid_of(codes, CRS.from_epsg(4326).to_wkt(), Affine(0.002, 0, 10, 0, -0.002, 60))
    # One degree by one degree between 59 and 60 north on the ellipsoid: 6 303 km² by the cell formula.
    square = coverage(codes, codes > 0, lonlat, CLASSES, CoverageSettings())["area_m2"][0]
    assert square == pytest.approx(cell_area_m2(59, 60), rel=1e-5)
    assert coverage(codes, codes > 0, grid_of(codes, ""), CLASSES, CoverageSettings())["area_m2"].isna().all()


def cell_area_m2(south, north):
    """Area of one degree of longitude between two parallels of WGS 84, by the closed formula."""
    a, e = 6378137.0, 0.0818191908426215

    def zone(latitude):
        s = np.sin(np.radians(latitude))
        return s / (2 * (1 - (e * s) ** 2)) + np.log((1 + e * s) / (1 - e * s)) / (4 * e)

    return a**2 * (1 - e**2) * (zone(north) - zone(south)) * np.radians(1)


def test_confidence_is_the_mean_over_the_patchs_own_pixels():
    codes = np.ones((4, 4), np.uint8)
    codes[0, 0] = 2
    confidence = np.full((4, 4), 0.75, np.float32)
    confidence[0, 0], confidence[3, 3] = 0.1, 0.0
    frame = coverage(codes, codes > 0, grid_of(codes), CLASSES, CoverageSettings(200), confidence)
    assert frame["confidence"].tolist() == [pytest.approx(14 * 0.75 / 15, abs=1e-4)]


def test_simplified_borders_keep_the_outer_edge():
    _, codes = landscape(80, 80)
    grid = grid_of(codes)
    plain = coverage(codes, codes > 0, grid, CLASSES, CoverageSettings(500))
    simple = coverage(codes, codes > 0, grid, CLASSES, CoverageSettings(500, 30))
    vertices = [shapely.get_num_coordinates(frame.geometry.values).sum() for frame in (plain, simple)]
    assert vertices[1] < vertices[0] / 2
    assert shapely.coverage_is_valid(simple.geometry.values)
    assert shapely.union_all(simple.geometry.values).equals(shapely.box(*grid.extent))


def test_a_rotated_raster_keeps_its_rotation():
    codes, valid = patchwork(20, 20, holes=False)
    turned = Affine.translation(5e5, 5.2e6) @ Affine.rotation(30) @ Affine.scale(10, -10)
    frame = coverage(codes, valid, grid_of(codes, transform=turned), CLASSES, CoverageSettings(0, 0))
    hull = shapely.union_all(frame.geometry.values)
    corners = [turned @ (x, y) for x, y in ((0, 0), (20, 0), (20, 20), (0, 20))]
    assert shapely.Polygon(corners).symmetric_difference(hull).area < 1e-3


def test_fields_layer_and_type_are_as_published(tmp_path):
    codes, valid = patchwork(20, 30)
    write(batches(codes, valid, grid_of(codes), CLASSES, CoverageSettings()), tmp_path / "a.gpkg")
    assert pyogrio.list_layers(tmp_path / "a.gpkg").tolist() == [["landcover", "Polygon"]]
    info = pyogrio.read_info(tmp_path / "a.gpkg")
    assert dict(zip(info["fields"], info["ogr_types"], strict=True)) == {
        "class": "OFTInteger", "name": "OFTString", "area_m2": "OFTReal", "area_px": "OFTInteger64",
        "confidence": "OFTReal",
    }  # fmt: skip
    assert info["crs"] == "EPSG:32633"
    frame = pyogrio.read_dataframe(tmp_path / "a.gpkg")
    assert set(frame["name"]) <= set(CLASS_NAMES.values())
    assert frame["confidence"].isna().all()


@pytest.mark.parametrize("suffix", sorted(DRIVERS))
def test_every_format_reads_back_and_has_the_same_bytes_however_it_was_drawn(tmp_path, suffix, monkeypatch):
    codes, valid = patchwork(20, 30)
    sure = np.full((20, 30), 0.5, np.float32)
    frame = coverage(codes, valid, grid_of(codes), CLASSES, CoverageSettings(), sure)
    contents = []
    for strip_px in (10**6, 10**6, 100):
        monkeypatch.setattr(patches, "STRIP_PX", strip_px)
        folder = tmp_path / str(len(contents))
        folder.mkdir()
        frames = batches(codes, valid, grid_of(codes), CLASSES, CoverageSettings(), sure)
        assert write(frames, folder / f"map{suffix}", {"SATDIFUSER_MODEL": "fields"}) == len(frame)
        contents.append({path.name: path.read_bytes() for path in folder.glob("map.*")})
    assert contents[0] == contents[1] == contents[2]
    again = pyogrio.read_dataframe(tmp_path / "0" / f"map{suffix}")
    if suffix == ".fgb":  # which orders them for its spatial index
        assert sorted(again["area_px"]) == sorted(frame["area_px"])
    else:
        assert again.drop(columns="geometry").equals(frame.drop(columns="geometry").astype(again.dtypes[:-1]))
        assert shapely.equals(again.geometry.values, frame.geometry.values).all()


@pytest.mark.parametrize("suffix", sorted(DRIVERS))
@pytest.mark.parametrize("wkt", ["", WKT, CRS.from_proj4("+proj=laea +lat_0=50 +lon_0=7 +ellps=GRS80").to_wkt()])
def test_the_coordinate_reference_system_arrives_as_if_written_at_once(tmp_path, suffix, wkt):
    codes, valid = patchwork(5, 5, holes=False)
    write(batches(codes, valid, grid_of(codes, wkt), CLASSES, CoverageSettings()), tmp_path / f"a{suffix}")
    frame = coverage(codes, valid, grid_of(codes, wkt), CLASSES, CoverageSettings())
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "'crs' was not provided")
        frame.to_file(tmp_path / f"once{suffix}", engine="pyogrio")
    found, expected = (geopandas.read_file(tmp_path / f"{name}{suffix}") for name in ("a", "once"))
    assert found.crs == expected.crs
    assert shapely.equals(found.geometry.values, expected.geometry.values).all()


def test_an_unknown_format_is_refused_with_those_there_are(tmp_path):
    codes, valid = patchwork(5, 5, holes=False)
    with pytest.raises(EngineError, match=r"\.gpkg, \.geojson, \.shp, \.fgb"):
        write(batches(codes, valid, grid_of(codes), CLASSES, CoverageSettings()), tmp_path / "a.kml")


def test_a_class_raster_and_its_confidence_become_polygons(tmp_path):
    _, codes = landscape(40, 50)
    codes[:10] = 0
    confidence = np.where(codes > 0, 0.5, -1).astype(np.float32)
    write_raster(tmp_path / "classes.tif", codes, nodata=0)
    write_raster(tmp_path / "confidence.tif", confidence, nodata=-1)
    count = write_coverage(
        tmp_path / "classes.tif", tmp_path / "confidence.tif", tmp_path / "numbers.bin",
        tmp_path / "outlines.gpkg", tmp_path / "a.gpkg", CLASSES, CoverageSettings(), Silent(),
    )  # fmt: skip
    frame = pyogrio.read_dataframe(tmp_path / "a.gpkg")
    assert len(frame) == count
    assert frame["confidence"].eq(0.5).all()
    assert frame["area_px"].sum() == (codes > 0).sum()


@pytest.mark.parametrize("simplify", [0, 9])
@pytest.mark.parametrize("suffix", sorted(DRIVERS))
def test_all_nodata_gives_an_empty_layer(tmp_path, suffix, simplify):
    codes = np.zeros((5, 5), np.uint8)
    target = tmp_path / f"a{suffix}"
    assert write(batches(codes, codes > 0, grid_of(codes), CLASSES, CoverageSettings(9, simplify)), target) == 0
    assert pyogrio.read_info(target, force_feature_count=True)["features"] == 0


@pytest.mark.parametrize(
    ("library", "step", "error"),
    [
        (pyogrio, "write_dataframe", pyogrio.errors.DataLayerError("Error in FWrite(): No space left on device")),
        (sqlite3, "connect", sqlite3.OperationalError("database or disk is full")),
        (pyogrio, "write_arrow", pyogrio.errors.DataLayerError("Error in FWrite(): No space left on device")),
    ],
)
def test_a_disk_that_fills_up_is_told_by_the_targets_own_name(tmp_path, monkeypatch, library, step, error):
    codes = np.ones((3, 3), np.uint8)
    frames = batches(codes, codes > 0, grid_of(codes), CLASSES, CoverageSettings())

    def full(*args, **options):
        raise error

    monkeypatch.setattr(library, step, full)
    with (
        Outputs("ab12") as outputs,
        pytest.raises(EngineError, match=r'map\.gpkg" cannot be written: the disk is full') as caught,
    ):
        write(frames, outputs.part(tmp_path / "map.gpkg"))
    assert caught.value.code == "no_space"
