"""What a network is worth: denoising loss on tiles it never saw, and probes of its features with few labels.

Labels are used here only, to score; nothing of them reaches the weights. It is cheap on purpose (some hundred tiles a
side, one time): enough to see whether a training helps, not to compare with other systems.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ....protocol.pretrain import Source
from ...reporter import Reporter
from .augment import to_range
from .network import BUCKETS, READ_TIME, UNSHUFFLE, Noise, StreamReader, build_scheduler
from .tiles import class_of, find_images, left_out, read_ids, read_images

BATCH = 64
LOSS_TILES = 64
PROBE_TILES = 800
Values = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class Labelled:
    """Tiles as bytes (N, 3, S, S) with a class name each."""

    tiles: Tensor
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Trial:
    """Labelled tiles to fit probes on, None where there are no labels, and tiles left out of all training."""

    fitting: Labelled | None
    unseen: Labelled


@dataclass
class Scores:
    """Macro F1 of a linear probe and of an RBF-SVM, nan without labels; the mean squared error of v by bucket."""

    probes: tuple[float, float] = (math.nan, math.nan)
    losses: dict[str, float] = field(default_factory=dict)


def read_trial(source: Source, labels: str) -> Trial | None:
    """At most 800 tiles of each part of a source, by chance but always the same; None where none is left out."""
    entries = find_images(Path(source.path))
    secret = left_out(source, entries) & set(entries)
    if not secret:
        return None

    def read(wanted: Collection[str]) -> Labelled:
        order = np.random.default_rng(0).permutation(sorted(wanted))[:PROBE_TILES]
        images = dict(read_images(entries, only=frozenset(order.tolist())))
        return Labelled(torch.from_numpy(np.stack(list(images.values()))), tuple(map(class_of, images)))

    return Trial(read((read_ids(labels) & set(entries)) - secret) if labels else None, read(secret))


def score(unet: Any, trial: Trial, reporter: Reporter) -> Scores:
    """Probes of a network, and its losses on the unseen tiles."""
    noise = Noise(build_scheduler().alphas_cumprod, next(unet.parameters()).device)
    tiles = trial.unseen.tiles[:: max(1, len(trial.unseen.tiles) // LOSS_TILES)]
    return Scores(probe_network(unet, trial, reporter), held_out_losses(unet, noise, tiles, reporter))


def probe_network(unet: Any, trial: Trial, reporter: Reporter, clean: bool = False) -> tuple[float, float]:
    """`probe` on what is worth reading of a network, at `READ_TIME` or, clean, at time 0; nan without labels."""
    if trial.fitting is None:
        return math.nan, math.nan
    reader = StreamReader(unet)
    try:
        x, y = (pooled_features(reader, part.tiles, clean, reporter) for part in (trial.fitting, trial.unseen))
    finally:
        reader.close()
    reporter.check()
    return probe(x, trial.fitting.classes, y, trial.unseen.classes)


def probe(x: Values, classes: Sequence[str], y: Values, truth: Sequence[str]) -> tuple[float, float]:
    """Macro F1 on ``y`` of a logistic regression and of an RBF-SVM on ``x``, columns standardised by ``x``."""
    # Only here: a machine that is lent for training may have no scikit-learn.
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import f1_score
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    scaler = StandardScaler().fit(x)
    x, y = scaler.transform(x), scaler.transform(y)
    # Standardised columns: this keeps the expected size of the decision the same for few and for many of them.
    linear = LogisticRegression(C=10 / x.shape[1], max_iter=200, tol=1e-3).fit(x, classes)
    machine = SVC(C=10).fit(x, classes)
    found = (model.predict(y) for model in (linear, machine))
    first, second = (float(f1_score(truth, classes, average="macro")) for classes in found)
    return first, second


def pixel_statistics(tiles: Tensor) -> Values:
    """Mean, deviation, maximum and minimum of each band, (N, 12) of (N, 3, S, S): the least that is to be beaten."""
    values = to_range(tiles)
    parts = [values.mean((2, 3)), values.std((2, 3)), values.amax((2, 3)), values.amin((2, 3))]
    return torch.cat(parts, dim=1).numpy()


@torch.no_grad()
def held_out_losses(unet: Any, noise: Noise, tiles: Tensor, reporter: Reporter, seed: int = 0) -> dict[str, float]:
    """Mean squared error of v by noise bucket, each tile once at a random time of each bucket."""
    device = noise.signal.device
    generator = torch.Generator(device).manual_seed(seed)
    totals: dict[str, float] = {}
    for low, high in zip(BUCKETS, BUCKETS[1:]):
        errors = []
        for clean in _batches(tiles, device):
            reporter.check()
            times = torch.randint(low, high, (len(clean),), generator=generator, device=device)
            noisy, target = noise.apply(clean, times, generator)
            velocity = unet(noisy, times, torch.zeros_like(times)).sample
            errors.append((velocity - target).square().mean(dim=(1, 2, 3)))
        totals[f"{low}-{high - 1}"] = float(torch.cat(errors).mean())
    return totals


@torch.no_grad()
def pooled_features(reader: StreamReader, tiles: Tensor, clean: bool, reporter: Reporter) -> Values:
    """Mean, deviation and maximum of all streams' channels, (N, 3 C); see `probe_network`."""
    device = reader.device
    noise = Noise(build_scheduler().alphas_cumprod, device)
    generator = torch.Generator(device).manual_seed(0)
    rows = []
    for shown in _batches(tiles, device):
        reporter.check()
        at = torch.full((len(shown),), 0 if clean else READ_TIME, device=device)
        seen = shown if clean else noise.apply(shown, at, generator)[0]
        rows.append(torch.cat([_statistics(values) for values in reader(seen, at, torch.zeros_like(at))], dim=1).cpu())
    return torch.cat(rows).numpy()


def _batches(tiles: Tensor, device: torch.device) -> list[Tensor]:
    """Clean inputs of the network, a batch at a time."""
    return [functional.pixel_unshuffle(to_range(part.to(device)), UNSHUFFLE) for part in tiles.split(BATCH)]


def _statistics(values: Tensor) -> Tensor:
    """Mean, standard deviation and maximum a channel: (B, 3 C) of (B, C, H, W)."""
    variance, mean = torch.var_mean(values, dim=(2, 3), correction=0)
    return torch.cat([mean, variance.sqrt(), values.amax(dim=(2, 3))], dim=1)
