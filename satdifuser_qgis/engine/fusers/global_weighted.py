"""Global weighted fusion: one learned weight per (time, stream), over all scales together."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..streams import Scale
from .bottleneck import projection
from .fused import Fused


class GlobalWeighted(nn.Module):
    """Weights are a softmax over all times × streams at once, as published: a scale's own do not sum to 1.

    ``mixing_weights`` are indexed time · streams + stream, streams counted from the largest scale on.
    """

    def __init__(self, scales: Sequence[Scale], steps: int, width: int, groups: int = 0, blocks: int = 1) -> None:
        super().__init__()
        self.scales = tuple(scales)
        channels = [count for scale in self.scales for count in scale.channels]
        self.bottleneck_layers = nn.ModuleList(projection(count, width, groups, blocks) for count in channels)
        self.mixing_weights = nn.Parameter(torch.ones(steps * len(channels)))

    def forward(self, pyramid: Sequence[Tensor]) -> Fused:
        """Pyramid (B,T,ΣC,h,w) per scale → maps; ``weights["mixing"]``: (T · streams,), they sum to 1."""
        mixing = self.mixing_weights.softmax(0)
        table = mixing.view(-1, len(self.bottleneck_layers))
        maps, first = [], 0
        for features, scale in zip(pyramid, self.scales):
            maps.append(self._fuse(features, scale, table[:, first:], first))
            first += len(scale.channels)
        return Fused(maps, {"mixing": mixing})

    def _fuse(self, features: Tensor, scale: Scale, weights: Tensor, first: int) -> Tensor:
        total: Tensor | None = None
        for place, part in enumerate(features.float().split(scale.channels, dim=2)):
            # All times in one batch: a projection's operations are small, and their number is what costs.
            projected = self.bottleneck_layers[first + place](part.flatten(0, 1))
            share = torch.einsum("btchw,t->bchw", projected.unflatten(0, part.shape[:2]), weights[:, place])
            total = share if total is None else total + share
        if total is None:
            raise ValueError("a scale has no streams")
        return total
