"""Reading, computing and writing at the same time: what is read ahead, and what is written behind, each in a thread.

Neither may compute by torch, see docs/decisions/0016.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from queue import Empty, Full, Queue
from typing import TypeVar

Item = TypeVar("Item")
# How long a thread that nobody listens to any more may go on waiting, in seconds.
_NOTICE_S = 0.1


def ahead(items: Generator[Item, None, None], depth: int = 1) -> Generator[Item, None, None]:
    """The same items in the same order, made in a thread of their own, at most ``depth`` before they are asked for.

    What the iterator raises is raised here, at its place. Close it: that waits for the thread, which ends at its next
    item. The iterator is advanced by that thread alone, so it may use what belongs to one thread (an open raster).
    """
    waiting: Queue[tuple[bool, Item | BaseException | None]] = Queue(depth)
    left = threading.Event()

    def offer(more: bool, content: Item | BaseException | None) -> None:
        while not left.is_set():
            try:
                waiting.put((more, content), timeout=_NOTICE_S)
                return
            except Full:
                continue

    def work() -> None:
        try:
            with closing(items):
                for item in items:
                    offer(True, item)
                    if left.is_set():
                        return
            offer(False, None)
        except BaseException as error:  # it belongs to whoever asks for the next item
            offer(False, error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            more, content = _next(waiting, thread)
            if not more:
                if isinstance(content, BaseException):
                    raise content
                return
            yield content  # type: ignore[misc]
    finally:
        left.set()
        thread.join()


def behind(items: Iterable[Item], take: Callable[[Item], None]) -> None:
    """Does ``take`` with each item in a thread of its own, in order, while the next item is made here.

    What ``take`` raises is raised here before another item is taken; what the items raise, once the thread has ended.
    """
    with ThreadPoolExecutor(1) as thread:
        taken: Future[None] | None = None
        for item in items:
            if taken is not None:
                taken.result()
            taken = thread.submit(take, item)
        if taken is not None:
            taken.result()


def _next(
    waiting: Queue[tuple[bool, Item | BaseException | None]], thread: threading.Thread
) -> tuple[bool, Item | BaseException | None]:
    """The next entry; a wait without end could not be interrupted on Windows."""
    while True:
        try:
            return waiting.get(timeout=_NOTICE_S)
        except Empty:
            if not thread.is_alive() and waiting.empty():
                raise RuntimeError("the thread that works ahead ended without a word") from None
