"""Label rasters: their classes, which images they belong to, and their labels on an image's pixels."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree  # nosec B405

import numpy as np
import rasterio
import rasterio.shutil
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError
from rasterio.warp import Resampling, reproject

from ...protocol.classes import LandCoverClass, StyledClass
from ...protocol.errors import EngineError
from ..raster.grid import Grid, Window
from ..raster.read import Raster
from ..raster.write import CLASS_TAG
from .class_table import MOST_CLASSES, UNLABELLED, ClassTable, Indices, check_count, number_table

_BLOCK = 1024
_EDGE_POINTS = 21


@dataclass(frozen=True)
class LabelRaster:
    """A class raster used as labels. ``values`` are the stored values of ``classes``, in the same order."""

    raster: Raster
    class_table: ClassTable
    values: tuple[int, ...]

    @property
    def name(self) -> str:
        """The file's stem."""
        return self.raster.name

    @property
    def grid(self) -> Grid:
        """Where its pixels lie."""
        return self.raster.grid

    @property
    def classes(self) -> tuple[LandCoverClass, ...]:
        """The classes present, in legend order."""
        return self.class_table.classes


@dataclass(frozen=True)
class Pair:
    """Label raster number ``label`` serves image number ``image``; ``how`` is a phrase for the log."""

    label: int
    image: int
    how: str


def open_label_raster(path: str, styles: Sequence[StyledClass] = ()) -> LabelRaster:
    """A class raster with the classes that occur in it; close its ``raster`` when done.

    Nodata and masked pixels are unlabelled, and so is 0 unless categories or colour table name it. Names come
    from categories, attribute table or our own tags, colours from the colour table; a style goes before both.
    Raises EngineError("bad_input") for images, fractions, or more than 255 values; "too_few_labels" where
    nothing is labelled.
    """
    raster = Raster(path)
    try:
        title = f'the label raster "{raster.name}"'
        _check_classes_only(raster, title)
        names, colors = _names(raster), _colors(raster)
        numbers = [value for value in _present(raster, title) if value != 0 or _names_zero(names, colors)]
        if not numbers:
            raise EngineError(
                "too_few_labels", f"{_opening(title)} holds no label: all is 0 or nodata.", "Choose another raster."
            )
        shown = {number: colors[number] for number in numbers if number in colors}
        # Black alone is what an unset entry looks like; two classes cannot both mean it.
        if sum(color == "#000000" for color in shown.values()) > 1:
            shown = {number: color for number, color in shown.items() if color != "#000000"}
        table, places = number_table(title, numbers, styles, names, shown)
        return LabelRaster(raster, table, tuple(sorted(places, key=lambda number: places[number])))
    except EngineError:
        raster.close()
        raise


def read_labels(label: LabelRaster, grid: Grid, window: Window) -> Indices:
    """(h,w) class index (int16) on the pixels of ``window`` of ``grid``, -1 where nothing is labelled.

    Pixel by pixel where the grids are equal, or where there is no CRS, since such rasters pair only if they
    have the same pixels. Otherwise each pixel takes the label under its centre.
    """
    if not (label.grid.crs_wkt and grid.crs_wkt) or label.grid.same_as(grid):
        return _indices(label, window)
    return _warped(label, grid.crop(window))


def pair(labels: Sequence[LabelRaster], images: Sequence[Raster]) -> tuple[list[Pair], list[str]]:
    """Which label raster serves which image, and a note on each label raster that serves none.

    A label raster serves every image with its CRS, size and geotransform; if there is none, it is warped to
    each image that it overlaps. Without a CRS it needs an equal grid, and where several images have that, an
    equal file stem. Raises EngineError: bad_input for an image given as its own labels and for ambiguity,
    no_overlap where no label raster serves any image.
    """
    pairs: list[Pair] = []
    notes: list[str] = []
    for number, label in enumerate(labels):
        for image in images:
            if _same_file(label.raster.path, image.path):
                raise EngineError(
                    "bad_input",
                    f'"{image.name}" is given both as an image and as labels.',
                    "Choose the raster that holds its classes as labels.",
                )
        found = _pairs_of(number, label, images)
        pairs += found
        if not found:
            notes.append(f'The label raster "{label.name}" lies on none of the images and is left out.')
    if labels and not pairs:
        images_listed = ", ".join(f'"{image.name}"' for image in images)
        raise EngineError(
            "no_overlap",
            f"No label raster lies on an image ({images_listed}).",
            "Check the coordinate reference systems. Without one, labels and image need equal size and position.",
        )
    return pairs, notes


