"""Class names, colours and legend order from the user's own style."""

from __future__ import annotations

from typing import Any, List, Optional, Tuple

from qgis.core import QgsRasterLayer, QgsVectorLayer

from ..protocol.classes import StyledClass


def styles_of_field(layer: Optional[QgsVectorLayer], field: str) -> Tuple[StyledClass, ...]:
    """What a categorised renderer on ``field`` says of its classes; () for any other style."""
    renderer = layer.renderer() if layer is not None else None
    if renderer is None or renderer.type() != "categorizedSymbol":
        return ()
    if renderer.classAttribute().strip().strip('"') != field:
        return ()
    found: List[StyledClass] = []
    for category in renderer.categories():
        color = category.symbol().color().name().lower() if category.symbol() is not None else ""
        values = category.value() if isinstance(category.value(), (list, tuple)) else [category.value()]
        for value in map(value_text, values):
            # The category without a value stands for "all other values".
            if value and color:
                name = category.label() if len(values) == 1 and category.label() else value
                found.append(StyledClass(value, name, color))
    return tuple(found)


def styles_of_raster(layer: Optional[QgsRasterLayer]) -> Tuple[StyledClass, ...]:
    """What a paletted renderer says of the pixel values; () for any other style."""
    renderer = layer.renderer() if layer is not None else None
    if renderer is None or renderer.type() != "paletted":
        return ()
    return tuple(
        StyledClass(value_text(entry.value), entry.label or value_text(entry.value), entry.color.name().lower())
        for entry in renderer.classes()
    )


def value_text(value: Any) -> str:
    """A class value as text, whole numbers without a point; "" for null."""
    if value is None or (hasattr(value, "isNull") and value.isNull()):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
