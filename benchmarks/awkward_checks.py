"""What must hold of a map of an awkward raster, and of a refusal; each difference is a sentence."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from satdifuser_qgis.protocol.errors import EngineError
from satdifuser_qgis.protocol.segment import SegmentRequest

# What says that the input or the wish is at fault, or the disk too small for it.
REFUSALS = ("bad_request", "bad_input", "bad_model", "no_overlap", "too_few_labels", "no_space")
BLOCK = 2048


def refusal_differences(failure: EngineError) -> list[str]:
    """A refusal is a code that blames no bug, a sentence and a way out."""
    found = []
    if failure.code not in REFUSALS:
        found.append(f'the code is "{failure.code}": {failure.detail[-1500:]}')
    if not failure.message or not failure.remedy:
        found.append("message or remedy is missing")
    if "Traceback" in str(failure) or "Error:" in str(failure) or "\n" in str(failure):
        found.append("the message is not written for people")
    return found


def debris(place: Path) -> list[str]:
    """Files that only a run at work should have."""
    names = sorted(path.name for path in place.rglob("*") if ".part-" in path.name or "-work" in path.name)
    empty = [path.name for path in place.rglob("*") if path.is_dir() and not os.listdir(path)]
    return [f"left behind: {name}" for name in names] + [f"an empty folder is left behind: {name}" for name in empty]


def map_differences(request: SegmentRequest, codes: Sequence[int]) -> list[str]:
    """All outputs there, on the raster's grid; nodata exactly where the input is invalid; classes elsewhere."""
    found: list[str] = []
    for name in request.OUTPUTS:
        if getattr(request, name) and not Path(getattr(request, name)).is_file():
            found.append(f"{name} is not there")
    if found:
        return found
    with rasterio.open(request.input) as image, rasterio.open(request.output) as classes:
        for name in ("output", "probabilities", "entropy"):
            with rasterio.open(getattr(request, name)) as file:
                found += [f"{name}: {text}" for text in _grid_differences(image, file)]
        if found:
            return found
        bands = [int(band) for band in classes.tags()["SATDIFUSER_BANDS"].split(",")]
        with rasterio.open(request.probabilities) as shares, rasterio.open(request.entropy) as entropy:
            valid_px = 0
            for window in _windows(image):
                valid = _valid(image, bands, window)
                valid_px += int(valid.sum())
                found += _pixel_differences(window, valid, classes, shares, entropy, codes)
    return found + _polygon_differences(request, codes, valid_px)


def _grid_differences(image: Any, file: Any) -> list[str]:
    found = []
    if file.shape != image.shape:
        found.append(f"shape is {file.shape}, not {image.shape}")
    if not file.transform.almost_equals(image.transform, precision=1e-9):
        found.append(f"geotransform is {tuple(file.transform)}, not {tuple(image.transform)}")
    if file.crs != image.crs:
        found.append(f"CRS is {file.crs}, not {image.crs}")
    return found


def _windows(image: Any) -> Iterator[Window]:
    for row in range(0, image.height, BLOCK):
        for col in range(0, image.width, BLOCK):
            yield Window(col, row, min(BLOCK, image.width - col), min(BLOCK, image.height - row))


def _valid(image: Any, bands: Sequence[int], window: Window) -> NDArray[np.bool_]:
    """Where every band that was used has a finite value that no mask hides, as GDAL says."""
    values, masks = image.read(bands, window=window), image.read_masks(bands, window=window)
    with np.errstate(over="ignore"):
        return np.asarray((masks > 0).all(axis=0) & np.isfinite(values.astype(np.float32)).all(axis=0))


def _pixel_differences(
    window: Window, valid: NDArray[np.bool_], classes: Any, shares: Any, entropy: Any, codes: Sequence[int]
) -> list[str]:
    found, place = [], f"in the block at row {window.row_off}, column {window.col_off}"
    for name, file in (("classes", classes), ("probabilities", shares), ("entropy", entropy)):
        wrong = int(((file.read_masks(window=window) > 0) != valid).sum())
        if wrong:
            found.append(f"{name}: {wrong} pixels are valid where the input is not, or the other way round, {place}")
    foreign = set(np.unique(classes.read(1, window=window)[valid]).tolist()) - set(codes)
    if foreign:
        found.append(f"there are codes {sorted(foreign)} that are no classes {place}")
    sums = shares.read(window=window).sum(axis=0)[valid]
    if np.abs(sums - 1).max(initial=0) > 1e-4:
        found.append(f"probabilities do not sum to 1 {place}")
    certainty = entropy.read(1, window=window)[valid]
    if certainty.min(initial=0) < 0 or certainty.max(initial=0) > 1:
        found.append(f"entropy is not from 0 to 1 {place}")
    return found


def _polygon_differences(request: SegmentRequest, codes: Sequence[int], valid_px: int) -> list[str]:
    found = []
    polygons = geopandas.read_file(request.polygons)
    with rasterio.open(request.input) as image:
        crs = None if polygons.crs is None else rasterio.CRS.from_wkt(polygons.crs.to_wkt())
        if crs != image.crs:
            found.append(f"polygons: CRS is {crs}, not {image.crs}")
    if polygons.area_px.sum() != valid_px:
        found.append(f"polygons: they have {polygons.area_px.sum()} pixels, not {valid_px}")
    if not set(polygons["class"]) <= set(codes):
        found.append("polygons: there are codes that are no classes")
    return found
