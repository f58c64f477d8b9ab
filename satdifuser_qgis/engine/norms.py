"""The one norm of all that we train: a tile's classes must not depend on what else is in its batch."""

from __future__ import annotations

from torch import nn


def group_norm(channels: int, most: int, channels_each: int = 4) -> nn.GroupNorm:
    """GroupNorm of as many groups as divide the channels: at most ``most``, each of at least ``channels_each``.

    A group of a single channel would wipe out the mean of a map; only published weights may have such.
    """
    limit = max(1, min(most, channels // channels_each))
    return nn.GroupNorm(next(groups for groups in range(limit, 0, -1) if channels % groups == 0), channels)
