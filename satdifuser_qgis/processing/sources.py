"""QGIS layers as sources that the engine can open: a path, and for vectors the name of a layer in it.

What is no plain file (memory layers, filters, selections, unsaved edits, joined fields, databases) is written to
a GeoPackage in the Processing temp folder. `Sources` only plans that while parameters are being checked.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

from qgis.core import (
    QgsFeature,
    QgsFeatureRequest,
    QgsFeatureSink,
    QgsFields,
    QgsProcessingContext,
    QgsProcessingFeatureSource,
    QgsProcessingFeatureSourceDefinition,
    QgsProcessingFeedback,
    QgsProviderRegistry,
    QgsVectorFileWriter,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QCoreApplication

from .. import compat
from .images import Image

translate = QCoreApplication.translate

DIRECT_FORMATS = (".gpkg", ".shp", ".geojson", ".json", ".fgb", ".gdb")


@dataclass(frozen=True)
class Export:
    """Features that the engine cannot read where they are, the one field that is needed, and the file to write."""

    source: QgsProcessingFeatureSource
    field: str
    path: str


class Sources:
    """The sources of one request. ``files`` are the paths read, by parameter name; ``warnings`` are for the log."""

    def __init__(self) -> None:
        self.files: Dict[str, List[str]] = {}
        self.exports: List[Export] = []
        self.warnings: List[str] = []

    def raster(self, image: Optional[Image], name: str, value: Any) -> str:
        """What GDAL opens for a raster. Raises ValueError for services and for what is no raster."""
        if image is None:
            raise ValueError(
                translate(
                    "SatDiFuser", "{name}: {value} is no raster that QGIS can open. Choose another raster."
                ).format(name=name, value=_shown(value))
            )
        if image.provider != "gdal" or "|" in image.source:
            raise ValueError(
                translate(
                    "SatDiFuser",
                    '{name}: "{layer}" is not a plain raster file (its source is "{provider}"). Save the part that you '
                    "need as GeoTIFF (layer menu, Export, Save As) and choose that file.",
                ).format(name=name, layer=image.name, provider=image.provider)
            )
        self._note_crs(image, name)
        path = _absolute(image.source)
        self.files.setdefault(name, []).append(path)
        return path

    def vector(
        self,
        layer: Optional[QgsVectorLayer],
        source: Optional[QgsProcessingFeatureSource],
        name: str,
        value: Any,
        field: str,
        context: QgsProcessingContext,
    ) -> str:
        """``path`` or ``path|layername=name`` of a vector layer; plans an export where its file will not do.

        ``value`` is the raw parameter, which says whether only selected features count. Raises ValueError where
        there is no such layer or nothing in it.
        """
        if layer is None or source is None:
            raise ValueError(
                translate(
                    "SatDiFuser", "{name}: {value} is no vector layer that QGIS can open. Choose another layer."
                ).format(name=name, value=_shown(value))
            )
        if source.featureCount() == 0:
            raise ValueError(_nothing_in(layer, name, is_narrowed(value)))
        direct = None if is_narrowed(value) else direct_path(layer, field)
        if direct is not None:
            self.files.setdefault(name, []).append(direct.split("|layername=")[0])
            return direct
        path = compat.temporary_file(f"{name.lower()}.gpkg", context)
        self.exports.append(Export(source, field, path))
        return path

    def export(self, feedback: QgsProcessingFeedback) -> None:
        """Writes what was planned. Raises ValueError where a file cannot be written."""
        for plan in self.exports:
            feedback.pushInfo(
                translate("SatDiFuser", "Labels are copied to {path} (selection, filter and edits are kept).").format(
                    path=plan.path
                )
            )
            write_features(plan, feedback)

    def _note_crs(self, image: Image, name: str) -> None:
        if image.crs != image.crs_in_file:
            self.warnings.append(
                translate(
                    "SatDiFuser",
                    '{name}: QGIS shows "{layer}" in {shown}, but its file says {in_file}. The file counts; '
                    'correct it with "Assign projection" if it is wrong.',
                ).format(
                    name=name,
                    layer=image.name,
                    shown=image.crs.authid() or "?",
                    in_file=image.crs_in_file.authid() or translate("SatDiFuser", "no CRS"),
                )
            )


def layer_reference(value: Any) -> Any:
    """The layer id, path or layer in a feature source parameter, without its selection and limits."""
    if isinstance(value, QgsProcessingFeatureSourceDefinition):
        return value.source.staticValue()
    return value


def is_narrowed(value: Any) -> bool:
    """True where a parameter asks for fewer features than the layer has."""
    if not isinstance(value, QgsProcessingFeatureSourceDefinition):
        return False
    limit = getattr(value, "featureLimit", -1)
    return bool(value.selectedFeaturesOnly or limit not in (-1, None) or getattr(value, "filterExpression", ""))


def direct_path(layer: QgsVectorLayer, field: str) -> Optional[str]:
    """``path`` or ``path|layername=name`` where the file holds exactly what the layer shows, else None."""
    if layer.providerType() != "ogr" or layer.subsetString() or layer.isModified():
        return None
    if layer.crs() != layer.dataProvider().crs():
        return None
    if field and layer.fields().fieldOrigin(layer.fields().indexOf(field)) != QgsFields.FieldOrigin.OriginProvider:
        return None
    parts = QgsProviderRegistry.instance().decodeUri("ogr", layer.source())
    path, table = str(parts.get("path") or ""), parts.get("layerName")
    if not path.lower().endswith(DIRECT_FORMATS) or not os.path.exists(path):
        return None
    # One kind of geometry of a mixed file, a table by its number, a file inside an archive, open options …
    if any(value or value == 0 for part, value in parts.items() if part not in ("path", "layerName")):
        return None
    path = _absolute(path)
    return f"{path}|layername={table}" if table else path


def write_features(plan: Export, feedback: QgsProcessingFeedback) -> None:
    """Writes the features of ``plan`` with their one field. Raises ValueError where that fails."""
    fields, column = _one_field(plan.source.fields(), plan.field)
    options = QgsVectorFileWriter.SaveVectorOptions()
    options.driverName = "GPKG"
    options.layerName = "labels"
    # A label field may itself be called fid, which need not be unique.
    options.layerOptions = ["FID=satdifuser_row"]
    writer = QgsVectorFileWriter.create(
        plan.path,
        fields,
        plan.source.wkbType(),
        plan.source.sourceCrs(),
        QgsProcessingContext().transformContext(),
        options,
    )
    problem = compat.vector_writer_failed(writer)
    # Invalid polygons are the engine's to mend: QGIS would stop at the first.
    skip_checks = QgsProcessingFeatureSource.Flag.FlagSkipGeometryValidityChecks
    for feature in () if problem else plan.source.getFeatures(QgsFeatureRequest(), skip_checks):
        if feedback.isCanceled():
            break
        copy = QgsFeature(fields)
        copy.setGeometry(feature.geometry())
        copy.setAttributes([feature.attribute(column)] if column >= 0 else [])
        if not writer.addFeature(copy, QgsFeatureSink.Flag.FastInsert):
            problem = compat.vector_writer_failed(writer)
            break
    del writer  # closes the file
    if problem:
        raise ValueError(
            translate("SatDiFuser", "The labels could not be copied to {path}: {problem}. Is the disk full?").format(
                path=plan.path, problem=problem
            )
        )


def _one_field(fields: QgsFields, name: str) -> Tuple[QgsFields, int]:
    column = fields.indexOf(name)
    kept = QgsFields()
    if column >= 0:
        kept.append(fields.at(column))
    return kept, column


def _nothing_in(layer: QgsVectorLayer, name: str, narrowed: bool) -> str:
    if narrowed:
        return translate(
            "SatDiFuser",
            '{name}: nothing is selected in "{layer}". Select labels, or switch off "Selected features only".',
        ).format(name=name, layer=layer.name())
    if layer.subsetString():
        return translate(
            "SatDiFuser", '{name}: the filter of "{layer}" ({filter}) leaves no features. Change the filter.'
        ).format(name=name, layer=layer.name(), filter=layer.subsetString())
    return translate("SatDiFuser", '{name}: "{layer}" has no features. Draw some labels first.').format(
        name=name, layer=layer.name()
    )


def _absolute(path: str) -> str:
    """Relative file paths as absolute ones (the engine runs elsewhere); GDAL's own names stay as they are."""
    return os.path.abspath(path) if os.path.exists(path) else path


def _shown(value: Any) -> str:
    return f'"{value}"' if value not in (None, "") else translate("SatDiFuser", "nothing")
