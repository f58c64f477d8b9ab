"""What a fuser gives back."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor


@dataclass
class Fused:
    """``maps``: per scale (B,width,h,w), largest first. ``weights``: what the fuser chose, for reports.

    ``balance``: a value to be made small in training, 0 where all experts are used alike; None without experts.
    """

    maps: list[Tensor]
    weights: dict[str, Tensor] = field(default_factory=dict)
    balance: Tensor | None = None
