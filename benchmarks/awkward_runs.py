"""One request run within limits of time and memory: in this process, or in a worker as QGIS starts it."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Callable, Iterator, Optional, Protocol

import psutil

from satdifuser_qgis.engine.failures import explain
from satdifuser_qgis.engine.outputs import Outputs
from satdifuser_qgis.engine.reporter import Silent
from satdifuser_qgis.engine.worker import execute
from satdifuser_qgis.protocol.errors import EngineError
from satdifuser_qgis.runtime.environment.locate import Engine
from satdifuser_qgis.runtime.process import run as run_worker

# What a run may take more than the process had, in MB.
MOST_MB = 2048
EVERY_S = 0.2


class Runner(Protocol):
    """Runs a request; what fails is an EngineError. ``peak_mb``: the most memory that the last run took."""

    peak_mb: float

    def run(self, request: Any) -> None:
        """Blocks until it is done."""


class InProcess:
    """The engine in this process. Time and memory beyond the limits are failures with the code "internal"."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.peak_mb = seconds, 0.0

    def run(self, request: Any) -> None:
        """As the worker does it, without a worker."""
        process = psutil.Process()
        start_mb = _megabytes(process)
        with _watching(lambda: self._look(process, start_mb)), _alarm(self.seconds):
            self.peak_mb = 0.0
            try:
                execute(request, Silent(), Outputs(uuid.uuid4().hex[:8]))
            except Exception as error:
                raise explain(error) from error
        if self.peak_mb > MOST_MB:
            raise EngineError("internal", f"It took {self.peak_mb:.0f} MB; {MOST_MB} were allowed.")

    def _look(self, process: psutil.Process, start_mb: float) -> None:
        self.peak_mb = max(self.peak_mb, _megabytes(process) - start_mb)


class Worker:
    """A worker process for each request, watched from outside."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.peak_mb = seconds, 0.0
        self._until = 0.0

    def run(self, request: Any) -> None:
        """As the Toolbox does it."""
        self.peak_mb, self._until = 0.0, time.monotonic() + self.seconds
        engine = Engine(Path(sys.executable), "this run")
        with _watching(self._look):
            run_worker(request, self, engine)

    def _look(self) -> None:
        for child in psutil.Process().children(recursive=True):
            try:
                self.peak_mb = max(self.peak_mb, _megabytes(child))
            except psutil.Error:  # it has just ended
                continue

    def isCanceled(self) -> bool:  # noqa: N802
        """Whether a limit has passed; asked all the time."""
        return time.monotonic() > self._until or self.peak_mb > MOST_MB

    def pushInfo(self, info: str) -> None:  # noqa: N802
        """Nothing."""

    def pushWarning(self, warning: str) -> None:  # noqa: N802
        """Nothing."""

    def setProgress(self, progress: float) -> None:  # noqa: N802
        """Nothing."""

    def setProgressText(self, text: str) -> None:  # noqa: N802
        """Nothing."""


def _megabytes(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / 2**20


@contextmanager
def _watching(look: Callable[[], None]) -> Iterator[None]:
    done = threading.Event()

    def work() -> None:
        while not done.wait(EVERY_S):
            look()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Raises TimeoutError in the main thread, where the system can."""

    def ring(number: int, frame: Optional[FrameType]) -> None:
        raise TimeoutError(f"it took longer than {seconds:g} s")

    if os.name == "nt" or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
