"""What tells whether a raster is still the one that it was: its files, but not the statistics beside it."""

from __future__ import annotations

import os
from typing import Any
from xml.etree import ElementTree  # nosec B405

from .read import files_behind

# Elements of GDAL's side files that say nothing where they are empty.
_FRAMES = ("PAMDataset", "PAMRasterBand", "Metadata")


def state_of_files(path: str) -> list[Any]:
    """Of each file that a raster is read from, what changes with it, as JSON holds it; [] where that cannot be known,
    as of rasters in archives and on the net.

    Of a side file (.aux.xml) what it says: QGIS writes statistics into it whenever it shows the raster, which change
    nothing here.
    """
    paths = files_behind(path)
    if not all(os.path.isfile(each) for each in paths):
        return []
    states = [
        (each, _side_content(each) if each.lower().endswith(".aux.xml") else _size_and_time(each)) for each in paths
    ]
    return [state for state in states if state[1]]


def _size_and_time(path: str) -> list[int]:
    stat = os.stat(path)
    return [stat.st_size, stat.st_mtime_ns]


def _side_content(path: str) -> list[Any] | None:
    """What a side file says beside statistics, None for nothing."""
    try:
        return _content(ElementTree.parse(path).getroot())  # noqa: S314 # nosec B314
    except (OSError, ElementTree.ParseError):
        return _size_and_time(path)


def _content(node: ElementTree.Element) -> list[Any] | None:
    if node.tag == "Histograms" or node.get("key", "").startswith("STATISTICS_"):
        return None
    children = [content for child in node if (content := _content(child))]
    text = (node.text or "").strip()
    if node.tag in _FRAMES and not children and not text:
        return None
    return [node.tag, sorted(node.items()), text, children]
