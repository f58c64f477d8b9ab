"""The encoder as models read it: scaled tiles in, its maps out, at the enlargement that suits the pixel size."""

from __future__ import annotations

import torch
from torch import Tensor

from ..streams import Scale, group_by_stride
from .encoder import Encoder

# Pixels from this size on are enlarged twice. The encoder has learnt from photographs, where things have many pixels:
# at 10 m it told scenes 1 to 3 points better so, at decimetres no better.
COARSE_M = 4.0


def enlargement(gsd_m: float) -> int:
    """How many times images of this pixel size are enlarged, 0 where it is unknown."""
    return 2 if gsd_m >= COARSE_M else 1


class Encoding:
    """``scales``: the maps that come out, finest first, one each. enlarged: how many times images are enlarged."""

    def __init__(self, encoder: Encoder, enlarged: int) -> None:
        self.encoder, self.enlarged = encoder, enlarged
        self.scales: tuple[Scale, ...] = group_by_stride(encoder.streams(enlarged))

    @torch.inference_mode()
    def __call__(self, tiles: Tensor) -> list[Tensor]:
        """tiles (B,3,H,W) in about -1..1 → maps (B,C,h,w), in the order of ``scales``."""
        maps = self.encoder.features((tiles.clamp(-1, 1) + 1) * 127.5, self.enlarged)
        return [maps[name] for scale in self.scales for name in scale.streams]
