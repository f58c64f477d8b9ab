"""Coordinate reference systems that name no place on Earth: both halves take them for none."""

from __future__ import annotations

import re

# What GeoPackages call the CRS of layers that have none, those that QGIS writes among them, and Esri's form of it.
_UNDEFINED = re.compile(r"(GCS_)?Undefined[ _](\w+[ _])?SRS")
# Local systems, as of a building site, and what GDAL makes of files that know no more than a unit; heights alone.
_LOCAL = ("LOCAL_CS", "ENGCRS", "ENGINEERINGCRS", "IMAGECRS", "VERT_CS", "VERTCRS", "VERTICALCRS")
_COMPOUND = ("COMPD_CS", "COMPOUNDCRS")
_PART = re.compile(r'(\w+)\s*\[\s*"([^"]*)"')


def names_no_place(wkt: str) -> bool:
    """Whether a CRS, as WKT of any version, is a local or an undefined one; "" is none at all."""
    for keyword, name in _PART.findall(wkt):
        if keyword.upper() not in _COMPOUND:
            return keyword.upper() in _LOCAL or is_undefined(name)
    return False


def is_undefined(name: str) -> bool:
    """Whether the name of a CRS says that there is none."""
    return _UNDEFINED.match(name) is not None
