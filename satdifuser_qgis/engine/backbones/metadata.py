"""DiffusionSat's seven numbers about an image: from natural units to what its network was trained with."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from diffusers.models.embeddings import TimestepEmbedding
from torch import Tensor, nn

METADATA_NAMES = ("longitude", "latitude", "gsd_m", "cloud", "year", "month", "day")
PREFIX = "metadata_embedding."

# value → (value + shift) / range * 1000, as published for its seven numbers
_SHIFTS = (180.0, 90.0, 0.0, 0.0, -1980.0, 0.0, 0.0)
_RANGES = (360.0, 180.0, 1.0, 1.0, 120.0, 12.0, 31.0)


def normalise_metadata(natural: Tensor) -> Tensor:
    """The network's numbers, (B,7) float32, about 0 to 1000.

    natural: (B,7) in the order of `METADATA_NAMES`: degrees east and north, metres per pixel of what the network
    sees, cloud cover 0 to 1, year, month 1 to 12, day 1 to 31. NaN, and a year of 0, mean unknown and become 0,
    which is what its training used for a missing value.
    """
    natural = natural.to(torch.float64)
    shifts, ranges = natural.new_tensor(_SHIFTS), natural.new_tensor(_RANGES)
    unknown = natural.isnan()
    unknown[:, 4] |= natural[:, 4] == 0
    return torch.where(unknown, 0.0, (natural + shifts) / ranges * 1000.0).to(torch.float32)


class MetadataEmbedding(nn.Module):
    """Sum of one small network per number; joins the time embedding of DiffusionSat's U-Net.

    width: the U-Net's first block width C0; the sum is (B, 4·C0). ``sinusoid`` is the U-Net's own for times.
    """

    def __init__(self, count: int, width: int, sinusoid: nn.Module) -> None:
        super().__init__()
        self.sinusoid = sinusoid
        self.metadata_embedding = nn.ModuleList(TimestepEmbedding(width, 4 * width) for _ in range(count))

    def forward(self, numbers: Tensor) -> Tensor:
        """(B, count) normalised numbers → (B, 4·C0). A missing number is 0 *before* the sinusoid."""
        # float32 up to the sinusoid: half precision moves a longitude by 0.18 degrees.
        parts = [mlp(self.sinusoid(numbers[:, i].float())) for i, mlp in enumerate(self.metadata_embedding)]
        return torch.stack(parts).sum(0)


def metadata_from_weights(weights: Mapping[str, Tensor], width: int, sinusoid: nn.Module) -> MetadataEmbedding:
    """The embedding whose tensors are named ``metadata_embedding.*`` in ``weights``; others are left alone."""
    own = {key: value.float() for key, value in weights.items() if key.startswith(PREFIX)}
    embedding = MetadataEmbedding(1 + max(int(key.split(".")[1]) for key in own), width, sinusoid)
    embedding.load_state_dict(own, strict=True)
    return embedding.eval()
