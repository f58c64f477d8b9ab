"""Where a raster can hold data at all: what mosaics and sparse files say of their gaps, without reading a pixel."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree  # nosec B405

import numpy as np
import rasterio
from rasterio.enums import MaskFlags

from ...protocol.nodata import NoData
from .grid import Window
from .masks import has_nodata, is_given
from .units import Units

_SOURCES = ("SimpleSource", "ComplexSource", "AveragedSource", "KernelFilteredSource")
# Of a file that holds more than this share of its pixels' size, hardly any block is missing.
_SPARSE = 0.05


class Filled:
    """Rectangles of pixels outside of which all is nodata; of most files, which do not say, the whole raster."""

    def __init__(self, dataset: rasterio.DatasetReader, nodata: NoData, units: Sequence[Units]) -> None:
        bands = range(1, dataset.count + 1)
        empty = all(_is_empty(dataset, band, nodata, units[band - 1]) for band in bands)
        found = _rectangles(dataset) if empty else None
        self.known = found is not None
        self._edges = np.array([(0, 0, dataset.height, dataset.width)] if found is None else found).reshape(-1, 4)

    def meets(self, window: Window) -> bool:
        """False only where it is certain that the window holds no data."""
        top, left, bottom, right = self._edges.T
        rows = (top < window.row + window.height) & (bottom > window.row)
        return bool((rows & (left < window.col + window.width) & (right > window.col)).any())

    def around(self) -> Window:
        """The window around all of them; empty where there are none."""
        if not len(self._edges):
            return Window(0, 0, 0, 0)
        top, left = self._edges[:, :2].min(axis=0).tolist()
        bottom, right = self._edges[:, 2:].max(axis=0).tolist()
        return Window(top, left, bottom - top, right - left)


def _rectangles(dataset: rasterio.DatasetReader) -> list[tuple[int, int, int, int]] | None:
    """Top, left, bottom and right of each; None where the file does not say."""
    if dataset.driver == "VRT":
        return _of_mosaic(dataset)
    return _of_blocks(dataset) if dataset.driver == "GTiff" else None


def _is_empty(dataset: rasterio.DatasetReader, band: int, nodata: NoData, units: Units) -> bool:
    """Whether nodata alone decides what is valid in a band, and what no file or block holds is nodata.

    A gap without nodata is 0, which may be a measurement.
    """
    flags, declared = dataset.mask_flag_enums[band - 1], dataset.nodatavals[band - 1]
    if flags not in ([MaskFlags.nodata], [MaskFlags.all_valid]):
        return False
    gap = np.array(0.0 if declared is None else declared, np.float64)
    return has_nodata(dataset, band, nodata) or bool(is_given(gap, band, nodata, units))


def _of_mosaic(dataset: rasterio.DatasetReader) -> list[tuple[int, int, int, int]] | None:
    """Where the sources of a VRT lie; None where it is more than a mosaic (warped, computed)."""
    text = dataset.tags(ns="xml:VRT").get("xml:VRT", "")
    # What is parsed is GDAL's own text, without entities or document types.
    root = ElementTree.fromstring(text) if text else None  # noqa: S314 # nosec B314
    if root is None or root.get("subClass") or root.find("MaskBand") is not None:
        return None
    found = []
    for band in root.iterfind("VRTRasterBand"):
        sources = [part for part in band if part.tag.endswith("Source")]
        if band.get("subClass") or any(source.tag not in _SOURCES for source in sources):
            return None
        for source in sources:
            place = source.find("DstRect")
            if place is None:
                return None
            left, top, width, height = (float(place.get(name, "0")) for name in ("xOff", "yOff", "xSize", "ySize"))
            # sources may lie between pixels
            found.append((int(top) - 1, int(left) - 1, int(top + height) + 2, int(left + width) + 2))
    return sorted(set(found))


def _of_blocks(dataset: rasterio.DatasetReader) -> list[tuple[int, int, int, int]] | None:
    """The blocks that a GeoTIFF holds; None where it is not worth asking."""
    raw = dataset.width * dataset.height * sum(np.dtype(kind).itemsize for kind in dataset.dtypes)
    if not os.path.isfile(dataset.name) or os.path.getsize(dataset.name) > raw * _SPARSE:
        return None
    height, width = dataset.block_shapes[0]
    bands = range(1, dataset.count + 1) if _by_band(dataset) else (1,)
    found = []
    for row in range(-(-dataset.height // height)):
        for column in range(-(-dataset.width // width)):
            name = f"BLOCK_OFFSET_{column}_{row}"
            if any(dataset.get_tag_item(name, "TIFF", bidx=band) for band in bands):
                found.append((row * height, column * width, (row + 1) * height, (column + 1) * width))
    return found


def _by_band(dataset: Any) -> bool:
    return bool(dataset.interleaving and dataset.interleaving.name == "band")
