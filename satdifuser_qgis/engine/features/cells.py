"""A tile's pyramid summed up in 2 × 2 cells: what scene classification needs of it, at a hundredth of its size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from ..streams import Scale

GRID = 2


def summarise(pyramid: Sequence[Tensor], scales: Sequence[Scale]) -> list[Tensor]:
    """Mean and deviation of every channel in each quarter of the tile.

    pyramid: per scale (B,T,ΣC,h,w), as `Extractor` gives it. Comes out: per scale (B,T,2·ΣC,2,2), of each stream its
    means and then its deviations, as `cell_scales` says.
    """
    return [_cells(features, scale) for features, scale in zip(pyramid, scales, strict=True)]


def cell_scales(scales: Sequence[Scale]) -> tuple[Scale, ...]:
    """The scales of `summarise`: names and strides are kept, channels are doubled."""
    return tuple(replace(scale, channels=tuple(2 * count for count in scale.channels)) for scale in scales)


def _cells(features: Tensor, scale: Scale) -> Tensor:
    flat = features.flatten(0, 1).float()
    mean = functional.adaptive_avg_pool2d(flat, GRID)
    square = functional.adaptive_avg_pool2d(flat.square(), GRID)
    deviation = (square - mean.square()).clamp(min=0).sqrt()
    pairs = zip(mean.split(scale.channels, 1), deviation.split(scale.channels, 1), strict=True)
    return torch.cat([part for pair in pairs for part in pair], dim=1).unflatten(0, features.shape[:2])
