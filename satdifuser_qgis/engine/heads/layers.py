"""What heads are built from."""

from __future__ import annotations

from torch import nn


def group_norm(channels: int) -> nn.GroupNorm:
    """GroupNorm with at most 8 groups of at least 4 channels: one of a single channel would wipe out a map's mean."""
    limit = max(1, min(8, channels // 4))
    return nn.GroupNorm(next(groups for groups in range(limit, 0, -1) if channels % groups == 0), channels)
