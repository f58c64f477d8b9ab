"""What may be lost when one of our GeoPackages is replaced, always as a whole."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Iterable, List
from urllib.parse import quote

# The engine's table, and the styles that go with it.
REPLACEABLE = frozenset({"landcover", "layer_styles"})
_PROJECTS = "qgis_projects"
# Another program that writes soon lets go of the file.
_PATIENCE_S = 2.0


def not_ours(path: str, tables: Iterable[str]) -> List[str]:
    """Names of what a container holds that is not ours to replace. ``tables`` are those that GDAL or QGIS lists.

    The file's own contents are read as well: some listings leave out rasters, and QGIS hides the user's projects.
    Raises sqlite3.OperationalError where another program holds the file, so that nobody knows what is in it.
    """
    everything = {*tables, *_names(path, "SELECT table_name FROM gpkg_contents")}
    projects = _names(path, "SELECT name FROM qgis_projects")
    return [*sorted(everything - REPLACEABLE - {_PROJECTS}), *(f"{_PROJECTS}: {name}" for name in sorted(projects))]


def _names(path: str, query: str) -> List[str]:
    """The first column of a query to a GeoPackage; nothing where the file is none, or has no such table."""
    place = quote(Path(path).absolute().as_posix())
    # "file:///C:/…" on Windows, "file:////server/…" on a network: SQLite takes no host
    address = f"file://{'' if place.startswith('/') else '/'}{place}?mode=ro"
    try:
        with closing(sqlite3.connect(address, timeout=_PATIENCE_S, uri=True)) as file:
            return [str(name) for (name,) in file.execute(query)]
    except sqlite3.Error as error:
        if "locked" in str(error):
            raise
        return []
