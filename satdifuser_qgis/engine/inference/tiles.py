"""Tiles over a raster: where they lie, how they are read, and how their results are blended.

The grid is anchored at the raster's origin whatever part of it is asked for, so a pixel's result does not
depend on the extent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ...protocol.errors import EngineError
from ..raster.grid import Window, in_metres, tile_origins
from ..raster.held import Held
from ..raster.normalise import Scaling, scale
from ..raster.read import Raster

# Pixel sizes closer than this are the same: resampling would blur and gain nothing.
SAME_SIZE = 0.05
# Raster and model may differ by this factor in pixel size. Finer rasters need tiles of thousands of pixels a side,
# which fill the memory; of coarser ones a tile would show eight pixels and fewer, blown up, and take hours to no end.
LARGEST_FACTOR = 16


@dataclass(frozen=True)
class TileGrid:
    """Square tiles over one raster. ``side`` is in pixels of the raster, ``tile_px`` in pixels of the network."""

    rows: tuple[int, ...]
    columns: tuple[int, ...]
    side: int
    tile_px: int

    def touching(self, window: Window) -> TileGrid:
        """The tiles that reach into ``window``, at their places in the whole raster."""
        rows = tuple(r for r in self.rows if r < window.row + window.height and r + self.side > window.row)
        columns = tuple(c for c in self.columns if c < window.col + window.width and c + self.side > window.col)
        return TileGrid(rows, columns, self.side, self.tile_px)


def side_in_raster(tile_px: int, model_gsd_m: float, gsd_m: float | None) -> int:
    """How many pixels of the raster a tile of ``tile_px`` network pixels covers.

    The same number where either pixel size is unknown, or where they differ by less than 5 %. Raises
    EngineError("bad_input") where the raster is more than `LARGEST_FACTOR` times finer or coarser.
    """
    if not model_gsd_m or gsd_m is None:
        return tile_px
    ratio = model_gsd_m / gsd_m
    if abs(ratio - 1) < SAME_SIZE:
        return tile_px
    if not 1 / LARGEST_FACTOR <= ratio <= LARGEST_FACTOR:
        raise _too_different(gsd_m, model_gsd_m)
    return max(8, round(tile_px * ratio))


def _too_different(gsd_m: float, model_gsd_m: float) -> EngineError:
    """No resampling makes up for it: one sees what the other cannot."""
    if gsd_m < model_gsd_m:
        remedy = (
            f"Resample the raster to pixels of {in_metres(model_gsd_m / LARGEST_FACTOR)} to {in_metres(model_gsd_m)} "
            "first (Raster > Projections > Warp), or use a model of finer images."
        )
    else:
        remedy = (
            f"Choose an image with pixels of at most {in_metres(model_gsd_m * LARGEST_FACTOR)}, or train a model on "
            f"images of about {in_metres(gsd_m)}."
        )
    times = max(gsd_m / model_gsd_m, model_gsd_m / gsd_m)
    return EngineError(
        "bad_input",
        f"The raster has {in_metres(gsd_m)} a pixel, the model {in_metres(model_gsd_m)}: they differ by a factor of "
        f"{times:,.0f}, and at most {LARGEST_FACTOR} can be bridged.",
        remedy,
    )


def tile_grid(height: int, width: int, side: int, tile_px: int, overlap_percent: int) -> TileGrid:
    """Tiles that cover a raster of height × width pixels and share at least ``overlap_percent`` of their side."""
    overlap = side * overlap_percent // 100
    return TileGrid(
        tuple(tile_origins(height, side, overlap)), tuple(tile_origins(width, side, overlap)), side, tile_px
    )


def read_tile(
    raster: Raster | Held, bands: tuple[int, ...], scaling: Scaling, row: int, column: int, side: int
) -> tuple[Tensor, NDArray[np.bool_]]:
    """One tile in pixels of the raster, scaled: (3, side, side) float32, and its valid pixels, (side, side).

    Invalid pixels get the mean of the tile's valid ones: a hard edge there would colour its surroundings.
    """
    values, valid = raster.read(bands, Window(row, column, side, side))
    scaled = scale(values, valid, scaling)
    if valid.any() and not valid.all():
        scaled[:, ~valid] = scaled[:, valid].mean(axis=1, keepdims=True)
    return torch.from_numpy(np.ascontiguousarray(scaled, dtype=np.float32)), valid


def resize(images: Tensor, side: int) -> Tensor:
    """(B, C, h, w) brought to side × side, bilinear, antialiased where it shrinks; untouched where it fits."""
    if images.shape[-2:] == (side, side):
        return images
    return functional.interpolate(images, size=(side, side), mode="bilinear", align_corners=False, antialias=True)


def blend_weights(side: int) -> NDArray[np.float32]:
    """(side, side) weights above 0 that fall towards a tile's edge, where it sees least of its surroundings.

    A raised cosine, so that two tiles meeting anywhere in their overlap pass smoothly into one another. Where a tile
    begins it must weigh next to nothing: with 0.02 there, probabilities changed 1.11 times as much across tile edges as
    elsewhere (seven Sentinel-2 images, overlap 25 %), with 0.001 as much as elsewhere.
    """
    position = (np.arange(side) + 0.5) / side
    ramp = 0.001 + np.sin(np.pi * position) ** 2
    return np.outer(ramp, ramp).astype(np.float32)
