"""Whether a target can be written is found out before anything is computed, for every output."""

from __future__ import annotations

import dataclasses
import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely

from satdifuser_qgis.engine.targets import check_targets
from satdifuser_qgis.protocol import places
from satdifuser_qgis.protocol.errors import EngineError
from satdifuser_qgis.protocol.segment import SegmentRequest
from satdifuser_qgis.protocol.trainsegmentation import TrainSegmentationRequest
from tests.data import UTM, write_raster

posix = pytest.mark.skipif(os.name == "nt", reason="of POSIX")
SEGMENT = {"output": ".tif", "polygons": ".gpkg", "probabilities": ".tif", "entropy": ".tif"}
ELSEWHERE = Path(tempfile.gettempdir())
TRAIN = {"model": ".safetensors", "report": ".html"}


def refused(target: Path, name: str = "output") -> str:
    """What is told of ``target`` as the output of that name."""
    if name in TRAIN:
        paths = {"model": str(ELSEWHERE / "other.safetensors"), name: str(target)}
        request: object = TrainSegmentationRequest("a.tif", label_rasters=("l.tif",), **paths)
    else:
        paths = {"output": str(ELSEWHERE / "other.tif"), name: str(target)}
        request = SegmentRequest("a.tif", "model", **paths)
    with pytest.raises(EngineError) as caught:
        check_targets(request)
    assert caught.value.code == "bad_request"
    assert f'"{name}"' in str(caught.value)
    return str(caught.value)


outputs = pytest.mark.parametrize(("name", "suffix"), [*SEGMENT.items(), *TRAIN.items()])


@outputs
def test_a_read_only_file_is_not_replaced(tmp_path, name, suffix):
    target = tmp_path / f"mine{suffix}"
    target.write_text("mine")
    target.chmod(0o444)
    told = refused(target, name)
    assert f"{target} is read-only. Choose another file, or allow it to be written first." in told
    target.chmod(0o644)


@posix
def test_a_read_only_file_behind_a_link_or_beside_the_target_is_not_replaced(tmp_path):
    (tmp_path / "kept.tif").write_text("mine")
    (tmp_path / "kept.tif").chmod(0o444)
    (tmp_path / "map.tif").symlink_to("kept.tif")
    assert f"{tmp_path / 'kept.tif'} is read-only" in refused(tmp_path / "map.tif")
    (tmp_path / "old.tif").write_text("old")
    (tmp_path / "old.qml").write_text("mine")
    (tmp_path / "old.qml").chmod(0o400)
    assert f"{tmp_path / 'old.qml'} is read-only" in refused(tmp_path / "old.tif")
    (tmp_path / "old.shp").touch()
    assert places.obstacle(tmp_path / "old.tif") is None


@outputs
def test_a_folder_is_no_file(tmp_path, name, suffix):
    (tmp_path / f"maps{suffix}").mkdir()
    assert "is a folder or a device" in refused(tmp_path / f"maps{suffix}", name)


@posix
@outputs
def test_links_to_folders_devices_and_themselves_are_refused(tmp_path, name, suffix):
    target = tmp_path / f"map{suffix}"
    for leads_to, said in ((tmp_path, "is a folder or a device"), ("/dev/null", "is a folder or a device"),
                           (target, "leads back to itself")):  # fmt: skip
        target.symlink_to(leads_to)
        assert said in refused(target, name)
        target.unlink()


