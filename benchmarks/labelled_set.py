"""The labelled imagery that methods are compared on: where it lies, and how its images are read."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray

from satdifuser_qgis.protocol.classes import LandCoverClass

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {"korea": "s2_korea_landcover", "dubai": "dubai_mbrsc"}
TITLES = {"korea": "Sentinel-2, Korea (10 m)", "dubai": "very high resolution, Dubai"}
# 1 constants of the training data, 2 each image's own percentiles; the Korean tiles were stretched one by one
SCALINGS = {"korea": (1, 2), "dubai": (1,)}
SCALING_NAMES = {1: "1 constants", 2: "2 percentiles"}
PERCENTILES = (2.0, 98.0)


@dataclass(frozen=True)
class Pair:
    """An image and its labels, on one grid."""

    image: Path
    label: Path


@dataclass(frozen=True)
class LabelledSet:
    """``train`` is learnt from, ``test`` is mapped; nothing is chosen on ``test``. Label 0 is unlabelled."""

    key: str
    folder: Path
    classes: tuple[LandCoverClass, ...]
    train: tuple[Pair, ...]
    test: tuple[Pair, ...]

    @property
    def codes(self) -> tuple[int, ...]:
        """Class codes in the order of the set's own list."""
        return tuple(item.code for item in self.classes)


def data_folder() -> Path:
    """The folder of shared imagery: SATDIFUSER_DATA, else ``shared/data`` beside the checkout."""
    return Path(os.environ.get("SATDIFUSER_DATA") or ROOT.parent / "shared" / "data")


def open_set(key: str, data: Path | None = None) -> LabelledSet:
    """A set by its short name. Raises FileNotFoundError where the data folder does not hold it."""
    folder = (data or data_folder()) / "segmentation" / FOLDERS[key]
    if not (folder / "manifest.json").is_file():
        raise FileNotFoundError(f"{folder} holds no labelled set; set SATDIFUSER_DATA to the folder of shared data")
    listed = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["classes"]
    classes = tuple(LandCoverClass(c["code"], c["name"], "#{:02x}{:02x}{:02x}".format(*c["rgb"])) for c in listed)
    return LabelledSet(key, folder, classes, _pairs(folder / "train"), _pairs(folder / "test"))


def read_image(path: Path, bands: int = 3) -> NDArray[np.float32]:
    """Raw values, (bands, H, W)."""
    with rasterio.open(path) as raster:
        return np.asarray(raster.read(list(range(1, bands + 1))), dtype=np.float32)


def read_codes(path: Path) -> NDArray[np.uint16]:
    """Class codes, (H, W); 0 is unlabelled."""
    with rasterio.open(path) as raster:
        return np.asarray(raster.read(1), dtype=np.uint16)


def write_named(label: Path, classes: Sequence[LandCoverClass], target: Path) -> None:
    """A VRT of a label raster that says what its codes mean, which the files of the set do not; colours stay theirs."""
    rasterio.shutil.copy(label, target, driver="VRT")
    described = ElementTree.parse(target)
    names = {item.code: item.name for item in classes}
    categories = ElementTree.SubElement(described.find("VRTRasterBand"), "CategoryNames")
    for code in range(max(names) + 1):
        ElementTree.SubElement(categories, "Category").text = names.get(code, "")
    described.write(target, encoding="utf-8")


def stretch(values: NDArray[np.float32], low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float32]:
    """Values between ``low`` and ``high`` (one a band) as -1 to 1, cut off beyond."""
    low, high = low[:, None, None], high[:, None, None]
    return (np.clip((values - low) / np.maximum(high - low, 1e-6), 0, 1) * 2 - 1).astype(np.float32)


def limits(values: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The 2nd and 98th percentile of each band of (bands, ...) values."""
    low, high = np.percentile(values.reshape(len(values), -1), PERCENTILES, axis=1)
    return low, high


def _pairs(folder: Path) -> tuple[Pair, ...]:
    images = sorted((folder / "images").glob("*.tif"))
    return tuple(Pair(image, folder / "labels" / image.name) for image in images)
