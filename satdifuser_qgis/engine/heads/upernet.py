"""UPerNet (Xiao et al., 2018): pyramid pooling over the smallest map, then a feature pyramid. Published key names."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .layers import given, head_norm

NORMS = ("group", "batch")


class UPerNetHead(nn.Module):
    """The published segmentation head.

    channels: its inner width. pool_scales: sides of the pooled maps. rescales: per scale how the map is resized at
    first, 4, 2, 1, 0.5 or 0.25. norm: "batch" is the published one, which cannot be trained on single tiles; "group"
    makes a tile independent of its batch. Side input joins before the last layer.
    """

    def __init__(
        self,
        width: int,
        strides: Sequence[int],
        classes: int,
        side_channels: int = 0,
        channels: int = 64,
        pool_scales: Sequence[int] = (1, 2, 3, 6),
        rescales: Sequence[float] = (),
        norm: str = "group",
        align_corners: bool = False,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if norm not in NORMS:
            raise ValueError(f'norm is "{norm}" but must be one of {", ".join(NORMS)}')
        rescales = tuple(rescales) or (1,) * len(strides)
        if len(rescales) != len(strides):
            raise ValueError(f"there are {len(strides)} scales but {len(rescales)} rescales")
        self.align_corners, self.side_channels = align_corners, side_channels
        levels = len(strides)
        self.neck = Neck(width, rescales, norm)
        self.psp_modules = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(side), *_layer(width, channels, 1, norm)) for side in pool_scales
        )
        self.bottleneck = _layer(width + len(pool_scales) * channels, channels, 3, norm)
        self.lateral_convs = nn.ModuleList(_layer(width, channels, 1, norm) for _ in range(levels - 1))
        self.fpn_convs = nn.ModuleList(_layer(channels, channels, 3, norm) for _ in range(levels - 1))
        self.fpn_bottleneck = _layer(levels * channels, channels, 3, norm)
        self.dropout = nn.Dropout2d(dropout)
        self.conv_seg = nn.Conv2d(channels, classes, 1)
        if side_channels:
            self.side = _layer(channels + side_channels, channels, 3, norm)

    def forward(self, maps: Sequence[Tensor], size: tuple[int, int], side: Tensor | None = None) -> Tensor:
        """Maps (B,width,h,w), largest first → logits (B,classes,H,W) for size (H,W)."""
        maps = self.neck(maps)
        levels = [lateral(features) for lateral, features in zip(self.lateral_convs, maps)]
        levels.append(self._pooled(maps[-1]))
        for fine in range(len(levels) - 2, -1, -1):
            levels[fine] = levels[fine] + self._resize(levels[fine + 1], levels[fine].shape[-2:])
        smooth = [conv(level) for conv, level in zip(self.fpn_convs, levels)] + levels[-1:]
        finest = smooth[0].shape[-2:]
        x = self.fpn_bottleneck(torch.cat([smooth[0], *(self._resize(s, finest) for s in smooth[1:])], dim=1))
        if self.side_channels:
            x = self.side(torch.cat([self._resize(x, size), given(side, self.side_channels)], dim=1))
        logits = self.conv_seg(self.dropout(x))
        return functional.interpolate(logits, size=tuple(size), mode="bilinear", align_corners=False)

    def _pooled(self, top: Tensor) -> Tensor:
        parts = [self._resize(pool(top), top.shape[-2:]) for pool in self.psp_modules]
        return self.bottleneck(torch.cat([top, *parts], dim=1))

    def _resize(self, x: Tensor, size: Sequence[int]) -> Tensor:
        return functional.interpolate(x, size=tuple(size), mode="bilinear", align_corners=self.align_corners)


class Neck(nn.Module):
    """Resizes each scale's map by its factor."""

    def __init__(self, width: int, rescales: Sequence[float], norm: str) -> None:
        super().__init__()
        self.ops = nn.ModuleList(_rescale(width, factor, norm) for factor in rescales)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """(B,width,h,w) per scale → the same, resized."""
        return [op(features) for op, features in zip(self.ops, maps)]


def _rescale(width: int, factor: float, norm: str) -> nn.Module:
    def up() -> nn.Module:
        return nn.ConvTranspose2d(width, width, kernel_size=2, stride=2)

    if factor == 4:
        return nn.Sequential(up(), _norm(width, norm), nn.GELU(), up())
    if factor == 2:
        return nn.Sequential(up())
    if factor == 1:
        return nn.Identity()
    if factor in (0.5, 0.25):
        return nn.MaxPool2d(round(1 / factor))
    raise ValueError(f"a map cannot be rescaled by {factor}; choose 4, 2, 1, 0.5 or 0.25")


def _norm(channels: int, norm: str) -> nn.Module:
    return nn.BatchNorm2d(channels) if norm == "batch" else head_norm(channels)


def _layer(channels_in: int, channels_out: int, kernel: int, norm: str) -> nn.Sequential:
    """Convolution, norm, ReLU."""
    conv = nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2)
    return nn.Sequential(conv, _norm(channels_out, norm), nn.ReLU())
