"""Styles: read from the user's layers, written beside rasters and into GeoPackages."""

from __future__ import annotations

import sqlite3

import pytest
from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsFillSymbol,
    QgsPalettedRasterRenderer,
    QgsRasterLayer,
    QgsRendererCategory,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QVariant
from qgis.PyQt.QtGui import QColor

from satdifuser_qgis.protocol.classes import LandCoverClass, StyledClass
from satdifuser_qgis.styling.looks import ClassMap, ClassPolygons, Share
from satdifuser_qgis.styling.read import styles_of_field, styles_of_raster
from tests.processing import landscape

pytestmark = pytest.mark.usefixtures("qgis_app")
CLASSES = [LandCoverClass(item["code"], item["name"], item["color"]) for item in reversed(landscape.CLASSES)]


def category(value, color, label):
    return QgsRendererCategory(value, QgsFillSymbol.createSimple({"color": color}), label)


def test_a_categorised_style_gives_names_colours_and_order():
    layer = landscape.memory_labels([3, 1], QVariant.Int)
    categories = [category(3, "#AABBCC", "field"), category(1, "#000001", ""), category(None, "#ffffff", "all other")]
    layer.setRenderer(QgsCategorizedSymbolRenderer("class", categories))
    assert styles_of_field(layer, "class") == (StyledClass("3", "field", "#aabbcc"), StyledClass("1", "1", "#000001"))


def test_a_label_that_only_repeats_a_number_of_the_field_is_no_name():
    layer = landscape.memory_labels([41001, 1], QVariant.Int)
    categories = [category(41001, "#AABBCC", "41.001"), category(1, "#000001", "01")]
    layer.setRenderer(QgsCategorizedSymbolRenderer("class", categories))
    assert [style.name for style in styles_of_field(layer, "class")] == ["41001", "01"]
    texts = landscape.memory_labels(["1000"])
    texts.setRenderer(QgsCategorizedSymbolRenderer("class", [category("1000", "#AABBCC", "1.000")]))
    assert [style.name for style in styles_of_field(texts, "class")] == ["1.000"]


def test_a_quoted_field_and_several_values_a_category_are_understood():
    layer = landscape.memory_labels(["a", "b"])
    layer.setRenderer(QgsCategorizedSymbolRenderer('"class"', [category(["a", "b"], "#111111", "both")]))
    assert styles_of_field(layer, "class") == (StyledClass("a", "a", "#111111"), StyledClass("b", "b", "#111111"))


def test_a_style_on_another_field_says_nothing_of_the_classes():
    layer = landscape.memory_labels(["a"])
    layer.setRenderer(QgsCategorizedSymbolRenderer("note", [category("x", "#111111", "x")]))
    assert styles_of_field(layer, "class") == ()
    assert styles_of_field(None, "class") == ()


def test_a_paletted_raster_gives_its_classes(tmp_path):
    layer = QgsRasterLayer(str(landscape.write_raster(tmp_path / "codes.tif", bands=1)), "codes")
    entries = [
        QgsPalettedRasterRenderer.Class(2, QColor("#00FF00"), "wood"),
        QgsPalettedRasterRenderer.Class(1, QColor(0, 0, 1), ""),
    ]
    assert styles_of_raster(layer) == ()
    layer.setRenderer(QgsPalettedRasterRenderer(layer.dataProvider(), 1, entries))
    assert styles_of_raster(layer) == (StyledClass("2", "wood", "#00ff00"), StyledClass("1", "", "#000001"))


@pytest.mark.parametrize(
    ("value", "label", "name"),
    [
        (1000, "1,000", ""), (1000, "1.000", ""), (1000, "1\u202f000", ""), (1000, "1’000", ""), (-9999, "-9,999", ""),
        (-9999, "\u22129\xa0999", ""), (-3.4028234663852886e38, "-3,40282e+38", ""), (1e20, "1e+20", ""),
        (1, "01", "01"), (3, "10", "10"), (1, "1 km", "1 km"), (0, "Unclassified", "Unclassified"),
    ],
)  # fmt: skip
def test_a_label_that_only_repeats_the_value_is_no_name(tmp_path, value, label, name):
    layer = QgsRasterLayer(str(landscape.write_raster(tmp_path / "codes.tif", bands=1)), "codes")
    entries = [QgsPalettedRasterRenderer.Class(value, QColor("#00FF00"), label)]
    layer.setRenderer(QgsPalettedRasterRenderer(layer.dataProvider(), 1, entries))
    assert [style.name for style in styles_of_raster(layer)] == [name]


def test_the_colour_table_of_the_file_is_no_style_of_the_users(tmp_path):
    layer = QgsRasterLayer(str(landscape.write_raster(tmp_path / "codes.tif", bands=1, classes=True)), "codes")
    assert layer.renderer().type() == "paletted"
    assert styles_of_raster(layer) == ()


def test_a_class_map_opens_with_names_in_legend_order(tmp_path):
    path = str(landscape.write_raster(tmp_path / "map.tif", bands=1, classes=True))
    assert ClassMap(CLASSES).save(path) == ""
    layer = QgsRasterLayer(path, "again")
    assert [(int(c.value), c.label, c.color.name()) for c in layer.renderer().classes()] == [
        (c.code, c.name, c.color) for c in CLASSES
    ]


@pytest.mark.parametrize("ending", [".gpkg", ".geojson"])
def test_polygons_open_with_the_colours_of_the_map(tmp_path, ending):
    path = str(landscape.write_polygons(tmp_path / f"polygons{ending}"))
    assert ClassPolygons(CLASSES).save(path) == ""
    layer = QgsVectorLayer(path, "again", "ogr")
    assert [(c.label(), c.symbol().color().name()) for c in layer.renderer().categories()] == [
        (c.name, c.color) for c in CLASSES
    ]


def test_saving_twice_keeps_one_default_style(tmp_path):
    path = str(landscape.write_polygons(tmp_path / "polygons.gpkg"))
    assert [ClassPolygons(CLASSES).save(path) for _ in range(2)] == ["", ""]
    with sqlite3.connect(path) as database:
        assert database.execute("select count(*) from layer_styles where useAsDefault").fetchone() == (1,)


def test_polygons_keep_the_ordinary_journal_of_their_database(tmp_path):
    """Bytes 18 and 19 of SQLite's header: 1 for a rollback journal; 2 for WAL, which read-only media cannot open."""
    path = landscape.write_polygons(tmp_path / "polygons.gpkg")
    for _ in range(2):
        ClassPolygons(CLASSES).save(str(path))
        assert path.read_bytes()[18:20] == bytes([1, 1])
        assert [item.name for item in tmp_path.iterdir()] == ["polygons.gpkg"]


def test_shares_run_from_0_to_1(tmp_path):
    path = str(landscape.write_raster(tmp_path / "entropy.tif", bands=1))
    assert Share().save(path) == ""
    layer = QgsRasterLayer(path, "again")
    assert (layer.renderer().classificationMin(), layer.renderer().classificationMax()) == (0, 1)


def test_nothing_but_the_style_is_written_beside_a_raster(tmp_path):
    path = landscape.write_raster(tmp_path / "entropy.tif", bands=1)
    assert Share().save(str(path)) == ""
    assert sorted(item.name for item in tmp_path.iterdir()) == ["entropy.qml", "entropy.tif"]


def test_a_file_that_is_gone_is_told(tmp_path):
    assert "cannot be opened" in ClassPolygons(CLASSES).save(str(tmp_path / "gone.gpkg"))
    assert "no .qml could be written" in ClassMap(CLASSES).save(str(tmp_path / "no folder" / "gone.tif"))
