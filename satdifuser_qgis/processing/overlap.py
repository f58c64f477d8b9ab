"""Whether labels lie on the images at all, told before anything is computed."""

from __future__ import annotations

from typing import List

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCsException,
    QgsProcessingContext,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QCoreApplication

from .images import Image, crs_name, placed

translate = QCoreApplication.translate


def check_overlap(labels: QgsVectorLayer, name: str, images: List[Image], context: QgsProcessingContext) -> None:
    """Raises ValueError where the labels touch none of the images, or have no CRS but an image has.

    The CRS of an image is that in its file, which the engine goes by, whatever QGIS shows.
    """
    crs = placed(labels.crs())
    for image in images:
        _check_crs(labels.name(), crs, name, image)
    if any(_touches(labels, crs, image, context) for image in images):
        return
    raise ValueError(
        translate(
            "SatDiFuser",
            '{name}: "{labels}" ({crs}) does not touch {images}. '
            "Choose labels in the same place, or correct the CRS of the layer that lies wrong.",
        ).format(
            name=name,
            labels=labels.name(),
            crs=crs_name(crs),
            images=", ".join(f'"{image.name}" ({crs_name(image.crs_in_file)})' for image in images),
        )
    )


def _check_crs(labels: str, crs: QgsCoordinateReferenceSystem, name: str, image: Image) -> None:
    in_file = image.crs_in_file
    if in_file.isValid() and not crs.isValid():
        raise ValueError(
            translate(
                "SatDiFuser",
                '{name}: "{labels}" has no CRS but the image "{image}" has {crs}. '
                "Set the layer's CRS (layer menu, Layer CRS).",
            ).format(name=name, labels=labels, image=image.name, crs=crs_name(in_file))
        )


def _touches(
    labels: QgsVectorLayer, crs: QgsCoordinateReferenceSystem, image: Image, context: QgsProcessingContext
) -> bool:
    try:
        transform = QgsCoordinateTransform(crs, image.crs_in_file, context.transformContext())
        return bool(transform.transformBoundingBox(labels.extent()).intersects(image.extent))
    except QgsCsException:
        # Far away on the globe, or near a pole: the engine looks at each label.
        return True
