"""Localized weighted fusion: weights of (time, stream) that differ from pixel to pixel."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..streams import Scale
from .bottleneck import projection
from .fused import Fused

SLICINGS = ("corrected", "published")


class Gate(nn.Module):
    """A softmax over K maps at each pixel, from their mean. ``temperature`` below 1 sharpens it."""

    def __init__(self, width: int, maps: int, temperature: float) -> None:
        super().__init__()
        self.gate_conv = nn.Conv2d(width, maps, 1)
        self.temperature = temperature

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """(B,K,width,h,w) → fused (B,width,h,w), weights (B,K,h,w)."""
        weights = (self.gate_conv(maps.mean(1)) / self.temperature).softmax(1)
        return torch.einsum("bkchw,bkhw->bchw", maps, weights), weights


class LocalizedWeighted(nn.Module):
    """Each scale has a gate over its times × streams, index time · streams + stream.

    slicing: "corrected" gives each projection its own stream; "published" repeats the published code's slip, by
    which every projection of a scale reads the first stream's channels, to compare with weights trained so.
    """

    def __init__(
        self,
        scales: Sequence[Scale],
        steps: int,
        width: int,
        groups: int = 0,
        blocks: int = 1,
        temperature: float = 1.0,
        slicing: str = "corrected",
    ) -> None:
        super().__init__()
        if slicing not in SLICINGS:
            raise ValueError(f'slicing is "{slicing}" but must be one of {", ".join(SLICINGS)}')
        self.scales, self.slicing = tuple(scales), slicing
        channels = [count for scale in self.scales for count in scale.channels]
        self.bottleneck_layers = nn.ModuleList(projection(count, width, groups, blocks) for count in channels)
        self.gate_modules = nn.ModuleList(Gate(width, steps * len(s.channels), temperature) for s in self.scales)

    def forward(self, pyramid: Sequence[Tensor]) -> Fused:
        """Pyramid (B,T,ΣC,h,w) per scale → maps; ``weights["gate0"]`` …: (B,T · streams,h,w), summing to 1."""
        maps, weights, first = [], {}, 0
        for number, (features, scale) in enumerate(zip(pyramid, self.scales)):
            fused, weights[f"gate{number}"] = self.gate_modules[number](self._project(features, scale, first))
            maps.append(fused)
            first += len(scale.channels)
        return Fused(maps, weights)

    def _project(self, features: Tensor, scale: Scale, first: int) -> Tensor:
        """(B,T,ΣC,h,w) → (B,T · streams,width,h,w)."""
        if self.slicing == "published":
            parts = [features[:, :, :count] for count in scale.channels]
        else:
            parts = list(features.split(scale.channels, dim=2))
        projected = [
            self.bottleneck_layers[first + place](part.flatten(0, 1).float()).unflatten(0, part.shape[:2])
            for place, part in enumerate(parts)
        ]
        return torch.stack(projected, dim=2).flatten(1, 2)
