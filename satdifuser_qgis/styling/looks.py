"""How our outputs look: a renderer for each kind of output, set on a layer, saved with the file.

A style lies beside rasters and plain vector files (``.qml``, which QGIS reads whenever the file is opened) and
inside GeoPackages, so that maps made headless look the same as those made in the window.
"""

from __future__ import annotations

from typing import Sequence

from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsColorRampShader,
    QgsFillSymbol,
    QgsMapLayer,
    QgsPalettedRasterRenderer,
    QgsRasterLayer,
    QgsRasterShader,
    QgsRendererCategory,
    QgsSingleBandPseudoColorRenderer,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QCoreApplication
from qgis.PyQt.QtGui import QColor

from .. import compat
from ..protocol.classes import LandCoverClass

translate = QCoreApplication.translate

CLASS_FIELD = "class"
# Viridis at 0, 1/4 … 1: even steps to the eye, also without colour.
SHARE_COLORS = ("#440154", "#3b528b", "#21918c", "#5ec962", "#fde725")


class Look:
    """The style of one output."""

    # Whether its layer is switched on when it comes into the project.
    VISIBLE = True

    def apply(self, layer: QgsMapLayer) -> None:
        """Sets the renderer of ``layer``."""
        raise NotImplementedError

    def save(self, path: str) -> str:
        """Styles the file at ``path`` for whoever opens it. Returns what went wrong, "" where nothing did."""
        # A layer without a file: opened, a raster would be stretched, for which GDAL writes statistics beside it.
        layer = QgsRasterLayer()
        self.apply(layer)
        return _save_beside(layer, path)


class ClassMap(Look):
    """A class raster: its classes with their names and colours, in legend order."""

    def __init__(self, classes: Sequence[LandCoverClass]) -> None:
        self.classes = tuple(classes)

    def apply(self, layer: QgsMapLayer) -> None:
        entries = [QgsPalettedRasterRenderer.Class(c.code, QColor(c.color), c.name) for c in self.classes]
        layer.setRenderer(QgsPalettedRasterRenderer(layer.dataProvider(), 1, entries))


class ClassPolygons(Look):
    """Polygons with the field ``class``, filled with the colours of the map, without outlines."""

    def __init__(self, classes: Sequence[LandCoverClass]) -> None:
        self.classes = tuple(classes)

    def save(self, path: str) -> str:
        layer = QgsVectorLayer(path, "styled", "ogr")
        if not layer.isValid():
            return translate("SatDiFuser", "{path} cannot be opened").format(path=path)
        self.apply(layer)
        if holds_its_style(path):
            return compat.save_style_in_database(layer, "land cover")
        return _save_beside(layer, path)

    def apply(self, layer: QgsMapLayer) -> None:
        categories = [QgsRendererCategory(c.code, self._symbol(c), c.name) for c in self.classes]
        layer.setRenderer(QgsCategorizedSymbolRenderer(CLASS_FIELD, categories))

    def _symbol(self, land_cover: LandCoverClass) -> QgsFillSymbol:
        # An outline of the same colour closes the hairlines that antialiasing leaves between neighbours.
        return QgsFillSymbol.createSimple(
            {"color": land_cover.color, "outline_color": land_cover.color, "outline_width": "0.1"}
        )


class Share(Look):
    """Values from 0 to 1 of one band, dark to bright: entropy, the probability of a class."""

    VISIBLE = False

    def apply(self, layer: QgsMapLayer) -> None:
        last = len(SHARE_COLORS) - 1
        ramp = QgsColorRampShader(0.0, 1.0)
        ramp.setColorRampType(QgsColorRampShader.Type.Interpolated)
        ramp.setColorRampItemList(
            [QgsColorRampShader.ColorRampItem(i / last, QColor(c), f"{i / last:g}") for i, c in enumerate(SHARE_COLORS)]
        )
        shader = QgsRasterShader(0.0, 1.0)
        shader.setRasterShaderFunction(ramp)
        renderer = QgsSingleBandPseudoColorRenderer(layer.dataProvider(), 1, shader)
        renderer.setClassificationMin(0.0)
        renderer.setClassificationMax(1.0)
        layer.setRenderer(renderer)


def holds_its_style(path: str) -> bool:
    """True for GeoPackages; all other files have their style beside them."""
    return path.lower().endswith(".gpkg")


def _save_beside(layer: QgsMapLayer, path: str) -> str:
    if compat.save_style_beside(layer, path):
        return ""
    return translate("SatDiFuser", "no .qml could be written beside {path}").format(path=path)
