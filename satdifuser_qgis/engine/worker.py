"""The worker process: one request file in, events out on a private copy of descriptor 1.

It writes nothing but events there: descriptor 1 itself is pointed at stderr first, so that no print of a
library or of a child process can damage the stream. A dead parent shows as a broken pipe, at the latest at the
next ``alive``; the worker then removes its temporary files and ends.
"""

from __future__ import annotations

import faulthandler
import importlib
import math
import os
import platform
import signal
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator

from ..protocol import events
from ..protocol.codec import load_request
from ..protocol.errors import EngineError
from ..protocol.folders import plugin_version
from ..protocol.requests import REQUESTS
from .failures import explain
from .memory import keep_freed_memory
from .outputs import Outputs
from .reporter import Reporter
from .result import Result
from .targets import check_targets
from .threads import set_threads

# Progress oftener than this is dropped: a task may report every tile without flooding its reader.
PROGRESS_EVERY_S = 0.1
CHECK_EVERY_S = 0.05
LONGEST_TEXT = 20_000


def main(request_path: str) -> int:
    """Runs the request; its folder's name is the run's id. Returns the exit code: 0 done, 1 failed."""
    faulthandler.enable()
    request_file = Path(request_path).resolve()
    run_id = request_file.parent.name
    outputs = Outputs(run_id)
    stream = EventStream(take_stdout(), run_id, on_broken=lambda: _end_hard(outputs))
    stream.send(
        "started", version=plugin_version(), python=platform.python_version(), prefix=sys.prefix, pid=os.getpid()
    )
    stream.start_alive()
    reporter = EventReporter(stream, request_file.with_name(events.CANCEL_FILE))
    try:
        end_cleanly()
        result = execute(read_request(request_file), reporter, outputs)
        stream.stop_alive()
        stream.send("finished", outputs=result.outputs, values=result.values)
        return 0
    except BaseException as error:  # the one place where everything must become an event
        failure = explain(error)
        stream.stop_alive()
        stream.send(
            "failed",
            code=failure.code,
            message=failure.message[:LONGEST_TEXT],
            remedy=failure.remedy[:LONGEST_TEXT],
            detail=failure.detail[-LONGEST_TEXT:],
        )
        return 1


def end_cleanly() -> None:
    """Batch systems, time limits and closed terminals end it as Ctrl-C does: without debris (nohup stays nohup)."""
    if threading.current_thread() is threading.main_thread():
        for number in (getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)):
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, signal.default_int_handler)


def read_request(path: Path) -> Any:
    """The request in a file. Raises EngineError("bad_request") that names the key."""
    try:
        return load_request(path.read_text(encoding="utf-8"), REQUESTS)
    except OSError as error:
        raise EngineError("bad_request", f"The request {path} cannot be read: {error.strerror}.") from error
    except (ValueError, TypeError) as error:
        raise EngineError(
            "bad_request", f"The request cannot be understood: {error}.", "Correct that key and run it again."
        ) from error


def execute(request: Any, reporter: Reporter, outputs: Outputs, **options: Any) -> Result:
    """Runs the task and gives its outputs their final names; after a failure nothing is left of them.

    ``options`` are what only the command line asks of a task.
    """
    check_targets(request)
    set_threads(getattr(request, "threads", 0))
    keep_freed_memory()
    with outputs:
        task = importlib.import_module(f"{__package__}.tasks.{request.TASK}")
        result: Result = task.run(request, reporter, outputs, **options)
        reporter.check()
        # what cannot be told (NaN) is a fault of the task, and must not leave outputs behind
        events.encode("finished", outputs.run_id, outputs=result.outputs, values=result.values)
        outputs.commit()
    return result


def take_stdout() -> int:
    """A private duplicate of descriptor 1, which from now on leads to stderr."""
    sys.stdout.flush()
    private = os.dup(1)
    os.dup2(2, 1)
    return private


class EventStream:
    """Writes events to a descriptor, from any thread. ``on_broken`` is called once nobody reads them."""

    def __init__(self, descriptor: int, run_id: str, on_broken: Callable[[], None]) -> None:
        self._file = os.fdopen(descriptor, "wb")
        self._run_id = run_id
        self._on_broken = on_broken
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._phase = ""
        self._alive = threading.Thread(target=self._send_alive, daemon=True)

    def send(self, kind: str, **fields: Any) -> None:
        """One event, flushed. Raises ValueError for numbers that JSON cannot hold."""
        line = events.encode(kind, self._run_id, **fields)
        try:
            with self._lock:
                self._file.write(line)
                self._file.flush()
        except OSError:
            self._on_broken()

    def start_alive(self) -> None:
        """Begins to say ``alive`` every two seconds."""
        self._alive.start()

    def set_phase(self, message: str) -> None:
        """What ``alive`` tells from now on; empty ends the phase."""
        self._phase = message
        self._say_alive()

    def stop_alive(self) -> None:
        """Ends that, so that the next event is the last one."""
        self._stop.set()
        self._alive.join()

    def _send_alive(self) -> None:
        while True:
            # armed anew each time, so it speaks only while this thread cannot
            faulthandler.dump_traceback_later(events.BUSY_EVERY_S, repeat=True, file=2)
            if self._stop.wait(events.ALIVE_EVERY_S):
                faulthandler.cancel_dump_traceback_later()
                return
            self._say_alive()

    def _say_alive(self) -> None:
        self.send("alive", **({"phase": self._phase} if self._phase else {}))


class EventReporter:
    """A `Reporter` that writes events and is cancelled by a file."""

    def __init__(self, stream: EventStream, cancel_file: Path) -> None:
        self._stream = stream
        self._cancel_file = cancel_file
        self._last_check = self._last_progress = -math.inf
        self._last_message = ""

    def log(self, message: str, level: str = "info") -> None:
        """A sentence for the user."""
        self._stream.send("log", level=level, message=message[:LONGEST_TEXT])

    def progress(self, done: float, total: float, unit: str, message: str = "") -> None:
        """How far the task is; repeated calls within a tenth of a second are dropped."""
        self.check()
        now = time.monotonic()
        new = message != self._last_message or done >= total
        if new or now - self._last_progress >= PROGRESS_EVERY_S:
            self._last_progress, self._last_message = now, message
            self._stream.send("progress", done=done, total=total, unit=unit, message=message)

    def metric(self, name: str, value: float) -> None:
        """A figure; one that is not finite has no place in JSON and is logged instead."""
        if math.isfinite(value):
            self._stream.send("metric", name=name, value=float(value))
        else:
            self.log(f"{name} is {value}", "debug")

    @contextmanager
    def phase(self, message: str) -> Iterator[None]:
        """See `Reporter.phase`."""
        self.check()
        self._stream.set_phase(message)
        try:
            yield
        finally:
            self._stream.set_phase("")

    def check(self) -> None:
        """Raises EngineError("cancelled") once the cancel file exists."""
        now = time.monotonic()
        if now - self._last_check >= CHECK_EVERY_S:
            self._last_check = now
            if self._cancel_file.exists():
                raise EngineError("cancelled", "Cancelled.")


def _end_hard(outputs: Outputs) -> None:
    """Nobody listens any more: leave no temporary file and stop at once, whatever other threads compute."""
    try:
        outputs.discard()
    finally:
        os._exit(1)
