"""What the user sees of a run: events become progress, time left and log lines of QGIS's feedback object."""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, Optional, Protocol, Tuple

# A figure that changes every second helps nobody, and `qgis_process` prints each text as a line.
TEXT_EVERY_S = 5.0
# No forecast from the first moments: loading and first calls are slower than what follows.
FORECAST_AFTER_S = 5.0
FORECAST_AFTER_SHARE = 0.02
LOG_LINES_SHOWN = 2000
# Below this, half an hour more or less matters.
WHOLE_HOURS_FROM = 10


class Feedback(Protocol):
    """What of QgsProcessingFeedback is used here."""

    def isCanceled(self) -> bool:  # noqa: N802 (QGIS names)
        ...

    def pushInfo(self, info: str) -> None:  # noqa: N802
        ...

    def pushWarning(self, warning: str) -> None:  # noqa: N802
        ...

    def setProgress(self, progress: float) -> None:  # noqa: N802
        ...

    def setProgressText(self, text: str) -> None:  # noqa: N802
        ...


class Narrator:
    """Tells a run's events to a `Feedback`, from the thread that called `run`."""

    def __init__(self, feedback: Feedback, clock: Callable[[], float] = time.monotonic) -> None:
        self._feedback, self._clock = feedback, clock
        self._pace = Pace(clock)
        self._shown_lines = 0
        self._text_at, self._message, self._text = 0.0, "", ""

    def tell(self, event: Dict[str, Any]) -> None:
        """Shows one event. Fields of the wrong kind are shown as text, never trusted."""
        if event["event"] == "progress":
            self._progress(event)
        elif event["event"] == "log" and event.get("level") in ("info", "warning"):
            self._line(str(event.get("message", "")), event["level"] == "warning")

    def _line(self, text: str, warning: bool) -> None:
        self._shown_lines += 1
        if self._shown_lines == LOG_LINES_SHOWN:
            self._feedback.pushWarning("More lines follow in the log file only.")
        if self._shown_lines >= LOG_LINES_SHOWN:
            return
        if warning:
            self._feedback.pushWarning(text)
        else:
            self._feedback.pushInfo(text)

    def _progress(self, event: Dict[str, Any]) -> None:
        done, total = event.get("done"), event.get("total")
        if not isinstance(done, (int, float)) or not isinstance(total, (int, float)) or not 0 <= done <= total > 0:
            return
        self._feedback.setProgress(100.0 * done / total)
        left = self._pace.left_s(done, total, str(event.get("unit", "")))
        message = str(event.get("message", ""))
        now = self._clock()
        if message == self._message and now - self._text_at < TEXT_EVERY_S:
            return
        text = message if left is None else f"{message}, {duration(left)} left".lstrip(", ")
        self._text_at, self._message = now, message
        if text != self._text:
            self._text = text
            self._feedback.setProgressText(text)


class Pace:
    """Forecasts from the rate since the work's present phase began; a step back or another total is a new phase."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._phase: Tuple[float, str] = (0.0, "")
        self._start: Tuple[float, float] = (0.0, 0.0)
        self._last = 0.0

    def left_s(self, done: float, total: float, unit: str) -> Optional[float]:
        """Seconds until done is total, or None where it is too early to say or nothing is left."""
        now = self._clock()
        if (total, unit) != self._phase or done < self._last:
            self._phase, self._start = (total, unit), (now, done)
        self._last = done
        elapsed, worked = now - self._start[0], done - self._start[1]
        if elapsed < FORECAST_AFTER_S or worked < FORECAST_AFTER_SHARE * total or done >= total:
            return None
        return elapsed / worked * (total - done)


def duration(seconds: float) -> str:
    """A time in words, as coarse as a forecast is."""
    if seconds < 60:
        return "less than a minute"
    minutes = round(seconds / 60)
    if minutes < 90:
        return "about a minute" if minutes == 1 else f"about {minutes} minutes"
    hours = seconds / 3600
    halves = round(2 * hours) / 2 if hours < WHOLE_HOURS_FROM else round(hours)
    return f"about {halves:g} hours"
