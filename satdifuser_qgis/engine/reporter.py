"""How a task speaks while it works: log lines, progress, figures, and the question whether to stop."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Reporter(Protocol):
    """What every long function of the engine is handed. All calls are cheap."""

    def log(self, message: str, level: str = "info") -> None:
        """A sentence for the user; level is info, warning or debug."""

    def progress(self, done: float, total: float, unit: str, message: str = "") -> None:
        """How far the task is, in a unit or, where that is empty, as a share alone; also asks `check`."""

    def metric(self, name: str, value: float) -> None:
        """A figure worth plotting, such as a loss."""

    def phase(self, message: str) -> AbstractContextManager[None]:
        """Around a step that may take long and cannot say how far it is."""

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

    def phase(self, message: str) -> AbstractContextManager[None]:
        """Nothing."""
        return nullcontext()

    def check(self) -> None:
        """Nothing."""


class Whole:
    """One scale of progress for work in several parts, so that a bar goes from 0 to 100 once.

    ``seconds`` is what all parts together are expected to take; each part moves the bar by its own share.
    """

    def __init__(self, reporter: Reporter, seconds: float) -> None:
        self.reporter = reporter
        self.seconds = max(seconds, 1e-9)
        self.begun = 0.0

    def part(self, seconds: float) -> Part:
        """The reporter of the next part, which is expected to take so many seconds."""
        part = Part(self, self.begun, seconds)
        self.begun += seconds
        return part


class Part:
    """The reporter of one part of a `Whole`."""

    def __init__(self, whole: Whole, start: float, seconds: float) -> None:
        self._whole, self._start, self._seconds = whole, start, seconds
        self.log = whole.reporter.log
        self.metric = whole.reporter.metric
        self.check = whole.reporter.check
        self.phase = whole.reporter.phase

    def progress(self, done: float, total: float, unit: str, message: str = "") -> None:
        """As `Reporter.progress`, on the scale of the whole."""
        at = min(self._start + self._seconds * done / total, self._whole.seconds)
        # seconds that were expected are no unit of what is done
        self._whole.reporter.progress(at, self._whole.seconds, "", message)


def took(seconds: float) -> str:
    """ "under 1 second", "12 seconds", "3 minutes 20 seconds"."""
    whole = round(seconds)
    if whole < 1:
        return "under 1 second"
    parts = [(whole // 3600, "hour"), (whole % 3600 // 60, "minute"), (whole % 60, "second")]
    return " ".join(f"{count} {unit}{'s' * (count != 1)}" for count, unit in parts if count)


def in_words(seconds: float) -> str:
    """ "about 6 minutes"."""
    if seconds < 90:
        return f"about {max(5, round(seconds / 5) * 5)} seconds"
    if seconds < 5400:
        return f"about {round(seconds / 60)} minutes"
    return f"about {seconds / 3600:.1f} hours"
