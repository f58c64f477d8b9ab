"""How a task speaks while it works: log lines, progress, figures, and the question whether to stop."""

from __future__ import annotations

from typing import Protocol


class Reporter(Protocol):
    """What every long function of the engine is handed. All calls are cheap."""

    def log(self, message: str, level: str = "info") -> None:
        """A sentence for the user; level is info, warning or debug."""

    def progress(self, done: float, total: float, unit: str, message: str = "") -> None:
        """How far the task is; also asks `check`."""

    def metric(self, name: str, value: float) -> None:
        """A figure worth plotting, such as a loss."""

    def check(self) -> None:
        """Raises EngineError("cancelled") once the user has cancelled."""


class Silent:
    """A reporter that keeps quiet, for tests and for calls inside other calls."""

    def log(self, message: str, level: str = "info") -> None:
        """Nothing."""

    def progress(self, done: float, total: float, unit: str, message: str = "") -> None:
        """Nothing."""

    def metric(self, name: str, value: float) -> None:
        """Nothing."""

    def check(self) -> None:
        """Nothing."""
