"""The provider "SatDiFuser" of the Processing Toolbox: an explicit list of algorithms."""

from __future__ import annotations

from qgis.core import QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from ..protocol.folders import plugin_version
from . import about
from .algorithms.doctor import Doctor
from .algorithms.segment import Segment
from .algorithms.setupenvironment import SetupEnvironment
from .algorithms.trainsegmentation import TrainSegmentation

ALGORITHMS = (TrainSegmentation, Segment, SetupEnvironment, Doctor)


class SatDiFuserProvider(QgsProcessingProvider):
    """Ids of provider and algorithms are public and never change."""

    def id(self) -> str:
        return "satdifuser"

    def name(self) -> str:
        return "SatDiFuser"

    def longName(self) -> str:
        return f"SatDiFuser {plugin_version()}"

    def versionInfo(self) -> str:
        return plugin_version()

    def icon(self) -> QIcon:
        return about.icon("satdifuser")

    def svgIconPath(self) -> str:
        return about.icon_path("satdifuser")

    def loadAlgorithms(self) -> None:
        for algorithm in ALGORITHMS:
            self.addAlgorithm(algorithm())

    def supportedOutputRasterLayerExtensions(self) -> list:
        return ["tif"]

    def supportedOutputVectorLayerExtensions(self) -> list:
        return ["gpkg", "geojson", "shp", "fgb"]

    def defaultRasterFileExtension(self) -> str:
        return "tif"

    def defaultVectorFileExtension(self, hasGeometry: bool = True) -> str:
        return "gpkg"

    def supportsNonFileBasedOutput(self) -> bool:
        return False
