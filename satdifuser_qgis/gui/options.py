"""The page "SatDiFuser" of QGIS's options: installs the engine or names another, and opens the user's folder."""

from __future__ import annotations

import shutil
from typing import Callable, Optional

from qgis.core import QgsSettings
from qgis.gui import QgsFileWidget, QgsOptionsPageWidget, QgsOptionsWidgetFactory
from qgis.PyQt.QtCore import QCoreApplication, Qt, QUrl
from qgis.PyQt.QtGui import QDesktopServices, QIcon
from qgis.PyQt.QtWidgets import (
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QMessageBox,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from ..processing import about, engine_setup
from ..processing.engine_state import ENGINE_SETTING, engine_state, named_is_unfit, named_python, watch
from ..protocol import folders
from ..runtime.environment import create
from . import setup

translate = QCoreApplication.translate
# QGIS opens the page by this name.
PAGE = "mOptionsPageSatDiFuser"


class OptionsPage(QgsOptionsPageWidget):
    """Shows where the engine is, installs it, and lets the user name another."""

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.setObjectName(PAGE)
        layout = QVBoxLayout(self)
        layout.addWidget(self._engine_box())
        layout.addWidget(self._other_box())
        layout.addStretch(1)
        self.engine_python.fileChanged.connect(self._show_state)
        # the Toolbox installs too
        watch.changed.connect(self._show_state)
        self._show_state()
        task = setup.running()
        if task is not None:
            self._follow(task)

    def apply(self) -> None:
        """Keeps what was entered."""
        named = self.engine_python.filePath().strip()
        changed = named != named_python()
        if changed:
            QgsSettings().setValue(ENGINE_SETTING, named)
            watch.changed.emit()
        if named and (changed or named_is_unfit()):
            setup.try_python()

    def _engine_box(self) -> QGroupBox:
        box = QGroupBox(translate("SatDiFuser", "Engine"), self)
        self.state = _text(box)
        self.need = _text(box)
        self.need.setText(engine_setup.what_it_takes())
        self.install = self._button(translate("SatDiFuser", "Install the engine…"), setup.install)
        self.repair = self._button(translate("SatDiFuser", "Repair"), setup.repair)
        self.remove = self._button(translate("SatDiFuser", "Remove"), setup.remove, self._sure_to_remove)
        buttons = QHBoxLayout()
        for button in (self.install, self.repair, self.remove):
            buttons.addWidget(button)
        buttons.addStretch(1)
        layout = QVBoxLayout(box)
        layout.addWidget(self.state)
        layout.addWidget(self.need)
        layout.addLayout(buttons)
        layout.addWidget(self._progress())
        return box

    def _progress(self) -> QWidget:
        """Bar, Cancel and the last line; hidden until something was started."""
        self.bar = QProgressBar(self)
        self.cancel = QPushButton(translate("SatDiFuser", "Cancel"), self)
        self.line = QLabel(self)
        # a line of pip is as long as it likes, the page is not
        self.line.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.outcome = _text(self)
        self.working = QWidget(self)
        row = QHBoxLayout()
        row.addWidget(self.bar, 1)
        row.addWidget(self.cancel)
        inner = QVBoxLayout(self.working)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.addLayout(row)
        inner.addWidget(self.line)
        whole = QWidget(self)
        layout = QVBoxLayout(whole)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.working)
        layout.addWidget(self.outcome)
        self.working.hide()
        self.outcome.hide()
        return whole

    def _other_box(self) -> QGroupBox:
        box = QGroupBox(translate("SatDiFuser", "Settings"), self)
        self.engine_python = QgsFileWidget(box)
        self.engine_python.setDialogTitle(translate("SatDiFuser", "Python of the engine"))
        self.engine_python.setFilePath(named_python())
        self.engine_python.setToolTip(
            translate(
                "SatDiFuser", "A Python that has the engine's libraries. Empty: the installed one is found by itself."
            )
        )
        self.gpu = _text(box)
        self.gpu.setText(
            translate(
                "SatDiFuser",
                "The engine that is installed here computes on the processor, on Apple computers also on their GPU. To "
                "use an NVIDIA GPU, name a Python that has the engine's libraries and a CUDA build of torch.",
            )
        )
        guide = QPushButton(translate("SatDiFuser", "Open the guide"), box)
        guide.clicked.connect(open_guide)
        folder = QPushButton(translate("SatDiFuser", "Open the folder of models and logs"), box)
        folder.clicked.connect(open_home)
        self.unfinished = _text(box)
        self.empty = QPushButton(translate("SatDiFuser", "Remove the parts"), box)
        self.empty.clicked.connect(self._remove_unfinished)
        self._show_unfinished()
        row = QHBoxLayout()
        row.addWidget(guide)
        row.addWidget(folder)
        row.addWidget(self.empty)
        row.addStretch(1)
        named = QHBoxLayout()
        named.addWidget(QLabel(translate("SatDiFuser", "Python of the engine"), box))
        named.addWidget(self.engine_python, 1)
        # no form: it leaves room for wrapped text as if it were narrow
        layout = QVBoxLayout(box)
        layout.addLayout(named)
        layout.addWidget(self.gpu)
        layout.addWidget(self.unfinished)
        layout.addLayout(row)
        return box

    def _show_unfinished(self) -> None:
        taken = folders.size(folders.unfinished())
        self.unfinished.setText(
            translate(
                "SatDiFuser",
                "Parts of interrupted maps take {size} MB. With them a map goes on where it stopped when it is run "
                "again.",
            ).format(size=round(taken / 1e6))
        )
        self.empty.setEnabled(taken > 0)

    def _remove_unfinished(self) -> None:
        # A map that is being made computes on; only its repeat would begin anew.
        shutil.rmtree(folders.unfinished(), ignore_errors=True)
        self._show_unfinished()

    def _button(
        self, text: str, start: Callable[[], setup.SetupTask], sure: Optional[Callable[[], bool]] = None
    ) -> QPushButton:
        button = QPushButton(text, self)

        def clicked() -> None:
            if sure is None or sure():
                self._follow(start())

        button.clicked.connect(clicked)
        return button

    def _sure_to_remove(self) -> bool:
        text = translate("SatDiFuser", "Remove the engine from {folder}? Models and logs stay.")
        yes, no = QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No
        answer = QMessageBox.question(self, "SatDiFuser", text.format(folder=folders.environment()), yes | no, no)
        return bool(answer == yes)

    def _follow(self, task: setup.SetupTask) -> None:
        """Shows a task until it has ended."""
        task.progressChanged.connect(self._show_progress)
        task.told.connect(self._show_line)
        task.ended.connect(self._show_end)
        self.cancel.clicked.connect(lambda: self._cancel(task))
        self.bar.setValue(int(task.progress()))
        self._show_line(task.last_line or task.description())
        self.cancel.setVisible(task.canCancel())
        self.cancel.setEnabled(not task.isCanceled())
        self.outcome.hide()
        self.working.show()
        self._show_state()

    def _cancel(self, task: setup.SetupTask) -> None:
        self.cancel.setEnabled(False)
        task.cancel()

    def _show_progress(self, percent: float) -> None:
        self.bar.setValue(int(percent))

    def _show_line(self, line: str) -> None:
        width = max(self.line.width(), 300)
        self.line.setText(self.line.fontMetrics().elidedText(line, Qt.TextElideMode.ElideMiddle, width))
        self.line.setToolTip(line)

    def _show_end(self) -> None:
        task = self.sender()
        self.cancel.clicked.disconnect()
        self.working.hide()
        if task.cancelled:
            text = translate("SatDiFuser", "Cancelled. Nothing was changed.")
        elif task.problem is not None:
            text = f"{task.problem} " + translate("SatDiFuser", "All lines are in the log panel, tab SatDiFuser.")
        else:
            text = translate("SatDiFuser", "{task}: done.").format(task=task.description())
        self.outcome.setText(text)
        self.outcome.show()
        self._show_state()

    def _show_state(self, _path: str = "") -> None:
        self.state.setText(engine_state(self.engine_python.filePath().strip()))
        there = create.state() != "missing"
        busy = setup.running() is not None
        self.install.setEnabled(not busy and not there)
        self.repair.setEnabled(not busy and there)
        self.remove.setEnabled(not busy and there)


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


def open_guide() -> None:
    """Shows the guide in the browser."""
    QDesktopServices.openUrl(QUrl(about.guide_url()))


def _text(parent: QWidget) -> QLabel:
    """A paragraph whose words (a path, a remedy) can be copied."""
    label = QLabel(parent)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label
