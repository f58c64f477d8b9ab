"""What the layer properties say of pixels without data reaches the engine."""

from __future__ import annotations

import math
import sys

import pytest
from osgeo import gdal
from qgis.core import QgsProcessingContext, QgsProject, QgsRasterLayer, QgsRasterRange

from satdifuser_qgis.processing.images import open_image
from satdifuser_qgis.protocol.nodata import AS_DECLARED, NoData

from . import landscape

BOUNDS = QgsRasterRange.BoundsType


def of_layer(path, change):
    layer = QgsRasterLayer(path, "scene")
    change(layer.dataProvider())
    return open_image(layer, QgsProcessingContext()).nodata


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        ([QgsRasterRange(-9999, -9999)], [(-9999.0, -9999.0)]),
        ([QgsRasterRange(0, 0), QgsRasterRange(200, 255)], [(0.0, 0.0), (200.0, 255.0)]),
        ([QgsRasterRange(math.nan, 5)], [(-sys.float_info.max, 5.0)]),
        ([QgsRasterRange(250, math.nan)], [(250.0, sys.float_info.max)]),
        ([QgsRasterRange(0, 9, BOUNDS.Exclusive)], [(math.nextafter(0, 1), math.nextafter(9, 0))]),
        ([QgsRasterRange(0, 9, BOUNDS.IncludeMin)], [(0.0, math.nextafter(9, 0))]),
        ([QgsRasterRange(0, 9, BOUNDS.IncludeMax)], [(math.nextafter(0, 1), 9.0)]),
    ],
)
def test_additional_nodata_of_a_layer_is_taken_over(image, qgis_app, ranges, expected):
    found = of_layer(image, lambda provider: provider.setUserNoDataValue(2, ranges))
    assert found == NoData(tuple((2, *limits) for limits in expected))


def test_a_nodata_value_that_is_switched_off_is_a_measurement(image, qgis_app, tmp_path):
    declared = str(landscape.write_raster(tmp_path / "declared.tif"))
    file = gdal.Open(declared, gdal.GA_Update)
    file.GetRasterBand(1).SetNoDataValue(0)
    file = None  # closes it
    assert of_layer(declared, lambda provider: None) == AS_DECLARED
    off = of_layer(declared, lambda provider: provider.setUseSourceNoDataValue(1, False))
    assert off == NoData(measured=(1,))
    assert of_layer(image, lambda provider: provider.setUseSourceNoDataValue(1, False)) == AS_DECLARED


def test_a_file_without_a_layer_says_itself_what_is_nodata(image, qgis_app):
    assert open_image(image, QgsProcessingContext()).nodata == AS_DECLARED


@pytest.fixture
def layer(image, qgis_app):
    """A layer of the project whose properties name 0 as additional nodata of all bands."""
    layer = QgsRasterLayer(image, "scene")
    for band in range(1, layer.bandCount() + 1):
        layer.dataProvider().setUserNoDataValue(band, [QgsRasterRange(0, 0)])
    QgsProject.instance().addMapLayer(layer)
    yield layer
    QgsProject.instance().removeMapLayer(layer)


EXPECTED = NoData(tuple((band, 0.0, 0.0) for band in (1, 2, 3, 4)))


def test_it_reaches_the_request_of_a_map_by_layer_name_and_path(segment, engine, layer, image, model, tmp_path):
    for value in (layer, layer.id(), layer.name(), image):
        segment.run(INPUT=value, MODEL=model, OUTPUT=str(tmp_path / "map.tif"))
        assert engine.requests[-1].nodata == EXPECTED


def test_it_reaches_the_request_of_a_training_for_each_image(train, engine, layer, labels, tmp_path):
    other = str(landscape.write_raster(tmp_path / "other.tif"))
    chosen = {"LABELS": labels, "CLASS_FIELD": "class", "MODEL": str(tmp_path / "m.safetensors")}
    train.run(INPUT=other, MORE_INPUTS=[layer, other], **chosen)
    assert engine.requests[-1].nodata == (AS_DECLARED, EXPECTED, AS_DECLARED)
    train.run(INPUT=other, **chosen)
    assert engine.requests[-1].nodata == ()


def test_it_reaches_the_request_of_a_training_for_each_label_raster(train, engine, image, tmp_path, qgis_app):
    files = [str(landscape.write_raster(tmp_path / f"{name}.tif", bands=1, classes=True)) for name in ("a", "b")]
    codes = QgsRasterLayer(files[0], "codes")
    codes.dataProvider().setUserNoDataValue(1, [QgsRasterRange(3, 3)])
    QgsProject.instance().addMapLayer(codes)
    chosen = {"INPUT": image, "MODEL": str(tmp_path / "m.safetensors")}
    train.run(LABEL_RASTERS=[files[1], codes], **chosen)
    assert engine.requests[-1].label_nodata == (AS_DECLARED, NoData(((1, 3.0, 3.0),)))
    assert engine.requests[-1].nodata == ()
    train.run(LABEL_RASTERS=[files[1]], **chosen)
    assert engine.requests[-1].label_nodata == ()
