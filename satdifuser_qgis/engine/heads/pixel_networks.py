"""Classes pixel by pixel from values, surroundings and the maps of a companion encoder: four networks that vote."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..streams import Scale
from .light import WINDOWS, local_statistics

# Probabilities are averaged over squares of so many pixels: maps of areas left out had less than half the patches then,
# at the same mean IoU (training images of Korea and Dubai).
SMOOTHED_PX = 3


@dataclass(frozen=True)
class View:
    """What one of the networks sees of a pixel, and how large it is.

    windows: sides in pixels of the squares around it of which it sees mean and deviation, beside its own values.
    maps: how many of the encoder's maps, finest first. hidden: widths of its layers, none for a linear network.
    dropout: share of each layer that a training step leaves out. noise: what is added to standardised inputs then.
    """

    name: str
    windows: tuple[int, ...]
    maps: int
    hidden: tuple[int, ...]
    dropout: float = 0.0
    noise: float = 0.0


def views_of(maps: int) -> tuple[View, ...]:
    """The networks beside an encoder of so many maps, those that see least first.

    Few labels lie in few places, and what tells places apart is learnt as readily as what tells classes apart: the less
    a network sees beyond the pixel, the less it can. With many labels the last is better than the others.
    """
    return (
        View("the pixel and the 5 × 5 around it", WINDOWS[:1], 0, (32, 32), 0.2, 0.1),
        View("fine maps too", WINDOWS[:1], min(2, maps), (64, 64), 0.4, 0.25),
        View("all maps, linear", WINDOWS, maps, ()),
        View("all maps", WINDOWS, maps, (128, 128), 0.4, 0.25),
    )


class PixelNetwork(nn.Module):
    """Linear layers with SiLU on the standardised inputs of a view, each pixel by itself.

    channels: values of a pixel. encoded: the scales of the encoder's maps, one map each, finest first.
    """

    mean: Tensor
    deviation: Tensor
    inputs: Tensor

    def __init__(self, view: View, channels: int, encoded: Sequence[Scale], classes: int) -> None:
        super().__init__()
        self.view, self.scales = view, encoded[: view.maps]
        around, all_around = (channels * (1 + 2 * len(windows)) for windows in (view.windows, WINDOWS))
        self.parts = (around, *(sum(scale.channels) for scale in self.scales))
        read = sum(self.parts)
        places = [*range(around), *range(all_around, all_around + read - around)]
        self.register_buffer("inputs", torch.tensor(places), persistent=False)
        self.register_buffer("mean", torch.zeros(read))
        self.register_buffer("deviation", torch.ones(read))
        widths = (*view.hidden, classes)
        self.first = nn.Linear(read, widths[0])
        layers: list[nn.Module] = []
        for size, width in zip(widths, widths[1:]):
            layers += [nn.SiLU(), nn.Dropout(view.dropout), nn.Linear(size, width)]
        self.rest = nn.Sequential(*layers)

    def measure(self, values: Tensor) -> None:
        """Standardises by (N, all inputs)."""
        deviation, mean = torch.std_mean(values[:, self.inputs], dim=0, correction=0)
        self.mean.copy_(mean)
        self.deviation.copy_(deviation.clamp(min=1e-4))

    def standardised(self, values: Tensor) -> Tensor:
        """(N, all inputs) → those of this view, with mean 0 and deviation 1 where they were measured."""
        return (values[:, self.inputs] - self.mean) / self.deviation

    def forward(self, around: Tensor, encoded: Sequence[Tensor]) -> Tensor:
        """around (B,C,H,W), maps (B,c,h,w) finest first → logits (B,classes,H,W).

        The first layer is applied to each map at its own size: enlarging and weighing may change places, and small maps
        cost less.
        """
        weight = self.first.weight / self.deviation
        bias = self.first.bias - weight @ self.mean
        parts = weight.split(self.parts, dim=1)
        x = _weighed(around[:, : self.parts[0]], parts[0]) + bias.view(-1, 1, 1)
        for maps, scale, part in zip(encoded, self.scales, parts[1:]):
            x = x + enlarged(_weighed(maps, part), scale.stride, around.shape[-2:])
        logits: Tensor = self.rest(x.movedim(1, -1)).movedim(-1, 1)
        return logits

    def of_standardised(self, values: Tensor) -> Tensor:
        """(N, inputs of this view) → logits (N,classes)."""
        logits: Tensor = self.rest(self.first(values))
        return logits


class PixelNetworks(nn.Module):
    """The networks of `views_of`; probabilities are their mean by ``weights``, which training measures.

    encoded: the scales of the encoder's maps, one map each, finest first.
    """

    weights: Tensor

    def __init__(self, channels: int, encoded: Sequence[Scale], classes: int) -> None:
        super().__init__()
        self.scales = tuple(encoded)
        self.networks = nn.ModuleList(PixelNetwork(v, channels, encoded, classes) for v in views_of(len(encoded)))
        self.register_buffer("weights", torch.full((len(self.networks),), 1 / len(self.networks)))

    def __iter__(self) -> Iterator[PixelNetwork]:
        for network in self.networks:
            if isinstance(network, PixelNetwork):
                yield network

    def __len__(self) -> int:
        return len(self.networks)

    def values(self, side: Tensor, encoded: Sequence[Tensor]) -> Tensor:
        """All inputs of the pixels of tiles, (B,H,W,inputs)."""
        large = [enlarged(maps, scale.stride, side.shape[-2:]) for maps, scale in zip(encoded, self.scales)]
        return torch.cat([_around(side), *large], dim=1).movedim(1, -1)

    def forward(self, side: Tensor, encoded: Sequence[Tensor]) -> Tensor:
        """side (B,S,H,W), maps (B,c,h,w) → logarithms of probabilities (B,classes,H,W)."""
        around = _around(side)
        total: Tensor | None = None
        for network, weight in zip(self, self.weights.tolist()):
            if weight > 0:
                share = weight * network(around, encoded).softmax(1)
                total = share if total is None else total + share
        if total is None:
            raise ValueError("no network has a weight")
        reach = SMOOTHED_PX // 2
        padded = functional.pad(total, (reach,) * 4, mode="replicate")
        return functional.avg_pool2d(padded, SMOOTHED_PX, 1).clamp(min=1e-9).log()


def enlarged(maps: Tensor, stride: int, size: Sequence[int]) -> Tensor:
    """(B,C,h,w) of cells of ``stride`` pixels to (B,C,H,W), bilinear. Cells may reach beyond the image."""
    if stride > 1:
        maps = functional.interpolate(maps, scale_factor=float(stride), mode="bilinear", align_corners=False)
    return maps[..., : size[0], : size[1]]


def _around(side: Tensor) -> Tensor:
    """(B,S,H,W) → values, then mean and deviation in each of the windows, (B,S·(1 + 2·windows),H,W)."""
    return torch.cat([side, *(part for window in WINDOWS for part in local_statistics(side, window))], dim=1)


def _weighed(maps: Tensor, weight: Tensor) -> Tensor:
    """A linear layer on (B,C,h,w)."""
    return functional.conv2d(maps, weight[:, :, None, None])
