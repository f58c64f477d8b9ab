"""One request in, events out: starts the engine, listens, cancels, and leaves nothing behind whatever happens.

Success is exit code 0 and a ``finished`` event. Everything else is an `EngineError` with a sentence for the user.
"""

from __future__ import annotations

import os
import signal
import subprocess  # nosec B404
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Dict, Optional, cast

from ..protocol import events, folders
from ..protocol.errors import CODES, EngineError
from .child import clean_environment, end_tree, start_options
from .environment.failures import broken, explain, of_engine
from .environment.locate import OPTIONS, Engine
from .feedback import Feedback, Narrator
from .run_folder import RunFolder, clear_parts
from .stream import EventReader, TailReader

POLL_S = 0.1
# Between the last event and the end of the process.
EXIT_GRACE_S = 5.0
# Between the end of the process and the end of reading what it wrote.
LAST_WORDS_S = 1.0
# Cold disks and virus scanners delay the first event, so that silence may last three times as long.
STARTING_FACTOR = 3.0
# A task whose steps take long may pause for ten of them.
STALL_FACTOR = 10.0
# Longer than this between two looks means that this process itself slept (a closed laptop).
OWN_PAUSE_S = 2.0
_WITH_LOG = ("crashed", "timeout", "internal", "engine_broken", "device", "out_of_memory")


@dataclass(frozen=True)
class RunResult:
    """Paths by output name, figures and texts by name, and where the log is."""

    outputs: Dict[str, str]
    values: Dict[str, Any]
    log: Path = field(default_factory=Path)


def run(
    request: Any,
    feedback: Feedback,
    engine: Engine,
    *,
    stall_limit_s: float = events.STALL_LIMIT_S,
    silence_limit_s: float = events.SILENCE_LIMIT_S,
) -> RunResult:
    """Runs one request in the engine; blocks the calling thread, which alone talks to ``feedback``.

    ``silence_limit_s`` bounds the time without any event, ``stall_limit_s`` the time without progress.
    Raises EngineError with a code of `errors.CODES`; then no temporary file is left, and no output has changed, unless
    one of several could not be replaced at the very end: those before it are new.
    """
    with RunFolder(request) as folder:
        patience = Patience(stall_limit_s, silence_limit_s)
        folder.log.write(f"task {request.TASK}, engine {engine.python} (from {engine.origin})")
        try:
            return _Worker(folder, engine).result(feedback, patience)
        except EngineError as error:
            failure = of_engine(engine, error)
            folder.log.write(f"failed ({failure.code}): {failure.message} {failure.remedy}\n{failure.detail}")
            if failure.code in _WITH_LOG:
                raise _pointing_to(folder.log.path, failure) from None
            raise failure from None
        finally:
            for path in clear_parts(request, folder.run_id):
                feedback.pushWarning(f"The temporary file {path} could not be removed.")


class Patience:
    """How long to wait for a worker that says nothing, or that lives but does not get on."""

    def __init__(self, stall_limit_s: float, silence_limit_s: float) -> None:
        self._stall_limit_s, self._silence_limit_s = stall_limit_s, silence_limit_s
        self._heard_at = self._progress_at = self._looked_at = time.monotonic()
        self._starting, self._in_phase = True, False

    def heard(self, event: Dict[str, Any]) -> None:
        """An event came; progress and figures show that the task gets on, and in a phase that it lives."""
        kind = event["event"]
        if kind == "alive":
            self._in_phase = bool(event.get("phase"))
        self._note(kind in ("progress", "metric") or self._in_phase)

    def busy(self) -> None:
        """A C library holds Python's lock, so that no event can come."""
        self._note(self._in_phase)

    def _note(self, gets_on: bool) -> None:
        now = time.monotonic()
        self._heard_at, self._starting = now, False
        if gets_on:
            # slow machines: what once took long may take long again
            self._stall_limit_s = max(self._stall_limit_s, STALL_FACTOR * (now - self._progress_at))
            self._progress_at = now

    def look(self) -> None:
        """Raises EngineError("timeout") where a limit has passed."""
        now = time.monotonic()
        if now - self._looked_at > OWN_PAUSE_S:
            self._heard_at = self._progress_at = now
        self._looked_at = now
        silence_limit_s = self._silence_limit_s * (STARTING_FACTOR if self._starting else 1.0)
        if now - self._heard_at > silence_limit_s:
            raise EngineError(
                "timeout",
                f"The engine has given no sign of life for {silence_limit_s:g} seconds and was ended.",
                "Try again; where the computer is short of memory or very busy, close other programs first.",
            )
        if now - self._progress_at > self._stall_limit_s:
            raise EngineError(
                "timeout",
                f"The engine has made no progress for {self._stall_limit_s:g} seconds and was ended.",
                "Try again with the CPU as device, or map a smaller extent with fewer tiles at once.",
            )


