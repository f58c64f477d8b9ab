"""Parameter values as the user typed them: bands, timesteps, field names, extents."""

from __future__ import annotations

import difflib
import os
import re
from typing import Any, Iterable, Iterator, List, Optional, Tuple

from qgis.core import QgsRectangle
from qgis.PyQt.QtCore import QCoreApplication

from .images import Image

translate = QCoreApplication.translate

Extent = Tuple[float, float, float, float]
# The backbones see three bands: red, green, blue.
BANDS_WANTED = 3


def items_of(value: Any) -> List[Any]:
    """What a list parameter holds: a list, a text with semicolons as on a command line, or one item alone.

    A semicolon in the name of a file or folder that is there parts nothing.
    """
    if isinstance(value, (list, tuple)):
        return list(value)
    if isinstance(value, str):
        return list(_parted(value.split(";")))
    return [] if value is None else [value]


def _parted(pieces: List[str]) -> Iterator[str]:
    while pieces:
        ends = (end for end in range(len(pieces), 1, -1) if os.path.exists(";".join(pieces[:end])))
        end = next(ends, 1)
        item, pieces = ";".join(pieces[:end]), pieces[end:]
        if item:
            yield item


def whole_numbers(value: Any, name: str) -> Tuple[int, ...]:
    """Whole numbers from a list, a single number or a text like "3, 2, 1"; nothing gives (). Raises ValueError.

    QGIS reads "3,2,1" of a command line as [0], so bands are never asked of `parameterAsInts`.
    """
    words = [word for item in items_of(value) for word in re.split(r"[\s,;]+", str(item)) if word]
    numbers = []
    for word in words:
        if not re.fullmatch(r"[+-]?\d+", word):
            raise ValueError(
                translate(
                    "SatDiFuser", '{name}: "{word}" is no whole number. Write numbers with commas, like 1, 2, 3.'
                ).format(name=name, word=word)
            )
        numbers.append(int(word))
    return tuple(numbers)


def bands(value: Any, name: str, image: Image, wanted: int = BANDS_WANTED) -> Tuple[int, ...]:
    """``wanted`` 1-based bands of ``image`` in the user's order; () means automatic. Raises ValueError."""
    chosen = whole_numbers(value, name)
    for band in chosen:
        if not 1 <= band <= image.band_count:
            raise ValueError(
                translate(
                    "SatDiFuser",
                    '{name}: band {band} is chosen but "{layer}" has {count}. '
                    "Choose from 1 to {count}, or leave it empty.",
                ).format(name=name, band=band, layer=image.name, count=image.band_count)
            )
    if chosen and len(chosen) != wanted:
        raise ValueError(
            translate(
                "SatDiFuser",
                "{name}: {count} bands are chosen ({bands}) but {wanted} are needed, in the order red, green, blue. "
                "Choose {wanted}, or leave it empty.",
            ).format(name=name, count=len(chosen), bands=", ".join(map(str, chosen)), wanted=wanted)
        )
    return chosen


def closest(word: str, known: Iterable[str]) -> Optional[str]:
    """The known word that was probably meant, None where nothing is near. Case does not matter."""
    by_lower = {item.lower(): item for item in known}
    found = difflib.get_close_matches(word.lower(), list(by_lower), n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def check_field(field: str, name: str, layer_name: str, fields: Iterable[str]) -> None:
    """Raises ValueError where a layer has no such field, with the one that was probably meant."""
    known = list(fields)
    if not field:
        raise ValueError(
            translate(
                "SatDiFuser", '{name} is empty. Choose the field of "{layer}" that holds the class: {fields}.'
            ).format(name=name, layer=layer_name, fields=", ".join(known))
        )
    if field not in known:
        meant = closest(field, known)
        hint = translate("SatDiFuser", 'Did you mean "{meant}"?').format(meant=meant) if meant else ""
        raise ValueError(
            translate("SatDiFuser", '{name}: "{layer}" has no field "{field}". Its fields are {fields}. {hint}')
            .format(name=name, layer=layer_name, field=field, fields=", ".join(known), hint=hint)
            .strip()
        )


def extent(given: QgsRectangle, name: str, image: Image) -> Extent:
    """xmin, ymin, xmax, ymax in the raster's CRS. Raises ValueError where it is empty or misses the raster."""
    shown = ", ".join(f"{value:g}" for value in _corners(given))
    if given.isNull() or given.isEmpty() or not given.isFinite():
        raise ValueError(
            translate(
                "SatDiFuser",
                "{name}: the extent ({shown}) is empty. Draw a rectangle, or leave it empty for the whole.",
            ).format(name=name, shown=shown)
        )
    if not given.intersects(image.extent):
        raise ValueError(
            translate(
                "SatDiFuser",
                '{name}: the extent ({shown}) does not touch "{layer}" ({whole}), both as xmin, ymin, xmax, ymax in '
                "the raster's CRS. Choose an extent inside it, or leave it empty for the whole.",
            ).format(
                name=name,
                shown=shown,
                layer=image.name,
                whole=", ".join(f"{value:g}" for value in _corners(image.extent)),
            )
        )
    return _corners(given)


def _corners(rectangle: QgsRectangle) -> Extent:
    return rectangle.xMinimum(), rectangle.yMinimum(), rectangle.xMaximum(), rectangle.yMaximum()
