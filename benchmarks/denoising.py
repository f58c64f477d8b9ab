"""What a backbone is as a diffusion model: its error by noise level on tiles it never saw, and samples."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from satdifuser_qgis.engine.backbones import Backbone, load_backbone
from satdifuser_qgis.engine.backbones.schedule import read_prediction

EDGES = (0, 25, 50, 100, 200, 300, 400, 600, 800, 1000)
TILES, BATCH, SEED = 256, 32, 0
SAMPLES, STEPS = 16, 50


@torch.inference_mode()
def losses(reference: str, tiles: NDArray[np.uint8]) -> dict[str, float]:
    """Mean squared error of v by times, the same noise for every backbone; tiles (N,3,S,S) bytes."""
    backbone = load_backbone(reference, torch.device("cpu"))
    generator = torch.Generator().manual_seed(SEED)
    chosen = tiles[:: max(1, len(tiles) // TILES)][:TILES]
    found = {}
    for low, high in zip(EDGES, EDGES[1:]):
        errors = []
        for begin in range(0, len(chosen), BATCH):
            clean = backbone.encode(torch.from_numpy(chosen[begin : begin + BATCH]).float() / 127.5 - 1)
            time = int(torch.randint(low, high, (), generator=generator))
            errors.append(_errors(backbone, clean, time, torch.randn(clean.shape, generator=generator)))
        found[f"{low}-{high - 1}"] = float(torch.cat(errors).mean())
    return found


def _errors(backbone: Backbone, clean: Tensor, time: int, noise: Tensor) -> Tensor:
    """Squared error of v, (B,)."""
    alpha = backbone.schedule.alpha_bar(time)
    signal, spread = math.sqrt(alpha), math.sqrt(1 - alpha)
    x = signal * clean + spread * noise
    output = backbone.denoise(x, torch.full((len(x),), time))
    told_noise, told_clean = read_prediction(output, x, alpha, backbone.prediction_type)
    difference = signal * (told_noise - noise) - spread * (told_clean - clean)
    return difference.square().mean((1, 2, 3))


@torch.inference_mode()
def write_samples(reference: str, px: int, target: Path) -> None:
    """Sixteen pictures drawn from noise by 50 deterministic steps, as one image of four rows."""
    backbone = load_backbone(reference, torch.device("cpu"))
    side = px // backbone.factor
    x = torch.randn(SAMPLES, backbone.channels, side, side, generator=torch.Generator().manual_seed(SEED))
    times = [round(i * 999 / STEPS) for i in range(STEPS, 0, -1)]
    clean = x
    for time, following in zip(times, [*times[1:], 0]):
        alpha = backbone.schedule.alpha_bar(time)
        output = backbone.denoise(x, torch.full((len(x),), time))
        noise, clean = read_prediction(output, x, alpha, backbone.prediction_type)
        clean = clean.clamp(-1, 1)
        noise = (x - math.sqrt(alpha) * clean) / math.sqrt(1 - alpha)
        after = backbone.schedule.alpha_bar(following)
        x = math.sqrt(after) * clean + math.sqrt(1 - after) * noise
    pictures = ((backbone.codec.decode(clean) + 1) * 127.5).clamp(0, 255).byte().numpy()
    rows = pictures.reshape(4, 4, 3, px, px).transpose(0, 3, 1, 4, 2).reshape(4 * px, 4 * px, 3)
    Image.fromarray(rows).save(target)
