"""The same pixels in several images of a request: a copy, a link, a VRT, crops that overlap. They count once.

Other values of the same ground, of another date or pixel size, are new evidence and stay: the lattice of blocks keeps
their ground on one side of the split.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..raster.grid import Window, same_crs
from ..raster.held import Bools, Floats
from ..raster.normalise import units_of
from ..raster.read import Raster
from ..raster.units import Units
from ..reporter import Reporter
from .blocks import sharing_ground
from .samples import UNLABELLED, LabelledImage, on_data

_BLOCK = 2048
# Spots of an image, in rows and in columns, and their side in pixels: images that differ there are not compared whole.
_SPOTS, _SPOT_PX = 3, 16
# Labelled pixels that tell whether two images have values in common.
_ENOUGH = 10_000
# Of the step between two whole stored numbers, what computing with scales may lose.
_ROUNDING = 1e-3
# Declared values this close are looked at as perhaps the same: most are shares of 0 to 1, or degrees.
_GRAIN = 0.007
Chosen = tuple[Raster, tuple[int, ...]]
# An earlier image, and its row and column where the first pixel of the later one lies.
Earlier = tuple[LabelledImage, tuple[int, int]]


def without_copies(images: Sequence[Chosen], reporter: Reporter) -> tuple[list[Chosen], list[str]]:
    """The rasters, with their chosen bands, that are no copy of an earlier one; a note on each copy, which is logged.

    A copy has the same values, by scale and offset where both declare them, and the same pixels without data, on the
    same grid; where one of both has no CRS, equal width and height are enough. Where only one of both declares scale
    and offset, nobody knows whether it is a copy.
    """
    if len(images) < 2:
        return list(images), []
    kept: list[Chosen] = []
    alike: dict[tuple[int, int, str], list[Chosen]] = {}
    notes = []
    for image in images:
        candidates = alike.setdefault(_signature(image), [])
        original = next((earlier for earlier in candidates if _is_copy(image, earlier, reporter)), None)
        if original is None:
            candidates.append(image)
            kept.append(image)
        else:
            again, first = _named(image[0], original[0])
            notes.append(
                f"{again} is given more than once. Its labels count once."
                if again == first
                else f"{again} has the same pixels as {first}. It is left out, so that its labels count once."
            )
            reporter.log(notes[-1], "warning")
    return kept, notes


def labelled_once(images: Sequence[LabelledImage], reporter: Reporter) -> tuple[list[LabelledImage], list[str]]:
    """The images, with each labelled pixel in the first one only of those that show it with the same values.

    Images of which most common pixels differ are other dates, whose values may agree by chance: they stay as they are.
    An image without other labels is left out; a note on each of these, which is logged.
    """
    kept, notes, sharing = [], [], 0
    for image, places in zip(images, sharing_ground([image.raster.grid for image in images]), strict=True):
        earlier = _repeated(image, [images[place] for place in places], reporter)
        once = replace(image, labels=_unrepeated(image, earlier)) if earlier else image
        repeated, left = _count(image, once, reporter) if earlier else (0, 1)
        names = _named(image.raster, *(other.raster for other, _ in earlier))
        said = f"{repeated:,} labelled pixels of {names[0]} have the same values in {' or '.join(names[1:])}"
        if repeated and not left:
            notes.append(f"All {said}. It is left out, so that its labels count once.")
            reporter.log(notes[-1], "warning")
            continue
        if repeated:
            reporter.log(f"{said} and count once.")
        sharing += bool(places)
        kept.append(once)
    if sharing:
        reporter.log(
            f"{sharing} of {len(kept)} images show ground that another one shows too: its validation blocks are the "
            "same in all of them, and each counts as one place when classes are judged."
        )
    return kept, notes


def _signature(image: Chosen) -> tuple[int, int, str]:
    """Width, height and a digest of some spots, by which copies are found without looking at every pair of images."""
    raster, bands = image
    height, width = raster.grid.height, raster.grid.width
    digest = hashlib.sha256()
    for row in range(_SPOTS):
        for col in range(_SPOTS):
            top, left = (max(0, length - _SPOT_PX) * at // (_SPOTS - 1) for length, at in ((height, row), (width, col)))
            values, _ = raster.read(bands, Window(top, left, _SPOT_PX, _SPOT_PX))
            digest.update(_rounded(values, units_of(raster, bands)).tobytes())
    return width, height, digest.hexdigest()


def _is_copy(image: Chosen, original: Chosen, reporter: Reporter) -> bool:
    (raster, bands), (first, first_bands) = image, original
    if raster.grid.crs_wkt and first.grid.crs_wkt and not raster.grid.same_as(first.grid):
        return False
    if os.path.exists(raster.path) and os.path.exists(first.path) and os.path.samefile(raster.path, first.path):
        return bands == first_bands
    units, theirs = units_of(raster, bands), units_of(first, first_bands)
    # What a silent file's numbers mean nobody knows, so that `check_units` must still see both.
    if [own.declared for own in units] != [own.declared for own in theirs]:
        return False
    any_data = False
    for window in raster.grid.whole.blocks(_BLOCK):
        reporter.check()
        values, valid = raster.read(bands, window)
        others, known = first.read(first_bands, window)
        if (valid != known).any() or not _equal(values, units, others, theirs)[valid].all():
            return False
        any_data |= bool(valid.any())
    return any_data


def _repeated(image: LabelledImage, others: Sequence[LabelledImage], reporter: Reporter) -> list[Earlier]:
    """Those of the others that have the image's pixels, on the same grid and with the same values."""
    found = []
    grid = image.raster.grid
    for other in others:
        shift = grid.offset_in(other.raster.grid) if same_crs(grid.crs_wkt, other.raster.grid.crs_wkt) else None
        if shift is not None and _mostly_equal(image, (other, shift), reporter):
            found.append((other, shift))
    return found


