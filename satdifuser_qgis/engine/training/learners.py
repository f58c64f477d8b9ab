"""What a training loop trains: a decoder on features that were kept, or a decoder and its backbone together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ..decoder import Decoder
from ..features import Extractor
from .crops import cropped, turned
from .samples import Sample


class Learner(Protocol):
    """How the loop sees what it trains."""

    @property
    def module(self) -> nn.Module:
        """All weights that change, and whose best state is kept."""

    @property
    def device(self) -> torch.device:
        """Where they are."""

    def groups(self, rate: float) -> list[dict[str, Any]]:
        """Weights and their learning rates, as optimisers take them; ``rate`` is the largest."""

    def prepare(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """What one step sees of a sample."""

    def logits(self, batch: Sequence[Sample]) -> tuple[Tensor, Tensor]:
        """(B,K,n,n) logits, and the fuser's balance value."""

    @contextmanager
    def as_stored(self) -> Iterator[None]:
        """While it lasts the weights are as a model file will hold them."""


class OnFeatures:
    """A decoder on kept features, a quarter of a tile at a time."""

    def __init__(self, decoder: Decoder, device: torch.device, spectral: bool) -> None:
        self.module, self.device, self.spectral = decoder.to(device), device, spectral

    def groups(self, rate: float) -> list[dict[str, Any]]:
        return [{"params": list(self.module.parameters()), "lr": rate}]

    def prepare(self, sample: Sample, rng: np.random.Generator) -> Sample:
        return turned(cropped(sample, rng), int(rng.integers(8)))

    def logits(self, batch: Sequence[Sample]) -> tuple[Tensor, Tensor]:
        levels = zip(*(sample.pyramid for sample in batch), strict=True)
        pyramid = [torch.stack(list(level)).to(self.device).float() for level in levels]
        return _decoded(self.module, pyramid, _pixels(batch, self.device), self.spectral)

    @contextmanager
    def as_stored(self) -> Iterator[None]:
        yield


class WithBackbone:
    """A decoder and the backbone's network under it, whole tiles at a time.

    Tiles are whole, at their place: their noise is that which the same tile has when a map is made.
    """

    # A trained network forgets less at a smaller rate than that of the decoder on it.
    BACKBONE_SHARE = 0.3

    def __init__(self, extractor: Extractor, decoder: Decoder, spectral: bool) -> None:
        self.extractor, self.spectral, self.device = extractor, spectral, extractor.device
        self.network: nn.Module = extractor.backbone.network
        self.decoder = decoder.to(self.device)
        self.module = nn.ModuleDict({"decoder": decoder, "network": self.network})

    def groups(self, rate: float) -> list[dict[str, Any]]:
        return [
            {"params": list(self.decoder.parameters()), "lr": rate},
            {"params": list(self.network.parameters()), "lr": rate * self.BACKBONE_SHARE},
        ]

    def prepare(self, sample: Sample, rng: np.random.Generator) -> Sample:
        return turned(sample, int(rng.integers(8)))

    def logits(self, batch: Sequence[Sample]) -> tuple[Tensor, Tensor]:
        pixels = _pixels(batch, self.device)
        pyramid = self.extractor(pixels, [sample.position for sample in batch])
        return _decoded(self.decoder, pyramid, pixels, self.spectral)

    @contextmanager
    def as_stored(self) -> Iterator[None]:
        """The network in half precision: what is scored is what the file holds."""
        exact = {name: value.clone() for name, value in self.network.state_dict().items()}
        self.network.load_state_dict({name: value.half() for name, value in exact.items()})
        try:
            yield
        finally:
            self.network.load_state_dict(exact)


def _pixels(batch: Sequence[Sample], device: torch.device) -> Tensor:
    return torch.stack([sample.pixels for sample in batch]).to(device)


def _decoded(decoder: Decoder, pyramid: Sequence[Tensor], pixels: Tensor, spectral: bool) -> tuple[Tensor, Tensor]:
    size = (pixels.shape[-2], pixels.shape[-1])
    return decoder.forward_with_balance(pyramid, size, pixels if spectral else None)
