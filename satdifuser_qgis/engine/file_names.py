"""Paths as what they are, files and folders, where pyogrio would read their names as something else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from pyogrio.util import vsi_path

# GDAL's drivers for polygons, by the endings of file names.
DRIVERS = {".gpkg": "GPKG", ".geojson": "GeoJSON", ".shp": "ESRI Shapefile", ".fgb": "FlatGeobuf"}


@contextmanager
def as_file(path: str | os.PathLike[str]) -> Iterator[str]:
    """What pyogrio opens as the file or folder at ``path``; what shall be written there has a plain name.

    pyogrio splits paths at "!", as addresses of files in archives, cuts them at ";" and leaves out tabs and line
    breaks. Such a folder becomes the working directory meanwhile. Addresses such as "zip://a.zip!b.shp" stay.
    """
    text = os.fspath(path)
    folder, name = os.path.split(os.path.abspath(text))
    if vsi_path(text) != text and vsi_path(name) == name and os.path.isdir(folder):
        with _inside(folder):
            yield name
    elif vsi_path(text) != text and os.path.exists(text):
        # GDAL's own prefixes, which pyogrio leaves alone; the second is for a part of a file, here from its start.
        yield f"{'/vsizip/' if name.endswith('.zip') else '/vsisubfile/0,'}{os.path.join(folder, name)}"
    else:
        yield text


def split_address(source: str) -> tuple[str, list[str]]:
    """The path of a source like ``path|layername=name``, and what follows; "|" in names of files is none of it."""
    pieces = source.split("|")
    names = range(len(pieces), 1, -1)
    count = next((count for count in names if os.path.exists("|".join(pieces[:count]))), 1)
    return "|".join(pieces[:count]), pieces[count:]


@contextmanager
def _inside(folder: str) -> Iterator[None]:
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
