"""A CRS that names no place counts as none, in QGIS as in the engine."""

from __future__ import annotations

import pytest
from qgis.core import QgsCoordinateReferenceSystem, QgsProject, QgsVectorLayer

from . import landscape

LOCAL = {"Unknown": 'LOCAL_CS["Unknown",UNIT["metre",1]]', "site": 'LOCAL_CS["site",UNIT["metre",1]]'}


@pytest.fixture(params=["Unknown", "site", "none"])
def unplaced_image(request, tmp_path):
    """An image in a CRS that names no place, or in none."""
    return str(landscape.write_raster(tmp_path / "photo.tif", epsg=0, wkt=LOCAL.get(request.param, "")))


@pytest.mark.parametrize("of_labels", ["Unknown", "site", "none", "UTM"])
def test_labels_lie_in_the_coordinates_of_an_image_whose_crs_names_no_place(
    train, engine, tmp_path, unplaced_image, of_labels
):
    layer = landscape.memory_labels(["a", "b"])
    if of_labels != "UTM":
        layer.setCrs(QgsCoordinateReferenceSystem.fromWkt(LOCAL.get(of_labels, "")))
    QgsProject.instance().addMapLayer(layer)
    train.run(INPUT=unplaced_image, LABELS=layer.id(), CLASS_FIELD="class", MODEL=str(tmp_path / "m.safetensors"))
    (request,) = engine.requests
    assert request.label_copies == ()
    read = QgsVectorLayer(request.labels, "read", "ogr")
    assert read.extent() == layer.extent()
    assert "transformed" not in train.feedback.textLog()
    assert "its file says" not in train.feedback.textLog()


@pytest.mark.parametrize("of_labels", ["Unknown", "site"])
def test_labels_whose_crs_names_no_place_are_refused_where_the_image_has_one(train, image, tmp_path, of_labels):
    layer = landscape.memory_labels(["a", "b"])
    layer.setCrs(QgsCoordinateReferenceSystem.fromWkt(LOCAL[of_labels]))
    QgsProject.instance().addMapLayer(layer)
    said = train.refusal(INPUT=image, LABELS=layer.id(), CLASS_FIELD="class", MODEL=str(tmp_path / "m.safetensors"))
    assert '"labels" has no CRS but the image "image" has EPSG:32652' in said