class _Worker:
    """The engine's process of one run."""

    def __init__(self, folder: RunFolder, engine: Engine) -> None:
        self._folder = folder
        self._started = False
        self._busy = threading.Event()
        self._process = _start(folder, engine)
        self._reader = EventReader(cast(IO[bytes], self._process.stdout), folder.run_id, folder.log.write)
        self._stderr = TailReader(cast(IO[bytes], self._process.stderr), self._note_stderr)

    def result(self, feedback: Feedback, patience: Patience) -> RunResult:
        """Follows the process to its end, which comes in any case."""
        try:
            last = self._follow(Narrator(feedback), feedback, patience)
            if last is not None:
                self._await_exit()
        finally:
            self._close()
        return self._judge(last)

    def _follow(self, narrator: Narrator, feedback: Feedback, patience: Patience) -> Optional[Dict[str, Any]]:
        """The terminal event, or None where the process ended without one."""
        cancelled_at: Optional[float] = None
        ended_at: Optional[float] = None
        while True:
            if ended_at is None and self._process.poll() is not None:
                ended_at = time.monotonic()
            all_read = not self._reader.thread.is_alive()
            event = self._reader.next(POLL_S)
            # its children may hold the pipe open, so the end of the stream is not waited for for ever
            if event is None and ended_at is not None and (all_read or time.monotonic() - ended_at > LAST_WORDS_S):
                return None
            if event is not None:
                patience.heard(event)
                self._note(event)
                if event["event"] in events.TERMINAL:
                    return _cancelled(event) if cancelled_at is not None else event
                narrator.tell(event)
            if cancelled_at is None and feedback.isCanceled():
                cancelled_at = time.monotonic()
                self._cancel()
            if cancelled_at is not None and time.monotonic() - cancelled_at > events.CANCEL_GRACE_S:
                raise EngineError("cancelled", "Cancelled.", detail="The engine did not answer and was ended.")
            if self._busy.is_set():
                self._busy.clear()
                patience.busy()
            if ended_at is None:
                patience.look()

    def _cancel(self) -> None:
        """Asks the process to stop; where it cannot be asked, it is ended."""
        try:
            self._folder.cancel()
        except OSError as error:
            raise EngineError("cancelled", "Cancelled.", detail=f"The engine could not be asked: {error}") from error

    def _note_stderr(self, line: str) -> None:
        if line.startswith(events.BUSY_MARK):
            self._busy.set()
        self._folder.log.write(f"stderr: {line}")

    def _note(self, event: Dict[str, Any]) -> None:
        kind = event["event"]
        self._started = self._started or kind == "started"
        if kind != "alive":
            told = {key: value for key, value in event.items() if key not in ("event", "id")}
            self._folder.log.write(f"{kind}: {told}")

    def _await_exit(self) -> None:
        try:
            self._process.wait(EXIT_GRACE_S)
        except subprocess.TimeoutExpired:
            self._folder.log.write(f"the engine did not end within {EXIT_GRACE_S:g} s after its last event")

    def _close(self) -> None:
        """Ends the process tree, then the threads, then the pipes: an open pipe is a warning on QGIS's stderr."""
        end_tree(self._process)
        self._reader.stop()
        for reader, stream in ((self._reader, self._process.stdout), (self._stderr, self._process.stderr)):
            reader.thread.join(2.0)
            if stream is not None and not reader.thread.is_alive():
                stream.close()

    def _judge(self, last: Optional[Dict[str, Any]]) -> RunResult:
        if last is not None and last["event"] == "failed":
            code = last.get("code") if last.get("code") in CODES else "internal"
            detail = f"{last.get('detail', '')}\n{self._stderr.tail()}".strip()
            raise EngineError(str(code), str(last.get("message", "")), str(last.get("remedy", "")), detail)
        if last is None or self._process.returncode != 0:
            raise _died(self._process.returncode, self._started, self._stderr.tail())
        outputs, values = last.get("outputs"), last.get("values")
        if not isinstance(outputs, dict) or not isinstance(values, dict):
            raise EngineError("internal", "The engine finished without saying what it made.", "Run it again.")
        return RunResult(outputs, values, self._folder.log.path)


def _start(folder: RunFolder, engine: Engine) -> subprocess.Popen[bytes]:
    command = [str(engine.python), "-I", "-u", "-X", "utf8", str(engine.bootstrap), str(folder.request_file)]
    # The worker runs in another folder, where a relative one would be another.
    environment = {**clean_environment(os.environ), folders.HOME_VARIABLE: str(folders.home())}
    try:
        # no shell; the user's own engine runs a file of ours
        return subprocess.Popen(  # nosec B603
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder.path,
            env=environment,
            **start_options(),
        )
    except FileNotFoundError as error:
        raise EngineError(
            "engine_missing",
            f"The engine's Python {engine.python} is not there.",
            f"Install the engine again in {OPTIONS}.",
        ) from error
    except OSError as error:
        raise broken(f"The engine's Python {engine.python} cannot be started.", str(error)) from error


def _cancelled(event: Dict[str, Any]) -> Dict[str, Any]:
    """After a cancel every failure is its answer; outputs that were complete already are kept."""
    if event["event"] == "finished":
        return event
    return {**event, "code": "cancelled", "message": "Cancelled.", "remedy": ""}


def _died(exit_code: int, started: bool, tail: str) -> EngineError:
    """The failure of a worker that ended without a word, or with the wrong exit code."""
    if exit_code < 0:
        name = signal.Signals(-exit_code).name if -exit_code in set(signal.Signals) else f"signal {-exit_code}"
        reason = "probably because the memory ran out" if name == "SIGKILL" else "by the system"
        return EngineError(
            "crashed",
            f"The engine was ended from outside ({name}), {reason}.",
            "Close other programs; a map may be made of a smaller extent, or with fewer tiles at once.",
            tail,
        )
    if not started:
        return broken(f"The engine's Python ended before it began (exit code {exit_code}).", tail)
    known = explain(tail)
    remedy = known.remedy if known else "Run it again; if it happens again, report it with the log."
    return EngineError("crashed", f"The engine stopped unexpectedly (exit code {exit_code}).", remedy, tail)


def _pointing_to(log: Path, failure: EngineError) -> EngineError:
    remedy = f"{failure.remedy} The log is {log}".strip()
    return EngineError(failure.code, failure.message, remedy, failure.detail)
