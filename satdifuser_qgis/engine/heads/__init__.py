"""Heads: fused maps become classes, of the whole tile or of each pixel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from .light import LightHead
from .linear import LinearHead
from .scene import SceneHead
from .upernet import UPerNetHead

HEADS: dict[str, type[nn.Module]] = {
    "linear": LinearHead,
    "light": LightHead,
    "upernet": UPerNetHead,
    "scene": SceneHead,
}


def build_head(
    kind: str, width: int, strides: Sequence[int], classes: int, side_channels: int = 0, **options: Any
) -> nn.Module:
    """A head: ``forward(maps, size, side=None) -> logits``, (B,classes) for "linear", else (B,classes,H,W).

    maps: per scale (B,width,h,w), largest first, with these ``strides`` in image pixels. size: (H,W) of the image.
    side: (B,side_channels,H,W), pixels beside the features. Raises ValueError for an unknown kind.
    """
    if kind not in HEADS:
        raise ValueError(f'there is no head "{kind}"; choose one of {", ".join(HEADS)}')
    return HEADS[kind](width, strides, classes, side_channels, **options)


__all__ = ["HEADS", "build_head"]
