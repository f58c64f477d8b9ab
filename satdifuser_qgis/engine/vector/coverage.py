"""A class raster as a coverage of polygons: no gaps, no overlaps, shared borders shared to the last vertex."""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pyogrio
import rasterio.features
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj import CRS

from ...protocol.classes import LandCoverClass
from ...protocol.errors import EngineError
from ..raster.grid import Grid, Window, to_lon_lat
from ..raster.read import Raster, open_raster
from ..raster.write import cannot_write
from ..reporter import Reporter
from .patches import ClassSource, Labels, Patches, find_patches, strips_of

LAYER = "landcover"
DRIVERS = {".gpkg": "GPKG", ".geojson": "GeoJSON", ".shp": "ESRI Shapefile", ".fgb": "FlatGeobuf"}
# GeoPackages and shapefiles hold the date of the last change; a fixed one gives the same bytes every day.
_DATE = "2000-01-01"
# Areas are measured along geodesics, which leave a straight map line between vertices that lie far apart.
_AREA_STEP_PX = 64


@dataclass(frozen=True)
class CoverageSettings:
    """``min_area``: smaller patches go to a neighbour; m², or pixels without a CRS. ``simplify``: map units.

    Borders are simplified so that triangles below ``simplify`` squared vanish; 0 keeps the pixels' steps. The
    outer edge, against nodata and at the end of the raster, always keeps them, so that maps of neighbouring
    rasters still meet.
    """

    min_area: float = 0.0
    simplify: float = 0.0


def write_coverage(
    class_raster: Path,
    confidence_raster: Path | None,
    numbers_file: Path,
    target: Path,
    classes: Sequence[LandCoverClass],
    settings: CoverageSettings,
    reporter: Reporter,
    tags: Mapping[str, str] | None = None,
) -> int:
    """Writes the polygons of a class raster to ``target`` and gives their number; ``tags`` are provenance.

    ``numbers_file`` is a scratch file of 4 bytes a pixel, which the caller removes.

    Fields: class (integer), name, area_m2 (on the ellipsoid; null without CRS), area_px, confidence (0 to 1: the
    mean of ``confidence_raster`` over the pixels that were this class from the start; null without one).
    """
    with contextlib.ExitStack() as stack:
        source = RasterSource(stack.enter_context(open_raster(str(class_raster))))
        confidence = confidence_raster and RasterSource(stack.enter_context(open_raster(str(confidence_raster))))
        numbers = _array_on_disk(numbers_file, (source.height, source.width))
        frame = coverage(source, source.grid, classes, settings, numbers, confidence or None, reporter)
        del numbers  # Windows removes no file that is mapped
    write_polygons(frame, target, tags)
    return len(frame)


