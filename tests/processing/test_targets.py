"""Outputs that would lose data are refused before the engine is asked."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing

import pytest
from qgis.core import QgsProcessingException, QgsProject, QgsRasterLayer, QgsVectorLayer

from . import landscape


@pytest.fixture
def chosen(image, model, tmp_path):
    return {"INPUT": image, "MODEL": model, "OUTPUT": str(tmp_path / "map.tif")}


def refused(asked, engine, **parameters):
    """The message; the engine was not asked."""
    with pytest.raises(QgsProcessingException):
        asked.run(**parameters)
    assert engine.requests == []
    return asked.feedback.textLog()


def test_a_file_that_is_open_in_the_project(segment, engine, chosen):
    landscape.write_raster(chosen["OUTPUT"], bands=1)
    QgsProject.instance().addMapLayer(QgsRasterLayer(chosen["OUTPUT"], "last year"))
    said = refused(segment, engine, **chosen)
    assert 'is open in the project as "last year"' in said
    assert "Remove that layer first" in said


def test_a_geopackage_that_is_open_in_the_project(segment, engine, chosen, tmp_path):
    target = str(landscape.write_polygons(tmp_path / "p.gpkg"))
    QgsProject.instance().addMapLayer(QgsVectorLayer(f"{target}|layername=landcover", "polygons", "ogr"))
    assert 'is open in the project as "polygons"' in refused(segment, engine, POLYGONS=target, **chosen)


def test_a_geopackage_with_other_tables(segment, engine, chosen, tmp_path):
    target = landscape.write_labels(tmp_path / "data.gpkg", table="parcels")
    assert "already holds parcels" in refused(segment, engine, POLYGONS=str(target), **chosen)
    landscape.write_labels(target, table="roads")
    assert "already holds parcels, roads" in refused(segment, engine, POLYGONS=str(target), **chosen)


def test_a_table_inside_a_geopackage(segment, engine, chosen, tmp_path):
    target = landscape.write_labels(tmp_path / "data.gpkg", table="parcels")
    wish = f"ogr:dbname='{target}' table=\"land_cover\" (geom)"
    said = refused(segment, engine, POLYGONS=wish, **chosen)
    assert "Polygons: " in said


def test_a_geopackage_with_a_project_of_the_user(segment, engine, chosen, tmp_path):
    target = landscape.write_polygons(tmp_path / "p.gpkg")
    project = QgsProject()
    project.setFileName(f"geopackage:{target}?projectName=survey")
    assert project.write()
    assert "already holds qgis_projects: survey" in refused(segment, engine, POLYGONS=str(target), **chosen)


def test_our_own_geopackage_of_the_last_run_is_replaced(segment, engine, chosen, tmp_path):
    target = str(tmp_path / "p.gpkg")
    segment.run(POLYGONS=target, **chosen)
    segment.run(POLYGONS=target, **chosen)
    assert len(engine.requests) == 2


def test_an_input(segment, engine, chosen, image):
    said = refused(segment, engine, **{**chosen, "OUTPUT": image})
    assert "is also read as Image" in said


def test_the_labels(train, engine, image, labels):
    said = refused(train, engine, INPUT=image, LABELS=labels, CLASS_FIELD="class", MODEL=labels)
    assert "Model: " in said


def test_one_file_for_two_outputs(segment, engine, chosen):
    assert "Land cover and Entropy are the same file" in refused(segment, engine, ENTROPY=chosen["OUTPUT"], **chosen)


@pytest.mark.parametrize("ending", [".geojson", ".shp", ".fgb"])
def test_polygons_that_would_take_the_style_of_the_map(segment, engine, chosen, tmp_path, ending):
    said = refused(segment, engine, POLYGONS=str(tmp_path / f"map{ending}"), **chosen)
    assert f"the style of {chosen['OUTPUT']} would be that of {tmp_path / 'map'}{ending} too" in said


def test_the_name_of_a_file_that_the_user_has_styled(segment, engine, chosen, tmp_path):
    (tmp_path / "map.shp").touch()
    (tmp_path / "map.qml").write_text("the user's")
    assert "Choose another name" in refused(segment, engine, **chosen)
    assert (tmp_path / "map.qml").read_text() == "the user's"


def test_the_name_of_an_input_that_would_take_the_style(segment, engine, chosen, tmp_path):
    picture = str(landscape.write_raster(tmp_path / "map.tif").rename(tmp_path / "map.jpg"))
    assert "Choose another name" in refused(segment, engine, **{**chosen, "INPUT": picture})


def test_a_map_of_the_last_run_is_replaced_with_polygons_and_a_picture_of_its_name_beside_it(
    segment, engine, chosen, tmp_path
):
    (tmp_path / "map.png").touch()
    for _ in range(2):
        segment.run(POLYGONS=str(tmp_path / "map.gpkg"), **chosen)
    assert len(engine.requests) == 2
    # The layers are kept: a renderer does not outlive its layer.
    raster, polygons = QgsRasterLayer(chosen["OUTPUT"], "r"), QgsVectorLayer(str(tmp_path / "map.gpkg"), "p", "ogr")
    assert (raster.renderer().type(), polygons.renderer().type()) == ("paletted", "categorizedSymbol")


@pytest.mark.parametrize(
    ("name", "label", "ending"),
    [
        ("OUTPUT", "Land cover", ".png"), ("OUTPUT", "Land cover", ""), ("PROBABILITIES", "Probabilities", ".jp2"),
        ("POLYGONS", "Polygons", ".kml"),
    ],
)  # fmt: skip
def test_a_format_that_the_engine_does_not_write(segment, engine, chosen, tmp_path, name, label, ending):
    said = refused(segment, engine, **{**chosen, name: str(tmp_path / f"x{ending}")})
    assert f"{label}: " in said
    assert "Let its name end in" in said


def test_a_model_with_another_ending(train, engine, image, labels, tmp_path):
    said = refused(train, engine, INPUT=image, LABELS=labels, CLASS_FIELD="class", MODEL=str(tmp_path / "m.pt"))
    assert "Model: " in said
    assert ".safetensors" in said


SEGMENT = [
    ("OUTPUT", "Land cover", "tif"), ("POLYGONS", "Polygons", "gpkg"), ("PROBABILITIES", "Probabilities", "tif"),
    ("ENTROPY", "Entropy", "tif"),
]  # fmt: skip
posix = pytest.mark.skipif(os.name == "nt", reason="of POSIX")


@posix
@pytest.mark.parametrize(("name", "label", "suffix"), SEGMENT)
def test_a_place_that_cannot_be_written(segment, engine, chosen, tmp_path, name, label, suffix):
    target = tmp_path / f"mine.{suffix}"

    def told(path):
        return refused(segment, engine, **{**chosen, name: str(path)})

    assert f"{label}: /proc cannot be written to" in told(f"/proc/map.{suffix}")
    assert f"{label}: /proc cannot be written to" in told(f"/proc/new/map.{suffix}")
    target.mkdir()
    assert f"{label}: {target} is a folder" in told(target)
    target.rmdir()
    target.symlink_to(target)
    assert "leads back to itself" in told(target)
    target.unlink()
    target.write_text("mine")
    target.chmod(0o444)
    assert f"{label}: {target} is read-only. Choose another file" in told(target)
    assert f"has {251 + len(suffix)} bytes" in told(tmp_path / f"{'m' * 250}.{suffix}")


@posix
@pytest.mark.parametrize(("name", "suffix"), [("MODEL", "safetensors"), ("REPORT", "html")])
def test_a_training_that_could_not_be_written(train, engine, image, labels, tmp_path, name, suffix):
    places = {"MODEL": str(tmp_path / "m.safetensors"), "REPORT": str(tmp_path / "r.html")}
    kept = tmp_path / f"kept.{suffix}"
    kept.write_text("mine")
    kept.chmod(0o444)
    for path, told in ((kept, "is read-only"), (f"/proc/m.{suffix}", "cannot be written to")):
        asked = {"INPUT": image, "LABELS": labels, "CLASS_FIELD": "class", **places, name: str(path)}
        assert told in refused(train, engine, **asked)


def test_a_geopackage_that_is_locked_is_not_taken_for_an_empty_one(segment, engine, chosen, tmp_path, monkeypatch):
    monkeypatch.setattr("satdifuser_qgis.protocol.geopackage._PATIENCE_S", 0.1)
    target = landscape.write_labels(tmp_path / "data.gpkg", table="parcels")
    with closing(sqlite3.connect(str(target))) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert "is held by another program" in refused(segment, engine, POLYGONS=str(target), **chosen)


@posix
@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_link_to_an_input(segment, engine, chosen, tmp_path, image, link):
    link(image, tmp_path / "map.tif")
    assert "is also read as Image" in refused(segment, engine, **chosen)


@pytest.mark.parametrize("wanted", ["file:///somewhere/map.tif", "~/map.tif"])
def test_a_path_that_is_none_is_refused_with_the_plain_one(segment, engine, chosen, tmp_path, monkeypatch, wanted):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/somewhere")
    told = refused(segment, engine, **{**chosen, "OUTPUT": wanted})
    assert f"Land cover: {wanted} is no plain path. Write /somewhere/map.tif instead." in told
    assert not any(path.name in ("~", "file:") for path in tmp_path.iterdir())
