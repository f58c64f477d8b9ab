"""Whether labels lie on the images at all, told before anything is computed."""

from __future__ import annotations

from typing import List

from qgis.core import QgsCoordinateTransform, QgsCsException, QgsProcessingContext, QgsVectorLayer
from qgis.PyQt.QtCore import QCoreApplication

from .images import Image

translate = QCoreApplication.translate


def check_overlap(labels: QgsVectorLayer, name: str, images: List[Image], context: QgsProcessingContext) -> None:
    """Raises ValueError where the labels touch none of the images, or where only the images have a CRS.

    The CRS of an image is that in its file, which the engine goes by, whatever QGIS shows.
    """
    if any(_touches(labels, name, image, context) for image in images):
        return
    raise ValueError(
        translate(
            "SatDiFuser",
            '{name}: "{labels}" ({crs}) does not touch {images}. Choose labels on the same ground, or correct '
            "the CRS of "
            "the layer that lies wrong.",
        ).format(
            name=name,
            labels=labels.name(),
            crs=labels.crs().authid() or translate("SatDiFuser", "no CRS"),
            images=", ".join(f'"{image.name}" ({image.crs_in_file.authid() or "–"})' for image in images),
        )
    )


def _touches(labels: QgsVectorLayer, name: str, image: Image, context: QgsProcessingContext) -> bool:
    if image.crs_in_file.isValid() and not labels.crs().isValid():
        raise ValueError(
            translate(
                "SatDiFuser",
                '{name}: "{labels}" has no CRS but the image "{image}" has {crs}. Set the layer\'s CRS (layer menu, '
                "Layer "
                "CRS).",
            ).format(
                name=name,
                labels=labels.name(),
                image=image.name,
                crs=image.crs_in_file.authid() or image.crs_in_file.description(),
            )
        )
    try:
        transform = QgsCoordinateTransform(labels.crs(), image.crs_in_file, context.transformContext())
        return bool(transform.transformBoundingBox(labels.extent()).intersects(image.extent))
    except QgsCsException:
        # Far away on the globe, or near a pole: the engine looks at each label.
        return True
