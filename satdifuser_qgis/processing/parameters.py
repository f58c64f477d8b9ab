"""Parameters that QGIS must not judge by itself: `request` looks at their values and says more when it refuses.

QGIS's own check opens every raster file as a layer, which leaves statistics beside it (see `images`), and lets no
model through that is given by name. `qgis_process` asks each parameter besides `checkParameterValues`.
"""

from __future__ import annotations

from typing import Any, Optional

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingParameterFile,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterRasterLayer,
)


class RasterParameter(QgsProcessingParameterRasterLayer):
    """A raster, judged by `sources.Sources.raster`."""

    def checkValueIsAcceptable(self, value: Any, context: Optional[QgsProcessingContext] = None) -> bool:
        return value not in (None, "")


class RastersParameter(QgsProcessingParameterMultipleLayers):
    """Rasters or none, each judged by `sources.Sources.raster`."""

    def checkValueIsAcceptable(self, value: Any, context: Optional[QgsProcessingContext] = None) -> bool:
        return True


class ModelParameter(QgsProcessingParameterFile):
    """A model file or the name of a model, judged by `models.find_model`."""

    def checkValueIsAcceptable(self, value: Any, context: Optional[QgsProcessingContext] = None) -> bool:
        return value not in (None, "")
