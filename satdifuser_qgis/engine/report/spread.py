"""What the choice of validation blocks does to scores: a range for each, and in how many places a class was looked at.

A block is drawn as a whole, since the pixels of a block stand for one piece of ground, whatever the images of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .scores import Counts

DRAWS = 400
Range = tuple[float, float]


@dataclass(frozen=True)
class Spread:
    """Ranges of the mean IoU and of each class's IoU, from the 5th to the 95th percentile of what other draws of the
    blocks give; None where there are fewer than two. ``blocks``: how many hold labels of each class. ``places``: what
    these count for as equal blocks would, (Σn)² / Σn² of the class's labelled pixels n, 0 where there are none."""

    miou: Range | None
    iou: tuple[Range | None, ...]
    blocks: tuple[int, ...]
    places: tuple[float, ...]


def spread(blocks: Sequence[Counts]) -> Spread:
    """Of the confusion matrices (K, K) of validation blocks, one at least."""
    stack = np.stack(list(blocks)).astype(np.float64)
    labelled, mapped, hits = stack.sum(2), stack.sum(1), np.diagonal(stack, axis1=1, axis2=2)
    squares = (labelled**2).sum(0)
    places = np.divide(labelled.sum(0) ** 2, squares, out=np.zeros(len(squares)), where=squares > 0)
    counts = tuple(int(count) for count in (labelled > 0).sum(0))
    if len(stack) < 2:
        return Spread(None, (None,) * len(squares), counts, tuple(places.tolist()))
    draws = np.random.default_rng(0).integers(len(stack), size=(DRAWS, len(stack)))
    times = (draws[:, :, None] == np.arange(len(stack))).sum(1)
    either = times @ (labelled + mapped - hits)
    iou = np.divide(times @ hits, either, out=np.full(either.shape, np.nan), where=either > 0)
    ranges = tuple(_range(column) for column in iou.T)
    known = np.isfinite(iou)
    means = np.nansum(iou, axis=1) / np.maximum(known.sum(1), 1)
    return Spread(_range(means[known.any(1)]), ranges, counts, tuple(places.tolist()))


def _range(values: NDArray[np.float64]) -> Range | None:
    known = values[np.isfinite(values)]
    if not len(known):
        return None
    low, high = np.percentile(known, (5, 95))
    return float(low), float(high)
