"""Mixture of experts: a tile's content chooses which projections of all its streams together are used."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..streams import Scale
from .bottleneck import projection
from .fused import Fused

MODES = ("sparse", "dense")


class ScaleMixture(nn.Module):
    """Experts of one scale and the gate that weighs them by the mean of a convolution over the map."""

    def __init__(self, channels: int, width: int, groups: int, blocks: int, experts: int, temperature: float) -> None:
        super().__init__()
        self.experts = nn.ModuleList(projection(channels, width, groups, blocks) for _ in range(experts))
        self.gate_network = nn.Sequential(nn.Conv2d(channels, experts, 3, padding=1))
        self.temperature = nn.Parameter(torch.tensor(temperature))

    def forward(self, x: Tensor, chosen: int) -> tuple[Tensor, Tensor]:
        """(N,C,h,w) → fused (N,width,h,w) and the gate's probabilities (N,experts).

        Only the ``chosen`` most probable experts of each tile are computed, with weights that sum to 1.
        """
        scores = self.gate_network(x).mean((2, 3)) / self.temperature
        best, which = scores.topk(chosen, dim=1)
        weights = torch.zeros_like(scores).scatter(1, which, best.softmax(1))
        parts = []
        for number, expert in enumerate(self.experts):
            rows = weights[:, number].nonzero().flatten()
            if len(rows):
                parts.append((rows, expert(x[rows]) * weights[rows, number].view(-1, 1, 1, 1)))
        fused = parts[0][1].new_zeros(len(x), *parts[0][1].shape[1:])
        for rows, part in parts:
            fused = fused.index_add(0, rows, part)
        return fused, scores.softmax(1)


class MixtureOfExperts(nn.Module):
    """A mixture per scale, applied to each time and averaged over times.

    mode: "sparse" computes the ``top_k`` best experts of each tile, in training too; "dense" all of them. It may
    be changed at any time. ``Fused.balance`` is the mean over scales and times of the divergence of the experts'
    use from even use, Σ u log(E·u) of the batch's mean probabilities u: at least 0, and 0 where all are used alike.
    """

    def __init__(
        self,
        scales: Sequence[Scale],
        steps: int,
        width: int,
        groups: int = 0,
        blocks: int = 1,
        experts: int = 4,
        top_k: int = 2,
        temperature: float = 1.0,
        mode: str = "sparse",
    ) -> None:
        super().__init__()
        if mode not in MODES:
            raise ValueError(f'mode is "{mode}" but must be one of {", ".join(MODES)}')
        if not 1 <= top_k <= experts:
            raise ValueError(f"top_k is {top_k} but must be 1 to {experts}, the number of experts")
        self.mode, self.top_k, self.count = mode, top_k, experts
        self.scale_moes = nn.ModuleList(
            ScaleMixture(sum(scale.channels), width, groups, blocks, experts, temperature) for scale in scales
        )

    def forward(self, pyramid: Sequence[Tensor]) -> Fused:
        """Pyramid (B,T,ΣC,h,w) per scale → maps; ``weights["gate0"]`` …: (B,T,experts), "divergence": (scales,T)."""
        maps, weights, divergences = [], {}, []
        for number, (features, mixture) in enumerate(zip(pyramid, self.scale_moes)):
            batch, steps = features.shape[:2]
            chosen = self.count if self.mode == "dense" else self.top_k
            fused, gate = mixture(features.float().flatten(0, 1), chosen)
            maps.append(fused.unflatten(0, (batch, steps)).mean(1))
            gate = gate.unflatten(0, (batch, steps))
            use = gate.mean(0)
            divergences.append((use * torch.log(use * self.count + 1e-8)).sum(1))
            weights[f"gate{number}"] = gate
        weights["divergence"] = torch.stack(divergences)
        return Fused(maps, weights, weights["divergence"].mean())
