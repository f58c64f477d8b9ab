"""Classes from a pixel's own values and its close surroundings, without any feature: what few labels can teach."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .light import WINDOWS, local_statistics

# A small network of this width was better than wider ones on drawn labels of the Korean training images, where some
# 2,000 labelled pixels in 15 places a class are all that there is.
WIDTH = 32


class PixelClassifier(nn.Module):
    """Two hidden layers on the values of a pixel and mean and deviation around it, each standardised as measured."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(3 * channels))
        self.register_buffer("deviation", torch.ones(3 * channels))
        self.layers = nn.Sequential(
            nn.Linear(3 * channels, WIDTH), nn.SiLU(), nn.Dropout(0.1),
            nn.Linear(WIDTH, WIDTH), nn.SiLU(), nn.Dropout(0.1),
            nn.Linear(WIDTH, classes),
        )  # fmt: skip

    def measure(self, values: Tensor) -> None:
        """Standardises by (N,3S) as `pixel_values` gives them."""
        deviation, mean = torch.std_mean(values, dim=0, correction=0)
        self.mean.copy_(mean)
        self.deviation.copy_(deviation.clamp(min=1e-4))

    def of_values(self, values: Tensor) -> Tensor:
        """(...,3S) → logits (...,classes)."""
        logits: Tensor = self.layers((values - self.mean) / self.deviation)
        return logits

    def forward(self, side: Tensor, encoded: Sequence[Tensor] = ()) -> Tensor:
        """(B,S,H,W) → logits (B,classes,H,W). It reads no maps of an encoder."""
        return self.of_values(pixel_values(side)).movedim(-1, 1)


def pixel_values(side: Tensor) -> Tensor:
    """(B,S,H,W) → (B,H,W,3S): values, and mean and deviation in the smallest of the windows."""
    return torch.cat([side, *local_statistics(side, WINDOWS[0])], dim=1).movedim(1, -1)
