"""A class raster as a coverage of polygons: no gaps, no overlaps, shared borders shared to the last vertex."""

from __future__ import annotations

import contextlib
import math
import sqlite3
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pyogrio
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError

from ...protocol.classes import LandCoverClass
from ...protocol.errors import EngineError
from ..file_names import DRIVERS, as_file
from ..raster.areas import areas_m2
from ..raster.grid import Grid, Window
from ..raster.read import Raster, open_raster
from ..raster.write import cannot_write
from ..reporter import Reporter, Silent
from .outlines import Polygons, draw_by_strips
from .patches import ClassSource, Labels, Patches, find_patches, strips_of

LAYER = "landcover"
# GeoPackages and shapefiles hold the date of the last change; a fixed one gives the same bytes every day.
_DATE = "2000-01-01"
# By an index: sorting whole rows would take as much room again, in the folder for temporary files.
_INDEX = "CREATE INDEX in_order ON landcover (number)"
_IN_ORDER = "SELECT class, name, area_m2, area_px, confidence, geom FROM landcover ORDER BY number"
# Polygons that are held while they go from the scratch file to the target.
_STREAMED = 1024
# What drawing takes of one core, in seconds a pixel, with about 3,000 patches in a million of them.
DRAWING_S = 1.6e-6


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
    outlines_file: Path,
    target: Path,
    classes: Sequence[LandCoverClass],
    settings: CoverageSettings,
    reporter: Reporter,
    tags: Mapping[str, str] | None = None,
    unsieved_raster: Path | None = None,
) -> int:
    """Writes the polygons of a class raster to ``target`` and gives their number; ``tags`` are provenance.

    ``numbers_file``, of 4 bytes a pixel, and ``outlines_file``, a GeoPackage, are scratch files; the caller removes
    them. ``unsieved_raster`` has the classes from before small patches were absorbed in the class raster itself.

    Fields: class (integer), name, area_m2 (on the ellipsoid; null without CRS), area_px, confidence (0 to 1: the
    mean of ``confidence_raster`` over the pixels that were this class from the start; null without one).
    """
    with contextlib.ExitStack() as stack:
        source = RasterSource(stack.enter_context(open_raster(str(class_raster))))
        confidence = confidence_raster and RasterSource(stack.enter_context(open_raster(str(confidence_raster))))
        unsieved = unsieved_raster and RasterSource(stack.enter_context(open_raster(str(unsieved_raster))))
        numbers = array_on_disk(numbers_file, (source.height, source.width))
        sources = (confidence or None, reporter, unsieved or None)
        frames = coverage(source, source.grid, classes, settings, numbers, *sources)
        count = write_polygons(frames, outlines_file, target, tags)
        del numbers, frames  # Windows removes no file that is mapped
    return count


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
    unsieved: ClassSource | None = None,
) -> Iterator[geopandas.GeoDataFrame]:
    """Polygons of class codes on a grid, in batches, one at least; nodata is left out.

    A batch holds the patches that end in a strip of rows; its field "number" is their place in the reading order of
    first pixels, from 1. Borders that are simplified need their neighbours: there all polygons are one batch.

    ``numbers`` (h,w) is filled with the patch of each pixel. It and the sources may lie on disk: of the pixels, a
    strip of rows is held at a time, of the polygons those that begin above it and end in it or below.
    """
    reporter = reporter or Silent()
    patches = find_patches(source, smallest_px(grid, settings.min_area), numbers, reporter.check)
    names = {entry.code: entry.name for entry in classes}
    means = _mean_confidence(patches, unsieved or source, confidence, reporter)
    for owners, polygons in _outlines(patches, grid.transform, settings.simplify, reporter):
        codes = patches.codes[owners - 1]
        columns = {
            "number": owners,
            "class": codes.astype(np.int32),
            "name": [names.get(code, str(code)) for code in codes.tolist()],
            "area_m2": np.round(areas_m2(polygons, grid), 3),
            "area_px": patches.sizes[owners - 1],
            "confidence": means[owners - 1],
        }
        yield geopandas.GeoDataFrame(columns, geometry=polygons, crs=grid.stated_wkt or None)