def _pairs_of(number: int, label: LabelRaster, images: Sequence[Raster]) -> list[Pair]:
    if label.grid.crs_wkt:
        equal = [i for i, image in enumerate(images) if label.grid.same_as(image.grid)]
        if equal:
            return [Pair(number, i, "equal grid") for i in equal]
        overlapping = [
            i
            for i, image in enumerate(images)
            if image.grid.crs_wkt and not _window_under(label.grid, image.grid, 0).empty
        ]
        if overlapping:
            return [Pair(number, i, "warped, nearest pixel") for i in overlapping]
    # Without a CRS on either side only equal pixels say that both show the same ground.
    candidates = [
        i for i, image in enumerate(images)
        if not (label.grid.crs_wkt and image.grid.crs_wkt) and label.grid.same_pixels(image.grid)
    ]  # fmt: skip
    if not candidates and not label.grid.placed:
        size = label.grid.width, label.grid.height
        sized = [i for i, image in enumerate(images) if (image.grid.width, image.grid.height) == size]
        candidates = [i for i in sized if images[i].name == label.name]
    if len(candidates) > 1:
        named = [i for i in candidates if images[i].name == label.name]
        if len(named) != 1:
            listed = ", ".join(f'"{images[i].name}"' for i in candidates)
            raise EngineError(
                "bad_input",
                f'The label raster "{label.name}" has no CRS and fits several images: {listed}.',
                "Give labels and image the same file name, or train on one image at a time.",
            )
        return [Pair(number, named[0], "equal grid and file name")]
    return [Pair(number, i, "equal grid, no CRS") for i in candidates]


def _indices(label: LabelRaster, window: Window) -> Indices:
    """Class indices of a window of the label raster itself, -1 beyond its edge."""
    found = np.full((window.height, window.width), UNLABELLED, np.int16)
    inside = window.intersection(label.grid.whole)
    if inside.empty:
        return found
    stored, valid = label.raster.read_codes(inside)
    order = np.argsort(label.values)
    ordered = np.array(label.values, np.int64)[order]
    with np.errstate(invalid="ignore"):
        whole = np.where(valid, stored, 0).astype(np.int64)
    place = np.searchsorted(ordered, whole).clip(0, len(ordered) - 1)
    known = valid & (ordered[place] == whole)
    top, left = inside.row - window.row, inside.col - window.col
    part = np.where(known, order[place], UNLABELLED).astype(np.int16)
    found[top : top + inside.height, left : left + inside.width] = part
    return found


def _warped(label: LabelRaster, target: Grid) -> Indices:
    """Class indices on another grid: the label under each pixel's centre."""
    found = np.full((target.height, target.width), UNLABELLED, np.int16)
    source = _window_under(label.grid, target, spare=2)
    if source.empty:
        return found
    reproject(
        _indices(label, source),
        found,
        src_transform=label.grid.window_transform(source),
        src_crs=rasterio.CRS.from_wkt(label.grid.crs_wkt),
        dst_transform=target.transform,
        dst_crs=rasterio.CRS.from_wkt(target.crs_wkt),
        src_nodata=UNLABELLED,
        dst_nodata=UNLABELLED,
        resampling=Resampling.nearest,
        tolerance=0,  # exact, so that a label does not depend on the window it is read with
    )
    return found


def _window_under(source: Grid, target: Grid, spare: int) -> Window:
    """The pixels of ``source`` under ``target``, with some to spare; empty where they do not meet.

    Both have a CRS. Points along the edges and within are looked at, since edges bend between CRSs.
    """
    steps = np.linspace(0, 1, _EDGE_POINTS)
    cols, rows = np.meshgrid(steps * target.width, steps * target.height)
    xs, ys = target.transform @ (cols.ravel(), rows.ravel())
    try:
        way = Transformer.from_crs(CRS.from_wkt(target.crs_wkt), CRS.from_wkt(source.crs_wkt), always_xy=True)
    except ProjError:
        return Window(0, 0, 0, 0)
    xs, ys = way.transform(xs, ys)
    finite = np.isfinite(xs) & np.isfinite(ys)
    if not finite.any():
        return Window(0, 0, 0, 0)
    cols, rows = ~source.transform @ (xs[finite], ys[finite])
    # Neighbours that only touch must not meet by rounding.
    left, top = (int(np.floor(axis.min() + 1e-6)) - spare for axis in (cols, rows))
    right, bottom = (int(np.ceil(axis.max() - 1e-6)) + spare for axis in (cols, rows))
    return Window(top, left, bottom - top, right - left).intersection(source.whole)


