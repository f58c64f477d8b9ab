"""The page "SatDiFuser" of QGIS's options: which Python is the engine, and the folder of models and logs."""

from __future__ import annotations

from typing import Optional

from qgis.core import QgsSettings
from qgis.gui import QgsFileWidget, QgsOptionsPageWidget, QgsOptionsWidgetFactory
from qgis.PyQt.QtCore import QCoreApplication, QUrl
from qgis.PyQt.QtGui import QDesktopServices, QIcon
from qgis.PyQt.QtWidgets import QFormLayout, QLabel, QPushButton, QWidget

from ..processing import about
from ..processing.base import ENGINE_SETTING
from ..processing.engine_state import engine_state
from ..protocol import folders

translate = QCoreApplication.translate


class OptionsPage(QgsOptionsPageWidget):
    """Shows where the engine is found and lets the user name another."""

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.engine_python = QgsFileWidget(self)
        self.engine_python.setDialogTitle(translate("SatDiFuser", "Python of the engine"))
        self.engine_python.setFilePath(str(QgsSettings().value(ENGINE_SETTING, "") or ""))
        self.engine_python.setToolTip(
            translate(
                "SatDiFuser", "A Python that has the engine's libraries. Empty: the installed one is found by itself."
            )
        )
        self.state = QLabel(self)
        self.state.setWordWrap(True)
        folder = QPushButton(translate("SatDiFuser", "Open the folder of models and logs"), self)
        folder.clicked.connect(open_home)
        layout = QFormLayout(self)
        layout.addRow(translate("SatDiFuser", "Python of the engine"), self.engine_python)
        layout.addRow("", self.state)
        layout.addRow("", folder)
        self.engine_python.fileChanged.connect(self._show_state)
        self._show_state()

    def apply(self) -> None:
        """Keeps what was entered."""
        QgsSettings().setValue(ENGINE_SETTING, self.engine_python.filePath().strip())

    def _show_state(self) -> None:
        self.state.setText(engine_state(self.engine_python.filePath().strip()))


class OptionsFactory(QgsOptionsWidgetFactory):
    """Adds the page to QGIS's options."""

    def __init__(self) -> None:
        super().__init__()
        self.setTitle("SatDiFuser")
        self.setIcon(self.icon())

    def icon(self) -> QIcon:
        return about.icon("satdifuser")

    def createWidget(self, parent: Optional[QWidget]) -> OptionsPage:  # noqa: N802 (QGIS name)
        return OptionsPage(parent)


def open_home() -> None:
    """Shows the folder of models and logs in the file browser; makes it first."""
    folders.home().mkdir(parents=True, exist_ok=True)
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(folders.home())))
