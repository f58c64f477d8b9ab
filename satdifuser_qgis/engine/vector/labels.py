"""Labels drawn as polygons, lines and points: read from a vector layer and burnt onto a raster's pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import geopandas
import numpy as np
import rasterio.features
import shapely
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.exceptions import ProjError

from ...protocol.classes import LandCoverClass, StyledClass
from ...protocol.crs import names_no_place
from ...protocol.errors import EngineError
from ..raster.grid import Grid, Window, no_crs, same_crs
from .class_field import check_class_field
from .class_names import spelling_notes, text_key
from .class_table import UNLABELLED, ClassTable, Indices, counted_notes, number_table, text_table
from .features import clean, read_features

_POLYGON, _LINE, _POINT = 0, 1, 2
_KINDS = {0: _POINT, 4: _POINT, 1: _LINE, 2: _LINE, 5: _LINE, 3: _POLYGON, 6: _POLYGON}
_KIND_NAMES = (("polygon", "polygons"), ("line", "lines"), ("point", "points"))
_REFUSED = {
    "OFTDate": "dates",
    "OFTTime": "times",
    "OFTDateTime": "dates",
    "OFTBinary": "binary data",
    "OFTIntegerList": "lists",
    "OFTInteger64List": "lists",
    "OFTRealList": "lists",
    "OFTStringList": "lists",
}


@dataclass(frozen=True)
class Placed:
    """Geometries in a raster's CRS in the order in which they are burnt, with kind, class index and tree; ``features``
    are the numbers of the layer's features that they come from: what has no place in that CRS is not among them."""

    geometries: NDArray[np.object_]
    kinds: NDArray[np.int8]
    classes: Indices
    tree: shapely.STRtree
    features: NDArray[np.intp]


@dataclass(frozen=True)
class VectorLabels:
    """Geometries with a class each.

    ``table`` has a geometry, ``index``, the class's place in ``classes``, and ``feature``, its number in the layer;
    rows are in burning order: large polygons before small ones, then lines, then points, so that what is drawn later
    wins. ``copies`` are tables of the same features in other CRSs. ``nowhere_wkt`` is a CRS that names no place; then
    the table has none. ``notes`` are sentences for the log on what was left out, repaired or merged.
    """

    name: str
    class_table: ClassTable
    crs_wkt: str
    table: geopandas.GeoDataFrame
    copies: tuple[geopandas.GeoDataFrame, ...] = ()
    notes: tuple[str, ...] = ()
    nowhere_wkt: str = ""
    placed: dict[str, Placed] = field(default_factory=dict, compare=False, repr=False)

    @property
    def classes(self) -> tuple[LandCoverClass, ...]:
        """The classes in legend order."""
        return self.class_table.classes

    @property
    def description(self) -> str:
        """ "412 polygons, 3 points", for the log."""
        kinds = Counter(_KINDS[int(kind)] for kind in shapely.get_type_id(self.table.geometry.values))
        return ", ".join(f"{kinds[kind]} {_KIND_NAMES[kind][kinds[kind] != 1]}" for kind in sorted(kinds))


def read_vector_labels(
    source: str, class_field: str, styles: Sequence[StyledClass] = (), copies: Sequence[str] = ()
) -> VectorLabels:
    """Labels from a vector file, ``path`` or ``path|layername=name`` and more, as in `layers.split_source`.

    ``copies`` are sources of the same features in other CRSs, which rasters in those are labelled from.

    Class codes: whole numbers from 0 to 65535 stay; texts, and sets with other numbers, get codes from 1 in
    legend order. Texts that look alike (see `text_key`) are one class. Features without class or geometry
    are left out and invalid polygons are repaired, with a note. Raises EngineError: bad_input,
    bad_request (no such field), too_few_labels.
    """
    own = _read(source, class_field, styles)
    if not len(own.table):
        raise EngineError(
            "too_few_labels",
            f'"{own.name}" (field {class_field}) has no feature with both a class and a geometry.',
            "Fill in the class field, and check that the labels have a place in the CRS of the images.",
        )
    others = [_read(copy, class_field, styles) for copy in copies]
    for other, copy in zip(others, copies, strict=True):
        if other.classes != own.classes:
            raise EngineError(
                "bad_request",
                f'"{own.name}" (field {class_field}) and its copy "{copy}" hold different classes.',
                "Give copies of the same features, in other CRSs only, or none.",
            )
    notes = dict.fromkeys(note for labels in (own, *others) for note in labels.notes)
    return replace(own, copies=tuple(other.table for other in others), notes=tuple(notes))


