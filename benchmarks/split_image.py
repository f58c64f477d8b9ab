"""One labelled image in two: little squares of labels on its left to learn from, all labels on its right to test on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import geopandas
import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import rasterize, shapes
from rasterio.merge import merge
from shapely.geometry import shape

from benchmarks.labelled_set import TITLES, open_set, read_codes

DUBAI_AREA, KOREA_TILE = "dubai_t2_", "kr_202309_17.tif"
# The Dubai set has no coordinates; remotior-sensus wants a CRS. Any will do: this is the country's zone.
PLACE, PLACE_CRS = Affine(1, 0, 500_000, 0, -1, 2_800_000), "EPSG:32640"
TRAIN_SHARE = 0.6
SQUARES, SQUARE_PX = 15, 7
# Squares lie so far inside: around a polygon at the image's edge remotior-sensus reads beyond the image, and fails.
EDGE_PX = 8

Codes = NDArray[np.uint16]


@dataclass(frozen=True)
class SplitImage:
    """``truth``: class codes, (H, W), 0 where nothing is known or the image has no data; ``names`` by code."""

    key: str
    title: str
    path: Path
    truth: Codes
    names: dict[int, str]

    @property
    def first_tested(self) -> int:
        """The first column whose labels are tested."""
        return round(self.truth.shape[1] * TRAIN_SHARE)

    @property
    def tested(self) -> Codes:
        """The truth where it is tested, 0 elsewhere."""
        tested = self.truth.copy()
        tested[:, : self.first_tested] = 0
        return tested


@dataclass(frozen=True)
class TrainingLabels:
    """The same labelled pixels as a raster of codes and as polygons along the pixels' edges."""

    raster: Path
    polygons: Path
    pixels: dict[str, int]


def dubai(folder: Path) -> SplitImage:
    """Area t2 of the Dubai set, its nine parts put together in ``folder``: it has all classes on both sides."""
    labelled = open_set("dubai")
    parts = [pair for pair in labelled.test if pair.image.name.startswith(DUBAI_AREA)]
    image, _ = merge([pair.image for pair in parts])
    truth, _ = merge([pair.label for pair in parts])
    path = folder / "dubai_t2.tif"
    _write(path, image, PLACE_CRS, PLACE)
    names = {item.code: item.name for item in labelled.classes}
    title = f"{TITLES['dubai']}, area t2 (placed at 1 m)"
    return SplitImage("dubai", title, path, truth[0].astype(np.uint16), names)


def korea(folder: Path) -> SplitImage:
    """The test tile of the Korean set whose classes are spread most evenly over both sides."""
    labelled = open_set("korea")
    pair = next(pair for pair in labelled.test if pair.image.name == KOREA_TILE)
    names = {item.code: item.name for item in labelled.classes}
    return SplitImage("korea", f"{TITLES['korea']}, {KOREA_TILE}", pair.image, read_codes(pair.label), names)


def own(image: Path, labels: Path, class_field: str) -> SplitImage:
    """An image with its class raster (0 and its nodata are unlabelled) or its labelled polygons."""
    with rasterio.open(image) as raster:
        shape_of, transform, crs, valid = raster.shape, raster.transform, raster.crs, raster.dataset_mask() > 0
    if labels.suffix.lower() in (".tif", ".tiff"):
        truth, names = _read_class_raster(labels, shape_of, transform)
    else:
        truth, names = _burn(labels, class_field, shape_of, transform, crs)
    return SplitImage(image.stem, image.name, image, np.where(valid, truth, 0).astype(np.uint16), names)


def draw(scene: SplitImage, folder: Path, seed: int) -> TrainingLabels:
    """Draws the labels to learn from: for each class, its pixels within 15 squares of 7 px on the left.

    Each square lies around a pixel of the class; what else lies in it stays unlabelled. Raises ValueError where the
    left side has fewer than two classes.
    """
    rng, reach = np.random.default_rng(seed), SQUARE_PX // 2
    inside = (slice(EDGE_PX, -EDGE_PX), slice(EDGE_PX, scene.first_tested))
    left, drawn = scene.truth[inside], np.zeros_like(scene.truth)
    for code in scene.names:
        rows, columns = np.nonzero(left == code)
        for place in rng.choice(len(rows), min(SQUARES, len(rows)), replace=False):
            window = tuple(slice(max(at[place] - reach, 0), at[place] + reach + 1) for at in (rows, columns))
            drawn[inside][window][left[window] == code] = code
    if np.count_nonzero(np.unique(drawn)) < 2:
        raise ValueError(f"the left {TRAIN_SHARE:.0%} of {scene.path.name} hold fewer than two classes to learn from")
    pixels = {name: int((drawn == code).sum()) for code, name in scene.names.items()}
    return TrainingLabels(*_write_labels(scene, drawn, folder), pixels)


def _write_labels(scene: SplitImage, drawn: Codes, folder: Path) -> tuple[Path, Path]:
    with rasterio.open(scene.path) as image:
        crs, transform = image.crs, image.transform
    raster, polygons = folder / "training.tif", folder / "training.gpkg"
    _write(raster, drawn[None], crs, transform)
    found = [(shape(outline), int(code)) for outline, code in shapes(drawn, drawn > 0, transform=transform)]
    columns = {"code": [code for _, code in found], "name": [scene.names[code] for _, code in found]}
    frame = geopandas.GeoDataFrame(columns, geometry=[outline for outline, _ in found], crs=crs)
    # a version that the older GDAL of other interpreters knows
    frame.to_file(polygons, driver="GPKG", VERSION="1.2")
    return raster, polygons


def _write(path: Path, values: NDArray[np.generic], crs: object, transform: Affine) -> None:
    count, height, width = values.shape
    profile = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": values.dtype}
    with rasterio.open(path, "w", **profile, crs=crs, transform=transform, compress="deflate") as raster:
        raster.write(values)


def _read_class_raster(labels: Path, wanted: tuple[int, int], transform: Affine) -> tuple[Codes, dict[int, str]]:
    with rasterio.open(labels) as raster:
        if raster.shape != wanted or not raster.transform.almost_equals(transform, 1e-6):
            raise ValueError(f"{labels.name} has another grid than the image; give labels on the image's own pixels")
        codes = np.where(raster.dataset_mask() > 0, raster.read(1), 0)
    if codes.min() < 0 or codes.max() > np.iinfo(np.uint16).max:
        raise ValueError(f"{labels.name} has codes from {codes.min()} to {codes.max()}; give codes from 1 to 65535")
    return codes.astype(np.uint16), {int(code): str(int(code)) for code in np.unique(codes) if code}


def _burn(
    labels: Path, field: str, wanted: tuple[int, int], transform: Affine, crs: object
) -> tuple[Codes, dict[int, str]]:
    frame = geopandas.read_file(labels)
    if field not in frame:
        raise ValueError(f'{labels.name} has no field "{field}"; name the field of the class with --class-field')
    frame = frame[frame[field].notna() & frame.geometry.notna()]
    if crs is not None and frame.crs is not None:
        frame = frame.to_crs(crs)
    names = {code: str(value) for code, value in enumerate(sorted(frame[field].unique(), key=str), start=1)}
    codes = {name: code for code, name in names.items()}
    numbered = [(outline, codes[str(value)]) for outline, value in zip(frame.geometry, frame[field])]
    if not numbered:
        raise ValueError(f'{labels.name} has no polygon with a class in the field "{field}"')
    return rasterize(numbered, wanted, transform=transform, dtype="uint16"), names
