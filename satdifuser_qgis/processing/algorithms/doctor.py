"""Toolbox entry "Check the installation"."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Tuple

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputString,
)
from qgis.PyQt.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

from ...protocol import folders
from ...protocol.doctor import DoctorRequest
from .. import installation
from ..base import EngineAlgorithm

translate = QCoreApplication.translate


class Doctor(EngineAlgorithm):
    """Says what is installed and what is missing; works without an engine, since that is when it is needed."""

    NAME, GROUP, ICON = "doctor", "setup", "doctor"
    TITLE = QT_TRANSLATE_NOOP("SatDiFuser", "Check the installation")
    SHORT = QT_TRANSLATE_NOOP("SatDiFuser", "Says which versions, devices and models are there, and what is missing.")
    HELP = QT_TRANSLATE_NOOP(
        "SatDiFuser",
        "Says first whether everything is ready, or what is missing and how to mend it. "
        "Below come versions, devices, memory, disk space, models and the last error. "
        "This block of text holds no names of users and no secrets, so it can be pasted into a report.",
    )
    TAGS = QT_TRANSLATE_NOOP(
        "SatDiFuser", "diagnose,installation,environment,version,GPU,CUDA,problem,troubleshooting,setup"
    )
    NEEDS_ENGINE = False

    SUMMARY = "SUMMARY"

    def initAlgorithm(self, configuration: Optional[Dict[str, Any]] = None) -> None:
        self.addOutput(QgsProcessingOutputString(self.SUMMARY, translate("SatDiFuser", "Summary")))

    def request(
        self, parameters: Dict[str, Any], context: QgsProcessingContext, outputs: Mapping[str, str]
    ) -> DoctorRequest:
        return DoctorRequest()

    def processAlgorithm(
        self, parameters: Dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> Dict[str, Any]:
        # Before the engine is asked: its failure now would be the newest.
        last_error = installation.last_error_lines()
        told, problem = self._engine_says(feedback)
        verdict = folders.without_user(installation.verdict(self.engine, problem))
        lines = [
            *installation.plugin_lines(),
            *installation.engine_lines(self.engine),
            *(told or installation.model_lines()),
            *installation.folder_lines(),
            *last_error,
        ]
        feedback.pushInfo(f"{verdict}\n\n" + folders.without_user("\n".join(lines)))
        # QGIS shows the results below the log: the block would be there twice.
        return {self.SUMMARY: verdict}

    def _engine_says(self, feedback: QgsProcessingFeedback) -> Tuple[List[str], str]:
        """The engine's own lines, and why it cannot compute ("" where it can)."""
        if self.engine is None:
            return [], self.engine_problem
        try:
            answer = self.ask_engine(feedback)
        except QgsProcessingException as error:
            if feedback.isCanceled():
                raise
            return [], str(error)
        lines = str(answer.values.get("engine", "")).splitlines()
        return lines, installation.library_problem(self.engine, str(answer.values.get("problem", "")))
