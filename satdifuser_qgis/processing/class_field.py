"""Whether the chosen class field numbers the labels: asked here too, where the layer's other fields are known.

The engine does not see them where labels are copied for it.
"""

from __future__ import annotations

from typing import List, Optional

from qgis.core import QgsGeometry, QgsProcessingFeatureSource
from qgis.PyQt.QtCore import QCoreApplication

from ..protocol.class_field import looks_like_classes, numbers_features

translate = QCoreApplication.translate


def check_class_field(source: Optional[QgsProcessingFeatureSource], field: str, name: str) -> None:
    """Raises ValueError that names the fields that look like classes, where ``field`` has another value in each feature
    and none of these has several parts: a layer dissolved by class has one feature a class."""
    if source is None or not numbers_features(len(_values(source, field)), source.featureCount()):
        return
    if any(_has_parts(feature.geometry()) for feature in source.getFeatures()):
        return
    count = source.featureCount()
    told = translate(
        "SatDiFuser", '{name}: "{field}" has another value in each of the {count} labels. Is it the class field?'
    ).format(name=name, field=field, count=count)
    others = [each for each in source.fields().names() if each != field]
    classes = [f'"{each}"' for each in others if looks_like_classes(len(_values(source, each)), count)]
    if classes:
        way_out = translate("SatDiFuser", "Fields that look like one: {fields}.").format(fields=", ".join(classes))
    else:
        way_out = translate("SatDiFuser", "Choose the field that holds the classes, or draw several labels a class.")
    raise ValueError(f"{told} {way_out}")


def _has_parts(geometry: QgsGeometry) -> bool:
    return not geometry.isNull() and geometry.constGet().partCount() > 1


def _values(source: QgsProcessingFeatureSource, field: str) -> List[object]:
    """The different texts and whole numbers of a field; nothing of one that has others, or that the layer lacks."""
    found = source.uniqueValues(source.fields().indexOf(field))
    known = [value for value in found if isinstance(value, (str, int, float))]
    return [] if any(isinstance(value, float) for value in known) else known
