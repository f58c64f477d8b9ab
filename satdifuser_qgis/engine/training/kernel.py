"""Fitting a kernel machine to statistics of tiles: ridge regression of classes, its settings by leaving one out."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..heads.kernel import KernelMachine, gaussian

SHARPNESS = (0.3, 0.7)
RIDGE = (0.01, 0.03, 0.1, 0.3)
MOST_LANDMARKS = 2000
# Added to the landmarks' own kernel matrix, so that tiles that are nearly the same can be inverted.
JITTER = 1e-6


def landmarks_for(tiles: int) -> int:
    """How many of the training tiles become landmarks: all of them up to a size that ships."""
    return min(tiles, MOST_LANDMARKS)


@torch.no_grad()
def fit_kernel(machine: KernelMachine, statistics: Tensor, targets: Tensor, seed: int) -> Tensor:
    """Fills the machine from (N,S) and class numbers (N,).

    Returns (N,classes), the scores of each training tile by a machine that did not see that tile (exact for ridge
    regression): what a network may learn on beside. Sharpness and ridge are those of the least error of these.
    """
    count, classes = len(machine.landmarks), len(machine.offset)
    machine.ranks.measure(statistics)
    x = machine.ranks(statistics)
    chosen = torch.from_numpy(np.sort(np.random.default_rng(seed).permutation(len(x))[:count]))
    truth = 2 * functional.one_hot(targets, classes).double() - 1
    offset = truth.mean(0)
    best: tuple[float, float, Tensor, Tensor] | None = None
    for sharpness in SHARPNESS:
        for error, weights, scores in _fits(x, x[chosen], truth - offset, sharpness):
            if best is None or error < best[0]:
                best = (error, sharpness, weights, scores)
    if best is None:
        raise ValueError("there is nothing to choose from")
    machine.landmarks.copy_(x[chosen])
    machine.sharpness.fill_(best[1])
    machine.weights.copy_(best[2])
    machine.offset.copy_(offset)
    return (best[3] + offset).float()


def _fits(x: Tensor, landmarks: Tensor, truth: Tensor, sharpness: float) -> list[tuple[float, Tensor, Tensor]]:
    """For each ridge: squared error of left-out tiles, weights of the landmarks, scores of left-out tiles.

    Nyström features turn the kernel into a linear regression (Williams and Seeger 2001); for that, the prediction
    without tile i is y - (y - ŷ) / (1 - h), h being the tile's leverage.
    """
    own = gaussian(landmarks, landmarks, sharpness).double()
    own.diagonal().add_(JITTER)
    root = torch.linalg.cholesky(own)
    features = torch.linalg.solve_triangular(root, gaussian(x, landmarks, sharpness).double().T, upper=False).T
    values, vectors = torch.linalg.eigh(features.T @ features)
    turned = features @ vectors
    target = turned.T @ truth
    found = []
    for ridge in RIDGE:
        inverse = 1 / (values.clamp(min=0) + ridge)
        fitted = turned @ (inverse[:, None] * target)
        leverage = (turned.square() @ inverse).clamp(max=1 - 1e-6)
        left_out = truth - (truth - fitted) / (1 - leverage)[:, None]
        weights = torch.linalg.solve_triangular(root.T, vectors @ (inverse[:, None] * target), upper=True)
        found.append((float((left_out - truth).square().mean()), weights, left_out))
    return found
