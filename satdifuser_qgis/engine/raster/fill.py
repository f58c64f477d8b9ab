"""Values that look like fill, although the file does not declare them as nodata (decision 0020)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .read import Raster
from .spots import Spots

# A smaller share of the pixels looked at does no harm, and saturated roofs and ships reach it.
_LEAST_SHARE = 0.005
# Masks, and calm water in 8 bits, have fewer values than these.
_LEAST_VALUES = 16
# Distances from all other values, in ranges of these. Saturated clouds of Landsat, 16000, lie at up to 5.4.
_VERY_FAR, _FAR = 10.0, 2.0
# Within this share of the range from the value there are a tenth as many pixels as of the value at most; and for 0 in
# the range, which may also be dark ground that was cut off, a tenth of what an even spread would put there.
_NEAR, _MOST_NEAR = 0.02, 0.1
# In 8 bits the highest value is what is too bright, in clouds by the square kilometre.
_WHITE = 255.0


@dataclass(frozen=True)
class _Fill:
    """A value, its share of the pixels looked at, and the percentiles 1 and 99 of the others in that band."""

    value: float
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class _Band:
    """Valid values (N,) of the spots in one band, and those that fill a block alone: in this band, in all bands.

    ``top`` is the highest value of its type, infinity for real numbers.
    """

    values: NDArray[np.float64]
    alone: frozenset[float]
    alone_in_all: frozenset[float]
    top: float

    def fills(self) -> Iterator[_Fill]:
        """Lowest and highest values that look like fill, from the outside to the inside."""
        rest = self.values
        while len(rest):
            counts = {end: int(np.count_nonzero(rest == end)) for end in (float(rest.min()), float(rest.max()))}
            ends = [end for end, count in counts.items() if count >= _LEAST_SHARE * len(self.values)]
            # Fill at one end must not widen the range in which fill at the other one is judged.
            others = rest[~np.isin(rest, ends)]
            found = [end for end in ends if self._looks_filled(end, others, counts[end])]
            for value in found:
                low, high = np.percentile(others, (1, 99))
                yield _Fill(value, counts[value] / len(self.values), float(low), float(high))
            if not found:
                return
            rest = rest[~np.isin(rest, found)]

    def _looks_filled(self, value: float, others: NDArray[np.float64], count: int) -> bool:
        if len(np.unique(others)) < _LEAST_VALUES:
            return False
        low, high = np.percentile(others, (1, 99))
        below = value < low
        far = (low - value if below else value - high) / max(high - low, np.finfo(np.float64).tiny)
        beside = np.count_nonzero(np.abs(others - value) <= _NEAR * (high - value if below else value - low))
        if beside > _MOST_NEAR * count or value == self.top == _WHITE:
            return False
        if below:
            zero = value == 0 and value in self.alone_in_all and beside <= _MOST_NEAR * _NEAR * len(others)
            return bool(far > _FAR or zero)
        return bool(far > (_FAR if value == self.top and value in self.alone else _VERY_FAR))


def fill_note(raster: Raster, bands: tuple[int, ...], spots: Spots) -> str:
    """A warning that names values that look like undeclared fill, their shares and the way out; "" where none do."""
    found: dict[float, tuple[_Fill, list[int]]] = {}
    for number, band in zip(bands, _bands(raster, spots), strict=True):
        for fill in band.fills():
            found.setdefault(fill.value, (fill, []))[1].append(number)
    if not found:
        return ""
    listed = "; ".join(_told(fill, list(dict.fromkeys(where))) for fill, where in found.values())
    return (
        f'"{raster.name}" seems to hold fill that its file does not declare as nodata. Of the pixels looked at, '
        f"{listed}. They are taken for measurements. If they hold no data, say so in the layer's properties "
        '(Transparency, "Additional no data value") or in the file (Raster > Conversion > Translate, "Assign a '
        'specified NoData value"), and run it again.'
    )


def _told(fill: _Fill, bands: list[int]) -> str:
    where = f"band{'s' * (len(bands) > 1)} {', '.join(map(str, bands))}"
    return (
        f"{100 * fill.share:.2g} % are {fill.value:.9g} in {where}, where most others lie between {fill.low:.4g} and "
        f"{fill.high:.4g}"
    )


def _bands(raster: Raster, spots: Spots) -> Iterator[_Band]:
    values, (firsts, alone) = spots.values.astype(np.float64), spots.blocks()
    top = float(np.iinfo(raster.dtype).max) if np.issubdtype(raster.dtype, np.integer) else np.inf
    everywhere = alone.all(axis=0)
    for of_band, first, only in zip(values, firsts, alone, strict=True):
        yield _Band(of_band, frozenset(first[only].tolist()), frozenset(first[everywhere].tolist()), top)
