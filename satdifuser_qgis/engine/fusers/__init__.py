"""Fusers: features of several times and streams become one map per scale (SatDiFuser, section "fusion")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from ..streams import Scale
from .fused import Fused
from .global_weighted import GlobalWeighted
from .localized import LocalizedWeighted
from .mixture import MixtureOfExperts

FUSERS: dict[str, type[nn.Module]] = {
    "global": GlobalWeighted,
    "localized": LocalizedWeighted,
    "mixture": MixtureOfExperts,
}


def build_fuser(kind: str, scales: Sequence[Scale], steps: int, width: int, **options: Any) -> nn.Module:
    """A fuser: ``forward(pyramid) -> Fused``.

    pyramid: per scale (B, steps, sum of channels, h, w), largest maps first, least noise first. Every map comes out
    with ``width`` channels. groups: of the norms, 0 chooses (published: 32). Raises ValueError for an unknown kind.
    """
    if kind not in FUSERS:
        raise ValueError(f'there is no fuser "{kind}"; choose one of {", ".join(FUSERS)}')
    return FUSERS[kind](scales, steps, width, **options)


__all__ = ["FUSERS", "Fused", "build_fuser"]
