"""Classes from a tile's statistics by a kernel machine: with few labels nothing that we tried was better."""

from __future__ import annotations

import torch
from torch import Tensor, nn

QUANTILES = 201
# Ranks nearer to 0 or 1 than this say how odd a tile is among a few hundred, not what it shows.
LEAST_RANK = 2e-3


class RankNormal(nn.Module):
    """Values become what a normal variable has at their rank among the training tiles: no scale, no outliers."""

    levels: Tensor

    def __init__(self, count: int) -> None:
        super().__init__()
        self.register_buffer("levels", torch.linspace(0, 1, QUANTILES).repeat(count, 1))

    def measure(self, values: Tensor) -> None:
        """From (N,S)."""
        places = torch.linspace(0, 1, QUANTILES, dtype=torch.float64)
        self.levels.copy_(torch.quantile(values.double(), places, dim=0).T)

    def forward(self, values: Tensor) -> Tensor:
        """(B,S) → (B,S), within about -2.9 and 2.9."""
        x = values.float().T.contiguous()
        below = (torch.searchsorted(self.levels, x, right=True) - 1).clamp(0, QUANTILES - 2)
        low, high = self.levels.gather(1, below), self.levels.gather(1, below + 1)
        # Between two equal levels there is no place: the value counts as the upper one.
        share = torch.where(high > low, (x - low) / (high - low).clamp(min=1e-12), 1.0).clamp(0, 1)
        rank = ((below + share) / (QUANTILES - 1)).clamp(LEAST_RANK, 1 - LEAST_RANK)
        return torch.special.ndtri(rank).T


class KernelMachine(nn.Module):
    """Scores of classes, about -1 to 1, from Gaussian kernels around ``landmarks`` tiles; all buffers, no gradients.

    ``training.kernel.fit_kernel`` fills it.
    """

    landmarks: Tensor
    weights: Tensor
    offset: Tensor
    sharpness: Tensor

    def __init__(self, statistics: int, landmarks: int, classes: int) -> None:
        super().__init__()
        self.ranks = RankNormal(statistics)
        self.register_buffer("landmarks", torch.zeros(landmarks, statistics))
        self.register_buffer("weights", torch.zeros(landmarks, classes))
        self.register_buffer("offset", torch.zeros(classes))
        self.register_buffer("sharpness", torch.ones(()))

    def forward(self, statistics: Tensor) -> Tensor:
        """(B,S) as `features.statistics` gives them → (B,classes)."""
        near = gaussian(self.ranks(statistics), self.landmarks, float(self.sharpness))
        return near @ self.weights + self.offset


def gaussian(one: Tensor, other: Tensor, sharpness: float) -> Tensor:
    """exp(-sharpness · mean squared difference) of (N,S) and (M,S): (N,M)."""
    distance = torch.cdist(one, other, compute_mode="use_mm_for_euclid_dist").square() / one.shape[1]
    return (-sharpness * distance).exp()
