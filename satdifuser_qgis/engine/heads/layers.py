"""What heads share."""

from __future__ import annotations

from torch import Tensor, nn

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
