"""Pictures that a network draws from pure noise: the quickest look at whether it learnt anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DDIMScheduler
from PIL import Image
from torch.nn import functional

from ...reporter import Reporter
from .network import UNSHUFFLE

COLUMNS, ROWS = 8, 4
STEPS = 30


@torch.no_grad()
def sample_grid(
    unet: Any, scheduler: DDIMScheduler, tile_px: int, target: Path, reporter: Reporter, seed: int = 0
) -> None:
    """Writes a PNG of 8 x 4 samples of ``tile_px`` each, by 30 steps of DDIM."""
    generator = torch.Generator().manual_seed(seed)
    side = tile_px // UNSHUFFLE
    x = torch.randn((COLUMNS * ROWS, 3 * UNSHUFFLE**2, side, side), generator=generator)
    scheduler.set_timesteps(STEPS)
    for time in scheduler.timesteps:
        reporter.check()
        at = time.expand(len(x))
        x = scheduler.step(unet(x, at, torch.zeros_like(at)).sample, time, x).prev_sample
    images = functional.pixel_shuffle(x, UNSHUFFLE).clamp(-1, 1)
    pixels = ((images + 1) * 127.5).round().byte().reshape(ROWS, COLUMNS, 3, tile_px, tile_px)
    sheet = pixels.permute(0, 3, 1, 4, 2).reshape(ROWS * tile_px, COLUMNS * tile_px, 3)
    Image.fromarray(np.ascontiguousarray(sheet.numpy())).save(target, format="PNG")
