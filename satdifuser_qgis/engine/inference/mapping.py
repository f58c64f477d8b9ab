"""Logits for a whole raster, column block by column block and strip by strip, blended over overlapping tiles."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..raster.grid import Window
from ..raster.normalise import Scaling
from ..raster.read import Raster
from ..reporter import Reporter
from .landcover_model import LandCoverModel
from .pipeline import ahead
from .tiles import TileGrid, blend_weights, read_tile

# Memory must not grow with the raster's width: a block has so many columns, or so many tiles where these are wider,
# since the tiles at its sides are computed for both blocks. Where a tile is large, since the raster is finer than the
# model, the pixels of a block's row of tiles are the limit; two tiles there must be.
WIDEST_PX = 4096
FEWEST_TILES = 16
LARGEST_STRIP_PX = 4096 * 1024
# Batches that are read before the network asks for them.
READ_AHEAD = 2


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
        """How many tiles the network sees; those at the sides of a block are seen twice."""
        return sum(len(grid.rows) * len(grid.columns) for grid in map(self.grid.touching, self.blocks()))

    def blocks(self) -> list[Window]:
        """The window cut into blocks of columns, at places that do not depend on the window."""
        side = self.grid.side
        width = max(2 * side, min(max(WIDEST_PX, FEWEST_TILES * side), LARGEST_STRIP_PX // side))
        first, end = self.window.col, self.window.col + self.window.width
        cuts = [first, *range((first // width + 1) * width, end, width), end]
        return [Window(self.window.row, left, self.window.height, right - left) for left, right in pairwise(cuts)]

    def cut(self, window: Window) -> MapPlan:
        """The plan of strips of a block that follow one another: the same strips, and the same to the bit."""
        return replace(self, window=window, grid=self.grid.touching(window))


@dataclass(frozen=True)
class Strip:
    """Finished pixels: ``window`` in the raster, logits (K, height, width), valid (height, width)."""

    window: Window
    logits: NDArray[np.float32]
    valid: NDArray[np.bool_]


@dataclass(frozen=True)
class _Batch:
    """Tiles of one row of tiles as they were read, (3, side, side), and valid pixels a tile.

    They are put together and resized where the network works: the thread that reads must not compute by torch.
    """

    row: int
    columns: tuple[int, ...]
    tiles: list[Tensor]
    valid: list[NDArray[np.bool_]]


def strip_windows(plan: MapPlan, block: Window) -> list[Window]:
    """The strips of a block, one a row of tiles: down to where the next row of tiles begins, or to the end."""
    bottom = block.row + block.height
    starts = [block.row, *(max(row, block.row) for row in plan.grid.rows[1:]), bottom]
    return [Window(low, block.col, min(high, bottom) - low, block.width) for low, high in pairwise(starts)]


def map_strips(
    plan: MapPlan,
    model: LandCoverModel,
    raster: Raster,
    reporter: Reporter,
    is_finished: Callable[[Window], bool] = lambda window: False,
) -> Generator[Strip, None, None]:
    """The strips of all blocks but those that are finished already, and those without a valid pixel.

    Memory holds one row of tiles of one block, whatever the raster's size. Batches never cross a row of tiles and
    blending goes from left to right, so the sums are always taken in the same order.

    Ask for them in the process's first thread, where the network then runs. In a second one its helpers go to sleep
    between any two loops, since OpenMP takes the first thread's for busy: a map took half as long again.
    """
    total, done = plan.tiles, 0
    for block in plan.blocks():
        grid = plan.grid.touching(block)
        if not raster.filled.meets(block):
            done += len(grid.rows) * len(grid.columns)
            continue
        strips = strip_windows(plan, block)
        missing = [not window.empty and not is_finished(window) for window in strips]
        rows = [row for row in grid.rows if any(m and _meets(row, grid.side, w) for m, w in zip(missing, strips))]
        rows = [row for row in rows if raster.filled.meets(Window(row, block.col, grid.side, block.width))]
        done += (len(grid.rows) - len(rows)) * len(grid.columns)
        accumulator = _Accumulator(len(model.header.classes), block, grid.side)
        with closing(ahead(_read(plan, grid, rows, raster), READ_AHEAD)) as batches:
            waiting = next(batches, None)
            for row, window, wanted in zip(grid.rows, strips, missing, strict=True):
                while waiting is not None and waiting.row == row:
                    accumulator.add(waiting, _logits(plan, model, raster, waiting))
                    done += len(waiting.columns)
                    reporter.progress(done, total, "tiles", "Mapping")
                    waiting = next(batches, None)
                strip = accumulator.finish(window)
                if wanted and strip.valid.any():
                    yield strip


def _meets(row: int, side: int, window: Window) -> bool:
    return row < window.row + window.height and row + side > window.row


def _read(plan: MapPlan, grid: TileGrid, rows: list[int], raster: Raster) -> Generator[_Batch, None, None]:
    left, right = grid.columns[0], grid.columns[-1] + grid.side
    for row in rows:
        source = raster.across(plan.bands, Window(row, left, grid.side, right - left), grid.side)
        for columns in _chunks(grid.columns, plan.batch):
            read = [read_tile(source, plan.bands, plan.scaling, row, column, grid.side) for column in columns]
            yield _Batch(row, columns, [tile for tile, _ in read], [valid for _, valid in read])


def _logits(plan: MapPlan, model: LandCoverModel, raster: Raster, batch: _Batch) -> NDArray[np.float32]:
    """(B, K, side, side); zero for tiles without a valid pixel, which the network never sees."""
    side = plan.grid.side
    seen = [i for i, valid in enumerate(batch.valid) if valid.any()]
    logits = np.zeros((len(batch.columns), len(model.header.classes), side, side), np.float32)
    if seen:
        positions = [(batch.row, batch.columns[i]) for i in seen]
        tiles = torch.stack([batch.tiles[i] for i in seen])
        logits[seen] = model.logits(tiles, raster, positions).numpy()
    return logits


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

    def add(self, batch: _Batch, logits: NDArray[np.float32]) -> None:
        """Adds tiles of one row of tiles, from left to right."""
        for column, tile, mask in zip(batch.columns, logits, batch.valid, strict=True):
            to_rows, from_rows = _overlap(self.top, self.side, batch.row, self.side)
            to_cols, from_cols = _overlap(self.window.col, self.window.width, column, self.side)
            weights = self.weights[from_rows, from_cols]
            self.logits[:, to_rows, to_cols] += weights * tile[:, from_rows, from_cols]
            self.total[to_rows, to_cols] += weights
            self.valid[to_rows, to_cols] |= mask[from_rows, from_cols]

    def finish(self, window: Window) -> Strip:
        """The rows of ``window``, which begins at the first open row and which no later tile reaches."""
        rows = window.height
        strip = Strip(
            window,
            (self.logits[:, :rows] / np.maximum(self.total[:rows], 1e-12)).astype(np.float32),
            self.valid[:rows].copy(),
        )
        for buffer in (self.logits, self.total[None], self.valid[None]):
            buffer[:, : self.side - rows] = buffer[:, rows:].copy()
            buffer[:, self.side - rows :] = 0
        self.top += rows
        return strip


def _overlap(start: int, length: int, other: int, side: int) -> tuple[slice, slice]:
    """The part that [start, start+length) shares with [other, other+side), as slices of each."""
    low, high = max(start, other), min(start + length, other + side)
    return slice(low - start, high - start), slice(low - other, high - other)


def _chunks(columns: tuple[int, ...], size: int) -> Iterator[tuple[int, ...]]:
    starts = [*range(0, len(columns), size), len(columns)]
    for low, high in pairwise(starts):
        yield columns[low:high]
