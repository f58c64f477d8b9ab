"""Label files as people have them, through QGIS: several layers, encodings, odd field names, and why a file fails."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest
from osgeo import gdal
from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsCoordinateTransformContext,
    QgsFillSymbol,
    QgsProcessingFeatureSourceDefinition,
    QgsProject,
    QgsRasterLayer,
    QgsRendererCategory,
    QgsVectorFileWriter,
    QgsVectorLayer,
)

from satdifuser_qgis.processing.sources import direct_path
from satdifuser_qgis.protocol.classes import StyledClass

from . import landscape

PARTS = ("shp", "shx", "dbf", "prj", "cpg")


@pytest.fixture
def chosen(image, tmp_path):
    return {"INPUT": image, "CLASS_FIELD": "class", "MODEL": str(tmp_path / "crops.safetensors")}


@pytest.fixture
def two(tmp_path):
    """A GeoPackage with two layers of labels."""
    path = landscape.write_labels(tmp_path / "two.gpkg", table="fields")
    return str(landscape.write_labels(path, values=("snow", "ice"), table="glaciers"))


def shapefile(path, values, encoding):
    """A shapefile that does not say how its texts are encoded."""
    options = QgsVectorFileWriter.SaveVectorOptions()
    options.driverName, options.fileEncoding = "ESRI Shapefile", encoding
    layer = landscape.memory_labels(values)
    QgsVectorFileWriter.writeAsVectorFormatV3(layer, str(path), QgsCoordinateTransformContext(), options)
    path.with_suffix(".cpg").unlink()
    table = bytearray(path.with_suffix(".dbf").read_bytes())
    table[29] = 0
    path.with_suffix(".dbf").write_bytes(table)
    return str(path)


def labels_of(train, engine, **parameters):
    """The labels in the request, and the values of their field."""
    train.run(**parameters)
    request = engine.requests[-1]
    layer = QgsVectorLayer(request.labels, "read", "ogr")
    assert layer.isValid(), request.labels
    return request, sorted(str(feature[request.class_field]) for feature in layer.getFeatures())


def test_of_several_layers_none_is_taken_and_all_are_named(train, chosen, two):
    before = sorted(Path(two).parent.iterdir())
    said = train.refusal(LABELS=two, **chosen)
    assert "several layers that could be meant: fields, glaciers." in said
    assert f"{two}|layername=fields" in said
    assert "could be meant" in train.refusal(LABELS=two, **{**chosen, "CLASS_FIELD": ""})
    assert sorted(Path(two).parent.iterdir()) == before


def test_the_layer_that_is_named_is_taken(train, engine, chosen, two):
    request, values = labels_of(train, engine, LABELS=f"{two}|layername=glaciers", **chosen)
    assert request.labels == f"{two}|layername=glaciers"
    assert values == ["ice", "snow"]
    said = train.refusal(LABELS=f"{two}|layername=lakes", **chosen)
    assert "The layers of that file are fields, glaciers." in said


@pytest.mark.parametrize("narrowed", [False, True])
def test_the_only_layer_with_the_field_is_taken_wherever_it_lies_and_named(train, engine, chosen, tmp_path, narrowed):
    path = landscape.write_labels(tmp_path / "mixed.gpkg", table="roads", field="name")
    landscape.write_labels(path, values=("snow", "ice"), table="labels")
    value = QgsProcessingFeatureSourceDefinition(str(path), False, 1) if narrowed else str(path)
    _, values = labels_of(train, engine, LABELS=value, **chosen)
    assert values == (["snow"] if narrowed else ["ice", "snow"])
    assert '"labels" is taken, the only one with the field "class"' in train.feedback.textLog()
    said = train.refusal(LABELS=str(path), **{**chosen, "CLASS_FIELD": "clas"})
    assert "no layer of" in said
    assert 'Did you mean "class"?' in said


@pytest.mark.parametrize("folder", ["", "folder/"])
def test_an_archive_is_a_file_with_layers(train, engine, chosen, tmp_path, folder):
    for name in ("a", "b"):
        shapefile(tmp_path / f"{name}.shp", (f"{name} 1", f"{name} 2"), "UTF-8")
    for archive, stems in (("one", "a"), ("two", "ab")):
        with zipfile.ZipFile(tmp_path / f"{archive}.zip", "w") as file:
            for part in (tmp_path / f"{stem}.{ending}" for stem in stems for ending in ("shp", "shx", "dbf", "prj")):
                file.write(part, folder + part.name)
    one, two = str(tmp_path / "one.zip"), str(tmp_path / "two.zip")
    if folder:  # Processing looks for no layers there
        assert "unpack the file" in train.refusal(LABELS=one, **chosen)
    else:
        assert labels_of(train, engine, LABELS=one, **chosen)[1] == ["a 1", "a 2"]
    assert f"could be meant: {folder}a.shp, {folder}b.shp." in train.refusal(LABELS=two, **chosen)
    assert "unpack the file" in train.refusal(LABELS=f"{two}|layername=b", **chosen)


def test_a_layer_of_the_project_is_the_one_that_it_shows(train, engine, chosen, two):
    layer = QgsVectorLayer(two, "first", "ogr")
    QgsProject.instance().addMapLayer(layer)
    assert direct_path(layer, "class") is None
    for value in (layer.id(), layer, "first"):
        _, values = labels_of(train, engine, LABELS=value, **chosen)
        assert values == ["field", "water", "wood"]


@pytest.mark.parametrize("encoding", ["UTF-8", "windows-1251"])
def test_texts_are_read_as_the_user_set_it(train, engine, chosen, tmp_path, encoding):
    path = shapefile(tmp_path / "a.shp", ("лес", "поле"), encoding)
    layer = QgsVectorLayer(path, "labels", "ogr")
    layer.setProviderEncoding(encoding)
    green = QgsFillSymbol.createSimple({"color": "#00ff00"})
    layer.setRenderer(QgsCategorizedSymbolRenderer("class", [QgsRendererCategory("лес", green, "Лес")]))
    QgsProject.instance().addMapLayer(layer)
    request, values = labels_of(train, engine, LABELS=layer.id(), **chosen)
    assert values == ["лес", "поле"]
    assert request.styles == (StyledClass("лес", "Лес", "#00ff00"),)


def test_texts_that_qgis_cannot_read_are_told_with_the_way_out(train, engine, chosen, tmp_path):
    layer = QgsVectorLayer(shapefile(tmp_path / "a.shp", ("лес", "поле"), "CP1251"), "labels", "ogr")
    layer.setProviderEncoding("UTF-8")
    QgsProject.instance().addMapLayer(layer)
    labels_of(train, engine, LABELS=layer.id(), **chosen)
    assert "data source encoding" in train.feedback.textLog()


@pytest.mark.parametrize("name", ["geometry", "geom", "fid", 'kl"as"se', " class", "class name", "Класс"])
def test_a_field_of_a_layer_may_have_any_name(train, engine, chosen, name):
    layer = landscape.memory_labels(["water", "wood"], field=name)
    green = QgsFillSymbol.createSimple({"color": "#00ff00"})
    layer.setRenderer(QgsCategorizedSymbolRenderer(name, [QgsRendererCategory("wood", green, "Wood")]))
    QgsProject.instance().addMapLayer(layer)
    request, values = labels_of(train, engine, LABELS=layer.id(), **{**chosen, "CLASS_FIELD": name})
    assert values == ["water", "wood"]
    assert request.styles == (StyledClass("wood", "Wood", "#00ff00"),)


@pytest.mark.parametrize("missing", ["shx", "dbf"])
def test_a_shapefile_without_a_part_names_it(train, chosen, tmp_path, missing):
    shapefile(tmp_path / "full.shp", ("a", "b"), "UTF-8")
    for part in {"shp", "shx", "dbf", "prj"} - {missing}:
        shutil.copy(tmp_path / f"full.{part}", tmp_path / f"part.{part}")
    assert f"part.{missing} must lie beside it" in train.refusal(LABELS=str(tmp_path / "part.shp"), **chosen)


def test_files_that_cannot_be_used_say_why(train, chosen, image, tmp_path):
    labels = str(landscape.write_labels(tmp_path / "labels.gpkg"))
    (tmp_path / "empty.gpkg").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    (tmp_path / "points.csv").write_text("x,y,class\n1,2,water\n")
    for name, said in (
        ("nowhere.gpkg", "there is no layer or file"),
        ("empty.gpkg", "is empty (0 bytes)"),
        ("folder", "is a folder"),
        ("points.csv", "Add Delimited Text Layer"),
        ("image.tif", "is a raster"),
    ):
        assert said in train.refusal(LABELS=str(tmp_path / name), **chosen)
        if name != "image.tif":
            other = train.refusal(LABELS=labels, **{**chosen, "INPUT": str(tmp_path / name)})
            assert said in other or "is a vector file" in other


def test_a_file_with_several_rasters_names_them_as_they_are_to_be_given(train, engine, chosen, tmp_path):
    path, labels = tmp_path / "months.gpkg", str(landscape.write_labels(tmp_path / "labels.gpkg"))
    raster = str(landscape.write_raster(tmp_path / "a.tif", bands=3))
    for name in ("may", "june"):
        options = [f"RASTER_TABLE={name}", f"APPEND_SUBDATASET={'YES' if path.exists() else 'NO'}"]
        gdal.Translate(str(path), raster, format="GPKG", creationOptions=options)
    said = train.refusal(LABELS=labels, **{**chosen, "INPUT": str(path)})
    named = [f"GPKG:{path}:{name}" for name in ("may", "june")]
    assert f"holds several rasters: {named[0]}, {named[1]}." in said
    train.run(LABELS=labels, **{**chosen, "INPUT": named[1]})
    assert engine.requests[-1].input == named[1]


def test_layers_of_the_project_whose_file_has_gone_name_it(train, chosen, tmp_path):
    labels, image = landscape.write_labels(tmp_path / "gone.gpkg"), landscape.write_raster(tmp_path / "gone.tif")
    layers = QgsVectorLayer(str(labels), "labels", "ogr"), QgsRasterLayer(str(image), "ortho")
    QgsProject.instance().addMapLayers(layers)
    for layer, path in zip(layers, (labels, image)):
        path.unlink()
        layer.setDataSource(str(path), layer.name(), layer.providerType())
        assert not layer.isValid()
    drawn = str(landscape.write_labels(tmp_path / "labels.gpkg"))
    assert f'no layer or file "{labels}"' in train.refusal(LABELS=layers[0].id(), **chosen)
    assert f'no layer or file "{image}"' in train.refusal(LABELS=drawn, **{**chosen, "INPUT": layers[1].id()})
    assert "nothing is no raster" in train.refusal(LABELS=drawn, **{**chosen, "INPUT": None})
