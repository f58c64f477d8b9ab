"""Writing rasters."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine

from satdifuser_qgis.engine.outputs import Outputs
from satdifuser_qgis.engine.raster.grid import Grid, Window
from satdifuser_qgis.engine.raster.read import CACHE_BYTES, open_raster
from satdifuser_qgis.engine.raster.write import BandWriter, cannot_write
from satdifuser_qgis.engine.vector.label_raster import open_label_raster
from satdifuser_qgis.protocol.classes import LandCoverClass
from satdifuser_qgis.protocol.errors import EngineError
from tests.data import PLACE, UTM

CLASSES = (LandCoverClass(10, "field & <wood>", "#e69f00"), LandCoverClass(100, "水域", "#0072b2"))
GRID = Grid(rasterio.CRS.from_string(UTM).to_wkt(), PLACE, 700, 600)


def write_classes(path, grid=GRID, window=None, rows=100):
    window = window or grid.whole
    codes = np.random.default_rng(0).choice([0, 10, 100], (1, window.height, window.width)).astype(np.uint8)
    with BandWriter(path, grid, window, 1, "uint8", 0, ("land cover",), CLASSES, {"MODEL": "m"}) as writer:
        for row in range(0, window.height, rows):
            writer.write(row, codes[:, row : row + rows])
    return codes


def test_rows_become_a_cog_with_overviews_colours_names_and_tags(tmp_path):
    codes = write_classes(tmp_path / "a.tif")
    with rasterio.open(tmp_path / "a.tif") as file:
        np.testing.assert_array_equal(file.read(), codes)
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert file.overviews(1) == [2]
        assert file.nodata == 0
        assert file.transform == PLACE
        assert file.crs.to_string() == UTM
        assert file.colormap(1)[100] == (0, 114, 178, 255)
        assert file.descriptions == ("land cover",)
        assert file.tags()["MODEL"] == "m"
        assert file.tags()["CLASS_100"] == "水域"
    # Overviews by majority: nothing between the codes.
    with rasterio.open(tmp_path / "a.tif", overview_level=0) as file:
        assert set(np.unique(file.read(1))) <= {0, 10, 100}


def test_names_come_back_from_the_file_alone_and_from_gdals_categories(tmp_path):
    write_classes(tmp_path / "a.tif")
    for _ in range(2):
        label = open_label_raster(str(tmp_path / "a.tif"))
        assert label.classes == CLASSES
        label.raster.close()
        (tmp_path / "a.tif.aux.xml").unlink(missing_ok=True)


def test_a_window_lies_on_the_rasters_own_pixels(tmp_path):
    window = Window(7, 11, 33, 44)
    write_classes(tmp_path / "a.tif", window=window)
    with rasterio.open(tmp_path / "a.tif") as file:
        assert file.transform == GRID.window_transform(window)
        assert file.shape == (33, 44)


@pytest.mark.parametrize("rows", [1, 37, 512, 600])
def test_the_same_input_gives_the_same_bytes_whatever_the_rows(tmp_path, rows):
    write_classes(tmp_path / "a.tif", rows=600)
    write_classes(tmp_path / "b.tif", rows=rows)
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


def test_threads_change_no_byte(tmp_path):
    values = np.random.default_rng(0).random((2, GRID.height, GRID.width), np.float32)
    for threads in (1, 2, 5):
        with BandWriter(tmp_path / f"{threads}.tif", GRID, GRID.whole, 2, "float32", -1, threads=threads) as writer:
            writer.write(0, values)
    one, two, five = ((tmp_path / f"{threads}.tif").read_bytes() for threads in (1, 2, 5))
    assert one == two == five


def test_gdals_cache_is_limited_while_writing(tmp_path, monkeypatch):
    limits = []

    def noting(function):
        def called(*arguments, **options):
            if not writer._closed:  # afterwards there is nothing left to write
                limits.append(rasterio.env.get_gdal_config("GDAL_CACHEMAX"))
            return function(*arguments, **options)

        return called

    with BandWriter(tmp_path / "a.tif", GRID, GRID.whole, 1, "uint8", 0) as writer:
        monkeypatch.setattr(rasterio, "open", noting(rasterio.open))
        monkeypatch.setattr(rasterio.shutil, "copy", noting(rasterio.shutil.copy))
        file = writer._file
        writer._file = SimpleNamespace(dtypes=file.dtypes, write=noting(file.write), close=noting(file.close))
        writer.write(0, np.ones((1, GRID.height, GRID.width), np.uint8))
    assert len(limits) == 5  # written, closed, looked at, copied, looked at
    assert set(limits) == {CACHE_BYTES}


def test_several_bands_keep_names_and_values(tmp_path):
    values = np.random.default_rng(0).random((2, 600, 700)).astype(np.float32)
    with BandWriter(tmp_path / "p.tif", GRID, GRID.whole, 2, "float32", -1.0, ("field", "水域")) as writer:
        writer.write(0, values)
    with rasterio.open(tmp_path / "p.tif") as file:
        assert file.descriptions == ("field", "水域")
        np.testing.assert_array_equal(file.read(), values)


def test_large_codes_make_a_colour_table_too(tmp_path):
    classes = (LandCoverClass(1000, "far", "#112233"),)
    with BandWriter(tmp_path / "a.tif", GRID, Window(0, 0, 4, 4), 1, "uint16", 0, (), classes) as writer:
        writer.write(0, np.full((1, 4, 4), 1000))
    with rasterio.open(tmp_path / "a.tif") as file:
        assert file.colormap(1)[1000] == (17, 34, 51, 255)


def test_an_input_without_place_gives_an_output_without_place(tmp_path):
    grid = Grid("", Affine(1, 0, 0, 0, -1, 0), 20, 10, placed=False)
    write_classes(tmp_path / "a.tif", grid)
    write_classes(tmp_path / "b.tif", grid, Window(2, 3, 5, 5))
    with open_raster(str(tmp_path / "a.tif")) as whole, open_raster(str(tmp_path / "b.tif")) as part:
        assert not whole.grid.placed
        assert whole.grid.crs_wkt == ""
        assert part.grid.extent == (3, -7, 8, -2)


def test_an_error_midway_leaves_nothing(tmp_path):
    def work() -> None:
        with BandWriter(tmp_path / "a.tif", GRID, GRID.whole, 1, "uint8", 0) as writer:
            writer.write(0, np.zeros((1, 10, 700), np.uint8))
            raise KeyError

    with pytest.raises(KeyError):
        work()
    assert list(tmp_path.iterdir()) == []


def test_only_the_result_and_its_names_stay(tmp_path):
    write_classes(tmp_path / "a.tif")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tif", "a.tif.aux.xml"]


def test_a_work_file_is_not_called_by_a_name_that_nobody_gave(tmp_path):
    outputs = Outputs("test")
    assert str(tmp_path / "a.tif") in str(cannot_write(outputs.part(tmp_path / "a.tif"), OSError("broken")))
    said = str(cannot_write(outputs.scratch(tmp_path / "a.gpkg", "-confidence.tif"), OSError("broken")))
    assert said.startswith(f'A work file in "{tmp_path}" cannot be written')


def test_a_full_disk_is_told_before_work_starts(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(EngineError, match="B free") as caught:
        BandWriter(tmp_path / "a.tif", GRID, GRID.whole, 1, "uint8", 0)
    assert caught.value.code == "no_space"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(EngineError) as caught:
        BandWriter(tmp_path / "none" / "a.tif", GRID, GRID.whole, 1, "uint8", 0)
    assert caught.value.code == "bad_request"
