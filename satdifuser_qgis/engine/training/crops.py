"""Parts and turns of samples: what a training step sees of a tile."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from torch import Tensor

from ..turns import reoriented
from .samples import UNLABELLED, Sample


def cropped(sample: Sample, rng: np.random.Generator) -> Sample:
    """A quarter of a tile, half its side, cut where all maps have whole pixels and some pixel is labelled.

    A tile with a map of odd side stays whole.
    """
    side = sample.pixels.shape[-1]
    coarsest = min(level.shape[-1] for level in sample.pyramid)
    if side % 2 or any(level.shape[-1] % 2 or side % level.shape[-1] for level in sample.pyramid):
        return sample
    unit, half = side // coarsest, side // 2
    known = np.argwhere((sample.target != UNLABELLED).numpy())
    centre = known[rng.integers(len(known))]
    top, left = (int(np.clip(round((at - rng.integers(half)) / unit), 0, coarsest // 2)) * unit for at in centre)

    def cut(tensor: Tensor) -> Tensor:
        factor = side // tensor.shape[-1]
        rows, columns = (slice(start // factor, (start + half) // factor) for start in (top, left))
        return tensor[..., rows, columns]

    pyramid = [cut(level) for level in sample.pyramid]
    return replace(sample, pyramid=pyramid, pixels=cut(sample.pixels), target=cut(sample.target))


def turned(sample: Sample, turn: int) -> Sample:
    """The sample mirrored and turned in one of eight ways: kept features, pixels and labels alike.

    Features of a turned image are not exactly turned features; the difference acts as a mild augmentation.
    """

    pyramid = [reoriented(level, turn) for level in sample.pyramid]
    pixels, target = reoriented(sample.pixels, turn), reoriented(sample.target, turn)
    return replace(sample, pyramid=pyramid, pixels=pixels, target=target)
