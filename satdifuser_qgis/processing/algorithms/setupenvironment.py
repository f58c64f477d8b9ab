"""Toolbox entry "Install the engine"."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterBoolean,
)
from qgis.PyQt.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

from ...protocol.errors import EngineError
from .. import engine_setup
from ..base import EngineAlgorithm
from ..engine_state import watch
from ..proxy import proxy_variables

translate = QCoreApplication.translate


class SetupEnvironment(EngineAlgorithm):
    """Does what the options page does, for `qgis_process` and machines without a screen."""

    NAME, GROUP, ICON = "setupenvironment", "setup", "setup"
    TITLE = QT_TRANSLATE_NOOP("SatDiFuser", "Install the engine")
    SHORT = QT_TRANSLATE_NOOP("SatDiFuser", "Installs or repairs what computes the maps, outside QGIS's own Python.")
    HELP = QT_TRANSLATE_NOOP(
        "SatDiFuser",
        "Installs the engine that does the computing (PyTorch and other libraries) for this user. "
        "An engine that is there is tried, and made again where it is outdated or does not work. "
        "The same can be done, and undone, in Settings > Options > SatDiFuser.",
    )
    TAGS = QT_TRANSLATE_NOOP(
        "SatDiFuser", "install,engine,environment,setup,repair,dependencies,PyTorch,torch,libraries,download"
    )
    NEEDS_ENGINE = False

    AGAIN, ENGINE, VERSIONS, SIZE_MB = "AGAIN", "ENGINE", "VERSIONS", "SIZE_MB"

    def initAlgorithm(self, configuration: Optional[Dict[str, Any]] = None) -> None:
        self.add(
            QgsProcessingParameterBoolean(
                self.AGAIN, translate("SatDiFuser", "Install again, even where it works"), defaultValue=False
            ),
            translate("SatDiFuser", "The old engine stays until the new one works."),
        )
        self.addOutput(QgsProcessingOutputString(self.ENGINE, translate("SatDiFuser", "Python of the engine")))
        self.addOutput(QgsProcessingOutputString(self.VERSIONS, translate("SatDiFuser", "Versions")))
        self.addOutput(QgsProcessingOutputNumber(self.SIZE_MB, translate("SatDiFuser", "Size on disk (MB)")))

    def shortHelpString(self) -> str:
        return f"{super().shortHelpString()}<p>{engine_setup.what_it_takes()}</p>"

    def request(self, parameters: Dict[str, Any], context: QgsProcessingContext, outputs: Mapping[str, str]) -> None:
        """None: there is no engine yet that could be asked."""

    def prepareAlgorithm(
        self, parameters: Dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        self._proxy = proxy_variables()
        return super().prepareAlgorithm(parameters, context, feedback)

    def processAlgorithm(
        self, parameters: Dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> Dict[str, Any]:
        again = self.parameterAsBoolean(parameters, self.AGAIN, context)
        try:
            return engine_setup.install(feedback, self._proxy, again)
        except EngineError as error:
            raise QgsProcessingException(str(error)) from error

    def postProcessAlgorithm(self, context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> Dict[str, Any]:
        watch.changed.emit()
        return super().postProcessAlgorithm(context, feedback)
