"""QGIS layers as sources that the engine can open: a path, and for vectors the name of a layer in it.

What is no plain file (memory layers, filters, selections, unsaved edits, joined fields, databases), lies in another CRS
than the images or has curves is written to a GeoPackage in the Processing temp folder. `Sources` only plans that while
parameters are being checked.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCoordinateTransformContext,
    QgsFeature,
    QgsFeatureRequest,
    QgsFeatureSink,
    QgsFields,
    QgsGeometry,
    QgsProcessingContext,
    QgsProcessingFeatureSource,
    QgsProcessingFeatureSourceDefinition,
    QgsProcessingFeedback,
    QgsProviderRegistry,
    QgsVectorFileWriter,
    QgsVectorLayer,
    QgsWkbTypes,
)
from qgis.PyQt.QtCore import QCoreApplication

from .. import compat
from ..protocol.inside import file_of
from .images import Image, crs_name, placed
from .unopened import no_raster, no_vector

translate = QCoreApplication.translate

# Shapefiles are not among them: QGIS knows better than the file how its texts are encoded, as the user can set it.
DIRECT_FORMATS = (".gpkg", ".geojson", ".json", ".fgb", ".gdb")
# What QGIS puts in place of bytes that are no letter in the layer's encoding.
_UNREADABLE = "\ufffd"
# File names have at most 255 bytes, of which a letter may take four.
_LONGEST_STEM = 50


@dataclass(frozen=True)
class Export:
    """Features that the engine cannot read where they are, the one field that is needed, and the file to write.

    The file is in ``crs``, by the operations that the project chose for its CRSs (``transforms``).
    """

    source: QgsProcessingFeatureSource
    field: str
    path: str
    crs: QgsCoordinateReferenceSystem
    transforms: QgsCoordinateTransformContext


class Sources:
    """The sources of one request.

    ``files`` are the paths read, by the label of their parameter; ``notes`` and ``warnings`` are for the log.
    """

    def __init__(self) -> None:
        self.files: Dict[str, List[str]] = {}
        self.exports: List[Export] = []
        self.notes: List[str] = []
        self.warnings: List[str] = []

    def raster(self, image: Optional[Image], name: str, value: Any) -> str:
        """What GDAL opens for a raster. Raises ValueError for services and for what is no raster."""
        if image is None:
            raise ValueError(no_raster(value, name))
        if image.provider != "gdal" or ("|" in image.source and not os.path.exists(image.source)):
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
        crss: Sequence[QgsCoordinateReferenceSystem],
        context: QgsProcessingContext,
    ) -> Tuple[str, ...]:
        """A vector layer as ``path`` or ``path|layername=name``, in the CRSs of the images (``crss``).

        What is in another CRS is transformed here: the engine's PROJ knows neither the operation that the user chose
        nor QGIS's shift grids. The layer's own CRS comes first where any image needs it. Plans an export where the
        layer's file will not do. ``value`` is the raw parameter, which says whether only selected features count.
        Raises ValueError where there is no such layer or nothing in it.
        """
        if layer is None or source is None:
            raise ValueError(no_vector(layer_reference(value), name))
        if source.featureCount() == 0:
            raise ValueError(_nothing_in(layer, name, is_narrowed(value)))
        own = placed(layer.crs())
        wanted = _needed_crss(own, crss)
        direct = None if is_narrowed(value) else direct_path(layer, field)
        if direct is not None and wanted[0] == own:
            self.files.setdefault(name, []).append(direct.split("|layername=")[0])
            return (direct, *self._exports(source, field, wanted[1:], context))
        return self._exports(source, field, wanted, context)

    def _exports(
        self,
        source: QgsProcessingFeatureSource,
        field: str,
        crss: Sequence[QgsCoordinateReferenceSystem],
        context: QgsProcessingContext,
    ) -> Tuple[str, ...]:
        paths = tuple(compat.temporary_file(_file_name(source.sourceName()), context) for _ in crss)
        transforms = context.transformContext()
        self.exports += [Export(source, field, path, crs, transforms) for path, crs in zip(paths, crss)]
        return paths

    def export(self, feedback: QgsProcessingFeedback) -> None:
        """Writes what was planned. Raises ValueError where a file cannot be written."""
        for plan in self.exports:
            feedback.pushInfo(_told(plan))
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
                    shown=crs_name(image.crs),
                    in_file=crs_name(image.crs_in_file),
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
    if layer.crs() != layer.dataProvider().crs() or QgsWkbTypes.isCurvedType(layer.wkbType()):
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
    # QGIS shows the first of several layers where none is named; the engine would ask for the one that is meant.
    if not table and layer.dataProvider().subLayerCount() > 1:
        return None
    path = _absolute(path)
    return f"{path}|layername={table}" if table else path


def write_features(plan: Export, feedback: QgsProcessingFeedback) -> None:
    """Writes the features of ``plan`` with their one field. Raises ValueError where that fails."""
    fields, column = _one_field(plan.source.fields(), plan.field)
    options = QgsVectorFileWriter.SaveVectorOptions()
    options.driverName = "GPKG"
    options.layerName = "labels"
    # A label field may itself be called fid, which need not be unique, or geom.
    options.layerOptions = ["FID=satdifuser_row", "GEOMETRY_NAME=satdifuser_shape"]
    kind = QgsWkbTypes.linearType(plan.source.wkbType())
    writer = QgsVectorFileWriter.create(plan.path, fields, kind, plan.crs, plan.transforms, options)
    problem = compat.vector_writer_failed(writer)
    # Invalid polygons are the engine's to mend: QGIS would stop at the first.
    skip_checks = QgsProcessingFeatureSource.Flag.FlagSkipGeometryValidityChecks
    # The ids of features without a place in that CRS: QGIS reports some, and gives others infinite coordinates.
    lost: Set[int] = set()
    garbled: Set[str] = set()
    request = QgsFeatureRequest().setDestinationCrs(plan.crs, plan.transforms)
    request.setTransformErrorCallback(lambda feature: lost.add(feature.id()))
    for feature in () if problem else plan.source.getFeatures(request, skip_checks):
        if feedback.isCanceled():
            break
        geometry = _straight(feature.geometry())
        if not geometry.isNull() and not geometry.boundingBox().isFinite():
            lost.add(feature.id())
            geometry = QgsGeometry()
        copy = QgsFeature(fields)
        copy.setGeometry(geometry)
        copy.setAttributes([feature.attribute(column)] if column >= 0 else [])
        garbled.update(value for value in copy.attributes() if isinstance(value, str) and _UNREADABLE in value)
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
    if lost:
        feedback.pushWarning(
            translate("SatDiFuser", "Labels that cannot be transformed to {crs} are left out there: {count}.").format(
                count=len(lost), crs=crs_name(plan.crs)
            )
        )
    if garbled:
        feedback.pushWarning(
            translate(
                "SatDiFuser",
                'Texts of the field "{field}" cannot be read, such as {example}. Set the data source encoding of the '
                "layer (layer properties, Source), and train again.",
            ).format(field=plan.field, example=min(garbled))
        )


def _file_name(layer: str) -> str:
    """Of the copy of a layer: the engine calls labels by the name of their file."""
    plain = re.sub(r"[^\w ()+=-]", "_", layer)[:_LONGEST_STEM].strip()
    return f"{plain or 'labels'}.gpkg"


def _needed_crss(
    own: QgsCoordinateReferenceSystem, images: Sequence[QgsCoordinateReferenceSystem]
) -> List[QgsCoordinateReferenceSystem]:
    """The CRSs in which labels are needed, each once: their own first, unless all images share another one."""
    others: List[QgsCoordinateReferenceSystem] = []
    for crs in images if own.isValid() else ():
        if crs.isValid() and crs != own and crs not in others:
            others.append(crs)
    return others if len(others) == 1 and all(crs == others[0] for crs in images) else [own, *others]


def _told(plan: Export) -> str:
    """What an export does, for the log."""
    if plan.crs == placed(plan.source.sourceCrs()):
        text = translate(
            "SatDiFuser", "Labels are copied to {path} as QGIS shows them (selection, filter, edits, encoding)."
        )
        return text.format(path=plan.path)
    way = QgsCoordinateTransform(plan.source.sourceCrs(), plan.crs, plan.transforms)
    return translate("SatDiFuser", "Labels are transformed from {source} to {target} ({operation}): {path}").format(
        source=crs_name(plan.source.sourceCrs()),
        target=crs_name(plan.crs),
        operation=way.instantiatedCoordinateOperationDetails().name or "PROJ",
        path=plan.path,
    )


def _straight(geometry: QgsGeometry) -> QgsGeometry:
    """Circular arcs as the short lines that QGIS draws them with: the engine knows no curves."""
    if geometry.isNull() or not geometry.constGet().hasCurvedSegments():
        return geometry
    return QgsGeometry(geometry.constGet().segmentize())


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
    """Relative file paths as absolute ones, since the engine runs elsewhere, also inside GDAL's own names."""
    file = path if os.path.exists(path) else file_of(path)
    return path.replace(file, os.path.abspath(file), 1) if os.path.exists(file) else path
