"""Parts of unfinished maps: what they may take together, and what goes first."""

from __future__ import annotations

import os
import time

import numpy as np
import pytest

from satdifuser_qgis.engine.inference import finished
from satdifuser_qgis.engine.inference.finished import Finished
from satdifuser_qgis.engine.raster.grid import Window
from satdifuser_qgis.protocol import folders

PART_BYTES = 100_000


def keep(key: str, parts: int, age_days: float = 0.0) -> list[bool]:
    """Keeps parts of 100 kB of a map; which of them there was room for."""
    kept = Finished(key)
    array = np.zeros(PART_BYTES, np.uint8)
    answers = [kept.add(Window(row, 0, 1, PART_BYTES), {"classes": array}) for row in range(parts)]
    then = time.time() - age_days * 86400
    os.utime(kept.folder, (then, then))
    return answers


def maps() -> list[str]:
    return sorted(path.name for path in folders.unfinished().iterdir())


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(finished, "LARGEST", 4 * PART_BYTES + PART_BYTES // 2)


def test_parts_take_no_more_than_their_share_and_those_kept_stay(own_home):
    assert keep("a", 6) == [True, True, True, True, False, False]
    assert folders.size(folders.unfinished()) <= finished.LARGEST
    again = Finished("a")
    assert [window.row for window, _ in again.parts()] == [0, 1, 2, 3]
    assert not again.has(Window(4, 0, 1, PART_BYTES))


def test_the_oldest_maps_make_room_for_a_new_one(own_home):
    for key, age in (("old", 3), ("older", 9), ("new", 1)):
        keep(key, 1, age)
    Finished("next")
    assert maps() == ["new", "old"]


def test_a_map_that_goes_on_is_kept_however_large_it_is(own_home):
    keep("large", 4, 3)
    keep("other", 1, 1)
    assert "large" not in maps()  # for another one it makes room
    keep("large", 4, 3)
    Finished("large")
    assert maps() == ["large"]


def test_what_nobody_went_on_with_for_a_month_is_removed(own_home):
    keep("forgotten", 1, finished.OLDEST_DAYS + 1)
    keep("recent", 1)
    assert maps() == ["recent"]


def test_a_disk_that_is_nearly_full_keeps_no_parts(own_home, monkeypatch):
    monkeypatch.setattr(finished, "LEAVE_FREE", 2**60)
    kept = Finished("a")
    assert not kept.add(Window(0, 0, 1, 1), {"classes": np.zeros(1, np.uint8)})
    assert not list(kept.folder.glob("*"))
