"""Pixel values scaled to what a model reads: how the limits are measured, and the scaling itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...protocol.choices import SCALING
from ...protocol.errors import EngineError
from .held import Bools, Floats
from .read import Raster
from .spots import Spots, look
from .units import Units, check_units

KINDS = SCALING[1:]
# Percentiles of an image stretch are those of QGIS's own default; constants must also serve images that were
# not in the training data, so they reach further out.
_IMAGE_PERCENTILES = (2.0, 98.0)
_POOLED_PERCENTILES = (1.0, 99.0)
_POOLED_MARGIN = 0.05
_MOST_PIXELS = 4_000_000
_SCAN_BLOCK = 2048
# Roofs, sand and clouds lie above the upper limit by design. Up to a quarter of the range beyond either limit
# they keep their contrast; further out values would only take the network where it has never been.
LIMIT = 1.5
_CUT = (LIMIT - 1) / 2
# Kinds whose limits the user gives.
_GIVEN = ("divisor", "none")
_MOST_CUT = 0.5
# Of the range between the limits, what values take at least unless there is one only.
_LEAST_SPREAD = 0.001
# What 8-bit, reflectance and 16-bit images are usually divided by.
_DIVISORS = (255, 10_000, 65_535)


@dataclass(frozen=True)
class Scaling:
    """How values become model input: ``low`` maps to -1 and ``high`` to 1, one number a band.

    Of kind "percentile" the limits belong to one image; a model file keeps the kind with no limits, and they
    are measured for each image that it is applied to.
    """

    kind: str
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f'scaling is "{self.kind}" but must be one of {", ".join(KINDS)}')
        if len(self.low) != len(self.high):
            raise ValueError(f"scaling has {len(self.low)} lower and {len(self.high)} upper limits")


def measure(kind: str, images: Sequence[tuple[Raster, tuple[int, ...]]], divisor: float = 0.0) -> Scaling:
    """The scaling of one image ("percentile") or of all training images together ("constant").

    Limits are in the numbers of the first image; `in_units` makes them those of the others. "divisor" takes 0 to
    ``divisor``, "none" values that are 0 to 1 already. At most 4 million pixels are looked at, evenly thinned, so that
    figures do not depend on memory. Raises EngineError("bad_input") where an image has no valid pixel, or lies beyond
    limits that were given.
    """
    units = units_of(*images[0])
    if kind in _GIVEN:
        bands, high = len(images[0][1]), float(divisor) if kind == "divisor" else 1.0
        scaling = Scaling(kind, (0.0,) * bands, (high,) * bands)
        for raster, chosen in images:
            fitted = in_units(scaling, units, f'"{images[0][0].name}"', raster, chosen)
            check_range(fitted, raster, look(raster, chosen))
        return scaling
    budget = _MOST_PIXELS // len(images)
    samples = [_converted(_sample(*image, budget), units_of(*image), units) for image in images]
    return limits(kind, np.concatenate(samples, axis=1))


def units_of(raster: Raster, bands: tuple[int, ...]) -> tuple[Units, ...]:
    """The scale and offset that a raster declares for each of the bands."""
    return tuple(raster.units[band - 1] for band in bands)


def in_units(scaling: Scaling, units: Sequence[Units], whose: str, raster: Raster, bands: tuple[int, ...]) -> Scaling:
    """The scaling with limits, which are in numbers of ``units``, as those that the raster stores for the same ground.

    ``whose`` units these are ends a sentence; () are those of a model that does not know, which takes numbers as they
    are. Limits that are measured for each image fit it. Raises EngineError("bad_input") where the raster declares scale
    and offset and the other does not, or the other way round.
    """
    own = units_of(raster, bands)
    if not scaling.low or not units or own == tuple(units):
        return scaling
    check_units(f'"{raster.name}"', own, whose, units)
    limits = np.array([scaling.low, scaling.high])
    low, high = _converted(limits.T, units, own).T
    return replace(scaling, low=tuple(map(float, low)), high=tuple(map(float, high)))


def _converted(values: Floats, of: Sequence[Units], to: Sequence[Units]) -> Floats:
    """Values (C,N) of files that declare ``of`` as numbers of one that declares ``to``; unchanged where these agree."""
    if tuple(of) == tuple(to):
        return values
    gain, shift = np.array([one.to(other) for one, other in zip(of, to, strict=True)]).T[:, :, None]
    return values.astype(np.float64) * gain + shift


def check_range(scaling: Scaling, raster: Raster, spots: Spots) -> None:
    """Raises EngineError("bad_input") where most values of an image lie beyond the scaling's limits, or where all fill
    less than a thousandth of the range between them, as shares of 0 to 1 do where thousands are wanted.

    The network would see one colour. Limits that are measured for each image fit it. ``spots`` are those of the raster.
    """
    values = spots.values
    if not scaling.low or not values.size:
        return
    low, high = (np.asarray(limit)[:, None] for limit in (scaling.low, scaling.high))
    beyond = (high - low) * _CUT
    cut = np.count_nonzero((values > high + beyond) | (values < low - beyond))
    least, most = float(values.min()), float(values.max())
    if cut <= values.size * _MOST_CUT and not 0 < most - least < _LEAST_SPREAD * float((high - low).min()):
        return
    if scaling.kind == "constant":
        how = "the constants of the training images"
        remedy = (
            "Map images of the same kind as those that the model was trained on; or train with percentiles of each "
            "image (Scaling of values: Percentiles of each image)"
        )
    else:
        how = f"dividing by {scaling.high[0]:g}" if scaling.kind == "divisor" else "values as they are"
        fitting = [divisor for divisor in _DIVISORS if least >= 0 and most <= divisor]
        remedy = f"Train with automatic scaling{f', or with division by {fitting[0]}' if fitting else ''}"
    raise EngineError(
        "bad_input",
        f'The values of "{raster.name}" ({raster.dtype}) lie between {least:g} and {most:g}, but the scaling, {how}, '
        f"takes those from {min(scaling.low):g} to {max(scaling.high):g}.",
        f"{remedy}; or bring the image to that range first (Raster > Raster Calculator).",
    )


def limits(kind: str, values: Floats) -> Scaling:
    """Scaling of kind "percentile" or "constant" from values (C,N), all valid, N at least 1."""
    wanted = _IMAGE_PERCENTILES if kind == "percentile" else _POOLED_PERCENTILES
    low, high = np.percentile(values.astype(np.float64), wanted, axis=1)
    if kind == "constant":
        margin = (high - low) * _POOLED_MARGIN
        low, high = low - margin, high + margin
    # An image of one value has no range: put it in the middle.
    flat = high <= low
    low, high = np.where(flat, low - 0.5, low), np.where(flat, high + 0.5, high)
    return Scaling(kind, tuple(map(float, low)), tuple(map(float, high)))


def scale(values: Floats, valid: Bools, scaling: Scaling) -> NDArray[np.float32]:
    """Values (C,h,w) as model input: -1 at the lower limit, 1 at the upper, cut at -1.5 and 1.5; invalid is 0."""
    if len(scaling.low) != len(values):
        raise ValueError(f"scaling is for {len(scaling.low)} bands but there are {len(values)}")
    low = np.asarray(scaling.low, np.float64)[:, None, None]
    gain = 2.0 / (np.asarray(scaling.high, np.float64)[:, None, None] - low)
    # Of one kind before it is computed with: where memory ends, numpy's buffers for mixed kinds end the process.
    scaled = values.astype(np.float64)
    scaled -= low
    scaled *= gain
    scaled -= 1.0
    np.clip(scaled, -LIMIT, LIMIT, out=scaled)
    scaled[:, ~valid] = 0.0
    return scaled.astype(np.float32)


def _sample(raster: Raster, bands: tuple[int, ...], budget: int) -> Floats:
    """Valid values (C,N) of a raster, N at least 1 and about ``budget`` at most."""
    values, valid = raster.read_thinned(bands, budget)
    if valid.any():
        return values[:, valid]
    # Thinning can miss what little is there: look at all that may hold data, by blocks, until the budget is met.
    found, count = [], 0
    for window in raster.filled.around().intersection(raster.grid.whole).blocks(_SCAN_BLOCK):
        values, valid = raster.read(bands, window)
        if valid.any():
            found.append(values[:, valid])
            count += found[-1].shape[1]
        if count >= budget:
            break
    if not found:
        raise EngineError(
            "bad_input",
            f'The raster "{raster.name}" has no valid pixel: all are nodata or masked.',
            "Choose another raster, or check its nodata value.",
        )
    return np.concatenate(found, axis=1)
