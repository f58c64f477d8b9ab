"""One class per tile: a kernel machine on its statistics, and small networks that know pooled maps beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .kernel import KernelMachine
from .layers import given, mixed

# Scores of the kernel machine are about -1 to 1; this makes logits of them to begin with.
FIRST_GAIN = 4.0


class SceneHead(nn.Module):
    """``members`` networks of one hidden layer beside one another; the class probabilities are their mean.

    With ``side_channels`` statistics every member starts from the kernel machine's scores and learns what they leave
    open; of the probabilities they have the ``share``, the rest is the kernel machine's alone: with a few hundred tiles
    members learn places too. ``landmarks`` is the kernel machine's size. Members share the fuser and differ by first
    weights and dropout.
    """

    kernel: KernelMachine
    share: Tensor

    def __init__(
        self,
        width: int,
        strides: Sequence[int],
        classes: int,
        side_channels: int = 0,
        channels: int = 64,
        members: int = 4,
        dropout: float = 0.2,
        landmarks: int = 0,
    ) -> None:
        super().__init__()
        self.side_channels = side_channels
        pooled = 3 * width * len(strides)
        self.norm = nn.LayerNorm(pooled)
        self.dropout = nn.Dropout(dropout)
        self.hidden = MemberLinear(pooled, channels, members)
        self.classify = MemberLinear(channels, classes, members)
        nn.init.zeros_(self.classify.weight)
        if side_channels:
            self.kernel = KernelMachine(side_channels, landmarks, classes)
            self.gain = nn.Parameter(torch.tensor(FIRST_GAIN))
            self.register_buffer("share", torch.tensor(0.5))

    def forward(self, maps: Sequence[Tensor], size: tuple[int, int], side: Tensor | None = None) -> Tensor:
        """Maps (B,width,h,w) and side (B,S) → logarithms of probabilities (B,classes). ``size`` does not matter."""
        scores = self.kernel(given(side, self.side_channels)) if self.side_channels else None
        found = self.member_logits(maps, scores).log_softmax(2)
        together = torch.logsumexp(found, dim=1) - math.log(found.shape[1])
        if scores is None:
            return together
        return mixed(together, self.gain * scores, float(self.share))

    def member_logits(self, maps: Sequence[Tensor], scores: Tensor | None) -> Tensor:
        """Each member's logits (B,members,classes); scores: the kernel machine's (B,classes)."""
        x = self.norm(torch.cat([part for features in maps for part in _pooled(features)], dim=1))
        # Every member drops its own inputs.
        x = self.dropout(x[:, None].expand(-1, self.hidden.members, -1))
        logits = self.classify(self.dropout(functional.silu(self.hidden(x))))
        return logits if scores is None else logits + self.gain * scores[:, None]


class MemberLinear(nn.Module):
    """A linear layer for each member: (B,members,inputs) → (B,members,outputs)."""

    def __init__(self, inputs: int, outputs: int, members: int) -> None:
        super().__init__()
        self.members = members
        bound = 1 / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.empty(members, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(members, 1, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Each member by its own weights."""
        return torch.baddbmm(self.bias, x.transpose(0, 1), self.weight).transpose(0, 1)


def _pooled(features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, deviation and maximum of each channel of (B,C,h,w)."""
    variance, mean = torch.var_mean(features, dim=(2, 3), correction=0)
    # The small constant keeps the root's slope finite on flat maps.
    return mean, (variance + 1e-5).sqrt(), features.amax((2, 3))
