"""Where pixels lie: grids, windows and tiles. Arithmetic only, no files."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from affine import Affine
from pyproj import CRS, Transformer

from ...protocol.crs import is_undefined
from ...protocol.errors import EngineError

# Below this difference the pixel size that the projection states is kept, so that 10 m in UTM stay 10 m
# although the ground says 9.996 to 10.01 m. Web Mercator at 45 degrees is off by 41 % and is measured.
_PROJECTION_TOLERANCE = 0.02
_SNAP_TOLERANCE_PX = 1e-6
Extent = tuple[float, float, float, float]


@dataclass(frozen=True)
class Window:
    """A rectangle of pixels: first row and column, height and width. It may reach beyond the raster."""

    row: int
    col: int
    height: int
    width: int

    def intersection(self, other: Window) -> Window:
        """The common part; height or width is 0 where there is none."""
        row, col = max(self.row, other.row), max(self.col, other.col)
        bottom = min(self.row + self.height, other.row + other.height)
        right = min(self.col + self.width, other.col + other.width)
        return Window(row, col, max(0, bottom - row), max(0, right - col))

    @property
    def empty(self) -> bool:
        """Whether no pixel is in it."""
        return self.height <= 0 or self.width <= 0

    def blocks(self, size: int) -> Iterator[Window]:
        """The window cut into pieces of at most ``size`` by ``size`` pixels, row by row."""
        for row in range(self.row, self.row + self.height, size):
            for col in range(self.col, self.col + self.width, size):
                height = min(size, self.row + self.height - row)
                yield Window(row, col, height, min(size, self.col + self.width - col))


@dataclass(frozen=True)
class Grid:
    """The pixels of a raster on the ground.

    ``crs_wkt`` is empty where there is no CRS, or one that names no place, which is then in ``nowhere_wkt``: outputs
    have it too. ``placed`` is False where the file has no geotransform: then ``transform`` is the one that QGIS draws
    such files with (one unit a pixel, rows downwards from 0), so that labels drawn over the raster meet it, and outputs
    get no geotransform either.
    """

    crs_wkt: str
    transform: Affine
    width: int
    height: int
    placed: bool = True
    # not shown, since fingerprints of rasters are made of what is
    nowhere_wkt: str = field(default="", repr=False)

    @property
    def stated_wkt(self) -> str:
        """The CRS that the file states, whether or not it names a place."""
        return self.crs_wkt or self.nowhere_wkt

    @property
    def whole(self) -> Window:
        """The window of all pixels."""
        return Window(0, 0, self.height, self.width)

    @property
    def extent(self) -> Extent:
        """xmin, ymin, xmax, ymax in map units; of a rotated raster the rectangle around it."""
        xs, ys = zip(*self.corners(self.whole), strict=True)
        return min(xs), min(ys), max(xs), max(ys)

    def corners(self, window: Window) -> list[tuple[float, float]]:
        """The four outer corners of a window in map units: upper left, upper right, lower right, lower left."""
        top, left = window.row, window.col
        bottom, right = top + window.height, left + window.width
        return [self.transform @ point for point in ((left, top), (right, top), (right, bottom), (left, bottom))]

    def window_transform(self, window: Window) -> Affine:
        """The transform of the raster that holds just this window."""
        return self.transform @ Affine.translation(window.col, window.row)

    def crop(self, window: Window) -> Grid:
        """The grid of the raster that holds just this window."""
        placed = self.placed or (window.row, window.col) != (0, 0)
        return Grid(self.crs_wkt, self.window_transform(window), window.width, window.height, placed, self.nowhere_wkt)

    def snap(self, extent: Extent) -> Window:
        """The whole pixels that an extent in the raster's CRS touches. Raises EngineError("no_overlap").

        Outward, except for a millionth of a pixel, so that an extent that was copied from this raster
        does not gain a row by rounding.
        """
        xmin, ymin, xmax, ymax = extent
        inverse = ~self.transform
        points = [inverse @ point for point in ((xmin, ymin), (xmin, ymax), (xmax, ymin), (xmax, ymax))]
        cols, rows = zip(*points, strict=True)
        left, top = (math.floor(min(axis) + _SNAP_TOLERANCE_PX) for axis in (cols, rows))
        right, bottom = (math.ceil(max(axis) - _SNAP_TOLERANCE_PX) for axis in (cols, rows))
        window = Window(top, left, bottom - top, right - left).intersection(self.whole)
        if window.empty:
            raise EngineError(
                "no_overlap",
                f"The extent {_listed(extent)} does not touch the raster, which covers {_listed(self.extent)}.",
                "Give the extent in the raster's own CRS.",
            )
        return window

    @property
    def pixel_size_m(self) -> tuple[float, float] | None:
        """Ground width and height of the pixel at the raster's centre in metres; None without a CRS."""
        if not self.crs_wkt:
            return None
        crs = CRS.from_wkt(self.crs_wkt)
        nominal = None if crs.is_geographic else _nominal_size_m(crs, self.transform)
        measured = _measured_size_m(crs, self.transform, self.width / 2, self.height / 2)
        if nominal is None or measured is None:
            return measured or nominal
        pairs = zip(nominal, measured, strict=True)
        close = all(abs(found / stated - 1) <= _PROJECTION_TOLERANCE for stated, found in pairs)
        return nominal if close else measured

    @property
    def gsd_m(self) -> float | None:
        """Ground side of the pixel at the raster's centre in metres, of an oblong one the mean; None without a CRS."""
        area = self.pixel_area_m2
        return None if area is None else math.sqrt(area)

    @property
    def pixel_area_m2(self) -> float | None:
        """Ground area of the pixel at the raster's centre (of a sheared pixel: about); None without a CRS."""
        size = self.pixel_size_m
        return None if size is None else size[0] * size[1]

    def same_pixels(self, other: Grid) -> bool:
        """Whether both have the same size and geotransform (to a thousandth of a pixel), whatever their CRS."""
        return (self.width, self.height) == (other.width, other.height) and self.offset_in(other) == (0, 0)

    def offset_in(self, other: Grid) -> tuple[int, int] | None:
        """Row and column of ``other`` on which this grid's first pixel lies, whatever their CRS; they may be negative.

        None where pixels do not lie on whole pixels of ``other`` (to a thousandth of a pixel).
        """
        inverse = ~other.transform
        corners = [(0, 0), (self.width, 0), (0, self.height)]
        moved = [(inverse @ (self.transform @ (col, row)), (col, row)) for col, row in corners]
        shifts = [(found[1] - row, found[0] - col) for found, (col, row) in moved]
        down, across = (round(value) for value in shifts[0])
        fits = all(abs(shift[0] - down) <= 1e-3 and abs(shift[1] - across) <= 1e-3 for shift in shifts)
        return (down, across) if fits else None

    def same_as(self, other: Grid) -> bool:
        """Whether both have the same CRS, size and geotransform."""
        return self.same_pixels(other) and same_crs(self.crs_wkt, other.crs_wkt)


