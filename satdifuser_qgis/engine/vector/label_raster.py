"""Label rasters: their classes, which images they belong to, and their labels on an image's pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import rasterio
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError
from rasterio.warp import Resampling, reproject

from ...protocol.classes import LandCoverClass, StyledClass
from ...protocol.errors import EngineError
from ...protocol.nodata import AS_DECLARED, NoData
from ...protocol.places import same_file
from ..raster.grid import Grid, Window
from ..raster.read import Raster
from .class_names import text_key
from .class_table import MOST_CLASSES, UNLABELLED, ClassTable, Indices, check_count, counted_notes, number_table
from .legend import BLACK, Legend, read_legend
from .no_class import count_classes, without_class

_BLOCK = 1024
_EDGE_POINTS = 21


@dataclass(frozen=True)
class LeftOut:
    """A value of a label raster that is taken as unlabelled: a phrase that names it and says why, and its pixels."""

    what: str
    pixels: int


@dataclass(frozen=True)
class LabelRaster:
    """A class raster used as labels. ``values`` are the stored values of ``classes``, in the same order."""

    raster: Raster
    class_table: ClassTable
    values: tuple[int, ...]
    left_out: tuple[LeftOut, ...] = ()

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


def open_label_raster(
    path: str, styles: Sequence[StyledClass] = (), drawn: ClassTable | None = None, nodata: NoData = AS_DECLARED
) -> LabelRaster:
    """A class raster with the classes that occur in it; close its ``raster`` when done.

    Nodata, of the file or the user, and masked pixels are unlabelled, and so is 0 unless legend or colour table name
    it. What the legend calls
    "Unclassified" or the like, transparent values and undeclared fill are unlabelled too, unless a style gives them
    another name or the ``drawn`` labels have that class. Names come from categories, attribute table or our own tags,
    colours from the colour table; a style goes before both.
    Raises EngineError("bad_input") for images, fractions, or more than 255 values; "too_few_labels" where
    nothing is labelled.
    """
    raster = Raster(path, nodata)
    try:
        title = f'the label raster "{raster.name}"'
        _check_classes_only(raster, title)
        pixels, legend = _present(raster, title), read_legend(raster, styles)
        unlabelled = without_class(sorted(pixels), legend, _drawn(legend, drawn), raster.dtype)
        numbers = sorted(pixels.keys() - unlabelled.keys())
        left_out = tuple(LeftOut(what, pixels[value]) for value, what in unlabelled.items() if what)
        if not numbers:
            listed = "".join(f", or {item.what}" for item in left_out)
            raise EngineError(
                "too_few_labels",
                f"{_opening(title)} holds no label: all is 0 or nodata{listed}.",
                "Choose another raster, or name its classes in the style of the layer.",
            )
        shown = {number: legend.colors[number] for number in numbers if number in legend.colors}
        # Black alone is what an unset entry looks like; two classes cannot both mean it.
        if sum(color == BLACK for color in shown.values()) > 1:
            shown = {number: color for number, color in shown.items() if color != BLACK}
        table, places = number_table(title, numbers, styles, legend.names, shown)
        return LabelRaster(raster, table, tuple(sorted(places, key=lambda number: places[number])), left_out)
    except EngineError:
        raster.close()
        raise


def class_notes(labels: Sequence[LabelRaster]) -> list[str]:
    """Sentences on values that are no class, each with its pixels in all label rasters, and on codes that changed."""
    found: dict[str, list[tuple[str, int]]] = {}
    for label in labels:
        for item in label.left_out:
            found.setdefault(item.what, []).append((label.name, item.pixels))
    notes = []
    for what, rasters in found.items():
        more = f" and {len(rasters) - 1} more" if len(rasters) > 1 else ""
        notes.append(
            f"Taken as unlabelled: {what}; {sum(pixels for _, pixels in rasters):,} pixels of the label raster "
            f'"{rasters[0][0]}"{more}. Where it is a class, give it a name in the style of the layer.'
        )
    return notes + [note for label in labels for note in counted_notes(label.class_table, label.values)]


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
            if same_file(label.raster.path, image.path):
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
    # Compared as they are stored: in another type, large values could become those of classes.
    values = np.array(label.values, stored.dtype)
    order = np.argsort(values)
    place = np.searchsorted(values[order], stored).clip(0, len(order) - 1)
    known = valid & (values[order][place] == stored)
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


def _present(raster: Raster, title: str) -> dict[int, int]:
    """The pixels of each valid value; whole numbers, at most 255 of them beside 0 and fill."""
    pixels: Counter[int] = Counter()
    for window in raster.grid.whole.blocks(_BLOCK):
        stored, valid = raster.read_codes(window)
        values, counts = np.unique(stored[valid & np.isfinite(stored)], return_counts=True)
        if np.issubdtype(values.dtype, np.floating) and (values != np.floor(values)).any():
            fraction = float(values[values != np.floor(values)][0])
            raise EngineError(
                "bad_input",
                f"{_opening(title)} holds fractions such as {fraction:g}, which are no classes.",
                "Choose a raster of whole numbers, one for each class.",
            )
        few = slice(2 * MOST_CLASSES)
        for value, count in zip(values[few].tolist(), counts[few].tolist(), strict=True):
            pixels[int(value)] += count
        check_count(_opening(title), count_classes(pixels, raster.dtype))
    return dict(pixels)


def _drawn(legend: Legend, drawn: ClassTable | None) -> set[int]:
    """The values whose name or code is a class of the drawn labels; of 0, which fills most rasters, the name alone."""
    if drawn is None:
        return set()
    names = {text_key(entry.name).casefold() for entry in drawn.classes}
    codes = set() if drawn.made_codes else {entry.code for entry in drawn.classes}
    return codes - {0} | {value for value, name in legend.names.items() if text_key(name).casefold() in names}
