"""Installs, repairs and removes the engine in the background, told as it goes."""

from __future__ import annotations

from typing import Any, Callable, Optional

from qgis.core import Qgis, QgsApplication, QgsMessageLog, QgsTask
from qgis.PyQt.QtCore import QCoreApplication, pyqtSignal

from ..processing import engine_setup
from ..processing.engine_state import try_named, watch
from ..processing.proxy import proxy_variables
from ..protocol.errors import EngineError
from ..runtime.environment import create
from . import messages

translate = QCoreApplication.translate
TAG = "SatDiFuser"
STOP_MS = 5000


class SetupTask(QgsTask):
    """One piece of work on the engine. It is its own feedback: what the worker thread says becomes signals."""

    told = pyqtSignal(str)
    # emitted in the main thread, after `problem` is known
    ended = pyqtSignal()

    def __init__(self, title: str, work: Callable[[SetupTask], Any], can_cancel: bool = True) -> None:
        super().__init__(title, QgsTask.Flag.CanCancel if can_cancel else QgsTask.Flag(0))
        self.work = work
        self.last_line = ""
        self.problem: Optional[EngineError] = None

    def run(self) -> bool:
        """In the worker thread. QGIS loses exceptions of this method, so they are kept for `finished`."""
        try:
            self.work(self)
        except EngineError as error:
            self.problem = error
        except Exception as error:  # whatever it is: the main thread tells it
            self.problem = EngineError("internal", f"Something unforeseen happened ({type(error).__name__}: {error}).")
        return self.problem is None

    def finished(self, result: bool) -> None:
        """In the main thread: tells how it ended, and lets go of the task."""
        global _running
        _running = None
        if not result and self.problem is None:  # cancelled before it began
            self.problem = EngineError("cancelled", "Cancelled.")
        if self.problem is not None and self.problem.detail:
            QgsMessageLog.logMessage(self.problem.detail, TAG, Qgis.MessageLevel.Warning, False)
        if self.problem is None:
            watch.changed.emit()
            if not self.receivers(self.ended):  # else the options page says it
                messages.success(translate("SatDiFuser", "{task}: done.").format(task=self.description()))
        elif not self.cancelled:
            messages.failure(str(self.problem))
        self.ended.emit()

    def cancel(self) -> None:
        """Asks the work to stop; it may take a second to end its processes, so that this is told at once."""
        super().cancel()
        self._show(translate("SatDiFuser", "Cancelling…"))

    @property
    def cancelled(self) -> bool:
        return self.problem is not None and self.problem.code == "cancelled"

    def pushInfo(self, info: str) -> None:  # noqa: N802 (QGIS names)
        self._tell(info, Qgis.MessageLevel.Info)

    def pushWarning(self, warning: str) -> None:  # noqa: N802
        self._tell(warning, Qgis.MessageLevel.Warning)

    def setProgressText(self, text: str) -> None:  # noqa: N802
        self._tell(text, Qgis.MessageLevel.Info)

    def _tell(self, line: str, level: Any) -> None:
        # the log may be written from any thread; without the last argument each warning would pop up
        QgsMessageLog.logMessage(line, TAG, level, False)
        if not self.isCanceled():
            self._show(line)

    def _show(self, line: str) -> None:
        self.last_line = line
        self.told.emit(line)


# QGIS keeps no Python reference to a task, and a page that is opened later shows the one that runs.
_running: Optional[SetupTask] = None


def running() -> Optional[SetupTask]:
    """The task at work, or None."""
    return _running


def install() -> SetupTask:
    """Makes the engine's environment."""
    variables = proxy_variables()
    title = translate("SatDiFuser", "Installing the engine of SatDiFuser")
    return _start(title, lambda task: engine_setup.install(task, variables, again=True))


def repair() -> SetupTask:
    """Tries the environment, and makes it again where it does not work."""
    variables = proxy_variables()
    title = translate("SatDiFuser", "Repairing the engine of SatDiFuser")
    return _start(title, lambda task: engine_setup.install(task, variables, again=False))


def remove() -> SetupTask:
    """Deletes the environment, which is gone at once; its files take a while, and that cannot be undone."""
    title = translate("SatDiFuser", "Removing the engine of SatDiFuser")
    return _start(title, lambda task: create.remove(task), can_cancel=False)


def try_python() -> SetupTask:
    """Tries the Python that the user named as engine."""
    title = translate("SatDiFuser", "Trying the Python of the engine")
    return _start(title, lambda task: try_named(), can_cancel=False)


def stop() -> None:
    """Cancels the task at work, if any, and gives it time to end its processes."""
    task = _running
    if task is not None:
        task.cancel()
    if task is not None and running() is task:  # else it had not begun
        task.waitForFinished(STOP_MS)


def _start(title: str, work: Callable[[SetupTask], Any], can_cancel: bool = True) -> SetupTask:
    """Starts a task; while one is at work, that one is returned instead. What the bar says of the engine goes."""
    global _running
    if _running is None:
        messages.clear()
        _running = SetupTask(title, work, can_cancel)
        QgsApplication.taskManager().addTask(_running)
    return _running
