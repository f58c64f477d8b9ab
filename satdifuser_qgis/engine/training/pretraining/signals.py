"""Ctrl-C and requests to end, held back while something must not be left half done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def held_signals() -> Iterator[None]:
    """Interrupts that arrive inside the block are dealt with at its end. Only the main thread gets any."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    held = {number: handler for number, handler in handlers.items() if callable(handler)}
    noted: list[tuple[int, Any]] = []
    for number in held:
        signal.signal(number, lambda arrived, frame: noted.append((arrived, frame)))
    try:
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
    for arrived, frame in noted[:1]:
        held[signal.Signals(arrived)](arrived, frame)
