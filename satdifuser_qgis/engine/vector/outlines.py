"""Outlines of patches, drawn strip by strip: of those that go on below a strip the parts are held, and joined exactly.

All is in pixels, x to the right and y down, so that coordinates are whole numbers. Which corners an outline has is
decided by the four pixels around each, whatever strip they lie in: a strip's edge cannot be seen.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
import rasterio.features
import shapely
from affine import Affine
from numpy.typing import NDArray

from .patches import Labels, strips_of

Polygons = NDArray[np.object_]


def draw_by_strips(numbers: Labels) -> Iterator[tuple[NDArray[np.int64], Polygons]]:
    """For each strip of ``numbers`` (h,w) the patches that end in it, and their polygons.

    0 is no patch; patches are connected by edges. A polygon has a vertex where it turns, and where three patches meet
    (or two and what is none), so that neighbours have the same vertices along the border that they share.
    """
    height, width = numbers.shape
    held: dict[int, list[Any]] = {}
    for row, rows in strips_of(height, width):
        end = row + rows
        # patches are connected, so one that goes on has a pixel in the next row
        going_on = set(np.unique(numbers[end]).tolist()) if end < height else set()
        owners, drawn = _drawn(numbers[row:end], row)
        apart = np.array([owner in held or owner in going_on for owner in owners.tolist()], bool)
        parts = _with_needed_vertices(drawn[apart], numbers, (row, end))
        for owner, part in zip(owners[apart].tolist(), parts, strict=True):
            held.setdefault(owner, []).append(part)
        ended = [owner for owner in held if owner not in going_on]
        joined = np.array([shapely.coverage_union_all(held.pop(owner)) for owner in ended], dtype=object)
        patches = np.concatenate([owners[~apart], np.array(ended, np.int64)])
        yield patches, _with_needed_vertices(np.concatenate([drawn[~apart], joined]), numbers)


def _drawn(numbers: Labels, first_row: int) -> tuple[NDArray[np.int64], Polygons]:
    """Patch and polygon of each connected part of a strip, with a vertex at every corner of a pixel."""
    owners: list[int] = []
    xy: list[tuple[float, float]] = []
    ring_ends, polygon_ends = [0], [0]
    place = Affine.translation(0, first_row)
    for geometry, number in rasterio.features.shapes(numbers, numbers > 0, connectivity=4, transform=place):
        for ring in geometry["coordinates"]:
            xy += ring
            ring_ends.append(len(xy))
        polygon_ends.append(len(ring_ends) - 1)
        owners.append(int(number))
    return np.array(owners, np.int64), shapely.segmentize(_polygons(np.array(xy), ring_ends, polygon_ends), 1.0)


def _with_needed_vertices(polygons: Polygons, numbers: Labels, edges: Collection[int] = ()) -> Polygons:
    """Polygons with the vertices that they need only.

    On ``edges``, the rows where strips meet, these are all at which the row above or the one below changes: parts that
    are to be joined have the same ones there.
    """
    if not len(polygons):
        return polygons
    _, xy, (ring_ends, polygon_ends) = shapely.to_ragged_array(polygons)
    # long lines are divided by floating-point numbers, at 14.999…
    xy = np.rint(xy)
    col, row = xy.T.astype(np.int64)
    above_left, above_right = _at(numbers, row - 1, col - 1), _at(numbers, row - 1, col)
    below_left, below_right = _at(numbers, row, col - 1), _at(numbers, row, col)
    level = (above_left == above_right) & (below_left == below_right)
    upright = (above_left == below_left) & (above_right == below_right)
    needed = ~level & (~upright | np.isin(row, list(edges)))
    kept = np.concatenate([[0], np.cumsum(needed)])
    return _polygons(xy[needed], kept[ring_ends], polygon_ends)


def _at(numbers: Labels, rows: NDArray[np.int64], cols: NDArray[np.int64]) -> Labels:
    """The patch at each place; 0 beyond the array."""
    height, width = numbers.shape
    inside = (rows >= 0) & (rows < height) & (cols >= 0) & (cols < width)
    found = np.zeros(len(rows), np.int32)
    found[inside] = numbers[rows[inside], cols[inside]]
    return found


def _polygons(xy: NDArray[np.float64], ring_ends: Any, polygon_ends: Any) -> Polygons:
    """Polygons from the coordinates (n,2) of their rings, which are closed where they are not."""
    if len(polygon_ends) == 1:
        return np.empty(0, dtype=object)
    offsets = (np.asarray(ring_ends, np.int64), np.asarray(polygon_ends, np.int64))
    polygons: Polygons = shapely.from_ragged_array(shapely.GeometryType.POLYGON, xy, offsets)
    return polygons
