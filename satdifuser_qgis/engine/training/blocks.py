"""Validation by spatial blocks: squares of ground, in map coordinates, that belong to training or to validation.

Neighbouring pixels resemble one another, so scores of randomly held-back pixels flatter. Here a piece of ground
is held back as a whole, in all images that show it, overlapping images included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import Transformer

from ..raster.grid import Grid, Window

BlockId = tuple[int, int, int]


@dataclass(frozen=True)
class BlockLattice:
    """Which block each pixel of one image lies in.

    ``unit`` tells lattices apart that share no coordinates (images without CRS); ``size`` is the side of a block in
    units of ``crs_wkt``, 0 where the whole image is one block; ``merge`` × ``merge`` such squares are one block.
    """

    grid: Grid
    unit: int
    size: float
    crs_wkt: str
    merge: int = 1

    def ids(self, window: Window) -> tuple[NDArray[np.int64], list[BlockId]]:
        """(h, w) index of each pixel's block in the list that comes with it."""
        shape = (window.height, window.width)
        if self.size <= 0:
            return np.zeros(shape, np.int64), [(self.unit, 0, 0)]
        x, y = self._coordinates(window)
        pairs = np.stack([np.floor(x / self.size), np.floor(y / self.size)], axis=-1).astype(np.int64) // self.merge
        unique, index = np.unique(pairs.reshape(-1, 2), axis=0, return_inverse=True)
        return index.reshape(shape), [(self.unit, int(a), int(b)) for a, b in unique]

    def _coordinates(self, window: Window) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        columns, rows = np.meshgrid(
            np.arange(window.width) + window.col + 0.5, np.arange(window.height) + window.row + 0.5
        )
        transform: Affine = self.grid.transform if self.crs_wkt or self.grid.crs_wkt else Affine.identity()
        x, y = transform @ (columns, rows)
        if self.crs_wkt and self.grid.crs_wkt != self.crs_wkt:
            x, y = Transformer.from_crs(self.grid.crs_wkt, self.crs_wkt, always_xy=True).transform(x, y)
        return np.asarray(x), np.asarray(y)


def lattices(grids: Sequence[Grid], block_px: int) -> list[BlockLattice]:
    """One lattice an image. Images with a CRS share the first one's coordinates; each of the others is a block of
    its own, or is cut into blocks of pixels where it is the only image. ``block_px`` counts its pixels."""
    reference = next((grid for grid in grids if grid.crs_wkt), None)
    if reference is None:
        size = float(block_px) if len(grids) == 1 else 0.0
        return [BlockLattice(grid, number, size, "") for number, grid in enumerate(grids)]
    size = block_px * float(np.sqrt(abs(reference.transform.determinant)))
    return [
        BlockLattice(grid, 0, size, reference.crs_wkt) if grid.crs_wkt else BlockLattice(grid, number + 1, 0.0, "")
        for number, grid in enumerate(grids)
    ]


def sharing_ground(grids: Sequence[Grid]) -> list[tuple[int, ...]]:
    """For each image the places of the earlier ones that show some of its ground, by the rectangles around them; none
    for an image without a CRS."""
    reference = next((grid.crs_wkt for grid in grids if grid.crs_wkt), "")
    boxes = np.array([_rectangle(grid, reference) for grid in grids])
    places: list[list[int]] = [[] for _ in grids]
    later, earlier = shapely.STRtree(boxes).query(boxes, predicate="intersects")
    common, areas = shapely.area(shapely.intersection(boxes[later], boxes[earlier])), shapely.area(boxes)
    # Neighbours that only touch must not share ground by rounding.
    meeting = (earlier < later) & (common > 1e-6 * np.minimum(areas[later], areas[earlier]))
    for image, place in zip(later[meeting].tolist(), earlier[meeting].tolist(), strict=True):
        places[image].append(place)
    return [tuple(sorted(found)) for found in places]


def _rectangle(grid: Grid, crs_wkt: str) -> shapely.Polygon:
    """The rectangle around an image in a CRS; empty where it has none there."""
    if not grid.crs_wkt:
        return shapely.Polygon()
    bounds = grid.extent
    if grid.crs_wkt != crs_wkt:
        bounds = Transformer.from_crs(grid.crs_wkt, crs_wkt, always_xy=True).transform_bounds(*bounds, errcheck=False)
    return shapely.box(*bounds) if np.isfinite(bounds).all() else shapely.Polygon()


def merged(counts: Mapping[BlockId, NDArray[np.int64]], merge: int) -> dict[BlockId, NDArray[np.int64]]:
    """Pixels by block, for blocks of ``merge`` × ``merge`` of the given ones; see `BlockLattice.merge`."""
    larger: dict[BlockId, NDArray[np.int64]] = {}
    for (unit, a, b), pixels in counts.items():
        block = (unit, a // merge, b // merge)
        larger[block] = larger[block] + pixels if block in larger else pixels
    return larger


def choose_validation(
    counts: Mapping[BlockId, NDArray[np.int64]], share: float, seed: int, attempts: int = 64
) -> frozenset[BlockId]:
    """The blocks to hold back: about ``share`` of every class's pixels, and never the last block of a class.

    counts: labelled pixels of each class, by block. Empty where no block can be spared or share is 0.
    """
    blocks = sorted(block for block, pixels in counts.items() if pixels.sum() > 0)
    if share <= 0 or len(blocks) < 2:
        return frozenset()
    table = np.stack([counts[block] for block in blocks]).astype(np.float64)
    totals = np.maximum(table.sum(axis=0), 1)
    present = table.sum(axis=0) > 0
    rng = np.random.default_rng(seed)
    best: tuple[float, frozenset[BlockId]] = (np.inf, frozenset())
    for _ in range(attempts):
        held, chosen = np.zeros(table.shape[1]), []
        for index in rng.permutation(len(blocks)):
            proposal = held + table[index]
            kept_all = bool(((table.sum(axis=0) - proposal)[present] > 0).all())
            if kept_all and _distance(proposal / totals, share, present) < _distance(held / totals, share, present):
                held = proposal
                chosen.append(blocks[index])
        best = min(best, (_distance(held / totals, share, present), frozenset(chosen)), key=lambda pair: pair[0])
    return best[1]


def _distance(shares: NDArray[np.float64], wanted: float, present: NDArray[np.bool_]) -> float:
    return float(np.abs(shares - wanted)[present].mean())
