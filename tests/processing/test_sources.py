"""What the engine gets is what QGIS shows: layers that show less than their file are exported, services refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from qgis.core import QgsCoordinateReferenceSystem, QgsRectangle, QgsVectorLayer

from satdifuser_qgis.processing.images import Image, open_image
from satdifuser_qgis.processing.sources import Sources, direct_path

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


@pytest.mark.parametrize(
    ("provider", "source"),
    [
        (
            "wms",
            "contextualWMSLegend=0&crs=EPSG:3857&format=image/png&layers=ortho&styles=&url=https://example.org/wms",
        ),
        ("wms", "type=xyz&url=https://example.org/%7Bz%7D/%7Bx%7D/%7By%7D.png&zmax=19&zmin=0"),
        ("wcs", "url=https://example.org/wcs&identifier=ortho"),
        ("postgresraster", 'dbname=\'gis\' host=localhost port=5432 table="public"."ortho" (rast)'),
    ],
)
def test_rasters_that_are_no_files_are_refused_with_the_way_out(qgis_app, provider, source):
    crs = QgsCoordinateReferenceSystem("EPSG:3857")
    image = Image("ortho", source, provider, crs, crs, QgsRectangle(0, 0, 1, 1), 3)
    with pytest.raises(ValueError, match=f'INPUT: "ortho" is not a plain raster file.*"{provider}".*GeoTIFF'):
        Sources().raster(image, "INPUT", "ortho")


def test_a_database_that_does_not_answer_is_refused(segment, tmp_path):
    wish = "PG: dbname='gis' host=localhost port=1 schema='public' table='ortho' mode=2"
    said = segment.refusal(INPUT=wish, MODEL="crops", OUTPUT=str(tmp_path / "map.tif"))
    assert said.startswith("Image: ")
    assert "Choose another raster" in said


def test_an_image_inside_a_file_has_a_name_and_a_path_that_holds_elsewhere(
    segment, engine, image, model, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    segment.run(INPUT="GTIFF_DIR:1:image.tif", MODEL=model, OUTPUT=str(tmp_path / "map.tif"))
    assert engine.requests[-1].input == f"GTIFF_DIR:1:{image}"
    assert open_image("GTIFF_DIR:1:image.tif", segment.context).name == "image 1"
