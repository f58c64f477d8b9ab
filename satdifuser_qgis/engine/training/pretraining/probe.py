"""What a trained network is worth: denoising loss on tiles it never saw, and a linear probe of its features.

Labels are used here only, to score; nothing of them reaches the weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from diffusers import DDIMScheduler
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.nn import functional

from .augment import to_range
from .network import BUCKETS, UNSHUFFLE, Noise

BATCH = 64
LOSS_TILES = 128
PROBE_TIMES = (1, 101, 201)
Values = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class Labelled:
    """Tiles as bytes (N, 3, S, S) with a class name each."""

    tiles: Tensor
    classes: tuple[str, ...]


@dataclass
class Scores:
    """Macro F1 and accuracy of linear probes by what they read, and the mean squared error of v by noise bucket."""

    macro_f1: dict[str, float] = field(default_factory=dict)
    accuracy: dict[str, float] = field(default_factory=dict)
    losses: dict[str, float] = field(default_factory=dict)


def class_of(tile: str) -> str:
    """The class in a tile's id: the folder's name."""
    return tile.split("/")[0]


def score(
    unet: Any,
    scheduler: DDIMScheduler,
    training: Labelled | None,
    unseen: Labelled,
    times: Sequence[int] = PROBE_TIMES,
) -> Scores:
    """Scores one network on the CPU: losses on ``unseen``, and probes where there are labels to train on.

    Probes read all streams at each time, all of them at all times, and each block alone at the middle one.
    """
    noise = Noise(scheduler.alphas_cumprod, torch.device("cpu"))
    scores = Scores(losses=held_out_losses(unet, noise, unseen.tiles[:: max(1, len(unseen.tiles) // LOSS_TILES)]))
    if training is None:
        return scores
    x, y = (pooled_features(unet, noise, part.tiles, times) for part in (training, unseen))
    middle = len(times) // 2
    selections: dict[str, Any] = {f"t {time}": np.s_[:, position] for position, time in enumerate(times)}
    selections["all times"] = np.s_[:, :]
    for block, columns in _columns(unet).items():
        selections[f"t {times[middle]}, {block} only"] = np.s_[:, middle, columns]
    for name, chosen in selections.items():
        scores.macro_f1[name], scores.accuracy[name] = probe(x[chosen], training.classes, y[chosen], unseen.classes)
    return scores


def probe(x: Values, classes: Sequence[str], y: Values, truth: Sequence[str]) -> tuple[float, float]:
    """Macro F1 and accuracy on ``y`` of a logistic regression on ``x``, both (N, …), columns standardised by ``x``."""
    x, y = x.reshape(len(x), -1), y.reshape(len(y), -1)
    scaler = StandardScaler().fit(x)
    # Standardised columns: this keeps the expected size of the decision the same for few and for many of them.
    model = LogisticRegression(C=10 / x.shape[1], max_iter=500).fit(scaler.transform(x), classes)
    found = model.predict(scaler.transform(y))
    return float(f1_score(truth, found, average="macro")), float(accuracy_score(truth, found))


def pixel_statistics(tiles: Tensor) -> Values:
    """Mean, deviation, maximum and minimum of each band, (N, 12) of (N, 3, S, S): the least that is to be beaten."""
    values = to_range(tiles)
    parts = [values.mean((2, 3)), values.std((2, 3)), values.amax((2, 3)), values.amin((2, 3))]
    return torch.cat(parts, dim=1).numpy()


@torch.no_grad()
def held_out_losses(unet: Any, noise: Noise, tiles: Tensor, seed: int = 0) -> dict[str, float]:
    """Mean squared error of v by noise bucket, each tile once at a random time of each bucket."""
    generator = torch.Generator().manual_seed(seed)
    totals: dict[str, float] = {}
    for low, high in zip(BUCKETS, BUCKETS[1:]):
        errors = []
        for begin in range(0, len(tiles), BATCH):
            clean = functional.pixel_unshuffle(to_range(tiles[begin : begin + BATCH]), UNSHUFFLE)
            times = torch.randint(low, high, (len(clean),), generator=generator)
            noisy, target = noise.apply(clean, times, generator)
            errors.append((unet(noisy, times).sample - target).square().mean(dim=(1, 2, 3)))
        totals[f"{low}-{high - 1}"] = float(torch.cat(errors).mean())
    return totals


@torch.no_grad()
def pooled_features(unet: Any, noise: Noise, tiles: Tensor, times: Sequence[int], seed: int = 0) -> Values:
    """Mean, deviation and maximum of every stream, (N, times, features): the streams that segmentation reads.

    These are the outputs of the second convolutions of middle and decoder.
    """
    kept: list[Tensor] = []
    hooks = [module.register_forward_hook(_keeper(kept)) for module in streams(unet)]
    generator = torch.Generator().manual_seed(seed)
    rows = []
    try:
        for begin in range(0, len(tiles), BATCH):
            clean = functional.pixel_unshuffle(to_range(tiles[begin : begin + BATCH]), UNSHUFFLE)
            columns = []
            for time in times:
                at = torch.full((len(clean),), time)
                kept.clear()
                unet(noise.apply(clean, at, generator)[0], at)
                columns.append(torch.cat([_statistics(values) for values in kept], dim=1))
            rows.append(torch.stack(columns, dim=1))
    finally:
        for hook in hooks:
            hook.remove()
    return torch.cat(rows).numpy()


def streams(unet: Any) -> list[nn.Module]:
    """The second convolution of each residual block of the middle and the decoder, in the order of computation."""
    blocks = [unet.mid_block, *unet.up_blocks]
    return [resnet.conv2 for block in blocks for resnet in block.resnets]


def _columns(unet: Any) -> dict[str, list[int]]:
    """Which columns of the pooled features come from which block, in the order of `streams`."""
    names = ["middle", *(f"decoder block {number}" for number in range(len(unet.up_blocks)))]
    columns: dict[str, list[int]] = {}
    start = 0
    for name, block in zip(names, [unet.mid_block, *unet.up_blocks]):
        end = start + sum(3 * resnet.conv2.out_channels for resnet in block.resnets)
        columns[name], start = list(range(start, end)), end
    return columns


def _keeper(kept: list[Tensor]) -> Any:
    def keep(module: nn.Module, inputs: Any, output: Tensor) -> None:
        kept.append(output)

    return keep


def _statistics(values: Tensor) -> Tensor:
    """Mean, standard deviation and maximum a channel: (B, 3 C) of (B, C, H, W)."""
    variance, mean = torch.var_mean(values, dim=(2, 3), correction=0)
    return torch.cat([mean, variance.sqrt(), values.amax(dim=(2, 3))], dim=1)
