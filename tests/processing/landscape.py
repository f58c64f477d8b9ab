"""Small made-up rasters, labels and models for tests of the QGIS half. Everything is seeded or constant."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Sequence

import numpy as np
from osgeo import gdal, osr
from qgis.core import QgsFeature, QgsField, QgsGeometry, QgsRectangle, QgsVectorLayer
from qgis.PyQt.QtCore import QVariant

gdal.UseExceptions()

# 40 x 30 pixels of 10 m from here, in UTM zone 52 north.
LEFT, TOP, PIXEL_M = 500_000.0, 4_000_000.0, 10.0
WIDTH, HEIGHT = 40, 30
CLASSES = (
    {"code": 1, "name": "water", "color": "#0072b2"},
    {"code": 2, "name": "wood", "color": "#009e73"},
    {"code": 3, "name": "field", "color": "#e69f00"},
)


def write_raster(
    path: Path, bands: int = 4, epsg: int = 32652, classes: bool = False, left: float = LEFT, wkt: str = ""
) -> Path:
    """A GeoTIFF of noise, or of class codes 1 to 3 with a colour table."""
    raster = gdal.GetDriverByName("GTiff").Create(str(path), WIDTH, HEIGHT, bands, gdal.GDT_Byte)
    raster.SetGeoTransform((left, PIXEL_M, 0, TOP, 0, -PIXEL_M))
    if epsg or wkt:
        reference = osr.SpatialReference(wkt)
        if epsg:
            reference.ImportFromEPSG(epsg)
        raster.SetProjection(reference.ExportToWkt())
    if classes:
        table = gdal.ColorTable()
        for item in CLASSES:
            table.SetColorEntry(item["code"], (*bytes.fromhex(item["color"][1:]), 255))
        raster.GetRasterBand(1).SetColorTable(table)
    generator = np.random.default_rng(0)
    for band in range(1, bands + 1):
        values = generator.integers(1, 4 if classes else 255, (HEIGHT, WIDTH), dtype=np.uint8)
        raster.GetRasterBand(band).WriteArray(values)
    raster.FlushCache()
    return path


def memory_labels(
    values: Sequence[object], kind: QVariant.Type = QVariant.String, field: str = "class"
) -> QgsVectorLayer:
    """A memory layer of squares of 40 m, one a value, from the raster's upper left corner to the right."""
    layer = QgsVectorLayer("Polygon?crs=EPSG:32652", "labels", "memory")
    layer.dataProvider().addAttributes([QgsField("note", QVariant.String), QgsField(field, kind)])
    layer.updateFields()
    features = []
    for index, value in enumerate(values):
        feature = QgsFeature(layer.fields())
        x = LEFT + 50 * index
        feature.setGeometry(QgsGeometry.fromRect(QgsRectangle(x, TOP - 40, x + 40, TOP)))
        feature.setAttributes(["", value])
        features.append(feature)
    layer.dataProvider().addFeatures(features)
    layer.updateExtents()
    return layer


def write_labels(
    path: Path,
    values: Sequence[object] = ("water", "wood", "field"),
    table: str = "",
    crs: str = "",
    field: str = "class",
) -> Path:
    """The squares of `memory_labels` in a GeoPackage, in ``crs`` where one is named; ``table`` is added to a file
    that is there already."""
    from qgis.core import (
        QgsCoordinateReferenceSystem,
        QgsCoordinateTransform,
        QgsCoordinateTransformContext,
        QgsVectorFileWriter,
    )

    options = QgsVectorFileWriter.SaveVectorOptions()
    options.layerName = table or path.stem
    if path.exists():
        options.actionOnExistingFile = QgsVectorFileWriter.CreateOrOverwriteLayer
    layer = memory_labels(values, field=field)
    if crs:
        target = QgsCoordinateReferenceSystem(crs)
        options.ct = QgsCoordinateTransform(layer.crs(), target, QgsCoordinateTransformContext())
    QgsVectorFileWriter.writeAsVectorFormatV3(layer, str(path), QgsCoordinateTransformContext(), options)
    return path


def write_polygons(path: Path) -> Path:
    """A file as the engine makes it: an integer field ``class``."""
    from qgis.core import QgsCoordinateTransformContext, QgsVectorFileWriter

    options = QgsVectorFileWriter.SaveVectorOptions()
    options.driverName = {".gpkg": "GPKG", ".geojson": "GeoJSON"}[path.suffix]
    options.layerName = "landcover"
    layer = memory_labels([1, 2, 3], QVariant.Int)
    QgsVectorFileWriter.writeAsVectorFormatV3(layer, str(path), QgsCoordinateTransformContext(), options)
    return path


def write_model(path: Path, classes: Sequence[dict] = CLASSES, **more: object) -> Path:
    """A file with the header of a model, ``more`` added to it, and no tensors."""
    plain = {"format": 1, "classes": list(classes), **more}
    header = json.dumps({"__metadata__": {"satdifuser": json.dumps(plain)}}).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    return path
