"""How far a map shows the edges of its tiles: the seam statistic, gathered strip by strip."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..raster.grid import Window
from .tiles import TileGrid


class Seams:
    """Mean absolute difference of neighbouring probabilities across tile edges, over that elsewhere.

    An edge lies before the first and behind the last row or column of every tile. 1 says that tiles cannot be told
    from the map; invalid pixels do not count. To the last bit, the figure does not depend on the order of the strips.
    Held are the sums, and the rows at the ends of strips whose neighbour has not come, as beside gaps.
    """

    def __init__(self, grid: TileGrid) -> None:
        self._rows = _edges(grid.rows, grid.side)
        self._found: list[NDArray[np.float64]] = []
        # Rows (K,w) that wait for the strip above or below them, by column, width and number of the lower row.
        self._waiting: dict[tuple[int, int, int], NDArray[np.float32]] = {}

    def add(self, window: Window, inside: NDArray[np.float64], ends: NDArray[np.float32]) -> None:
        """Takes a strip: what `differences` found in it, and the probabilities (2,K,w) of its first and last row."""
        self._found.append(inside)
        for first, row, shares in ((True, window.row, ends[0]), (False, window.row + window.height, ends[1])):
            place = (window.col, window.width, row)
            other = self._waiting.pop(place, None)
            if other is None:
                self._waiting[place] = shares
                continue
            above, below = (other, shares) if first else (shares, other)
            self._found.append(_compare(above[:, None], below[:, None], 1, np.isin([row], self._rows)))

    @property
    def statistic(self) -> float | None:
        """The ratio; None where there are no edges, or no differences elsewhere."""
        parts = np.array(self._found).reshape(-1, 2, 2)
        (elsewhere, edges), counts = ([math.fsum(column) for column in parts[:, kind].T] for kind in (0, 1))
        if not all(counts) or not elsewhere:
            return None
        return (edges / counts[1]) / (elsewhere / counts[0])


def differences(window: Window, shares: NDArray[np.float32], grid: TileGrid) -> NDArray[np.float64]:
    """(2,2): sums of the differences between neighbours in a strip and how many there are, each elsewhere and at edges.

    shares: probabilities (K,h,w), below 0 where invalid. ``grid`` has at least the tiles that touch the window.
    """
    rows = np.arange(window.row + 1, window.row + window.height)
    columns = np.arange(window.col + 1, window.col + window.width)
    down = _compare(shares[:, :-1], shares[:, 1:], 1, np.isin(rows, _edges(grid.rows, grid.side)))
    across = _compare(shares[:, :, :-1], shares[:, :, 1:], 0, np.isin(columns, _edges(grid.columns, grid.side)))
    return down + across


def _compare(
    before: NDArray[np.float32], after: NDArray[np.float32], along: int, edge: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """`differences` of two arrays (K,h,w); ``edge`` says which of the lines along an axis of (h,w) are at edges."""
    valid = (before[0] >= 0) & (after[0] >= 0)
    difference = np.zeros(valid.shape, np.float32)
    for one, other in zip(before, after, strict=True):
        difference += np.abs(other - one)
    difference *= valid
    lines = np.array([difference.sum(axis=along, dtype=np.float64) / len(before), valid.sum(axis=along)])
    return np.stack([lines[:, ~edge].sum(axis=1), lines[:, edge].sum(axis=1)], axis=1)


def _edges(origins: tuple[int, ...], side: int) -> NDArray[np.int64]:
    return np.array(sorted({*origins, *(origin + side for origin in origins)}), np.int64)
