"""How far a map shows the edges of its tiles: the seam statistic, gathered strip by strip."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..raster.grid import Window
from .tiles import TileGrid


class Seams:
    """Mean absolute difference of neighbouring probabilities across tile edges, over that elsewhere.

    An edge lies before the first and behind the last row or column of every tile. 1 says that tiles cannot be told
    from the map; invalid pixels do not count.
    """

    def __init__(self, grid: TileGrid) -> None:
        self._rows = _edges(grid.rows, grid.side)
        self._columns = _edges(grid.columns, grid.side)
        # sums of differences and how many there are: [elsewhere, at edges]
        self._sums, self._counts = np.zeros(2), np.zeros(2, np.int64)
        # the last row of each block of columns, which the next strip continues
        self._last: dict[tuple[int, int], tuple[int, NDArray[np.float32]]] = {}

    def add(self, window: Window, shares: NDArray[np.float32]) -> None:
        """Takes probabilities (K,h,w) of a window, below 0 where invalid; strips of a block from top to bottom."""
        columns = np.arange(window.col + 1, window.col + window.width)
        self._compare(shares[:, :, :-1], shares[:, :, 1:], np.isin(columns, self._columns)[None, :])
        block, first = (window.col, window.width), window.row
        bottom, last = self._last.get(block, (-1, shares[:, :0]))
        if bottom == window.row:
            shares, first = np.concatenate([last, shares], axis=1), window.row - 1
        rows = np.arange(first + 1, window.row + window.height)
        self._compare(shares[:, :-1], shares[:, 1:], np.isin(rows, self._rows)[:, None])
        self._last[block] = window.row + window.height, shares[:, -1:].copy()

    @property
    def statistic(self) -> float | None:
        """The ratio; None where there are no edges, or no differences elsewhere."""
        if not self._counts.all() or self._sums[0] == 0:
            return None
        elsewhere, edges = self._sums / self._counts
        return float(edges / elsewhere)

    def _compare(self, before: NDArray[np.float32], after: NDArray[np.float32], edge: NDArray[np.bool_]) -> None:
        """Adds the differences (h,w) of two arrays (K,h,w); ``edge`` is broadcast to (h,w)."""
        valid = (before[0] >= 0) & (after[0] >= 0)
        difference = np.abs(after - before).mean(axis=0)
        for place, chosen in enumerate((valid & ~edge, valid & edge)):
            self._sums[place] += float(difference[chosen].sum(dtype=np.float64))
            self._counts[place] += int(chosen.sum())


def _edges(origins: tuple[int, ...], side: int) -> NDArray[np.int64]:
    return np.array(sorted({*origins, *(origin + side for origin in origins)}), np.int64)
