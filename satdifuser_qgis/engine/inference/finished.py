"""The finished parts of a map that was not finished: kept in the user's folder, so that a repeat goes on there."""

from __future__ import annotations

import os
import re
import shutil
import time
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from ...protocol import folders
from ..raster.grid import Window
from .products import Products

# What all unfinished maps together may take, and what must stay free on the disk, in bytes.
LARGEST = 4 * 2**30
LEAVE_FREE = 2 * 2**30
OLDEST_DAYS = 30
# Of what a part holds; part of the key of a map, so that parts of another form are not found.
FORM = 2
_NAME = re.compile(r"r(\d+)_c(\d+)_(\d+)x(\d+)\.npz")


class Finished:
    """The parts of one map, by their windows. ``key`` stands for everything that the map's pixels depend on; with an
    empty one nothing is kept. ``keeps``: whether parts are kept, until there is no room for one. ``pixels``: how many
    those have that are kept.

    Nothing here can fail a run: parts that cannot be written or read are computed again.
    """

    def __init__(self, key: str) -> None:
        self.folder = folders.unfinished() / (key or "none")
        self.windows: set[Window] = set()
        self.keeps = bool(key)
        self.pixels = 0
        make_room(self.folder)
        self._bytes = folders.size(folders.unfinished())

    def parts(self) -> Iterator[tuple[Window, Products]]:
        """What an earlier run has finished, from top to bottom; from then on `has` knows it."""
        found = [(match, path) for path in self.folder.glob("*.npz") if (match := _NAME.fullmatch(path.name))]
        for match, path in sorted(found, key=lambda item: [int(n) for n in item[0].groups()]):
            with suppress(OSError, ValueError, EOFError, zipfile.BadZipFile):
                with np.load(path, allow_pickle=False) as stored:
                    products = dict(stored)
                window = Window(*(int(number) for number in match.groups()))
                self.windows.add(window)
                self.pixels += window.height * window.width
                yield window, products

    def has(self, window: Window) -> bool:
        """Whether this part is finished."""
        return window in self.windows

    def add(self, window: Window, products: Products) -> bool:
        """Keeps a part; False from the first one on that there is no room for."""
        size = sum(array.nbytes for array in products.values())
        self.keeps = self.keeps and self._bytes + size <= LARGEST
        if not self.keeps:
            return False
        path = self.folder / f"r{window.row}_c{window.col}_{window.height}x{window.width}.npz"
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(self.folder).free - size < LEAVE_FREE:
                self.keeps = False
                return False
            part = path.with_name(f"{path.stem}.{os.getpid()}.part")
            with part.open("wb") as file:
                np.savez(file, **products)  # type: ignore[arg-type]
            os.replace(part, path)
            self._bytes += size
            self.pixels += window.height * window.width
        return True

    def clear(self) -> None:
        """The map is whole: nothing is kept of its parts."""
        shutil.rmtree(self.folder, ignore_errors=True)


def make_room(wanted: Path) -> None:
    """Removes what is too old, then the oldest unfinished maps until the rest takes less than half of `LARGEST`."""
    everything = folders.unfinished()
    if not everything.is_dir():
        return
    with suppress(OSError):
        others = sorted(
            (path for path in everything.iterdir() if path != wanted), key=lambda path: path.stat().st_mtime
        )
        for path in others:
            old = time.time() - path.stat().st_mtime > OLDEST_DAYS * 86400
            if old or folders.size(everything) > LARGEST // 2:
                shutil.rmtree(path, ignore_errors=True)