class RasterSource:
    """A raster's first band, read by rows."""

    def __init__(self, raster: Raster) -> None:
        self.raster, self.grid = raster, raster.grid
        self.height, self.width = raster.grid.height, raster.grid.width

    def read(self, row: int, rows: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Stored values and valid pixels (rows, width)."""
        return self.raster.read_codes(Window(row, 0, rows, self.width))


class ArraySource:
    """The same of arrays in memory, (h, w) each."""

    def __init__(self, values: NDArray[Any], valid: NDArray[np.bool_]) -> None:
        self.values, self.valid = values, valid
        self.height, self.width = values.shape

    def read(self, row: int, rows: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Views of both."""
        return self.values[row : row + rows], self.valid[row : row + rows]


def coverage(
    source: ClassSource,
    grid: Grid,
    classes: Sequence[LandCoverClass],
    settings: CoverageSettings,
    numbers: Labels,
    confidence: ClassSource | None = None,
    reporter: Reporter | None = None,
) -> geopandas.GeoDataFrame:
    """Polygons of class codes on a grid, in reading order of their first pixels; nodata is left out.

    ``numbers`` (h,w) is filled with the patch of each pixel. It and the sources may lie on disk: of the pixels, a
    strip of rows is held at a time.
    """
    patches = find_patches(source, _smallest_px(grid, settings.min_area), numbers)
    if reporter is not None:
        reporter.check()
    polygons = _outlines(patches, grid.transform, settings.simplify)
    names = {entry.code: entry.name for entry in classes}
    columns = {
        "class": patches.codes.astype(np.int32),
        "name": [names.get(code, str(code)) for code in patches.codes.tolist()],
        "area_m2": _areas_m2(polygons, grid),
        "area_px": patches.sizes,
        "confidence": _mean_confidence(patches, source, confidence),
    }
    return geopandas.GeoDataFrame(columns, geometry=polygons, crs=grid.crs_wkt or None)


def write_polygons(frame: geopandas.GeoDataFrame, target: Path, tags: Mapping[str, str] | None = None) -> None:
    """Writes polygons as GeoPackage, GeoJSON, shapefile or FlatGeobuf, by suffix. The same bytes every day.

    ``tags`` become the layer's metadata in GeoPackage and FlatGeobuf, the formats that have room for them; of a
    GeoPackage "DESCRIPTION" is the description that GIS programs show.
    """
    driver = DRIVERS.get(target.suffix.lower())
    if driver is None:
        raise EngineError(
            "bad_request",
            f'Polygons cannot be written as "{target.suffix}".',
            f"Choose one of {', '.join(DRIVERS)}.",
        )
    # QGIS 3.22 warns of GeoPackages newer than 1.3.
    options = {
        "ESRI Shapefile": {"DBF_DATE_LAST_UPDATE": _DATE, "ENCODING": "UTF-8"},
        "GPKG": {"VERSION": "1.3"},
    }.get(driver, {})
    layer = target.stem if driver == "ESRI Shapefile" else LAYER
    metadata = dict(tags) if tags else None
    try:
        with warnings.catch_warnings(), _fixed_date():
            warnings.filterwarnings("ignore", "'crs' was not provided")
            pyogrio.write_dataframe(
                frame,
                target,
                layer,
                driver,
                geometry_type="Polygon",
                layer_metadata=metadata,
                **options,
            )
    except (DataSourceError, DataLayerError) as error:
        raise cannot_write(target, error) from error


def _array_on_disk(path: Path, shape: tuple[int, int]) -> Labels:
    """Zeros (h,w) int32 in a file. It is really written first: a full disk found later would end the process."""
    try:
        with path.open("wb") as file:
            for _ in range(shape[0]):
                file.write(bytes(4 * shape[1]))
    except OSError as error:
        raise cannot_write(path, error) from error
    return np.memmap(path, np.int32, "r+", shape=shape)


def _smallest_px(grid: Grid, min_area: float) -> int:
    """The smallest patch that stays, in pixels."""
    area = grid.pixel_area_m2
    # Pixels have the size of the one at the centre: 3 by 3 of 10 m are 900 m², not 899.9999.
    return math.ceil(min_area / area - 1e-6) if area else math.ceil(min_area)


def _outlines(patches: Patches, transform: Affine, simplify: float) -> NDArray[np.object_]:
    """One polygon a patch, in the order of their numbers, in map units."""
    polygons = np.empty(len(patches.sizes), dtype=object)
    for geometry, number in rasterio.features.shapes(patches.numbers, connectivity=4):
        if number:
            rings = geometry["coordinates"]
            polygons[int(number) - 1] = shapely.Polygon(rings[0], rings[1:])
    if not len(polygons):
        return polygons
    # A vertex at every pixel corner, so that both sides of a border have the same; then those that only
    # divide a straight line go again, except where three polygons meet.
    polygons = shapely.coverage_simplify(shapely.segmentize(polygons, 1.0), 0.0)
    placed = shapely.transform(polygons, lambda xy: np.column_stack(transform @ (xy[:, 0], xy[:, 1])))
    if simplify > 0:
        placed = shapely.coverage_simplify(placed, simplify, simplify_boundary=False)
    return np.asarray(shapely.normalize(placed), dtype=object)


def _areas_m2(polygons: NDArray[np.object_], grid: Grid) -> NDArray[np.float64]:
    """Areas on the ellipsoid; NaN (null in the file) without a CRS of the Earth."""
    areas = np.full(len(polygons), np.nan)
    crs = CRS.from_wkt(grid.crs_wkt) if grid.crs_wkt else None
    geod, lon_lat = (crs.get_geod(), to_lon_lat(crs)) if crs is not None else (None, None)
    if geod is None or lon_lat is None or not len(polygons):
        return areas
    step = _AREA_STEP_PX * math.sqrt(abs(grid.transform.determinant))
    dense = shapely.transform(
        shapely.segmentize(polygons, step), lambda xy: np.column_stack(lon_lat.transform(xy[:, 0], xy[:, 1]))
    )
    for number, polygon in enumerate(shapely.orient_polygons(dense)):
        areas[number] = round(abs(geod.geometry_area_perimeter(polygon)[0]), 3)
    return areas


def _mean_confidence(patches: Patches, source: ClassSource, confidence: ClassSource | None) -> NDArray[np.float64]:
    """Mean over the pixels of each patch that were not absorbed; every patch has some."""
    count = len(patches.sizes)
    if confidence is None or not count:
        return np.full(count, np.nan)
    codes = np.concatenate([[-1], patches.codes])
    sums, pixels = np.zeros(count + 1), np.zeros(count + 1, np.int64)
    for row, rows in strips_of(source.height, source.width):
        numbers = patches.numbers[row : row + rows]
        own = (numbers > 0) & (codes[numbers] == source.read(row, rows)[0])
        sums += np.bincount(numbers[own], confidence.read(row, rows)[0][own], count + 1)
        pixels += np.bincount(numbers[own], minlength=count + 1)
    return np.round(sums[1:] / pixels[1:], 4)


@contextlib.contextmanager
def _fixed_date() -> Iterator[None]:
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": f"{_DATE}T00:00:00.000Z"})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})
