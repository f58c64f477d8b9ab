"""Random crops of the tiles, made where the tiles lie: every sample is one warp of its tile and one change of light."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .bank import Bank

# Half of the crops keep their pixels; the others are a part of the tile's area, resized.
RESIZED_SHARE = 0.5
SMALLEST_PART = 0.4
GAIN = 0.1
OFFSET = 0.05


def to_range(pixels: Tensor) -> Tensor:
    """Bytes 0..255 as float32 in [-1, 1], by constants and never by the tile's own statistics."""
    return pixels.float() / 127.5 - 1


def random_crops(bank: Bank, index: Tensor, crop: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """One random crop a tile named by ``index`` (B,), of ``crop`` px a side, at most the tile's; and its pixel size.

    Half of the crops keep their pixels, the others show 0.4 to 1 of the tile's area, resized; all are flipped and
    turned at random and get a gain of up to 10 % and an offset a channel of up to 5 % of the range.
    Returns (B, 3, crop, crop), float32 in [-1, 1], and (B,) metres, 0 = unknown.
    """
    count, side = len(index), float(bank.side)
    draw = torch.rand((11, count), generator=generator, device=index.device)
    resized = (SMALLEST_PART + (1 - SMALLEST_PART) * draw[1]).sqrt() * side
    extent = torch.where(draw[0] < RESIZED_SHARE, resized, torch.full_like(resized, crop))
    corner = draw[2:4] * (side - extent + (extent == crop))
    corner = torch.where(extent == crop, corner.floor().clamp(max=side - crop), corner)
    theta = _warp(extent / side, (2 * corner + extent) / side - 1, draw[4:7] < 0.5)
    grid = functional.affine_grid(theta, [count, 3, crop, crop], align_corners=False)
    images = to_range(bank.tiles[index])
    crops = functional.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return _relight(crops, draw[7], draw[8:11]), bank.gsd_m[index] * extent / crop


def _warp(scale: Tensor, centre: Tensor, mirror: Tensor) -> Tensor:
    """Affine maps (B, 2, 3) from the crop to its tile: scale (B,), centre (2, B) as x, y, mirror (3, B) booleans."""
    sign_x, sign_y = (torch.where(mirror[axis], -scale, scale) for axis in (0, 1))
    zero = torch.zeros_like(scale)
    straight = torch.stack([sign_x, zero, centre[0], zero, sign_y, centre[1]], dim=1)
    turned = torch.stack([zero, sign_x, centre[0], sign_y, zero, centre[1]], dim=1)
    return torch.where(mirror[2][:, None], turned, straight).reshape(-1, 2, 3)


def _relight(crops: Tensor, gain: Tensor, offset: Tensor) -> Tensor:
    """A gain an image and an offset a channel, both from uniform draws in [0, 1); the result stays in [-1, 1]."""
    gains = 1 + GAIN * (2 * gain - 1)
    offsets = 2 * OFFSET * (2 * offset.T - 1)
    return ((crops + 1) * gains[:, None, None, None] - 1 + offsets[:, :, None, None]).clamp(-1, 1)