def _read(source: str, class_field: str, styles: Sequence[StyledClass]) -> VectorLabels:
    """The labels of one source; none of them may have both a class and a geometry."""
    features = read_features(source, class_field)
    if len(features.values) == 0:
        raise EngineError("too_few_labels", f'The layer "{features.name}" has no features.', "Draw some labels first.")
    title = f'"{features.name}" (field {class_field})'
    doubts = check_class_field(source, class_field, features)
    table, indices, notes = _class_indices(title, features.kind, features.subtype, features.values, styles)
    geometries, rows, more = clean(features.geometries.values)
    keep = indices[rows] != UNLABELLED
    order = _burning_order(geometries[keep])
    columns = {"index": indices[rows][keep][order], "feature": rows[keep][order]}
    stated = _wkt(features.geometries)
    crs, nowhere = (None, stated) if names_no_place(stated) else (features.geometries.crs, "")
    ordered = geopandas.GeoDataFrame(columns, geometry=geometries[keep][order], crs=crs)
    all_notes = (*features.notes, *doubts, *notes, *more)
    return VectorLabels(features.name, table, _wkt(ordered), ordered, notes=all_notes, nowhere_wkt=nowhere)


def burn(labels: VectorLabels, grid: Grid, window: Window) -> Indices:
    """(h,w) class index of each pixel of the window, -1 where nothing is drawn.

    A polygon takes the pixels whose centre it covers, a line those that it touches, a point its own. Where
    polygons overlap the smaller one wins, of equal ones the one drawn later; lines win over polygons and
    points over both.
    """
    placed = _place(labels, grid.crs_wkt)
    hits = np.sort(placed.tree.query(shapely.Polygon(grid.corners(window)), predicate="intersects"))
    return _burn(placed, hits, grid, window)


def contested(labels: VectorLabels, grid: Grid, window: Window) -> int:
    """How many pixels of the window are claimed by more than one class."""
    placed = _place(labels, grid.crs_wkt)
    hits = np.sort(placed.tree.query(shapely.Polygon(grid.corners(window)), predicate="intersects"))
    # What is burnt last wins, so that classes up and classes down give two results where there are two classes.
    hits = hits[np.argsort(placed.classes[hits], kind="stable")]
    claimed = np.full((window.height, window.width), UNLABELLED, np.int16)
    several = np.zeros((window.height, window.width), np.bool_)
    for kind in (_POLYGON, _LINE, _POINT):
        own = hits[placed.kinds[hits] == kind]
        first, last = _burn(placed, own, grid, window), _burn(placed, own[::-1], grid, window)
        known = first != UNLABELLED
        several |= (first != last) | (known & (claimed != UNLABELLED) & (claimed != first))
        claimed[known] = first[known]
    return int(several.sum())


def around(labels: VectorLabels, grid: Grid) -> Window:
    """The pixels of a raster that its labels can reach; empty where none lies on it."""
    placed = _place(labels, grid.crs_wkt)
    hits = placed.tree.query(shapely.Polygon(grid.corners(grid.whole)), predicate="intersects")
    if not hits.size:
        return Window(0, 0, 0, 0)
    xmin, ymin, xmax, ymax = shapely.total_bounds(placed.geometries[hits])
    cols, rows = ~grid.transform @ (np.array([xmin, xmin, xmax, xmax]), np.array([ymin, ymax, ymin, ymax]))
    # a line takes every pixel that it touches
    left, top = int(np.floor(cols.min())) - 1, int(np.floor(rows.min())) - 1
    right, bottom = int(np.ceil(cols.max())) + 1, int(np.ceil(rows.max())) + 1
    return Window(top, left, bottom - top, right - left).intersection(grid.whole)


def touching(labels: VectorLabels, grid: Grid) -> NDArray[np.bool_]:
    """Which of the labels touch the raster, one item a row of their ``table``."""
    placed = _place(labels, grid.crs_wkt)
    hits = placed.tree.query(shapely.Polygon(grid.corners(grid.whole)), predicate="intersects")
    return np.isin(labels.table["feature"].to_numpy(), placed.features[hits])


def check_crs(labels: VectorLabels, image: str, grid: Grid) -> str:
    """A sentence for the log where the image (its name and grid) has no CRS but the labels have one, else "".

    Raises EngineError("bad_input") where the labels have none but the image has.
    """
    if bool(labels.crs_wkt) == bool(grid.crs_wkt):
        return ""
    known = CRS.from_wkt(labels.crs_wkt or grid.crs_wkt).name
    if grid.crs_wkt:
        raise EngineError(
            "bad_input",
            f'The labels "{labels.name}" have {no_crs(labels.nowhere_wkt)} but the image "{image}" has {known}.',
            "Give the labels their CRS (a shapefile has it in the .prj file beside it); "
            "Define projection in the Toolbox of QGIS does that.",
        )
    has = no_crs(grid.nowhere_wkt)
    return f'The image "{image}" has {has}; labels of "{labels.name}" ({known}) are taken to lie in its coordinates.'


