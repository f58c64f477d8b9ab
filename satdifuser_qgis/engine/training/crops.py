"""Parts and turns of samples: what a training step sees of a tile."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from torch import Tensor

from ..turns import reoriented
from .samples import UNLABELLED, Sample

CROP_PX, CROP_CELLS = 64, 16


def cropped(sample: Sample, rng: np.random.Generator) -> Sample:
    """A part of a tile, see `crop_side`, cut where all maps have whole pixels and some pixel is labelled.

    A tile with a map of odd side stays whole.
    """
    side = sample.pixels.shape[-1]
    coarsest = min(level.shape[-1] for level in sample.pyramid)
    if side % 2 or any(level.shape[-1] % 2 or side % level.shape[-1] for level in sample.pyramid):
        return sample
    unit = side // coarsest
    part = crop_side(side, unit)
    known = np.argwhere((sample.target != UNLABELLED).numpy())
    centre = known[rng.integers(len(known))]
    last = (side - part) // unit
    top, left = (int(np.clip(round((at - rng.integers(part)) / unit), 0, last)) * unit for at in centre)

    def cut(tensor: Tensor) -> Tensor:
        factor = side // tensor.shape[-1]
        rows, columns = (slice(start // factor, (start + part) // factor) for start in (top, left))
        return tensor[..., rows, columns]

    pyramid = [cut(level) for level in sample.pyramid]
    return replace(sample, pyramid=pyramid, pixels=cut(sample.pixels), target=cut(sample.target))


def crop_side(side: int, coarsest_stride: int) -> int:
    """Pixels of a crop: 64, or 16 cells of the coarsest map where that is more, but at most half the tile.

    At equal cost more places are better than larger ones: of 128 px tiles eight crops of 64 px gave 0.42 mean IoU on
    held-back ground of Korea where two whole tiles gave 0.37.
    """
    return min(side // 2, max(CROP_PX, CROP_CELLS * coarsest_stride))


def turned(sample: Sample, turn: int) -> Sample:
    """The sample mirrored and turned in one of eight ways: kept features, pixels and labels alike.

    Features of a turned image are not exactly turned features; the difference acts as a mild augmentation.
    """

    pyramid = [reoriented(level, turn) for level in sample.pyramid]
    pixels, target = reoriented(sample.pixels, turn), reoriented(sample.target, turn)
    return replace(sample, pyramid=pyramid, pixels=pixels, target=target)
