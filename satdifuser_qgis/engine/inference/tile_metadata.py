"""What DiffusionSat wants to know of a tile, taken from the raster: place, pixel size, date."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import torch
from pyproj import CRS
from torch import Tensor

from ...protocol.errors import EngineError
from ..backbones import METADATA_NAMES
from ..raster.grid import Grid, no_crs, to_lon_lat
from ..raster.read import Raster

# Tags that hold when the image was taken; the TIFF's own date is when the file was written, so it is not used.
_DATE_TAGS = (("IMAGERY", "ACQUISITIONDATETIME"), ("", "ACQUISITION_DATE"), ("", "acquisition_date"))


def tile_metadata(raster: Raster, positions: Sequence[tuple[int, int]], side: int, tile_px: int) -> Tensor:
    """(B, 7) in natural units, see `backbones.METADATA_NAMES`; NaN where the raster does not say.

    positions: row and column of each tile; side: its size in pixels of the raster; tile_px: in pixels of the
    network, which is what the pixel size counts for. Raises EngineError("bad_input") without a CRS.
    """
    gsd_m = raster.grid.gsd_m
    if gsd_m is None:
        raise EngineError(
            "bad_input",
            f'The raster "{raster.name}" has {no_crs(raster.grid.nowhere_wkt)}, so its place is unknown.',
            "Set its CRS, or choose metadata zeros.",
        )
    date = acquisition_date(raster)
    rows = [
        (*_centre(raster.grid, row, column, side), gsd_m * side / tile_px, math.nan, *date) for row, column in positions
    ]
    return torch.tensor(rows, dtype=torch.float64).reshape(-1, len(METADATA_NAMES))


def acquisition_date(raster: Raster) -> tuple[float, float, float]:
    """Year, month and day from the raster's tags; NaN where they say nothing."""
    for domain, name in _DATE_TAGS:
        match = re.match(r"(\d{4})\D?(\d{2})\D?(\d{2})", raster.tags[domain].get(name, ""))
        if match:
            year, month, day = (float(part) for part in match.groups())
            return year, month, day
    return math.nan, math.nan, math.nan


def _centre(grid: Grid, row: int, column: int, side: int) -> tuple[float, float]:
    to_degrees = to_lon_lat(CRS.from_wkt(grid.crs_wkt))
    if to_degrees is None:
        return math.nan, math.nan
    longitude, latitude = to_degrees.transform(*(grid.transform @ (column + side / 2, row + side / 2)))
    return float(longitude), float(latitude)
