"""Refusal of output files, before any computing: what lies there is open, an input, or would be lost or restyled."""

from __future__ import annotations

import glob
import os
import sqlite3
from pathlib import Path
from typing import Dict, Iterable, List, Mapping, Optional, Sequence

from qgis.core import QgsMapLayer, QgsProject, QgsProviderRegistry
from qgis.PyQt.QtCore import QCoreApplication, QUrl

from ..protocol.geopackage import not_ours
from ..protocol.places import Obstacle, obstacle, same_file
from ..protocol.side_files import PICTURES, RASTERS, VECTORS

translate = QCoreApplication.translate

CONTAINERS = (".gpkg", ".sqlite", ".gdb")
# Files that QGIS opens with the style in the ``.qml`` of the same stem. GeoPackages hold their own.
STYLED_BESIDE = RASTERS | VECTORS | PICTURES


def check_plain(name: str, path: str) -> None:
    """Raises ValueError for a URL and for "~", which would become a folder of that name in the current one."""
    plain = QUrl(path).toLocalFile() if path.lower().startswith("file:") else os.path.expanduser(path)
    if plain != path:
        raise ValueError(
            translate("SatDiFuser", "{name}: {path} is no plain path. Write {plain} instead.").format(
                name=name, path=path, plain=plain
            )
        )


def check_targets(
    targets: Mapping[str, str],
    endings: Mapping[str, Sequence[str]],
    inputs: Mapping[str, Iterable[str]],
    project: Optional[QgsProject],
) -> None:
    """Raises ValueError for the first target that must not be written. Empty targets are not written.

    All go by the labels of their parameters. ``endings`` are the file name endings allowed for an output; ``inputs``
    the files that the run reads.
    """
    seen: Dict[str, str] = {}
    for name, path in targets.items():
        if not path:
            continue
        _check_ending(name, path, endings.get(name, ()))
        _check_place(name, path)
        place = _place(path)
        if place in seen:
            raise ValueError(
                translate("SatDiFuser", "{name} and {other} are the same file, {path}. Give one another name.").format(
                    name=seen[place], other=name, path=path
                )
            )
        seen[place] = name
        _check_inputs(name, path, inputs)
        _check_project(name, path, project)
        _check_container(name, path)
        _check_style(name, path, (*targets.values(), *(file for files in inputs.values() for file in files)))


def _check_ending(name: str, path: str, allowed: Sequence[str]) -> None:
    if allowed and not path.lower().endswith(tuple(allowed)):
        raise ValueError(
            translate(
                "SatDiFuser", "{name}: {path} cannot be written in that format. Let its name end in {endings}."
            ).format(name=name, path=path, endings=", ".join(allowed))
        )


def _check_place(name: str, path: str) -> None:
    found = obstacle(Path(path))
    if found is not None:
        raise ValueError(f"{name}: {_told(found)}")


def _told(found: Obstacle) -> str:
    told = {
        "no_file": translate("SatDiFuser", "{path} is a folder or a device. Choose a file."),
        "circle": translate(
            "SatDiFuser", "{path} is a link that leads back to itself. Remove it, or choose another file."
        ),
        "too_long": translate(
            "SatDiFuser",
            "the name {path} has {length} {unit}, and its disk takes {limit} with what is written beside it. Choose a "
            "shorter name.",
        ),
        "read_only": translate(
            "SatDiFuser", "{path} is read-only. Choose another file, or allow it to be written first."
        ),
        "in_use": translate(
            "SatDiFuser",
            "{path} cannot be replaced: another program holds it. Close it there, or choose another file.",
        ),
        "foreign": translate(
            "SatDiFuser", "{path} lies there without a shapefile and would be overwritten. Choose another name."
        ),
        "folder": translate("SatDiFuser", "{path} cannot be written to. Choose another folder."),
    }[found.kind]
    return str(told.format(path=found.path, length=found.length, limit=found.limit, unit=_unit()))


def _unit() -> str:
    """What a system counts in names (protocol.places)."""
    if os.name == "nt":
        return translate("SatDiFuser", "characters")
    return translate("SatDiFuser", "bytes (letters beyond A to Z take two or more)")


def _check_inputs(name: str, path: str, inputs: Mapping[str, Iterable[str]]) -> None:
    for source, files in inputs.items():
        if any(same_file(file, path) for file in files):
            raise ValueError(
                translate(
                    "SatDiFuser",
                    "{name}: {path} is also read as {source} and would be overwritten. Choose another file.",
                ).format(name=name, path=path, source=source)
            )


def _check_project(name: str, path: str, project: Optional[QgsProject]) -> None:
    for layer in project.mapLayers().values() if project is not None else ():
        if any(_place(file) == _place(path) for file in layer_files(layer)):
            raise ValueError(
                translate(
                    "SatDiFuser",
                    '{name}: {path} is open in the project as "{layer}". Remove that layer first, or choose another '
                    "file.",
                ).format(name=name, path=path, layer=layer.name())
            )


def _check_container(name: str, path: str) -> None:
    if not path.lower().endswith(CONTAINERS) or not os.path.exists(path):
        return
    try:
        tables = other_tables(path)
    except sqlite3.OperationalError as error:
        raise ValueError(
            translate(
                "SatDiFuser",
                "{name}: {path} is held by another program, so that it cannot be seen what would be lost. Close it "
                "there, or choose a new file.",
            ).format(name=name, path=path)
        ) from error
    if tables:
        raise ValueError(
            translate(
                "SatDiFuser",
                "{name}: {path} already holds {tables}, which would be lost. Choose a new file.",
            ).format(name=name, path=path, tables=", ".join(tables))
        )


def _check_style(name: str, path: str, known: Iterable[str]) -> None:
    """Refuses a file whose style would be that of another file too: one that is ``known``, or lies in the folder."""
    style = _style(path)
    if not style:
        return
    neighbours = Path(path).parent.glob(f"{glob.escape(Path(path).stem)}.*")
    for other in (*known, *(str(file) for file in neighbours if file.suffix.lower() not in PICTURES)):
        if _style(other) == style and _place(other) != _place(path):
            raise ValueError(
                translate(
                    "SatDiFuser",
                    "{name}: the style of {path} would be that of {other} too, since both lie in one folder under one "
                    "name. Choose another name, or for polygons a GeoPackage.",
                ).format(name=name, path=path, other=other)
            )


def _style(path: str) -> str:
    """The file with the style of a data file, "" where there is none beside it."""
    file = Path(path)
    return _place(str(file.with_suffix(".qml"))) if file.suffix.lower() in STYLED_BESIDE else ""


def other_tables(path: str) -> List[str]:
    """Names of what a container holds that is not ours to replace."""
    details = QgsProviderRegistry.instance().querySublayers(path)
    return not_ours(path, (item.name() for item in details))


def layer_files(layer: QgsMapLayer) -> List[str]:
    """The file behind a layer, as a list of none or one."""
    path = QgsProviderRegistry.instance().decodeUri(layer.providerType(), layer.source()).get("path")
    return [str(path)] if path else []


def _place(path: str) -> str:
    return os.path.normcase(os.path.realpath(path))
