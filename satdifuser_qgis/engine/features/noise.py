"""Noise that belongs to a place, so that a tile looks the same whatever is computed beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor


def position_noise(shape: Sequence[int], seed: int, row: int, column: int, time: int) -> Tensor:
    """Standard normal noise of one tile at one model time, on the CPU, float32.

    The same for the same arguments on every machine and device: never drawn from a running generator.
    """
    text = f"{seed},{row},{column},{time}".encode()
    start = int.from_bytes(hashlib.sha256(text).digest()[:8], "little") >> 1
    return torch.randn(tuple(shape), generator=torch.Generator("cpu").manual_seed(start))
