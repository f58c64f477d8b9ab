"""Outputs appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

import geopandas
import pytest
import shapely

from satdifuser_qgis.engine.outputs import Outputs
from satdifuser_qgis.engine.raster.grid import Grid, Window
from satdifuser_qgis.engine.raster.write import BandWriter
from tests.data import PLACE


def test_nothing_stays_without_commit(tmp_path):
    with Outputs("ab12") as outputs:
        outputs.part(tmp_path / "map.tif").write_text("half")
        outputs.scratch(tmp_path / "map.tif", ".tmp").write_text("work")
    assert list(tmp_path.iterdir()) == []


def test_commit_replaces_the_old_file_and_brings_side_files_along(tmp_path):
    target = tmp_path / "map.tif"
    target.write_text("old")
    with Outputs("ab12") as outputs:
        part = outputs.part(target)
        part.write_text("new")
        part.with_name(part.name + ".aux.xml").write_text("names")
        outputs.scratch(target, ".tmp").write_text("work")
        outputs.commit()
    found = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert found == {"map.tif": "new", "map.tif.aux.xml": "names"}


def test_the_spatial_index_of_an_old_shapefile_does_not_outlive_it(tmp_path):
    far, near = (geopandas.GeoDataFrame({"name": ["a"]}, geometry=[shapely.Point(at, at)]) for at in (500, 3))
    far.to_file(tmp_path / "map.shp", SPATIAL_INDEX="YES")
    assert (tmp_path / "map.qix").exists()
    with Outputs("r1") as outputs:
        near.to_file(outputs.part(tmp_path / "map.shp"))
        outputs.commit()
    assert len(geopandas.read_file(tmp_path / "map.shp", bbox=(0, 0, 9, 9))) == 1


def test_a_target_without_suffix_costs_no_other_file(tmp_path):
    (tmp_path / "map.gpkg").write_text("mine")
    with Outputs("ab12") as outputs:
        part = outputs.part(tmp_path / "map")
        part.write_text("new")
        part.with_name(part.name + ".aux.xml").write_text("names")
        outputs.scratch(tmp_path / "map", "work").write_text("work")
        outputs.commit()
    found = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert found == {"map": "new", "map.aux.xml": "names", "map.gpkg": "mine"}


def test_an_error_leaves_the_old_file_as_it_was(tmp_path):
    target = tmp_path / "map.tif"
    target.write_text("old")

    def work() -> None:
        with Outputs("ab12") as outputs:
            outputs.part(target).write_text("half")
            raise RuntimeError("midway")

    with pytest.raises(RuntimeError):
        work()
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_folders_made_for_outputs_go_with_them(tmp_path):
    (tmp_path / "mine").mkdir()
    with Outputs("ab12") as outputs:
        outputs.part(tmp_path / "new" / "er" / "map.tif").write_text("half")
        outputs.scratch(tmp_path / "new" / "other" / "map.tif", ".tmp")
        outputs.part(tmp_path / "new" / "er" / "deep" / "map.gpkg")
        outputs.part(tmp_path / "mine" / "map.tif")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_made_folder_that_holds_something_stays(tmp_path):
    with Outputs("ab12") as outputs:
        outputs.part(tmp_path / "new" / "map.tif").write_text("map")
        outputs.part(tmp_path / "failed" / "map.gpkg")
        (tmp_path / "failed" / "notes.txt").write_text("of the user")
        outputs.commit()
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.t*")) == [
        "failed/notes.txt",
        "new/map.tif",
    ]


def test_what_cannot_be_removed_hides_no_failure(tmp_path, monkeypatch):
    """As in a folder that has become read-only while a map was computed; QGIS and the next run try again."""

    def refused(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    def work() -> None:
        with Outputs("ab12") as outputs:
            part = outputs.part(tmp_path / "map.tif")
            monkeypatch.setattr(Path, "unlink", refused)
            with BandWriter(part, Grid("", PLACE, 8, 8), Window(0, 0, 8, 8), 1, "uint8", 0):
                raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        work()
