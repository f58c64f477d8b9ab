"""Outputs that would cost the user a file are refused before any computing."""

from __future__ import annotations

import dataclasses
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
import shapely

from satdifuser_qgis.engine.outputs import Outputs
from satdifuser_qgis.engine.reporter import Silent
from satdifuser_qgis.engine.targets import check_targets
from satdifuser_qgis.engine.worker import execute
from satdifuser_qgis.protocol.errors import EngineError
from satdifuser_qgis.protocol.segment import SegmentRequest
from satdifuser_qgis.protocol.trainsegmentation import TrainSegmentationRequest
from tests.data import UTM, write_raster
from tests.engine.conftest import ROOT


@pytest.fixture
def request_(tmp_path: Path) -> SegmentRequest:
    image = write_raster(tmp_path / "image.tif", np.ones((3, 8, 8), np.uint8))
    return SegmentRequest(image, "model", str(tmp_path / "map.tif"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"output": "image.tif"}, "is also read as"),
        ({"entropy": "deep/../image.tif"}, "is also read as"),
        ({"entropy": "map.tif"}, "are the same file"),
        ({"output": "map.png"}, "end in .tif"),
        ({"output": "map"}, "end in .tif"),
        ({"polygons": "map.kml"}, "end in .gpkg"),
        ({"output": "folder.tif"}, "is a folder"),
        ({"output": "image.tif/map.tif"}, "no folder to write to"),
    ],
)
def test_a_target_that_must_not_be_written_is_refused(request_, tmp_path, change, said):
    (tmp_path / "folder.tif").mkdir()
    (tmp_path / "deep").mkdir()
    before = Path(request_.input).read_bytes()
    changed = dataclasses.replace(request_, **{name: str(tmp_path / value) for name, value in change.items()})
    with pytest.raises(EngineError, match=said) as caught:
        execute(changed, Silent(), Outputs("run"))
    assert caught.value.code == "bad_request"
    assert Path(request_.input).read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "folder.tif", "image.tif"]


def test_an_output_that_is_needed_has_a_name(request_):
    with pytest.raises(EngineError, match="has no file name"):
        check_targets(dataclasses.replace(request_, output=""))


def test_the_parts_of_a_mosaic_are_read_too(request_, tmp_path):
    mosaic = tmp_path / "mosaic.vrt"
    mosaic.write_text(
        '<VRTDataset rasterXSize="8" rasterYSize="8"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
        '<SourceFilename relativeToVRT="1">image.tif</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>'
    )
    with pytest.raises(EngineError, match="is also read as"):
        check_targets(dataclasses.replace(request_, input=str(mosaic), output=request_.input))
    around = tmp_path / "around.vrt"
    around.write_text(mosaic.read_text().replace("image.tif", "mosaic.vrt"))
    with pytest.raises(EngineError, match="is also read as"):
        check_targets(dataclasses.replace(request_, input=str(around), output=request_.input))


def test_other_tables_of_a_geopackage_are_not_lost(request_, tmp_path):
    target = tmp_path / "map.gpkg"
    changed = dataclasses.replace(request_, polygons=str(target))
    target.write_text("no GeoPackage")
    check_targets(changed)
    target.unlink()
    frame = geopandas.GeoDataFrame({"name": ["a"]}, geometry=[shapely.Point(0, 0)], crs=UTM)
    frame.to_file(target, layer="landcover")
    check_targets(changed)
    frame.to_file(target, layer="parcels")
    with pytest.raises(EngineError, match="already holds parcels") as caught:
        check_targets(changed)
    assert caught.value.code == "bad_request"


def test_rasters_of_a_geopackage_are_not_lost(request_, tmp_path):
    target = tmp_path / "map.gpkg"
    with rasterio.open(target, "w", driver="GPKG", width=16, height=16, count=3, dtype="uint8", crs=UTM) as file:
        file.write(np.full((3, 16, 16), 7, np.uint8))
    with pytest.raises(EngineError, match="already holds map"):
        check_targets(dataclasses.replace(request_, polygons=str(target)))


def test_projects_that_the_user_saved_in_a_geopackage_are_not_lost(request_, tmp_path):
    target = tmp_path / "map #1.gpkg"
    changed = dataclasses.replace(request_, polygons=str(target))
    frame = geopandas.GeoDataFrame({"name": ["a"]}, geometry=[shapely.Point(0, 0)], crs=UTM)
    frame.to_file(target, layer="landcover")
    with closing(sqlite3.connect(target)) as file, file:
        file.execute("CREATE TABLE qgis_projects (name TEXT PRIMARY KEY, metadata BLOB, content BLOB)")
    check_targets(changed)
    with closing(sqlite3.connect(target)) as file, file:
        file.execute("INSERT INTO qgis_projects (name) VALUES ('survey')")
    with pytest.raises(EngineError, match="already holds qgis_projects: survey"):
        check_targets(changed)


def test_new_folders_and_capitals_will_do(request_, tmp_path):
    check_targets(dataclasses.replace(request_, output=str(tmp_path / "new" / "MAP.TIF")))
    check_targets(TrainSegmentationRequest("a.tif", "m.safetensors", label_rasters=("l.tif",), report="r.html"))


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
@pytest.mark.parametrize("link", ["symlink_to", "hardlink_to"])
def test_another_name_of_an_input_is_refused(request_, tmp_path, link):
    getattr(tmp_path / "map.tif", link)(tmp_path / "image.tif")
    before = Path(request_.input).read_bytes()
    with pytest.raises(EngineError, match=r"map.tif, is also read as .input."):
        execute(request_, Silent(), Outputs("run"))
    assert Path(request_.input).read_bytes() == before


def test_the_file_of_an_image_inside_it_is_not_replaced(request_):
    inside = f"GTIFF_DIR:1:{request_.input}"
    with pytest.raises(EngineError, match="is also read as"):
        check_targets(dataclasses.replace(request_, input=inside, output=request_.input))


@pytest.mark.parametrize(
    ("skipped", "polygons", "said"),
    [
        ("COG", "", "no driver COG"),
        ("GTiff COG", "", "no driver COG and no GTiff"),
        ("GPKG", "p.gpkg", "no driver GPKG"),
        # outlines wait in a GeoPackage
        ("GPKG", "p.fgb", "no driver GPKG"),
        ("FlatGeobuf", "p.fgb", "no driver FlatGeobuf"),
        ("FlatGeobuf", "p.gpkg", ""),
    ],
)
def test_a_driver_that_gdal_leaves_out_is_named_before_computing(request_, tmp_path, skipped, polygons, said):
    target = str(tmp_path / polygons) if polygons else ""
    script = f"""
from satdifuser_qgis.engine.targets import check_targets
from satdifuser_qgis.protocol.segment import SegmentRequest
check_targets(SegmentRequest({request_.input!r}, "model", {request_.output!r}, polygons={target!r}))
"""
    told = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=os.environ | {"GDAL_SKIP": skipped},
        capture_output=True,
        text=True,
    ).stderr
    assert ("EngineError" in told) == bool(said), told
    assert said in told
