"""EfficientNet-Lite2 up to a stride, for inference: inverted bottlenecks (Sandler et al. 2018) without attention to
channels, scaled 1.1 in width and 1.2 in depth (Tan and Le 2019), with TensorFlow's "same" padding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

STEM_CHANNELS = 32
NORM_EPSILON = 1e-3


@dataclass(frozen=True)
class Stage:
    """Blocks of one width. ``step`` is the stride of the first one; ``stride`` is input pixels per map pixel after it.

    ``widening``: channels inside a block per channel that enters it.
    """

    blocks: int
    channels: int
    kernel: int
    step: int
    stride: int
    widening: int = 6


STAGES = (
    Stage(1, 16, 3, 1, 2, widening=1),
    Stage(3, 24, 3, 2, 4),
    Stage(3, 48, 5, 2, 8),
    Stage(4, 88, 3, 2, 16),
    Stage(4, 120, 5, 1, 16),
    Stage(5, 208, 5, 2, 32),
    Stage(1, 352, 3, 1, 32),
)


class EfficientNetLite2(nn.Module):
    """Maps of the last stage of each stride up to ``deepest`` (2, 4, 8, 16 or 32): 16, 24, 48, 120 and 352 channels.

    Its weights are those of `fold`. Sides should be multiples of ``deepest``: then the odd row of padding is always
    below, which would move a map by up to half a cell, but the trained kernels lean the other way by as much. With
    padding above in turns, land cover of images left out lost a point of mIoU.
    """

    def __init__(self, deepest: int = 16) -> None:
        super().__init__()
        self.stages = tuple(stage for stage in STAGES if stage.stride <= deepest)
        self.stem = _Convolution(3, STEM_CHANNELS, 3, 2)
        self.blocks = nn.ModuleList()
        channels = STEM_CHANNELS
        for stage in self.stages:
            for place in range(stage.blocks):
                step = stage.step if place == 0 else 1
                self.blocks.append(_Block(channels, stage, step))
                channels = stage.channels

    @property
    def channels(self) -> dict[int, int]:
        """Stride → channels of its map."""
        return {stage.stride: stage.channels for stage in self.stages}

    def forward(self, x: Tensor) -> dict[int, Tensor]:
        """(B,3,H,W), values as (0..255 − 127) / 128 → stride → (B,C,⌈H/stride⌉,⌈W/stride⌉)."""
        x = functional.relu6(self.stem(x), inplace=True)
        maps: dict[int, Tensor] = {}
        blocks = iter(self.blocks)
        for stage in self.stages:
            for _ in range(stage.blocks):
                x = next(blocks)(x)
            maps[stage.stride] = x
        return maps


class _Block(nn.Module):
    """Widen, look around, narrow; added to what came in where the shapes are the same."""

    def __init__(self, channels: int, stage: Stage, step: int) -> None:
        super().__init__()
        inside = channels * stage.widening
        self.expand = _Convolution(channels, inside, 1) if stage.widening > 1 else None
        self.depthwise = _Convolution(inside, inside, stage.kernel, step, groups=inside)
        self.project = _Convolution(inside, stage.channels, 1)
        self.adds = step == 1 and channels == stage.channels

    def forward(self, x: Tensor) -> Tensor:
        inside = x if self.expand is None else functional.relu6(self.expand(x), inplace=True)
        inside = functional.relu6(self.depthwise(inside), inplace=True)
        narrow = self.project(inside)
        return x + narrow if self.adds else narrow


class _Convolution(nn.Conv2d):
    """With TensorFlow's "same" padding: of an odd number of rows, the larger part is below and right."""

    def __init__(self, inside: int, outside: int, kernel: int, step: int = 1, groups: int = 1) -> None:
        super().__init__(inside, outside, kernel, step, padding=kernel // 2 if step == 1 else 0, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        if self.stride[0] > 1:
            above, below = self._rows(x.shape[-2])
            left, right = self._rows(x.shape[-1])
            x = functional.pad(x, (left, right, above, below))
        return super().forward(x)

    def _rows(self, length: int) -> tuple[int, int]:
        kernel, step = self.kernel_size[0], self.stride[0]
        total = max((-(-length // step) - 1) * step + kernel - length, 0)
        return total // 2, total - total // 2


def fold(published: Mapping[str, Tensor], deepest: int = 16) -> dict[str, Tensor]:
    """The weights of an `EfficientNetLite2` from those with batch norms under the published names.

    Raises KeyError where one is missing.
    """
    folded: dict[str, Tensor] = {}
    for ours, convolution, norm in _names(deepest):
        weight = published[f"{convolution}.weight"].double()
        gain, bias, mean, variance = (
            published[f"{norm}.{part}"].double() for part in ("weight", "bias", "running_mean", "running_var")
        )
        factor = gain / (variance + NORM_EPSILON).sqrt()
        weight = (weight * factor.view(-1, 1, 1, 1)).float()
        # On the CPU a fifth to a half faster.
        folded[f"{ours}.weight"] = weight.contiguous(memory_format=torch.channels_last)
        folded[f"{ours}.bias"] = (bias - mean * factor).float()
    return folded


def _names(deepest: int) -> Iterator[tuple[str, str, str]]:
    """Of each convolution: our name, the published one, and the published one of the norm behind it."""
    yield "stem", "_conv_stem", "_bn0"
    number = 0
    for stage in STAGES:
        for _ in range(stage.blocks if stage.stride <= deepest else 0):
            at = f"_blocks.{number}."
            if stage.widening > 1:
                yield f"blocks.{number}.expand", f"{at}_expand_conv", f"{at}_bn0"
            yield f"blocks.{number}.depthwise", f"{at}_depthwise_conv", f"{at}_bn1"
            yield f"blocks.{number}.project", f"{at}_project_conv", f"{at}_bn2"
            number += 1