def write_polygons(
    frames: Iterable[geopandas.GeoDataFrame], scratch: Path, target: Path, tags: Mapping[str, str] | None = None
) -> int:
    """Writes batches of a `coverage` as GeoPackage, GeoJSON, shapefile or FlatGeobuf, by suffix; gives their number.

    The same bytes every day. ``tags`` become the layer's metadata in GeoPackage and FlatGeobuf, the formats that have
    room for them; of a GeoPackage "DESCRIPTION" is the description that GIS programs show. The batches wait in
    ``scratch``, a GeoPackage, and are written to ``target`` in one stream, in the order of "number": not every format
    can be written in parts.
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
    count = 0
    try:
        with warnings.catch_warnings(), _fixed_date():
            warnings.filterwarnings("ignore", "'crs' was not provided")
            scratch.unlink(missing_ok=True)
            for frame in frames:
                append = scratch.exists()
                with as_file(scratch) as file:
                    pyogrio.write_dataframe(
                        frame, file, LAYER, "GPKG", geometry_type="Polygon", append=append, SPATIAL_INDEX="NO"
                    )
                count += len(frame)
            with contextlib.closing(sqlite3.connect(scratch)) as database:
                database.execute(_INDEX)
            with (
                as_file(scratch) as source,
                pyogrio.open_arrow(source, sql=_IN_ORDER, batch_size=_STREAMED) as (found, stream),
                as_file(target) as file,
            ):
                pyogrio.write_arrow(
                    stream,
                    file,
                    layer,
                    driver,
                    geometry_name=found["geometry_name"],
                    geometry_type="Polygon",
                    crs=found["crs"],
                    layer_metadata=dict(tags) if tags else None,
                    **options,
                )
    except (DataLayerError, DataSourceError, sqlite3.Error) as error:
        raise cannot_write(target, error) from error
    return count


def array_on_disk(path: Path, shape: tuple[int, int]) -> Labels:
    """Zeros (h,w) int32 in a file. It is really written first: a full disk found later would end the process."""
    try:
        with path.open("wb") as file:
            for _ in range(shape[0]):
                file.write(bytes(4 * shape[1]))
    except OSError as error:
        raise cannot_write(path, error) from error
    return np.memmap(path, np.int32, "r+", shape=shape)


def smallest_px(grid: Grid, min_area: float) -> int:
    """The smallest patch that stays, in pixels; ``min_area`` as in `CoverageSettings`."""
    area = grid.pixel_area_m2
    # Pixels have the size of the one at the centre: 3 by 3 of 10 m are 900 m², not 899.9999.
    return math.ceil(min_area / area - 1e-6) if area else math.ceil(min_area)


def _outlines(
    patches: Patches, transform: Affine, simplify: float, reporter: Reporter
) -> Iterator[tuple[NDArray[np.int64], Polygons]]:
    """Batches of patches, and their polygons in map units."""
    batches = []
    strips = len(list(strips_of(*patches.numbers.shape)))
    for done, (owners, drawn) in enumerate(draw_by_strips(patches.numbers), start=1):
        reporter.progress(done, strips, "strips", "Drawing polygons")
        placed = shapely.transform(drawn, lambda xy: np.column_stack(transform @ (xy[:, 0], xy[:, 1])))
        batches.append((owners, shapely.normalize(placed)))
        if not simplify:
            yield batches.pop()
    if batches:
        owners, polygons = (np.concatenate(parts) for parts in zip(*batches, strict=True))
        in_order = np.argsort(owners)
        simple = shapely.coverage_simplify(polygons[in_order], simplify, simplify_boundary=False)
        yield owners[in_order], shapely.normalize(simple)


def _mean_confidence(
    patches: Patches, source: ClassSource, confidence: ClassSource | None, reporter: Reporter
) -> NDArray[np.float64]:
    """Mean over the pixels of each patch that were not absorbed; every patch has some."""
    count = len(patches.sizes)
    if confidence is None or not count:
        return np.full(count, np.nan)
    codes = np.concatenate([[-1], patches.codes])
    sums, pixels = np.zeros(count + 1), np.zeros(count + 1, np.int64)
    for row, rows in strips_of(source.height, source.width):
        reporter.check()
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
