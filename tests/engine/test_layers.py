"""Vector files as people have them: which layer holds the labels, odd field names, encodings, and why a file fails."""

from __future__ import annotations

import json
import shutil
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import geopandas
import pandas
import pyogrio
import pytest
from shapely.geometry import box

from satdifuser_qgis.engine.vector.labels import read_vector_labels
from satdifuser_qgis.protocol.errors import EngineError
from tests.data import UTM, landscape, write_label_layer, write_raster

PARTS = ("shp", "shx", "dbf", "prj", "cpg")


def frame(values=("water", "wood"), field="class"):
    return geopandas.GeoDataFrame({field: list(values)}, geometry=[box(i, 0, i + 1, 1) for i in range(2)], crs=UTM)


def container(path, *layers, field="class", driver=None):
    for number, name in enumerate(layers):
        frame((f"{name} {number}", "other"), field).to_file(path, layer=name, driver=driver)
    return str(path)


def names(source, field="class"):
    return [entry.name for entry in read_vector_labels(str(source), field).classes]


def refusal(source, field="class"):
    with pytest.raises(EngineError) as caught:
        read_vector_labels(str(source), field)
    assert caught.value.code in ("bad_input", "bad_request")
    return f"{caught.value.message} {caught.value.remedy}"


@pytest.mark.parametrize(("ending", "driver"), [("gpkg", "GPKG"), ("sqlite", "SQLite"), ("gdb", "OpenFileGDB")])
def test_of_several_layers_with_the_field_none_is_taken_and_all_are_named(tmp_path, ending, driver):
    path = container(tmp_path / f"two.{ending}", "fields", "forests", driver=driver)
    said = refusal(path)
    assert 'several layers with the field "class": fields, forests.' in said
    assert f"{path}|layername=fields" in said
    assert names(f"{path}|layername=forests") == ["forests 1", "other"]
    assert names(f"{path}|layerid=1") == ["forests 1", "other"]


def test_folders_of_a_kml_are_layers(tmp_path):
    shape = "<Point><coordinates>1,2,0</coordinates></Point>"
    folders = "".join(
        f"<Folder><name>{name}</name><Placemark><name>a</name>{shape}</Placemark></Folder>" for name in ("one", "two")
    )
    path = tmp_path / "folders.kml"
    path.write_text(f'<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{folders}</Document></kml>')
    assert 'with the field "Name": one, two.' in refusal(path, "Name")
    assert names(f"{path}|layername=two", "Name") == ["a"]


def test_the_only_layer_with_the_field_is_taken_wherever_it_lies_and_named(tmp_path):
    path = container(tmp_path / "mixed.gpkg", "roads", field="name")
    container(path, "labels")
    labels = read_vector_labels(path, "class")
    assert labels.name == "labels"
    assert labels.notes == (
        f'The file "{path}" holds several layers; "labels" is taken, the only one with the field "class".',
    )
    assert "No layer of" in refusal(path, "clas")
    assert 'Did you mean "class"?' in refusal(path, "clas")


def test_tables_and_empty_layers_cannot_be_meant(tmp_path):
    path = tmp_path / "labels.gpkg"
    pyogrio.write_dataframe(pandas.DataFrame({"class": ["x"]}), path, layer="lookup")
    frame().iloc[:0].to_file(path, layer="old")
    container(path, "drawn")
    labels = read_vector_labels(str(path), "class")
    assert (labels.name, labels.notes) == ("drawn", ())


def test_a_layer_that_is_not_there_lists_those_that_are(tmp_path):
    path = container(tmp_path / "two.gpkg", "one", "two")
    for part in ("layername=three", "layername=", "layerid=2", "layerid=-1", "layerid=x"):
        assert "its layers are: one, two." in refusal(f"{path}|{part}")


def test_a_folder_of_shapefiles_and_an_archive_are_files_with_layers(tmp_path):
    folder = tmp_path / "shapes"
    folder.mkdir()
    for name in ("a", "b"):
        frame((name, "other")).to_file(folder / f"{name}.shp")
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as file:
        for part in folder.iterdir():
            file.write(part, part.name)
    with zipfile.ZipFile(tmp_path / "one.zip", "w") as file:
        for part in folder.glob("b.*"):
            file.write(part, part.name)
    for path in (folder, tmp_path / "two.zip"):
        assert "several layers" in refusal(path)
        assert names(f"{path}|layername=b") == ["b", "other"]
    assert names(tmp_path / "one.zip") == ["b", "other"]


def test_what_a_source_says_and_is_not_understood_is_not_left_out(tmp_path):
    path = write_label_layer(tmp_path / "a.gpkg", [box(0, 0, 1, 1)], ["a"])
    assert '"geometrytype=Polygon"' in refusal(f"{path}|geometrytype=Polygon")


@pytest.mark.parametrize("ending", ["gpkg", "shp"])
def test_a_filter_that_is_wrong_is_told_with_the_fields(tmp_path, ending):
    path = write_label_layer(tmp_path / f"a.{ending}", [box(0, 0, 1, 1)], ["a"])
    said = refusal(f"{path}|subset=nothing = 1")
    assert 'with the filter "nothing = 1"' in said
    assert "class" in said


