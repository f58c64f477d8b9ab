"""How long a training will take, from one tile and one step measured on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from ..backbones import METADATA_NAMES
from ..decoder import DecoderConfig
from ..encoders.encoding import Encoding
from ..features import Extractor
from .crops import crop_side
from .learners import WithBackbone
from .loop import BATCH, new_decoder, segmentation_loss
from .samples import Sample


@dataclass(frozen=True)
class Costs:
    """Seconds for the features of one tile, for one step of training, and of fine-tuning for one tile."""

    tile_s: float
    step_s: float
    tuned_tile_s: float = 0.0

    def seconds(self, tiles: int, steps: int) -> float:
        """Seconds for so many tiles and steps."""
        return self.tile_s * tiles + self.step_s * steps


def measure_costs(
    extractor: Extractor, encoding: Encoding | None, config: DecoderConfig, tile_px: int, finetune: bool = False
) -> Costs:
    """Looks at no pixel: a tile of zeros, and steps on crops of it."""
    pixels = torch.zeros(1, 3, tile_px, tile_px)
    metadata = torch.zeros(1, len(METADATA_NAMES)) if extractor.recipe.metadata == "raster" else None
    with torch.inference_mode():
        tile_s = _fastest(lambda: extractor(pixels, [(0, 0)], metadata))
        if encoding:
            tile_s += _fastest(lambda: encoding(pixels))
        half = crop_side(tile_px, extractor.scales[-1].stride)
        pyramid = extractor(pixels[..., :half, :half], [(0, 0)], metadata)
    decoder = new_decoder(config, 0).to(extractor.device)
    levels = [level.clone().repeat(BATCH, *[1] * (level.ndim - 1)).float() for level in pyramid]
    side = torch.zeros(BATCH, 3, half, half, device=extractor.device) if config.side_channels else None
    target = torch.zeros(BATCH, half, half, dtype=torch.long, device=extractor.device)
    weights = torch.ones(config.classes, device=extractor.device)
    step_s = _fastest(
        lambda: segmentation_loss(
            decoder.forward_with_balance(levels, (half, half), side)[0], target, weights
        ).backward()
    )
    return Costs(tile_s, step_s, _tuned_tile_s(extractor, config, tile_px) if finetune else 0.0)


def _tuned_tile_s(extractor: Extractor, config: DecoderConfig, tile_px: int) -> float:
    """Seconds for a tile through the backbone and back; no weight changes."""
    learner = WithBackbone(extractor, new_decoder(config, 0), bool(config.side_channels))
    known = torch.zeros(tile_px, tile_px, dtype=torch.long)
    sample = Sample([], torch.zeros(3, tile_px, tile_px), known, known, known, (0, 0))
    weights = torch.ones(config.classes, device=extractor.device)
    extractor.backbone.learn(True)
    target = known[None].to(extractor.device)
    seconds = _fastest(lambda: segmentation_loss(learner.logits([sample])[0], target, weights).backward())
    learner.module.zero_grad(set_to_none=True)
    extractor.backbone.learn(False)
    return seconds


def _fastest(call: Callable[[], object]) -> float:
    """Seconds of the fastest of three: the first one warms up, and another may have waited for other programs."""
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return min(seconds)
