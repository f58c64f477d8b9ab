"""A part of a raster that was read once and is looked at piece by piece."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .grid import Window

# float32, or float64 where the file's own numbers are wider.
Floats = NDArray[np.floating[Any]]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Held:
    """A window of a raster in memory: values (C,h,w) of the bands that were asked for, and valid pixels (h,w)."""

    window: Window
    values: Floats
    valid: Bools

    def read(self, bands: tuple[int, ...], window: Window) -> tuple[Floats, Bools]:
        """As `Raster.read`, of the same bands and within the window that is held."""
        top, left = window.row - self.window.row, window.col - self.window.col
        part = slice(top, top + window.height), slice(left, left + window.width)
        return self.values[:, part[0], part[1]], self.valid[part]
