"""Reads a child's two output streams in threads, so that neither a flood nor a silence can block the reader."""

from __future__ import annotations

import collections
import queue
import threading
from typing import IO, Any, Callable, Deque, Dict, Iterator, Optional

from ..protocol import events

CHUNK = 65_536
TAIL_LINES = 30
TAIL_CHARACTERS = 500
# Enough of a flood of nonsense to see what it is.
NONSENSE_TOLD = 20


def lines(stream: IO[bytes], limit: int = events.MAX_LINE_BYTES) -> Iterator[bytes]:
    """Lines without their end; of a line longer than ``limit`` bytes only its beginning comes out."""
    pending, skipping = b"", False
    while True:
        chunk = stream.read1(CHUNK)  # type: ignore[attr-defined]
        if not chunk:
            break
        *whole, pending = (pending + chunk).split(b"\n")
        for line in whole:
            if not skipping:
                yield line[:limit]
            skipping = False
        if len(pending) > limit:
            if not skipping:
                yield pending[:limit]
            pending, skipping = b"", True
    if pending and not skipping:
        yield pending


class EventReader:
    """Events of one run from a child's stdout; what is no event is told to ``log`` and otherwise ignored."""

    def __init__(self, stream: IO[bytes], run_id: str, log: Callable[[str], None]) -> None:
        self._stream, self._run_id, self._log = stream, run_id, log
        # bounded: a worker that floods us with events waits for us
        self._events: queue.Queue[Dict[str, Any]] = queue.Queue(maxsize=1000)
        self._stop = threading.Event()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def next(self, timeout_s: float) -> Optional[Dict[str, Any]]:
        """The next event, or None where none came in time."""
        try:
            return self._events.get(timeout=timeout_s) if timeout_s > 0 else self._events.get_nowait()
        except queue.Empty:
            return None

    def stop(self) -> None:
        """Takes no more events; the thread goes on reading to the end so that the child is not blocked."""
        self._stop.set()

    def _read(self) -> None:
        nonsense = 0
        for line in lines(self._stream):
            event = events.decode(line, self._run_id)
            if event is not None:
                self._put(event)
                continue
            nonsense += 1
            if nonsense <= NONSENSE_TOLD:
                self._log(f"not an event: {line[:200]!r}")
        if nonsense > NONSENSE_TOLD:
            self._log(f"{nonsense} lines were no events")

    def _put(self, event: Dict[str, Any]) -> None:
        while not self._stop.is_set():
            try:
                self._events.put(event, timeout=0.1)
            except queue.Full:
                continue
            return


class TailReader:
    """Text lines of a child: every line to ``log``, the last ones kept."""

    def __init__(self, stream: IO[bytes], log: Callable[[str], None]) -> None:
        self._stream, self._log = stream, log
        self._tail: Deque[str] = collections.deque(maxlen=TAIL_LINES)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def tail(self) -> str:
        """The last lines."""
        return "\n".join(tuple(self._tail))

    def _read(self) -> None:
        for line in lines(self._stream, limit=10_000):
            text = line.decode("utf-8", "replace").rstrip("\r")
            self._tail.append(text[:TAIL_CHARACTERS])
            self._log(text)
