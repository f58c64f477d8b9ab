"""What tells whether a raster is still the one that it was: all but the statistics that programs write beside it."""

from __future__ import annotations

import os
from typing import Any
from xml.etree import ElementTree  # nosec B405

from .read import Raster, files_behind

# Elements that say nothing where they are empty.
_FRAMES = ("PAMDataset", "PAMRasterBand", "Metadata")
# With statistics, GDAL writes into side files also the names of bands, wherever it has them from.
_BESIDE = ("Histograms", "Description")
# GDAL does not write them back into a mosaic as they were; pixels are the same however they are cut into blocks.
_BLOCKS = ("blockXSize", "blockYSize")


def state_of(raster: Raster) -> list[Any]:
    """What a raster's pixels depend on, as JSON holds it: the names of its bands, samples of it, and of each file that
    it is read from size and time of change. [] where that cannot be known, as of rasters in archives and on the net.

    Of side files (.aux.xml) and mosaics (.vrt), into which QGIS writes statistics when it shows a raster, it is what
    they say beside these.
    """
    paths = files_behind(raster.path)
    if not paths or not all(os.path.isfile(path) for path in paths):
        return []
    states = [(path, state) for path in paths if (state := _state(path))]
    # That of a mosaic is one of its text.
    samples = "" if raster.path.lower().endswith(".vrt") else raster.fingerprint()
    return [raster.band_names, samples, states]


def _state(path: str) -> list[Any] | None:
    """None where it makes no difference whether the file is there."""
    kind, stat = path.lower(), os.stat(path)
    changed = [stat.st_size, stat.st_mtime_ns]
    if not kind.endswith((".aux.xml", ".vrt")):
        return changed
    try:
        root = ElementTree.parse(path).getroot()  # noqa: S314 # nosec B314
    except ElementTree.ParseError:
        return changed
    return _content(root, _BESIDE if kind.endswith(".aux.xml") else _BESIDE[:1])


def _content(node: ElementTree.Element, left_out: tuple[str, ...]) -> list[Any] | None:
    if node.tag in left_out or node.get("key", "").startswith("STATISTICS_"):
        return None
    children = [content for child in node if (content := _content(child, left_out))]
    text = (node.text or "").strip()
    if node.tag in _FRAMES and not children and not text:
        return None
    return [node.tag, sorted(item for item in node.items() if item[0] not in _BLOCKS), text, children]
