"""What may be lost when one of our GeoPackages is replaced, which is always done as a whole."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Iterable, List
from urllib.parse import quote

# The engine's table, and the styles that go with it.
REPLACEABLE = frozenset({"landcover", "layer_styles"})
_PROJECTS = "qgis_projects"


def not_ours(path: str, tables: Iterable[str]) -> List[str]:
    """Names of what a container holds that is not ours to replace. ``tables`` are those that GDAL lists.

    The user's QGIS projects are read from the file itself, since QGIS hides their table.
    """
    return [*sorted({*tables} - REPLACEABLE - {_PROJECTS}), *(f"{_PROJECTS}: {name}" for name in _projects(path))]


def _projects(path: str) -> List[str]:
    """Names of the QGIS projects that are saved in a GeoPackage; none in what is no GeoPackage."""
    place = quote(Path(path).absolute().as_posix())
    # "file:///C:/…" on Windows, "file:////server/…" on a network: SQLite takes no host
    address = f"file://{'' if place.startswith('/') else '/'}{place}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True)) as file:
            return [str(name) for (name,) in file.execute("SELECT name FROM qgis_projects ORDER BY name")]
    except sqlite3.Error:
        return []
