"""Vector layers that show less than their file holds are exported; what the engine gets is what QGIS shows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from qgis.core import QgsVectorLayer

from satdifuser_qgis.processing.sources import direct_path

from . import landscape


@pytest.fixture
def mixed(tmp_path: Path) -> str:
    """A GeoJSON with an area and a point."""
    ring = [[0, 0], [1, 0], [1, 1], [0, 0]]
    shapes = ({"type": "Polygon", "coordinates": [ring]}, {"type": "Point", "coordinates": [5, 5]})
    features = [{"type": "Feature", "properties": {"class": "a"}, "geometry": shape} for shape in shapes]
    path = tmp_path / "mixed.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return str(path)


def direct(source: str) -> object:
    layer = QgsVectorLayer(source, "labels", "ogr")
    assert layer.isValid(), source
    return direct_path(layer, "class")


def test_one_kind_of_geometry_of_a_mixed_file_is_not_the_whole_file(qgis_app, mixed):
    assert direct(f"{mixed}|geometrytype=Polygon") is None


def test_a_table_by_its_number_is_not_the_first_one(qgis_app, tmp_path):
    path = landscape.write_labels(tmp_path / "labels.gpkg")
    landscape.write_labels(path, values=("snow",), table="second")
    assert direct(f"{path}|layerid=1") is None
    assert direct(f"{path}|layername=second") == f"{path}|layername=second"
