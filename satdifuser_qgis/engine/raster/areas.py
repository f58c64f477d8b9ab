"""Areas on the ground: of polygons on a grid, and of the classes of a map."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from ...protocol.classes import LandCoverClass
from ..listing import MOST_NAMED
from .grid import Grid, to_lon_lat

# Areas are measured along geodesics, which leave a straight map line between vertices that lie far apart.
_STEP_PX = 64
# Within one of so many bands of rows all pixels count alike; bands are measured in pieces, since around the whole Earth
# there is no inside.
_BANDS, _PIECES = 256, 16
_M2_IN_HECTARE = 1e4


@dataclass(frozen=True)
class ClassArea:
    """How much of a map is one class: ``hectares`` on the ground, None where that is not known, and the ``share`` of
    all that is mapped, 0 to 1."""

    item: LandCoverClass
    pixels: int
    hectares: float | None
    share: float

    @property
    def figures(self) -> dict[str, int | float | str | None]:
        """For scripts and models, as JSON holds it."""
        hectares = None if self.hectares is None else round(self.hectares, 4)
        percent = round(100 * self.share, 3)
        named: dict[str, int | float | str | None] = {"class": self.item.code, "name": self.item.name}
        return {**named, "pixels": self.pixels, "hectares": hectares, "percent": percent}


def class_areas(counts: NDArray[np.int64], grid: Grid, classes: Sequence[LandCoverClass]) -> tuple[ClassArea, ...]:
    """Areas of classes from how many pixels each has in each row of the grid, (h,K).

    On the ellipsoid; shares are of the ground, and of the pixels where there is no CRS of the Earth.
    """
    edges = np.unique(np.linspace(0, grid.height, _BANDS + 1).round().astype(np.int64))
    by_band = np.add.reduceat(counts, edges[:-1])
    pixel_m2 = _pixel_areas_m2(grid, edges)
    areas = counts.sum(axis=0).astype(np.float64) if pixel_m2 is None else pixel_m2 @ by_band / _M2_IN_HECTARE
    total = areas.sum()
    return tuple(
        ClassArea(item, int(pixels), None if pixel_m2 is None else float(area), float(area / total) if total else 0.0)
        for item, pixels, area in zip(classes, counts.sum(axis=0), areas, strict=True)
    )


def in_hectares(hectares: float) -> str:
    """As it is written: "1,234", "12.3", "0.042"."""
    return f"{hectares:,.0f}" if hectares >= 100 else f"{hectares:.3g}"


def area_lines(areas: Sequence[ClassArea]) -> list[str]:
    """ "water: 12.3 ha, 4.5 %" for each class, the largest first; pixels where hectares are not known. Of many classes
    the smallest have one line together."""
    largest_first = sorted(areas, key=lambda area: -area.share)
    largest_first, others = largest_first[:MOST_NAMED], largest_first[MOST_NAMED:]
    rest = f"{len(others)} more class{'es' * (len(others) > 1)}: {100 * sum(area.share for area in others):.1f} %"
    sizes = [
        f"{area.pixels:,} pixel{'s' * (area.pixels != 1)}"
        if area.hectares is None
        else f"{in_hectares(area.hectares)} ha"
        for area in largest_first
    ]
    return [
        f"{area.item.name}: {size}, {100 * area.share:.1f} %" for area, size in zip(largest_first, sizes, strict=True)
    ] + [rest] * bool(others)


def areas_m2(polygons: NDArray[np.object_], grid: Grid) -> NDArray[np.float64]:
    """Areas of polygons (in map units) on the ellipsoid; NaN without a CRS of the Earth."""
    crs = CRS.from_wkt(grid.crs_wkt) if grid.crs_wkt else None
    geod, lon_lat = (crs.get_geod(), to_lon_lat(crs)) if crs is not None else (None, None)
    if geod is None or lon_lat is None or not len(polygons):
        return np.full(len(polygons), np.nan)
    step = _STEP_PX * math.sqrt(abs(grid.transform.determinant))
    _, xy, (ring_ends, polygon_ends) = shapely.to_ragged_array(shapely.segmentize(polygons, step))
    lon, lat = lon_lat.transform(xy[:, 0], xy[:, 1])
    rings = np.array([abs(geod.polygon_area_perimeter(lon[a:b], lat[a:b])[0]) for a, b in pairwise(ring_ends)])
    outer = polygon_ends[:-1]
    holes = rings.copy()
    holes[outer] = 0
    areas: NDArray[np.float64] = rings[outer] - np.add.reduceat(holes, outer)
    return areas


def _pixel_areas_m2(grid: Grid, edges: NDArray[np.int64]) -> NDArray[np.float64] | None:
    """Mean area of a pixel in each band of rows; None where none can be measured.

    What lies beyond the CRS's own world does not count; a band that lies there as a whole gets the others' mean.
    """
    sides = np.unique(np.linspace(0, grid.width, _PIECES + 1).round().astype(np.int64))
    boxes = shapely.box(sides[:-1], edges[:-1, None], sides[1:], edges[1:, None])
    placed = shapely.transform(boxes.ravel(), lambda xy: np.column_stack(grid.transform @ (xy[:, 0], xy[:, 1])))
    areas = areas_m2(placed, grid).reshape(boxes.shape)
    known = np.isfinite(areas)
    if not known.any():
        return None
    pixels = (known * shapely.area(boxes)).sum(axis=1)
    sums = np.where(known, areas, 0).sum(axis=1)
    return np.where(pixels > 0, sums / np.maximum(pixels, 1), sums.sum() / pixels.sum())
