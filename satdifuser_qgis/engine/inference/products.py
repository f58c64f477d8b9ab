"""What is written of a strip of logits: class codes, and where wanted probabilities, entropy and confidence."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...protocol.classes import LandCoverClass, nodata_for
from ..raster.grid import Window
from ..raster.read import Raster
from ..reporter import Reporter
from .landcover_model import LandCoverModel
from .mapping import MapPlan, Strip, map_strips
from .seams import differences
from .tiles import TileGrid

# In the rasters of shares, entropy and confidence.
NO_SHARE = -1.0
Products = dict[str, NDArray[Any]]
# Makes the arrays of a strip, where they are written: beside the network.
MakeArrays = Callable[[], Products]


class ProductMaker:
    """Makes the arrays of a strip. ``wanted`` is any of probabilities, entropy and confidence; classes always are."""

    def __init__(self, classes: tuple[LandCoverClass, ...], wanted: Collection[str]) -> None:
        self.codes = np.array([item.code for item in classes])
        self.nodata = nodata_for(int(code) for code in self.codes)
        self.dtype = "uint8" if max(self.nodata, int(self.codes.max())) <= 255 else "uint16"
        self.wanted = frozenset(wanted)

    def __call__(self, strip: Strip, grid: TileGrid) -> Products:
        """Arrays (bands, h, w): codes as integers, the rest float32 from 0 to 1; nodata where the input has none.

        Beside them, for `seams.Seams`: ``differences``, and the probabilities ``ends`` of the first and last row.
        """
        codes = np.where(strip.valid, self.codes[strip.logits.argmax(axis=0)], self.nodata)
        shares = softmax(strip.logits)
        made: Products = {"classes": codes[None].astype(self.dtype)}
        if "entropy" in self.wanted:
            made["entropy"] = entropy(shares)[None]
        if "confidence" in self.wanted:
            made["confidence"] = shares.max(axis=0, keepdims=True)
        if "probabilities" in self.wanted:
            made["probabilities"] = shares
        for array in (shares, *(made[name] for name in self.wanted - {"probabilities"})):
            array[:, ~strip.valid] = NO_SHARE
        made["differences"] = differences(strip.window, shares, grid)
        made["ends"] = shares[:, [0, -1]].swapaxes(0, 1)
        return made

    @property
    def pixel_bytes(self) -> int:
        """What the arrays take for each pixel."""
        shares = sum(len(self.codes) if name == "probabilities" else 1 for name in self.wanted)
        return np.dtype(self.dtype).itemsize + np.dtype(np.float32).itemsize * shares

    def any_valid(self, products: Products) -> bool:
        """Whether some pixel has a class."""
        return bool((products["classes"] != self.nodata).any())


def map_products(
    model: LandCoverModel,
    plan: MapPlan,
    raster: Raster,
    make: ProductMaker,
    reporter: Reporter,
    is_finished: Callable[[Window], bool] = lambda window: False,
) -> Generator[tuple[Window, MakeArrays], None, None]:
    """The strips of `map_strips`, each with what makes its arrays."""
    for strip in map_strips(plan, model, raster, reporter, is_finished):
        yield strip.window, partial(make, strip, plan.grid)


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """(K, h, w) shares from 0 to 1 that sum to 1 over the classes."""
    shares = np.asarray(logits - logits.max(axis=0, keepdims=True), dtype=np.float32)
    np.exp(shares, out=shares)
    shares /= shares.sum(axis=0, keepdims=True)
    return shares


def entropy(shares: NDArray[np.float32]) -> NDArray[np.float32]:
    """(h, w) entropy of the class shares over its largest possible value: 0 is sure, 1 knows nothing."""
    bits = -(shares * np.log(np.maximum(shares, 1e-12))).sum(axis=0)
    return np.asarray(np.clip(bits / np.log(len(shares)), 0, 1), dtype=np.float32)