def _check_classes_only(raster: Raster, title: str) -> None:
    bands = raster.band_count - len(raster.alpha)
    if bands != 1:
        raise EngineError(
            "bad_input",
            f"{_opening(title)} has {bands} bands, so it is an image; a label raster has one band of class codes.",
            "Choose a class raster. Colours of a picture must be turned into codes first.",
        )


def _opening(title: str) -> str:
    """The title as a sentence begins with it: file names in it stay as they are written."""
    return title[0].upper() + title[1:]


def _present(raster: Raster, title: str) -> list[int]:
    """All valid values, ascending; whole numbers, at most 255 of them."""
    seen: set[int] = set()
    for window in raster.grid.whole.blocks(_BLOCK):
        stored, valid = raster.read_codes(window)
        values = np.unique(stored[valid])
        values = values[np.isfinite(values)]
        if np.issubdtype(values.dtype, np.floating) and (values != np.floor(values)).any():
            fraction = float(values[values != np.floor(values)][0])
            raise EngineError(
                "bad_input",
                f"{_opening(title)} holds fractions such as {fraction:g}, which are no classes.",
                "Choose a raster of whole numbers, one for each class.",
            )
        seen.update(int(value) for value in values[: MOST_CLASSES + 2])
        check_count(_opening(title), len(seen) - (0 in seen))
    return sorted(seen)


def _names_zero(names: dict[int, str], colors: dict[int, str]) -> bool:
    """Whether 0 is a class: a category names it, or the colour table gives it a colour other than black."""
    return bool(names.get(0)) or colors.get(0, "#000000") != "#000000"


def _names(raster: Raster) -> dict[int, str]:
    """Class names that the file itself knows: categories, then attribute table, then our own tags."""
    tags = raster.dataset.tags()
    names = {
        int(key[len(CLASS_TAG) :]): text
        for key, text in tags.items()
        if key.startswith(CLASS_TAG) and key[len(CLASS_TAG) :].isdigit()
    }
    band = _description(raster)
    if band is None:
        return names
    names |= _table_names(band)
    categories = [entry.text or "" for entry in band.iterfind("CategoryNames/Category")]
    return names | {code: text.strip() for code, text in enumerate(categories) if text.strip()}


def _description(raster: Raster) -> ElementTree.Element | None:
    """What GDAL knows of band 1, as XML: rasterio itself reads neither categories nor attribute tables."""
    with rasterio.MemoryFile(ext=".vrt") as file:
        rasterio.shutil.copy(raster.dataset, file.name, driver="VRT")
        # What is parsed is GDAL's own text of a moment ago, without entities or document types.
        return ElementTree.fromstring(file.read()).find("VRTRasterBand")  # noqa: S314 # nosec B314


def _table_names(band: ElementTree.Element) -> dict[int, str]:
    """Value and name columns of a raster attribute table."""
    columns = {entry.findtext("Usage"): place for place, entry in enumerate(band.iterfind(".//FieldDefn"))}
    # GDAL's usages: 2 is a name, 5 a value (MinMax), 3 the lower end of a range.
    value, name = columns.get("5", columns.get("3")), columns.get("2")
    if value is None or name is None:
        return {}
    rows = [[entry.text or "" for entry in row.iterfind("F")] for row in band.iterfind(".//Row")]
    return {int(float(row[value])): row[name].strip() for row in rows if row[name].strip()}


def _colors(raster: Raster) -> dict[int, str]:
    """Colour of each value as #rrggbb; empty without a colour table."""
    try:
        table: dict[int, tuple[int, ...]] = raster.dataset.colormap(1)
    except ValueError:
        return {}
    return {value: "#{:02x}{:02x}{:02x}".format(*color[:3]) for value, color in table.items()}


def _same_file(first: str, second: str) -> bool:
    if os.path.exists(first) and os.path.exists(second):
        return os.path.samefile(first, second)
    return Path(first) == Path(second)