def _burn(placed: Placed, hits: NDArray[np.intp], grid: Grid, window: Window) -> Indices:
    burnt = np.full((window.height, window.width), UNLABELLED, np.int16)
    transform = grid.window_transform(window)
    for kind in (_POLYGON, _LINE):
        chosen = hits[placed.kinds[hits] == kind]
        if chosen.size:
            shapes = zip(placed.geometries[chosen], placed.classes[chosen].tolist(), strict=True)
            rasterio.features.rasterize(shapes, out=burnt, transform=transform, all_touched=kind == _LINE)
    points = hits[placed.kinds[hits] == _POINT]
    if points.size:
        xy, owner = shapely.get_coordinates(placed.geometries[points], return_index=True)
        cols, rows = ~transform @ (xy[:, 0], xy[:, 1])
        cols, rows = np.floor(cols).astype(np.int64), np.floor(rows).astype(np.int64)
        inside = (rows >= 0) & (rows < window.height) & (cols >= 0) & (cols < window.width)
        burnt[rows[inside], cols[inside]] = placed.classes[points][owner[inside]]
    return burnt


def _place(labels: VectorLabels, crs_wkt: str) -> Placed:
    """The labels in a CRS; transformed once for all windows of all rasters that share it."""
    if crs_wkt not in labels.placed:
        table = _table_in(labels, crs_wkt)
        geometries = np.asarray(table.geometry.values, dtype=object)
        finite = np.isfinite(shapely.bounds(geometries)).all(axis=1)
        geometries, classes = geometries[finite], table["index"].to_numpy(np.int16)[finite]
        kinds = np.array([_KINDS[int(kind)] for kind in shapely.get_type_id(geometries)], np.int8)
        tree = shapely.STRtree(geometries)
        features = table["feature"].to_numpy(np.intp)[finite]
        labels.placed[crs_wkt] = Placed(geometries, kinds, classes, tree, features)
    return labels.placed[crs_wkt]


def _table_in(labels: VectorLabels, crs_wkt: str) -> geopandas.GeoDataFrame:
    """The table that is in a CRS, else the first one transformed; as it is where it or the raster has no CRS."""
    if not labels.crs_wkt or not crs_wkt:
        return labels.table
    for table in (labels.table, *labels.copies):
        if same_crs(_wkt(table), crs_wkt):
            return table
    try:
        return labels.table.to_crs(crs_wkt)
    except ProjError as error:
        raise EngineError(
            "bad_input",
            f'The labels "{labels.name}" cannot be transformed to the CRS of the raster.',
            "Save the layer in the raster's CRS first.",
            detail=str(error),
        ) from error


def _wkt(table: geopandas.GeoDataFrame) -> str:
    return table.crs.to_wkt() if table.crs is not None else ""


def _class_indices(
    title: str, kind: str, subtype: str, values: Any, styles: Sequence[StyledClass]
) -> tuple[ClassTable, Indices, list[str]]:
    """Class table, class index a feature (-1 without class) and notes, from the values of the field."""
    refused = "yes and no" if subtype == "OFSTBoolean" else _REFUSED.get(kind)
    if refused:
        raise EngineError(
            "bad_input",
            f"{title} holds {refused}, which are no classes.",
            "Choose a field of texts or whole numbers; the field calculator makes one.",
        )
    present = ~values.isna().to_numpy()
    if kind == "OFTString":
        return _from_texts(title, [str(v) if ok else "" for v, ok in zip(values, present, strict=True)], styles)
    # infinity is no whole number either; integers are not asked, since large ones would be rounded
    fractions = [value for value in values[present] if isinstance(value, (float, np.floating)) and value % 1 != 0]
    if fractions:
        raise EngineError(
            "bad_input",
            f"{title} holds fractions such as {fractions[0]:g}, which are no classes.",
            "Choose a field of texts or whole numbers, or group the values first, for example with "
            "the field calculator's floor().",
        )
    numbers = [int(value) if ok else None for value, ok in zip(values, present, strict=True)]
    known = [number for number in numbers if number is not None]
    table, places = number_table(title, known, styles)
    indices = np.array([UNLABELLED if number is None else places[number] for number in numbers], np.int16)
    return table, indices, [*_without_class(indices), *counted_notes(table, known)]


def _from_texts(
    title: str, texts: Sequence[str], styles: Sequence[StyledClass]
) -> tuple[ClassTable, Indices, list[str]]:
    spellings: dict[str, set[str]] = {}
    for text in texts:
        if text_key(text):
            spellings.setdefault(text_key(text), set()).add(text)
    table, places = text_table(title, spellings, styles)
    indices = np.array([places.get(text_key(text), UNLABELLED) for text in texts], np.int16)
    return table, indices, [*_without_class(indices), *spelling_notes(spellings)]


def _without_class(indices: Indices) -> list[str]:
    count = int((indices == UNLABELLED).sum())
    return [f"{count} of {len(indices)} features have no class and are left out."] if count else []


def _burning_order(geometries: NDArray[np.object_]) -> NDArray[np.intp]:
    """Polygons from large to small, then lines, then points; of equal ones the later drawn one comes last."""
    kinds = np.array([_KINDS[int(kind)] for kind in shapely.get_type_id(geometries)])
    return np.lexsort((-shapely.area(geometries), kinds))
