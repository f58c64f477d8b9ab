"""Small windows spread over a raster: what its values are like, whatever its size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from .grid import Window
from .held import Bools, Floats
from .read import Raster

Number = TypeVar("Number", bound=np.generic)
_SPOTS, _SPOT_PX, _BLOCK_PX = 8, 64, 16


@dataclass(frozen=True)
class Spots:
    """Squares of a raster as they were read: values (C,n,n) and which of their pixels are valid (n,n)."""

    squares: Sequence[tuple[Floats, Bools]]

    @property
    def values(self) -> Floats:
        """(C,N) valid values, all spots together; N may be 0, and where spots overlap pixels count again."""
        return np.concatenate([values[:, valid] for values, valid in self.squares], axis=1)

    def blocks(self) -> tuple[Floats, Bools]:
        """(C,B) the first value of each block of 16 × 16 valid pixels, and whether it is the only one there."""
        firsts, alone = [], []
        for values, valid in self.squares:
            tiled = _tiled(values)[:, _tiled(valid[None])[0].all(axis=1)]
            firsts.append(tiled[..., 0])
            alone.append((tiled == tiled[..., :1]).all(axis=2))
        return np.concatenate(firsts, axis=1), np.concatenate(alone, axis=1)


def look(raster: Raster, bands: tuple[int, ...]) -> Spots:
    """Up to 64 spots of 64 × 64 pixels, evenly from edge to edge."""
    rows, cols = (
        np.unique(np.linspace(0, max(0, length - _SPOT_PX), _SPOTS).astype(int))
        for length in (raster.grid.height, raster.grid.width)
    )
    return Spots([raster.read(bands, Window(int(r), int(c), _SPOT_PX, _SPOT_PX)) for r in rows for c in cols])


def _tiled(square: NDArray[Number]) -> NDArray[Number]:
    """(C,n,n) as (C, blocks, pixels of a block)."""
    count, side, _ = square.shape
    parts = square.reshape(count, side // _BLOCK_PX, _BLOCK_PX, side // _BLOCK_PX, _BLOCK_PX)
    return parts.swapaxes(2, 3).reshape(count, -1, _BLOCK_PX**2)