@posix
@outputs
def test_a_folder_that_cannot_be_written_or_made(tmp_path, name, suffix):
    """Root may write into any folder, but nobody may into that of the kernel."""
    assert "/proc is no folder to write to" in refused(Path(f"/proc/map{suffix}"), name)
    assert "/proc is no folder to write to" in refused(Path(f"/proc/new/er/map{suffix}"), name)
    (tmp_path / "file").touch()
    assert f"{tmp_path / 'file'} is no folder to write to" in refused(tmp_path / "file" / "new" / f"map{suffix}", name)
    (tmp_path / f"map{suffix}").symlink_to("/proc/new.tif")
    assert "/proc is no folder to write to" in refused(tmp_path / f"map{suffix}", name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", f"map{suffix}"]


@posix
@pytest.mark.parametrize(
    ("name", "length", "limit"),
    [("output", 248, 247), ("polygons", 248, 247), ("model", 256, 255), ("report", 250, 249)],
)
def test_a_name_that_no_file_system_takes_is_told_with_its_length(tmp_path, name, length, limit):
    suffix = {**SEGMENT, **TRAIN}[name]
    longest = limit - len(suffix)
    told = refused(tmp_path / f"{'m' * (longest + 1)}{suffix}", name)
    assert f"has {length} bytes, and its disk takes {limit}" in told
    assert told.endswith("Choose a shorter name.")
    assert places.obstacle(tmp_path / f"{'m' * longest}{suffix}") is None
    assert places.obstacle(tmp_path / f"{'한' * (longest // 3)}{suffix}") is None
    assert places.obstacle(tmp_path / f"{'한' * (longest // 3 + 1)}{suffix}").kind == "too_long"
    (tmp_path / f"link{suffix}").symlink_to(tmp_path / f"{'l' * (longest + 1)}{suffix}")
    assert f"has {length} bytes" in refused(tmp_path / f"link{suffix}", name)
    assert f"the name {'d' * 256} has 256 bytes" in refused(tmp_path / ("d" * 256) / f"map{suffix}", name)


def test_a_file_that_another_program_holds(tmp_path, monkeypatch):
    """As Windows tells it."""
    (tmp_path / "map.tif").touch()

    def held(*args: object) -> None:
        raise PermissionError(13, "The process cannot access the file")

    monkeypatch.setattr(os, "rename", held)
    assert "cannot be replaced: another program holds it" in refused(tmp_path / "map.tif")


def test_a_geopackage_that_is_locked_is_not_taken_for_an_empty_one(tmp_path, monkeypatch):
    target = tmp_path / "map.gpkg"
    monkeypatch.setattr("satdifuser_qgis.protocol.geopackage._PATIENCE_S", 0.1)
    frame = geopandas.GeoDataFrame({"name": ["a"]}, geometry=[shapely.Point(0, 0)], crs=UTM)
    frame.to_file(target, layer="parcels")
    with closing(sqlite3.connect(target)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert "is held by another program" in refused(target, "polygons")
    assert "already holds parcels" in refused(target, "polygons")


@posix
@pytest.mark.parametrize("folder", ["!archiv", "a;b", "tab\tname", "a\nb", "a|b"])
def test_tables_of_a_geopackage_in_any_folder_are_not_lost(tmp_path, folder):
    (tmp_path / folder).mkdir()
    frame = geopandas.GeoDataFrame({"name": ["a"]}, geometry=[shapely.Point(0, 0)], crs=UTM)
    frame.to_file(tmp_path / "x.gpkg", layer="parcels")
    target = (tmp_path / "x.gpkg").rename(tmp_path / folder / "x;!.gpkg")
    assert "already holds parcels" in refused(target, "polygons")


def test_the_table_of_something_else_is_not_taken_for_a_shapefile(tmp_path):
    (tmp_path / "map.dbf").write_text("the user's")
    assert "would be overwritten" in refused(tmp_path / "map.shp", "polygons")


def test_labels_in_a_file_with_a_bar_in_its_name_are_not_overwritten(tmp_path):
    image = write_raster(tmp_path / "a|b.tif", np.ones((3, 8, 8), np.uint8))
    request = SegmentRequest(image, "model", image)
    with pytest.raises(EngineError, match="is also read as"):
        check_targets(request)


@posix
def test_an_input_that_is_a_link_to_itself_is_no_error_of_ours(tmp_path):
    (tmp_path / "a.tif").symlink_to(tmp_path / "a.tif")
    check_targets(SegmentRequest(str(tmp_path / "a.tif"), "model", str(tmp_path / "map.tif")))


def test_what_can_be_written_leaves_no_trace(tmp_path):
    (tmp_path / "map.tif").write_text("old")
    paths = {name: str(tmp_path / "new" / f"{name}{suffix}") for name, suffix in SEGMENT.items()}
    request = SegmentRequest("a.tif", "model", **paths)
    check_targets(request)
    check_targets(dataclasses.replace(request, output=str(tmp_path / "map.tif")))
    assert [path.name for path in tmp_path.iterdir()] == ["map.tif"]
