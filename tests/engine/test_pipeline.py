"""Threads change nothing but the time: order, errors and the end of the thread stay as without them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from satdifuser_qgis.engine.inference.pipeline import ahead, behind


def numbers(count: int, fail_at: int = -1, closed: list[bool] | None = None) -> Iterator[int]:
    try:
        for number in range(count):
            if number == fail_at:
                raise KeyError(number)
            yield number
    finally:
        if closed is not None:
            closed.append(True)


@pytest.mark.parametrize("depth", [1, 3])
def test_items_come_in_order_and_the_thread_ends(depth):
    before = threading.active_count()
    assert list(ahead(numbers(50), depth)) == list(range(50))
    assert threading.active_count() == before


def test_an_error_comes_at_its_place():
    found = []
    with pytest.raises(KeyError, match="3"):
        found += ahead(numbers(9, fail_at=3))
    with closing(ahead(numbers(9, fail_at=3))) as items:
        assert [next(items) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(KeyError, match="3"):
            next(items)


def test_leaving_early_closes_the_iterator_before_going_on():
    closed: list[bool] = []
    with closing(ahead(numbers(1000, closed=closed))) as items:
        assert next(items) == 0
    assert closed == [True]


def test_it_works_while_its_reader_does():
    def slow() -> Iterator[int]:
        for number in range(5):
            time.sleep(0.1)
            yield number

    begun = time.monotonic()
    for _ in ahead(slow(), 2):
        time.sleep(0.1)
    assert time.monotonic() - begun < 0.9, "1 s one after the other, 0.6 s at once"


def test_items_are_taken_in_order_by_one_other_thread():
    taken, threads = [], set()

    def take(number: int) -> None:
        taken.append(number)
        threads.add(threading.current_thread())

    behind(numbers(50), take)
    assert taken == list(range(50))
    assert len(threads) == 1
    assert threading.current_thread() not in threads


def test_one_item_is_made_while_another_is_taken_and_no_more_wait():
    made, both = threading.Event(), []

    def items() -> Iterator[int]:
        yield 0
        made.set()
        yield 1
        both.append("made")

    def take(number: int) -> None:
        assert made.wait(10)
        time.sleep(0.1)
        both.append(f"taken {number}")

    behind(items(), take)
    assert both == ["taken 0", "made", "taken 1"]


def test_errors_of_both_sides_end_it():
    taken = []

    def take(number: int) -> None:
        taken.append(number)
        if number == 3:
            raise OSError("full")

    closed: list[bool] = []
    with closing(numbers(1000, closed=closed)) as items, pytest.raises(OSError, match="full"):
        behind(items, take)
    assert taken == [0, 1, 2, 3]
    assert closed == [True]
    with pytest.raises(KeyError, match="2"):
        behind(numbers(9, fail_at=2), taken.append)
    assert taken[4:] == [0, 1]
