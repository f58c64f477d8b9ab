"""Refusal of output files before any computing: unwritable, read by the same run, named twice, full of other tables.

The Toolbox refuses these too, and more that only QGIS knows; here they are refused on the command line.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..protocol.errors import EngineError
from ..protocol.geopackage import not_ours
from ..protocol.places import obstacle, same_file
from .file_names import DRIVERS

_UNIT = "characters" if os.name == "nt" else "bytes"
# What stands in the way, and the way out, by kind of obstacle.
_OBSTACLES = {
    "no_file": ("{path} is a folder or a device.", "Choose a file."),
    "circle": ("{path} is a link that leads back to itself.", "Remove it, or choose another file."),
    "too_long": (
        f"the name {{path.name}} has {{length}} {_UNIT}, and its disk takes {{limit}} with what is written beside it.",
        "Choose a shorter name.",
    ),
    "read_only": ("{path} is read-only.", "Choose another file, or allow it to be written first."),
    "in_use": ("{path} cannot be replaced: another program holds it.", "Close it there, or choose another file."),
    "foreign": ("{path} lies there without a shapefile and would be overwritten.", "Choose another name."),
    "folder": ("{path} is no folder to write to.", "Choose another folder, or see to it that you may write there."),
}


def check_targets(request: Any) -> None:
    """Raises EngineError("bad_request") for the first target that must not be written; "" is not written.

    ``request.ENDINGS`` has the file name endings of each output that is a file, the first its usual one;
    ``request.READS`` are the fields with files that are read.
    """
    seen: dict[str, str] = {}
    for name, endings in getattr(request, "ENDINGS", {}).items():
        target = getattr(request, name)
        if not target:
            if name in _required(request):
                raise _refused(f'The output "{name}" has no file name.', f"Give one that ends in {endings[0]}.")
            continue
        _check_kind(name, Path(target), endings)
        _check_place(name, Path(target))
        _check_container(name, Path(target))
        _check_drivers(name, Path(target))
        place = _place(target)
        if place in seen:
            raise _refused(
                f'The outputs "{seen[place]}" and "{name}" are the same file, {target}.', "Give one another name."
            )
        seen[place] = name
        for field, source in _read_files(request):
            if same_file(target, source):
                raise _refused(
                    f'The output "{name}", {target}, is also read as "{field}" and would be overwritten.',
                    "Choose another file.",
                )


def _place(path: str) -> str:
    return os.path.normcase(os.path.realpath(path))


def _check_kind(name: str, target: Path, endings: tuple[str, ...]) -> None:
    if target.suffix.lower() not in endings:
        raise _refused(
            f'The output "{name}" cannot be written as {target}.', f"Let its name end in {' or '.join(endings)}."
        )


def _check_place(name: str, target: Path) -> None:
    found = obstacle(target)
    if found is not None:
        reason, remedy = _OBSTACLES[found.kind]
        told = reason.format(path=found.path, length=found.length, limit=found.limit)
        raise _refused(f'The output "{name}" cannot be written as {target}: {told}', remedy)


def _check_drivers(name: str, target: Path) -> None:
    """GDAL can be told to leave drivers out. Maps go through a GeoTIFF, outlines of polygons through a GeoPackage."""
    kind = target.suffix.lower()
    if kind in (".tif", ".tiff"):
        missing = {"GTiff", "COG"} - _raster_drivers()
    elif kind in DRIVERS:
        missing = {"GPKG", DRIVERS[kind]} - _vector_drivers()
    else:
        return
    if missing:
        raise EngineError(
            "engine_broken",
            f'The output "{name}", {target}, cannot be written: GDAL has no driver {" and no ".join(sorted(missing))}.',
            "Take it out of GDAL_SKIP, in the environment or in GDAL's file gdalrc; if it is not there, install the "
            "engine again.",
        )


def _raster_drivers() -> set[str]:
    import rasterio

    with rasterio.Env() as environment:
        return set(environment.drivers())


def _vector_drivers() -> set[str]:
    import pyogrio

    return set(pyogrio.list_drivers(write=True))


def _check_container(name: str, target: Path) -> None:
    """A GeoPackage is replaced as a whole, so it may hold nothing but ours."""
    if target.suffix.lower() != ".gpkg" or not target.is_file():
        return
    try:
        tables = not_ours(str(target), _layers(target))
    except sqlite3.OperationalError as error:
        raise _refused(
            f'The output "{name}", {target}, is held by another program, so that it cannot be seen what would be lost.',
            "Close it there, or choose a new file.",
        ) from error
    if tables:
        raise _refused(
            f'The output "{name}", {target}, already holds {", ".join(tables)}, which would be lost.',
            "Choose a new file.",
        )


def _layers(target: Path) -> list[str]:
    import pyogrio

    from .file_names import as_file

    try:
        with as_file(target) as file:
            return [str(layer) for layer, _ in pyogrio.list_layers(file)]
    except pyogrio.errors.DataSourceError:  # it only has the name of one, or is locked
        return []


def _required(request: Any) -> set[str]:
    defaults = type(request).__dataclass_fields__
    return {name for name in request.OUTPUTS if not isinstance(defaults[name].default, str)}


def _read_files(request: Any) -> Iterator[tuple[str, str]]:
    """Name of the field and path of each file that the run reads; those of mosaics and behind GDAL's own names too."""
    from .file_names import split_address

    for name in request.READS:
        value = getattr(request, name)
        for text in [value] if isinstance(value, str) else value:
            path, _ = split_address(text)
            yield name, path
            for part in _files_behind(path):
                yield name, part


def _files_behind(path: str) -> list[str]:
    if os.path.exists(path) and Path(path).suffix.lower() != ".vrt":
        return []
    from .raster.read import files_behind

    return files_behind(path)


def _refused(message: str, remedy: str) -> EngineError:
    return EngineError("bad_request", message, remedy)
