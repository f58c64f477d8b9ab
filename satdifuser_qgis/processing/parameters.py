"""Parameters that QGIS must not judge by itself: `request` looks at their values and says more when it refuses.

QGIS's own check opens every raster file as a layer, which leaves statistics beside it (see `images`), and lets no
model through that is given by name. `qgis_process` asks each parameter besides `checkParameterValues`.
"""

from __future__ import annotations

from typing import Any, Dict, Optional

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterFile,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterNumber,
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
    """A model file or the name of a model, judged by `models.find_model`; in dialogs a list of the models there are."""

    def __init__(self, name: str, description: str) -> None:
        super().__init__(name, description, extension="safetensors")
        self.setMetadata(shown_by("ModelWrapper"))

    def checkValueIsAcceptable(self, value: Any, context: Optional[QgsProcessingContext] = None) -> bool:
        return value not in (None, "")


def or_else(parameter: QgsProcessingParameterDefinition, alternative: str) -> QgsProcessingParameterDefinition:
    """An optional parameter that is left empty only for a reason: dialogs say that, not "[optional]"."""
    parameter.setMetadata(shown_by("AlternativeWrapper", alternative=alternative))
    return parameter


def zero_as(parameter: QgsProcessingParameterNumber, word: str) -> QgsProcessingParameterNumber:
    """A number whose 0 stands in dialogs as a word."""
    parameter.setMetadata(shown_by("NumberWrapper", zero=word))
    return parameter


def only_with(parameter: QgsProcessingParameterNumber, other: str, choice: int) -> QgsProcessingParameterNumber:
    """A number that counts for one choice of another parameter; dialogs grey it for the rest."""
    parameter.setMetadata(shown_by("NumberWrapper", other=other, choice=choice))
    return parameter


def shown_by(wrapper: str, **settings: Any) -> Dict[str, Any]:
    """Metadata by which QGIS's dialogs show a parameter with one of `gui.wrappers`. Without a window nobody asks."""
    return {"widget_wrapper": {"class": f"{__package__.split('.')[0]}.gui.wrappers.{wrapper}", **settings}}
