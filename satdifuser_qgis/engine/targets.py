"""Refusal of output files before any computing: read by the same run, named twice, full of other tables.

The Toolbox refuses these too, and more that only QGIS knows; here they are refused on the command line.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..protocol.errors import EngineError
from ..protocol.geopackage import not_ours


def check_targets(request: Any) -> None:
    """Raises EngineError("bad_request") for the first target that must not be written; "" is not written.

    ``request.ENDINGS`` has the file name endings of each output that is a file, the first its usual one;
    ``request.READS`` are the fields with files that are read.
    """
    seen: dict[Path, str] = {}
    for name, endings in getattr(request, "ENDINGS", {}).items():
        target = getattr(request, name)
        if not target:
            if name in _required(request):
                raise _refused(f'The output "{name}" has no file name.', f"Give one that ends in {endings[0]}.")
            continue
        _check_kind(name, Path(target), endings)
        _check_container(name, Path(target))
        place = Path(target).resolve()
        if place in seen:
            raise _refused(
                f'The outputs "{seen[place]}" and "{name}" are the same file, {target}.', "Give one another name."
            )
        seen[place] = name
        for field, source in _read_files(request):
            if place == Path(source).resolve():
                raise _refused(
                    f'The output "{name}", {target}, is also read as "{field}" and would be overwritten.',
                    "Choose another file.",
                )


def _check_kind(name: str, target: Path, endings: tuple[str, ...]) -> None:
    if target.suffix.lower() not in endings:
        raise _refused(
            f'The output "{name}" cannot be written as {target}.', f"Let its name end in {' or '.join(endings)}."
        )
    if target.is_dir():
        raise _refused(f'The output "{name}", {target}, is a folder.', "Choose a file.")
    folder = target.absolute().parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise _refused(f'The output "{name}" cannot be written: {folder} is no folder to write to.', "Choose another.")


def _check_container(name: str, target: Path) -> None:
    """A GeoPackage is replaced as a whole, so it may hold nothing but ours."""
    if target.suffix.lower() != ".gpkg" or not target.is_file():
        return
    import pyogrio

    try:
        tables = not_ours(str(target), (str(layer) for layer, _ in pyogrio.list_layers(target)))
    except pyogrio.errors.DataSourceError:  # it only has the name of one
        return
    if tables:
        raise _refused(
            f'The output "{name}", {target}, already holds {", ".join(tables)}, which would be lost.',
            "Choose a new file.",
        )


def _required(request: Any) -> set[str]:
    defaults = type(request).__dataclass_fields__
    return {name for name in request.OUTPUTS if not isinstance(defaults[name].default, str)}


def _read_files(request: Any) -> Iterator[tuple[str, str]]:
    """Name of the field and path of each file that the run reads; a mosaic's parts too."""
    for name in request.READS:
        value = getattr(request, name)
        for text in [value] if isinstance(value, str) else value:
            path = text.partition("|")[0]
            yield name, path
            for part in _mosaic_parts(path):
                yield name, part


def _mosaic_parts(path: str) -> list[str]:
    if Path(path).suffix.lower() != ".vrt":
        return []
    from .raster.read import files_behind

    return files_behind(path)


def _refused(message: str, remedy: str) -> EngineError:
    return EngineError("bad_request", message, remedy)
