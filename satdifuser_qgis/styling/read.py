"""Class names, colours and legend order from the user's own style."""

from __future__ import annotations

import re
from typing import Any, List, Optional, Tuple

from qgis.core import (
    QgsExpression,
    QgsExpressionNodeColumnRef,
    QgsPalettedRasterRenderer,
    QgsRasterLayer,
    QgsVectorLayer,
)
from qgis.PyQt.QtGui import QColor

from ..protocol.classes import StyledClass


def field_of_style(layer: Optional[QgsVectorLayer]) -> str:
    """The field that a categorised renderer goes by; "" for an expression of several, and for any other style."""
    renderer = layer.renderer() if layer is not None else None
    if layer is None or renderer is None or renderer.type() != "categorizedSymbol":
        return ""
    return next((name for name in layer.fields().names() if _is_field(renderer.classAttribute(), name)), "")


def styles_of_field(layer: Optional[QgsVectorLayer], field: str) -> Tuple[StyledClass, ...]:
    """What a categorised renderer on ``field`` says of its classes; () for any other style."""
    renderer = layer.renderer() if layer is not None else None
    if renderer is None or renderer.type() != "categorizedSymbol":
        return ()
    if not _is_field(renderer.classAttribute(), field):
        return ()
    found: List[StyledClass] = []
    for category in renderer.categories():
        color = _color(category.symbol().color()) if category.symbol() is not None else ""
        values = category.value() if isinstance(category.value(), (list, tuple)) else [category.value()]
        for value in map(value_text, values):
            # The category without a value stands for "all other values".
            if value and color:
                named = len(values) == 1 and category.label() and not _repeats(category.label(), values[0])
                found.append(StyledClass(value, category.label() if named else value, color))
    return tuple(found)


def styles_of_raster(layer: Optional[QgsRasterLayer]) -> Tuple[StyledClass, ...]:
    """What the user's paletted renderer says of the pixel values; () for any other style.

    A palette that QGIS only took from the file's colour table is no style of the user's: it has an entry for each
    of 256 values, most of them black, and the engine reads the table with more care. A label that only repeats
    the value is no name.
    """
    renderer = layer.renderer() if layer is not None else None
    if renderer is None or renderer.type() != "paletted" or _is_of_file(renderer, layer):
        return ()
    return tuple(
        StyledClass(
            value_text(entry.value), "" if _repeats(entry.label, entry.value) else entry.label, _color(entry.color)
        )
        for entry in renderer.classes()
    )


def _is_field(attribute: str, field: str) -> bool:
    """Whether a renderer's attribute is that field: its bare name, or an expression such as ``"class name"``."""
    expression = QgsExpression(attribute)  # its nodes live as long as it does
    node = expression.rootNode()
    return attribute == field or (isinstance(node, QgsExpressionNodeColumnRef) and node.name() == field)


def _is_of_file(renderer: QgsPalettedRasterRenderer, layer: QgsRasterLayer) -> bool:
    """Whether the palette is exactly the file's colour table."""
    table = QgsPalettedRasterRenderer.colorTableToClassData(layer.dataProvider().colorTable(1))
    return [(c.value, _color(c.color), c.label) for c in renderer.classes()] == [
        (c.value, _color(c.color), c.label) for c in table
    ]


def _repeats(label: str, value: Any) -> bool:
    """Whether a label is only the value again: of numbers as QGIS writes it anywhere, "1,000", "1.000", "-3,40e+38"."""
    if not isinstance(value, (int, float)):
        return label == value_text(value)
    signs = r"[^\w-]"
    shown = re.sub(signs, "", label.replace("\N{MINUS SIGN}", "-"))
    return shown in (value_text(value), re.sub(signs, "", f"{value:g}"))


def _color(color: QColor) -> str:
    return str(color.name()).lower()


def value_text(value: Any) -> str:
    """A class value as text, whole numbers without a point; "" for null."""
    if value is None or (hasattr(value, "isNull") and value.isNull()):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
