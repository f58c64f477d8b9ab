"""A scene classifier: a tile's summarised features and its statistics become one class for the whole tile."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .decoder import Decoder, DecoderConfig
from .heads.scene import SceneHead

# Beyond this many deviations a value is an accident, and would rule all that it is summed with.
FURTHEST = 6.0


class SceneDecoder(nn.Module):
    """A `Decoder` with the head "scene" behind the standardisation of its features; a model file holds all of it.

    cells: per scale (B,T,ΣC,2,2), as `features.cells.summarise` gives them. statistics: (B,S) of
    `features.statistics`, S being the decoder's ``side_channels``; not looked at where S is 0.
    """

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.decoder = Decoder(config)
        self.cells = nn.ModuleList(Standardise(len(config.times), sum(scale.channels)) for scale in config.scales)

    @property
    def head(self) -> SceneHead:
        """The decoder's head. Raises ValueError where the configuration names another than "scene"."""
        head = self.decoder.head
        if not isinstance(head, SceneHead):
            raise ValueError(f'the head is "{self.decoder.config.head}" but scenes need the head "scene"')
        return head

    @torch.no_grad()
    def measure(self, cells: Sequence[Tensor]) -> None:
        """Takes the standardisation from training tiles."""
        for part, features in zip(self.cells.children(), cells, strict=True):
            if isinstance(part, Standardise):
                part.measure(features)

    def forward(self, cells: Sequence[Tensor], statistics: Tensor) -> Tensor:
        """Logarithms of the probabilities, (B,classes)."""
        pyramid = self.standardised(cells)
        logits: Tensor = self.decoder(pyramid, (pyramid[0].shape[-2], pyramid[0].shape[-1]), statistics)
        return logits

    def standardised(self, cells: Sequence[Tensor]) -> list[Tensor]:
        """What the fuser reads."""
        return [part(features) for part, features in zip(self.cells, cells, strict=True)]


class Standardise(nn.Module):
    """Each channel at each time less its mean, by its deviation: streams differ by orders of magnitude."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, times: int, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(times, channels, 1, 1))
        self.register_buffer("deviation", torch.ones(times, channels, 1, 1))

    def measure(self, features: Tensor) -> None:
        """From (N,T,C,h,w), in double precision; a channel that never changes becomes 0."""
        total = torch.zeros(self.mean.shape, dtype=torch.float64)
        square = torch.zeros_like(total)
        for part in features.split(256):
            values = part.double()
            total += values.mean((3, 4), keepdim=True).sum(0)
            square += values.square().mean((3, 4), keepdim=True).sum(0)
        mean = total / len(features)
        deviation = (square / len(features) - mean.square()).clamp(min=0).sqrt()
        self.mean.copy_(mean)
        self.deviation.copy_(torch.where(deviation > 1e-5, deviation, 1e4))

    def forward(self, features: Tensor) -> Tensor:
        """(B,T,C,h,w) → the same, cut off far out."""
        return ((features.float() - self.mean) / self.deviation).clamp(-FURTHEST, FURTHEST)


@torch.inference_mode()
def probabilities(model: SceneDecoder, cells: Sequence[Tensor], statistics: Tensor, batch: int = 256) -> Tensor:
    """(N,classes), rows summing to 1."""
    starts = range(0, len(statistics), batch)
    parts = [model([c[i : i + batch] for c in cells], statistics[i : i + batch]).exp() for i in starts]
    return torch.cat(parts)