def _mostly_equal(image: LabelledImage, earlier: Earlier, reporter: Reporter) -> bool:
    """Whether at least half of the pixels that both have labelled have the same values, of the first 10,000 or so."""
    both = equal = 0
    labelled = _shifted(earlier[0].labelled, (-earlier[1][0], -earlier[1][1]))
    for window in image.labelled.intersection(labelled).blocks(_BLOCK):
        reporter.check()
        known, same = _compared(image, earlier, window)
        both, equal = both + int(known.sum()), equal + int(same.sum())
        if both >= _ENOUGH:
            break
    return both > 0 and 2 * equal >= both


def _compared(image: LabelledImage, earlier: Earlier, window: Window) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(h, w) which pixels of a window both images have labelled, and which of these have the same values."""
    other, shift = earlier
    there = _shifted(window, shift)
    known = on_data(image, window, image.labels(window)) >= 0
    if known.any():
        known &= on_data(other, there, other.labels(there)) >= 0
    if not known.any():
        return known, known
    values, theirs = image.raster.read(image.bands, window)[0], other.raster.read(other.bands, there)[0]
    units = units_of(image.raster, image.bands), units_of(other.raster, other.bands)
    return known, known & _equal(values, units[0], theirs, units[1])


def _equal(values: Floats, units: Sequence[Units], others: Floats, theirs: Sequence[Units]) -> Bools:
    """(h, w) where values (C,h,w) of two images mean the same: where both declare scale and offset by these, within
    rounding, else as they are stored."""
    found = np.ones(values.shape[1:], np.bool_)
    for own, one, other, two in zip(values, units, others, theirs, strict=True):
        if one == two or not (one.declared and two.declared):
            found &= own == other
        else:
            step = _ROUNDING * min(one.scale, two.scale)
            found &= np.isclose(_declared(own, one), _declared(other, two), rtol=1e-6, atol=step)
    return found


def _declared(values: Floats, units: Units) -> NDArray[np.float64]:
    return values.astype(np.float64) * units.scale + units.offset


def _rounded(values: Floats, units: Sequence[Units]) -> NDArray[np.float64]:
    """Values (C,h,w) so that images that are equal by `_equal` hardly ever differ; the others mostly do."""
    bands = zip(values, units, strict=True)
    # The odd shift keeps round numbers away from where rounding turns over.
    return np.stack(
        [
            np.floor(_declared(own, one) / _GRAIN + 0.123) if one.declared else own.astype(np.float64)
            for own, one in bands
        ]
    )


def _unrepeated(image: LabelledImage, earlier: Sequence[Earlier]) -> Callable[[Window], NDArray[np.int16]]:
    """The image's labels without those of pixels that an earlier image has labelled with the same values."""

    def labels(window: Window) -> NDArray[np.int16]:
        found = image.labels(window)
        for other in earlier:
            found = np.where(_compared(image, other, window)[1], UNLABELLED, found).astype(np.int16)
        return found

    return labels


def _count(image: LabelledImage, once: LabelledImage, reporter: Reporter) -> tuple[int, int]:
    """Labelled pixels with data that ``once`` leaves out, and those that it keeps."""
    drawn = left = 0
    for window in image.labelled.blocks(_BLOCK):
        reporter.check()
        drawn += int((on_data(image, window, image.labels(window)) >= 0).sum())
        left += int((on_data(image, window, once.labels(window)) >= 0).sum())
    return drawn - left, left


def _shifted(window: Window, shift: tuple[int, int]) -> Window:
    return Window(window.row + shift[0], window.col + shift[1], window.height, window.width)


def _named(*rasters: Raster) -> list[str]:
    """The rasters' names in quotation marks, or their paths where two files have one name."""
    files = {os.path.realpath(raster.path): raster.name for raster in rasters}
    alike = len(set(files.values())) < len(files)
    return [f'"{raster.path if alike else raster.name}"' for raster in rasters]
