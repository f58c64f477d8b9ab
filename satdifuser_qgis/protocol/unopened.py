"""What keeps a file from being opened, as far as a look at its place tells. Each half says it in its own words."""

from __future__ import annotations

import re
from glob import escape
from pathlib import Path
from typing import List

# What is no path but a name for GDAL: NETCDF:"a.nc":red, PG:dbname=gis, https://…, /vsizip/a.zip
_NAME = re.compile(r"\w{2,}:|/vsi")
_PARTS = (".shx", ".dbf")


def trouble(path: str) -> str:
    """ "missing", "folder" or "empty"; "" where the place says nothing."""
    if _NAME.match(path):
        return ""
    file = Path(path)
    if not path or not file.exists():
        return "missing"
    if file.is_dir():
        return "folder"
    return "empty" if file.is_file() and file.stat().st_size == 0 else ""


def missing_parts(path: str) -> List[str]:
    """The files that must lie beside a shapefile and do not; none for all else."""
    file = Path(path)
    if file.suffix.lower() != ".shp" or not file.is_file():
        return []
    beside = {other.suffix.lower() for other in file.parent.glob(f"{escape(file.stem)}.*")}
    return [file.stem + ending for ending in _PARTS if ending not in beside]