def tile_origins(length: int, tile: int, overlap: int) -> list[int]:
    """Start positions of tiles along one axis, in pixels.

    Neighbours share at least ``overlap``; the last tile is moved back so that all tiles are full size.
    An axis no longer than one tile has the single origin 0, and the caller pads.
    """
    if not 0 <= overlap < tile:
        raise ValueError(f"overlap is {overlap} px but must be 0 or more and less than the tile ({tile} px)")
    if length <= tile:
        return [0]
    return [*range(0, length - tile, tile - overlap), length - tile]


def in_metres(size_m: float) -> str:
    """A pixel size in words: "0.5 m", "10 m", "1.2 km"."""
    return f"{size_m / 1000:.3g} km" if size_m >= 1000 else f"{size_m:.3g} m"


def no_crs(nowhere_wkt: str = "") -> str:
    """What a file has that has no CRS, or one that names no place, in words."""
    name = CRS.from_wkt(nowhere_wkt).name if nowhere_wkt else ""
    return f'a CRS that names no place ("{name}")' if name and not is_undefined(name) else "no CRS"


@lru_cache(maxsize=256)
def same_crs(first_wkt: str, second_wkt: str) -> bool:
    """Whether two CRSs are the same, however they are written; two empty ones are."""
    if first_wkt == second_wkt:
        return True
    if not first_wkt or not second_wkt:
        return False
    return bool(CRS.from_wkt(first_wkt).equals(CRS.from_wkt(second_wkt), ignore_axis_order=True))


def to_lon_lat(crs: CRS) -> Transformer | None:
    """From a CRS to longitude and latitude on its own ellipsoid; None for a CRS that is not of the Earth."""
    if crs.geodetic_crs is None:
        return None
    return Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)


def _nominal_size_m(crs: CRS, transform: Affine) -> tuple[float, float] | None:
    units = [axis.unit_conversion_factor for axis in crs.axis_info if axis.unit_conversion_factor]
    factor = units[0] if units else 1.0
    return math.hypot(transform.a, transform.d) * factor, math.hypot(transform.b, transform.e) * factor


def _measured_size_m(crs: CRS, transform: Affine, col: float, row: float) -> tuple[float, float] | None:
    geod, lon_lat = crs.get_geod(), to_lon_lat(crs)
    if geod is None or lon_lat is None:
        return None
    sizes = []
    for dx, dy in ((0.5, 0.0), (0.0, 0.5)):
        start = lon_lat.transform(*(transform @ (col - dx, row - dy)))
        end = lon_lat.transform(*(transform @ (col + dx, row + dy)))
        if not all(map(math.isfinite, (*start, *end))):
            return None
        sizes.append(float(geod.inv(*start, *end)[2]))
    return sizes[0], sizes[1]


def _listed(extent: Extent) -> str:
    return ", ".join(f"{value:.10g}" for value in extent)
