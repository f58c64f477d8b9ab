"""One class per tile: fused maps summed, averaged, and weighed linearly. Parameter names are the published ones."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional


class LinearHead(nn.Module):
    """The published classifier."""

    def __init__(self, width: int, strides: Sequence[int], classes: int, side_channels: int = 0) -> None:
        super().__init__()
        if side_channels:
            raise ValueError("the linear head takes no side input; its classes belong to whole tiles")
        self.decoder_head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes))

    def forward(self, maps: Sequence[Tensor], size: tuple[int, int], side: Tensor | None = None) -> Tensor:
        """Maps (B,width,h,w) → logits (B,classes). ``size`` does not matter."""
        target = maps[0].shape[-2:]
        # Resized before averaging: the mean of a resized map is not quite the map's mean.
        total = maps[0]
        for smaller in maps[1:]:
            total = total + functional.interpolate(smaller, size=target, mode="bilinear", align_corners=False)
        return self.decoder_head(total)
