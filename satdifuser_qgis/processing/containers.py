"""Label files with several layers: which one is meant. QGIS would take the first without a word."""

from __future__ import annotations

from typing import Any, List

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeatureSourceDefinition,
    QgsProcessingUtils,
    QgsProperty,
    QgsProviderRegistry,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QCoreApplication

from .sources import layer_reference
from .unopened import is_archive, parts_of
from .values import closest

translate = QCoreApplication.translate


def one_layer(value: Any, name: str, field: str, context: QgsProcessingContext, warnings: List[str]) -> Any:
    """A labels parameter in which a file with several layers is replaced by the id of one of them, now in ``context``.

    That is the only one with features, geometries and the class field; a sentence that says so joins ``warnings``.
    Layers of the project, and files whose layer is named, stay as they are. Raises ValueError where no layer or several
    could be meant.
    """
    reference = layer_reference(value)
    if not isinstance(reference, str) or _named(reference) or _of_project(reference, context):
        return value
    path, bar, rest = reference.partition("|")
    found = parts_of(path, "ogr")
    if len(found) < 2:
        return value
    layers = [QgsVectorLayer(item.uri() + bar + rest, item.name(), "ogr") for item in found]
    drawn = [layer for layer in layers if layer.isValid() and layer.isSpatial() and layer.featureCount() != 0]
    meant = [layer for layer in drawn if not field or field in layer.fields().names()]
    if not drawn:
        return value
    if len(meant) != 1:
        raise ValueError(_unclear(path, name, field, meant, drawn))
    if len(drawn) > 1:
        warnings.append(
            translate(
                "SatDiFuser",
                '{name}: {path} holds several layers; "{layer}" is taken, the only one with the field "{field}".',
            ).format(name=name, path=path, layer=meant[0].name(), field=field)
        )
    context.temporaryLayerStore().addMapLayer(meant[0])
    return _replaced(value, meant[0].id())


def _unclear(path: str, name: str, field: str, meant: List[QgsVectorLayer], drawn: List[QgsVectorLayer]) -> str:
    listed = ", ".join(layer.name() for layer in meant or drawn)
    if meant and is_archive(path):
        return translate(
            "SatDiFuser",
            "{name}: {path} holds several layers that could be meant: {layers}. Add one to the project and choose it "
            "there, or unpack the file.",
        ).format(name=name, path=path, layers=listed)
    if meant:
        return translate(
            "SatDiFuser",
            "{name}: {path} holds several layers that could be meant: {layers}. Name one, such as {example} or add it "
            "to the project and choose it there. Merge vector layers in the Toolbox makes one layer of several.",
        ).format(name=name, path=path, layers=listed, example=meant[0].source())
    near = closest(field, {known for layer in drawn for known in layer.fields().names()})
    hint = translate("SatDiFuser", 'Did you mean "{meant}"?').format(meant=near) if near else ""
    return (
        translate("SatDiFuser", '{name}: no layer of {path} has the field "{field}". Its layers are {layers}. {hint}')
        .format(name=name, path=path, field=field, layers=listed, hint=hint)
        .strip()
    )


def _named(source: str) -> bool:
    parts = QgsProviderRegistry.instance().decodeUri("ogr", source)
    return bool(parts.get("layerName")) or parts.get("layerId") is not None


def _of_project(reference: str, context: QgsProcessingContext) -> bool:
    layer = QgsProcessingUtils.mapLayerFromString(reference, context, False)
    project = context.project()
    return layer is not None and project is not None and project.mapLayer(layer.id()) is not None


def _replaced(value: Any, source: str) -> Any:
    if not isinstance(value, QgsProcessingFeatureSourceDefinition):
        return source
    definition = QgsProcessingFeatureSourceDefinition(value)
    definition.source = QgsProperty.fromValue(source)
    return definition