ODD = ("geometry", "Geometry", "geom", "fid", "ogc_fid", "id", "index", "feature", 'kl"as"se', "klasse'n", " class",
       "class name (%)", "Класс", "a.b", "x,y", "select", "a\nb", "Class")  # fmt: skip


@pytest.mark.parametrize("field", ODD)
def test_a_field_may_have_any_name_and_a_twin_in_other_case(tmp_path, field):
    rows = [{"class": "twin", field: name} for name in ("water", "wood")]
    features = [
        {"type": "Feature", "properties": row, "geometry": {"type": "Point", "coordinates": [number, 1]}}
        for number, row in enumerate(rows)
    ]
    path = tmp_path / "odd.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    assert names(path, field) == ["water", "wood"]
    assert names(path, "class") == ["twin"]


@pytest.mark.parametrize("field", ["geometry", "id", 'kl"as"se', " class", "Класс"])
def test_a_field_of_a_geopackage_may_have_any_name(tmp_path, field):
    path = write_label_layer(tmp_path / "odd.gpkg", list(frame().geometry), ["water", "wood"], field="klass")
    with closing(sqlite3.connect(path)) as file, file:
        file.execute('ALTER TABLE odd RENAME COLUMN klass TO "{}"'.format(field.replace('"', '""')))
    assert names(path, field) == ["water", "wood"]


def shapefile(path: Path, values, encoding, field="class"):
    """A shapefile that does not say how its texts are encoded."""
    pyogrio.write_dataframe(frame(values, field), path, encoding=encoding)
    path.with_suffix(".cpg").unlink(missing_ok=True)
    table = bytearray(path.with_suffix(".dbf").read_bytes())
    table[29] = 0
    path.with_suffix(".dbf").write_bytes(table)
    return path


def test_texts_that_are_utf8_are_read_as_such_though_the_shapefile_does_not_say_so(tmp_path):
    path = shapefile(tmp_path / "a.shp", ("Wälder", "Äcker"), "UTF-8", "größe")
    labels = read_vector_labels(str(path), "größe")
    assert [entry.name for entry in labels.classes] == ["Wälder", "Äcker"]
    assert labels.notes == ()


def test_texts_in_an_encoding_that_nobody_told_are_told_with_the_way_out(tmp_path):
    path = shapefile(tmp_path / "a.shp", ("лес", "поле"), "CP1251")
    (note,) = read_vector_labels(str(path), "class").notes
    assert "does not say how its texts are encoded" in note
    assert names(f"{path}|option:ENCODING=CP1251") == ["лес", "поле"]
    assert 'The encoding "CP12" ' in refusal(f"{path}|option:ENCODING=CP12")
    assert read_vector_labels(str(shapefile(tmp_path / "b.shp", ("a", "b"), "CP1251")), "class").notes == ()


def test_a_file_that_claims_to_be_utf8_and_is_not_is_read_with_a_note(tmp_path):
    path = tmp_path / "a.tab"
    pyogrio.write_dataframe(frame(("Wälder", "Äcker")), path, driver="MapInfo File", encoding="CP1252")
    labels = read_vector_labels(str(path), "class")
    assert [entry.name for entry in labels.classes] == ["Wälder", "Äcker"]
    assert "ISO-8859-1" in labels.notes[0]


@pytest.mark.parametrize("missing", ["shx", "dbf"])
def test_a_shapefile_without_a_part_names_it(tmp_path, missing):
    frame().to_file(tmp_path / "full.shp")
    for part in set(PARTS) - {missing}:
        shutil.copy(tmp_path / f"full.{part}", tmp_path / f"part.{part}")
    assert f"part.{missing} must lie beside it" in refusal(tmp_path / "part.shp")


def test_a_shapefile_in_capitals_is_complete(tmp_path):
    frame().to_file(tmp_path / "full.shp")
    for part in PARTS:
        shutil.copy(tmp_path / f"full.{part}", tmp_path / f"CAPITALS.{part.upper()}")
    assert names(tmp_path / "CAPITALS.SHP") == ["water", "wood"]


def test_a_file_that_cannot_be_opened_says_why(tmp_path):
    assert "does not exist" in refusal(tmp_path / "nowhere.gpkg")
    assert "is a folder" in refusal(tmp_path)
    (tmp_path / "empty.gpkg").write_bytes(b"")
    assert "is empty (0 bytes)" in refusal(tmp_path / "empty.gpkg")
    (tmp_path / "cut.geojson").write_text('{"type":"FeatureCollection","features":[{')
    assert "(GDAL: " in refusal(tmp_path / "cut.geojson")
    (tmp_path / "note.gpkg").write_text("no layer")
    assert "no vector layer that can be read. Open it in QGIS" in refusal(tmp_path / "note.gpkg")
    assert "are a raster" in refusal(write_raster(tmp_path / "image.tif", landscape()[0]))


def test_a_table_of_coordinates_says_how_to_make_points_of_it(tmp_path):
    path = tmp_path / "points.csv"
    path.write_text("x,y,class\n1,2,water\n2,3,wood\n")
    assert "Add Delimited Text Layer" in refusal(path)
    assert names(f"{path}|option:X_POSSIBLE_NAMES=x|option:Y_POSSIBLE_NAMES=y") == ["water", "wood"]
