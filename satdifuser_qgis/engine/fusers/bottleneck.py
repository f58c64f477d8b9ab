"""The residual bottleneck that brings a stream to the fuser's width. Parameter names are the published ones."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from ..norms import group_norm

MOST = 32


class NormedConv(nn.Conv2d):
    """A convolution without bias, then GroupNorm; keeps height and width.

    ``groups`` are a published model's; 0 chooses at most 32 of at least 4 channels each.
    """

    def __init__(self, channels_in: int, channels_out: int, kernel: int, groups: int) -> None:
        super().__init__(channels_in, channels_out, kernel, padding=kernel // 2, bias=False)
        self.norm = group_norm(channels_out, groups, channels_each=1) if groups else group_norm(channels_out, MOST)
        nn.init.kaiming_normal_(self.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """(B,channels_in,h,w) → (B,channels_out,h,w)."""
        return self.norm(super().forward(x))


class Bottleneck(nn.Module):
    """1×1, 3×3 and 1×1 convolutions beside a shortcut, which is the identity where the channels agree."""

    def __init__(self, channels_in: int, width: int, groups: int) -> None:
        super().__init__()
        inner = max(1, width // 4)
        self.conv1 = NormedConv(channels_in, inner, 1, groups)
        self.conv2 = NormedConv(inner, inner, 3, groups)
        self.conv3 = NormedConv(inner, width, 1, groups)
        self.shortcut = NormedConv(channels_in, width, 1, groups) if channels_in != width else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B,channels_in,h,w) → (B,width,h,w), not negative."""
        # In place: these maps are many and small sums, so memory is what they cost.
        inner = functional.relu_(self.conv2(functional.relu_(self.conv1(x))))
        return functional.relu_(self.conv3(inner).add_(self.shortcut(x)))


def projection(channels_in: int, width: int, groups: int, blocks: int) -> nn.Sequential:
    """``blocks`` bottlenecks in a row: the published fusers' projection of one stream."""
    sizes = [channels_in, *[width] * (blocks - 1)]
    return nn.Sequential(*(Bottleneck(size, width, groups) for size in sizes))
