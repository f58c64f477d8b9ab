"""How good a class map is: a confusion matrix and what follows from it, boundary IoU, and how broken up a map is.

All counts add up: sum the matrices of tiles or images, then ask for scores once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Indices = NDArray[np.integer]
Counts = NDArray[np.int64]
BAND_PX = 2
_SQUARE = np.ones((3, 3), dtype=bool)


@dataclass(frozen=True)
class Scores:
    """Shares from 0 to 1. A class that is neither in the truth nor on the map has None, and no say in a mean.

    Producer's accuracy (recall) is the share of a class that is mapped as it, None where it is not in the truth; user's
    accuracy (precision) the share of what is mapped as a class that is it, None where nothing is mapped so.
    """

    iou: tuple[float | None, ...]
    f1: tuple[float | None, ...]
    producers: tuple[float | None, ...]
    users: tuple[float | None, ...]
    miou: float | None
    macro_f1: float | None
    overall_accuracy: float | None


def to_indices(codes_map: NDArray[np.generic], codes: tuple[int, ...]) -> NDArray[np.int16]:
    """Class indices 0..n-1 of a map of class codes, -1 for every other value. ``codes`` in any order."""
    order = np.argsort(codes)
    ordered = np.asarray(codes)[order]
    place = np.searchsorted(ordered, codes_map).clip(max=len(codes) - 1)
    return np.where(ordered[place] == codes_map, order[place], -1).astype(np.int16)


def confusion_matrix(truth: Indices, predicted: Indices, classes: int) -> Counts:
    """Pixels counted by true class (row) and predicted class (column), (classes, classes).

    truth, predicted: class indices of equal shape. A pixel whose truth is outside 0..classes-1 is unlabelled and
    not counted. Raises ValueError where a labelled pixel has no predicted class.
    """
    _check_shapes(truth, predicted)
    labelled = (truth >= 0) & (truth < classes)
    rows, columns = truth[labelled].astype(np.int64), predicted[labelled].astype(np.int64)
    if columns.size and not (columns.min() >= 0 and columns.max() < classes):
        raise ValueError(f"predictions run from {columns.min()} to {columns.max()} but classes from 0 to {classes - 1}")
    return np.bincount(rows * classes + columns, minlength=classes * classes).reshape(classes, classes).astype(np.int64)


def score(matrix: Counts) -> Scores:
    """The scores of a confusion matrix (true class in rows)."""
    hits = np.diag(matrix)
    either = matrix.sum(0) + matrix.sum(1) - hits
    iou = _shares(hits, either)
    f1 = _shares(2 * hits, either + hits)
    total = int(matrix.sum())
    accuracy = float(hits.sum() / total) if total else None
    return Scores(iou, f1, _shares(hits, matrix.sum(1)), _shares(hits, matrix.sum(0)), _mean(iou), _mean(f1), accuracy)


def boundary_counts(truth: Indices, predicted: Indices, classes: int, band_px: int = BAND_PX) -> Counts:
    """What boundary IoU is made of: for each class the pixels in both bands and in either band, (classes, 2).

    The band of a class are its own pixels that lie within ``band_px`` (in rows and columns) of a pixel of another
    class; since every border has a class on both sides, the bands of all classes together are symmetrical about
    it. IoU of true and predicted band is the Boundary IoU of Cheng, Girshick, Dollár, Berg, Kirillov (CVPR 2021),
    but the edge of the image and of unlabelled ground is no border here. Give whole images, then add up.
    """
    _check_shapes(truth, predicted)
    labelled = (truth >= 0) & (truth < classes)
    counts = np.zeros((classes, 2), dtype=np.int64)
    for index in range(classes):
        true_band = _band(truth == index, labelled, band_px)
        map_band = _band((predicted == index) & labelled, labelled, band_px)
        counts[index] = (true_band & map_band).sum(), (true_band | map_band).sum()
    return counts


def boundary_iou(counts: Counts) -> float | None:
    """Mean of the classes' boundary IoUs, over classes that have a border in the truth or on the map."""
    return _mean(_shares(counts[:, 0], counts[:, 1]))


def patch_count(class_map: NDArray[np.integer]) -> int:
    """Number of patches: connected pixels of one class (4 neighbours). Negative values are no class."""
    patches = 0
    for value in np.unique(class_map):
        if value >= 0:
            patches += int(ndimage.label(class_map == value)[1])
    return patches


def _band(mask: NDArray[np.bool_], labelled: NDArray[np.bool_], band_px: int) -> NDArray[np.bool_]:
    others = ndimage.binary_dilation(labelled & ~mask, structure=_SQUARE, iterations=band_px)
    return np.asarray(mask & others, dtype=bool)


def _shares(part: Counts, whole: Counts) -> tuple[float | None, ...]:
    return tuple(float(p / w) if w else None for p, w in zip(part.tolist(), whole.tolist(), strict=True))


def _mean(values: tuple[float | None, ...]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _check_shapes(truth: Indices, predicted: Indices) -> None:
    if truth.shape != predicted.shape:
        raise ValueError(f"the truth has shape {truth.shape} but the map {predicted.shape}; they must be equal")
