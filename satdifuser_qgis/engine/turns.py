"""The eight ways to lay a square on itself: what training draws from, and what a careful prediction averages over."""

from __future__ import annotations

import torch
from torch import Tensor

TURNS = 8


def reoriented(values: Tensor, turn: int) -> Tensor:
    """(…,H,W) mirrored and turned in one of eight ways; ``turn`` is 0 (as it is) to 7."""
    rotated = torch.rot90(values, turn % 4, (-2, -1))
    return rotated.flip(-1) if turn >= TURNS // 2 else rotated
