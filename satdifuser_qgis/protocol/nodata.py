"""Pixels without data as a user sets them for an image, beside what its file declares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple


@dataclass(frozen=True)
class NoData:
    """What the layer properties of QGIS say of one image.

    ``ranges`` are a band, the lowest and the highest value that mean "no data" there, both included: values as QGIS
    shows them, with the scale and offset that the file declares. ``measured`` are the bands whose nodata value in the
    file is a measurement all the same. Bands count from 1; band 0 is every band.
    """

    ranges: Tuple[Tuple[int, float, float], ...] = ()
    measured: Tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for band, low, high in self.ranges:
            if low > high:
                raise ValueError(f"nodata runs from {low:g} to {high:g} in band {band}: give the lower value first")
        for band in (*(item[0] for item in self.ranges), *self.measured):
            if band < 0:
                raise ValueError(f"nodata names band {band}, but bands count from 1, and 0 is every band")


# The file alone decides.
AS_DECLARED = NoData()
