"""A class raster read strip by strip, whatever its size: small patches absorbed, and pixels counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...protocol.classes import LandCoverClass
from ..raster.areas import ClassArea, class_areas
from ..raster.read import open_raster
from ..raster.write import BandWriter
from .coverage import RasterSource, array_on_disk, smallest_px
from .patches import find_patches, strips_of


def sieve(
    class_raster: Path, numbers_file: Path, writer: BandWriter, min_area: float, nodata: int, check: Callable[[], None]
) -> None:
    """Writes a class raster without its patches below ``min_area``, which go to neighbours as those of polygons do.

    ``min_area`` is in m², in pixels where the raster has no CRS. ``numbers_file`` is a scratch file of 4 bytes a pixel;
    the caller removes it. ``check`` is called between strips.
    """
    with open_raster(str(class_raster)) as raster:
        source = RasterSource(raster)
        numbers = array_on_disk(numbers_file, (source.height, source.width))
        patches = find_patches(source, smallest_px(source.grid, min_area), numbers, check)
        codes = np.concatenate([[nodata], patches.codes])
        for row, rows in strips_of(source.height, source.width):
            check()
            writer.write(row, codes[numbers[row : row + rows]][None])
        del numbers, patches  # Windows removes no file that is mapped


def measure_classes(
    class_raster: Path, classes: Sequence[LandCoverClass], check: Callable[[], None]
) -> tuple[ClassArea, ...]:
    """The area of each class of a class raster. ``check`` is called between strips."""
    with open_raster(str(class_raster)) as raster:
        source = RasterSource(raster)
        counts: NDArray[np.int64] = np.zeros((source.height, len(classes)), np.int64)
        for row, rows in strips_of(source.height, source.width):
            check()
            codes, valid = source.read(row, rows)
            for index, item in enumerate(classes):
                counts[row : row + rows, index] = ((codes == item.code) & valid).sum(axis=1)
        return class_areas(counts, source.grid, classes)
