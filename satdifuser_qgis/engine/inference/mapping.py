"""Logits for a whole raster, band of rows by band of rows, blended over overlapping tiles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from ..raster.grid import Window
from ..raster.normalise import Scaling
from ..raster.read import Raster
from ..reporter import Reporter
from .landcover_model import LandCoverModel
from .tiles import TileGrid, blend_weights, read_tile


@dataclass(frozen=True)
class MapPlan:
    """All that a window of the map depends on besides raster and model.

    ``grid`` holds the tiles that touch ``window``; ``scaling`` was measured on the whole raster.
    """

    window: Window
    grid: TileGrid
    bands: tuple[int, ...]
    scaling: Scaling
    batch: int

    @property
    def tiles(self) -> int:
        """How many tiles the network sees."""
        return len(self.grid.rows) * len(self.grid.columns)


@dataclass(frozen=True)
class Strip:
    """Finished rows: ``row`` counts from the window's top; logits (K, rows, width), valid (rows, width)."""

    row: int
    logits: NDArray[np.float32]
    valid: NDArray[np.bool_]


def map_strips(plan: MapPlan, model: LandCoverModel, raster: Raster, reporter: Reporter) -> Iterator[Strip]:
    """Strips of the window from top to bottom; memory holds one row of tiles, whatever the raster's height.

    Batches never cross a row of tiles and blending goes from left to right, so the sums are always taken in
    the same order.
    """
    side, window = plan.grid.side, plan.window
    accumulator = _Accumulator(len(model.header.classes), window, side)
    done = 0
    for number, row in enumerate(plan.grid.rows):
        for columns in _chunks(plan.grid.columns, plan.batch):
            accumulator.add(row, *_tile_logits(plan, model, raster, row, columns))
            done += len(columns)
            reporter.progress(done, plan.tiles, "tiles", "Mapping")
        following = plan.grid.rows[number + 1] if number + 1 < len(plan.grid.rows) else None
        strip = accumulator.finish(following)
        if strip is not None:
            yield strip


def _tile_logits(
    plan: MapPlan, model: LandCoverModel, raster: Raster, row: int, columns: tuple[int, ...]
) -> tuple[tuple[int, ...], NDArray[np.float32], list[NDArray[np.bool_]]]:
    read = [read_tile(raster, plan.bands, plan.scaling, row, column, plan.grid) for column in columns]
    seen = [i for i, (_, valid) in enumerate(read) if valid.any()]
    logits = np.zeros((len(columns), len(model.header.classes), plan.grid.side, plan.grid.side), np.float32)
    if seen:
        batch = torch.stack([read[i][0] for i in seen])
        logits[seen] = model.logits(batch, raster, [(row, columns[i]) for i in seen], plan.grid.side).numpy()
    return columns, logits, [valid for _, valid in read]


class _Accumulator:
    """Weighted sums of logits for the rows that tiles may still reach."""

    def __init__(self, classes: int, window: Window, side: int) -> None:
        self.window, self.side = window, side
        self.weights = blend_weights(side)
        self.top = window.row
        # Rows above the window's top are dropped; a tile reaches at most ``side`` rows below the first open one.
        self.logits = np.zeros((classes, side, window.width), np.float32)
        self.total = np.zeros((side, window.width), np.float32)
        self.valid = np.zeros((side, window.width), np.bool_)

    def add(
        self, row: int, columns: tuple[int, ...], logits: NDArray[np.float32], valid: list[NDArray[np.bool_]]
    ) -> None:
        """Adds tiles of one row of tiles, from left to right."""
        for column, tile, mask in zip(columns, logits, valid, strict=True):
            to_rows, from_rows = _overlap(self.top, self.side, row, self.side)
            to_cols, from_cols = _overlap(self.window.col, self.window.width, column, self.side)
            weights = self.weights[from_rows, from_cols]
            self.logits[:, to_rows, to_cols] += weights * tile[:, from_rows, from_cols]
            self.total[to_rows, to_cols] += weights
            self.valid[to_rows, to_cols] |= mask[from_rows, from_cols]

    def finish(self, following: int | None) -> Strip | None:
        """The rows that no later tile reaches: down to the next row of tiles, or to the window's end."""
        end = self.window.row + self.window.height
        bottom = end if following is None else min(end, max(following, self.top))
        rows = bottom - self.top
        if rows <= 0:
            return None
        strip = Strip(
            self.top - self.window.row,
            (self.logits[:, :rows] / np.maximum(self.total[:rows], 1e-6)).astype(np.float32),
            self.valid[:rows].copy(),
        )
        for buffer in (self.logits, self.total[None], self.valid[None]):
            buffer[:, : self.side - rows] = buffer[:, rows:].copy()
            buffer[:, self.side - rows :] = 0
        self.top = bottom
        return strip


def _overlap(start: int, length: int, other: int, side: int) -> tuple[slice, slice]:
    """The part that [start, start+length) shares with [other, other+side), as slices of each."""
    low, high = max(start, other), min(start + length, other + side)
    return slice(low - start, high - start), slice(low - other, high - other)


def _chunks(columns: tuple[int, ...], size: int) -> Iterator[tuple[int, ...]]:
    starts = [*range(0, len(columns), size), len(columns)]
    for low, high in pairwise(starts):
        yield columns[low:high]
