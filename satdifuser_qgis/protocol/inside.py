"""Images inside a file, by GDAL's names for them such as NETCDF:"months.nc":red, and what rasters are called."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import List, Tuple

# Not of drives, C:/a.tif, nor of addresses, https://server/a.tif.
_DRIVER = re.compile(r"[A-Za-z]\w+:(?!//)")
_PIECES = re.compile(r'[A-Za-z]:[\\/][^:"]*|"[^"]*"|[^:"]+')


def file_of(source: str) -> str:
    """The file that an image lies in, as it is written in GDAL's name of the image; "" for all other sources."""
    return _parsed(source)[0]


def raster_name(source: str) -> str:
    """What a raster is called where nobody named it: its file's stem, and what its image is called there."""
    file, others = _parsed(source)
    return " ".join([Path(file or source).stem, *others])


def _parsed(source: str) -> Tuple[str, List[str]]:
    """The file and the other pieces of a name, groups of HDF5 and Zarr as words; ("", []) where it is no such name."""
    driver = None if os.path.exists(source) else _DRIVER.match(source)
    pieces = _PIECES.findall(source[driver.end() :]) if driver else []
    quoted = [piece for piece in pieces if piece.startswith('"')]
    files = quoted or [piece for piece in pieces if re.search(r"[./\\]", piece)]
    if not files:
        return "", []
    others = [piece for piece in pieces if piece is not files[0]]
    return files[0].strip('"'), [word for piece in others for word in re.split(r'[/"]+', piece) if word]
