"""What heads share."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..norms import group_norm

MOST = 8


def head_norm(channels: int) -> nn.GroupNorm:
    """The heads' GroupNorm: at most 8 groups."""
    return group_norm(channels, MOST)


def given(side: Tensor | None, channels: int) -> Tensor:
    """The side input. Raises ValueError where there is none for a head that was built with ``channels`` of it."""
    if side is None:
        raise ValueError(f"this head was built with {channels} side channels, but none came")
    return side


def mixed(fused: Tensor, plain: Tensor, share: float) -> Tensor:
    """Logarithms of ``share`` · softmax(fused) + (1 - share) · softmax(plain), over the classes in dimension 1."""
    parts = ((fused, share), (plain, 1 - share))
    terms = [functional.log_softmax(logits, 1) + math.log(part) for logits, part in parts if part > 0]
    return torch.logsumexp(torch.stack(terms), 0)
