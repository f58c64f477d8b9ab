"""How long a training will take, from one tile and one step measured on this machine."""

from __future__ import annotations

import time

import torch

from ..decoder import DecoderConfig
from ..features import Extractor
from .landcover import BATCH, TRIAL_STEPS, TRIAL_TILES, Ground, new_decoder
from .loop import segmentation_loss


def estimate_seconds(
    ground: Ground, extractor: Extractor, config: DecoderConfig, steps: int, spectral: bool, automatic: bool
) -> float:
    """Seconds for features and steps; with automatic scaling for the trials too. Looks at no pixel."""
    pixels = torch.zeros(1, 3, ground.tile_px, ground.tile_px)
    positions = [(0, 0)]
    with torch.inference_mode():
        extractor(pixels, positions)
        started = time.perf_counter()
        pyramid = extractor(pixels, positions)
    a_tile = time.perf_counter() - started
    decoder = new_decoder(config, 0).to(extractor.device)
    levels = [level.clone().expand(BATCH, *level.shape[1:]).float() for level in pyramid]
    batch = pixels.expand(BATCH, -1, -1, -1).to(extractor.device)
    started = time.perf_counter()
    logits = decoder(levels, (ground.tile_px, ground.tile_px), batch if spectral else None)
    target = torch.zeros(BATCH, ground.tile_px, ground.tile_px, dtype=torch.long, device=extractor.device)
    segmentation_loss(logits, target, torch.ones(len(ground.classes), device=extractor.device)).backward()
    a_step = time.perf_counter() - started
    trials = 2 if automatic and ground.held_back and len(ground.images) > 1 else 0
    tiles = len(ground.tiles) + trials * min(TRIAL_TILES, len(ground.tiles))
    return a_tile * tiles + a_step * (steps + trials * min(steps, TRIAL_STEPS))


def in_words(seconds: float) -> str:
    """ "about 6 minutes"."""
    if seconds < 90:
        return f"about {max(5, round(seconds / 5) * 5)} seconds"
    if seconds < 5400:
        return f"about {round(seconds / 60)} minutes"
    return f"about {seconds / 3600:.1f} hours"
