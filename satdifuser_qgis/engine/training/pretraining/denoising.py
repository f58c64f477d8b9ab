"""The first part of the training: denoising with the label-free losses beside it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from .augment import random_crops
from .bank import Bank
from .loop import Batch, Settings
from .network import BUCKETS, UNSHUFFLE, Noise, alignment_loss, build_scheduler, contrast_loss, size_numbers


class Denoising:
    """Pairs of crops of the same tiles are noised; the network predicts v, and says what it saw.

    The second crops have little noise, as images have when land cover is read. They go through the averaged network
    too, which costs a pass over half a batch.
    """

    figures: tuple[str, ...] = (
        *(f"loss t {low}-{high - 1}" for low, high in zip(BUCKETS, BUCKETS[1:])),
        "contrast",
        "alignment",
        "loss",
    )

    def __init__(self, settings: Settings, bank: Bank, device: torch.device) -> None:
        self.settings = settings
        self.bank = bank.to(device)
        self.noise = Noise(build_scheduler().alphas_cumprod, device)
        self._edges = torch.tensor(BUCKETS[1:], device=device)

    def __call__(self, model: Any, average: Any, generator: torch.Generator, finishing: bool) -> Batch:
        """One batch; see `Objective`. When finishing, whole tiles are shown, fewer of them."""
        settings, bank = self.settings, self.bank
        crop = bank.side if finishing else settings.crop_px
        pairs = max(2, settings.batch * settings.crop_px**2 // crop**2 // 2)
        index = bank.draw(pairs, generator)
        clean, sizes = draw_crops(bank, index.repeat(2), crop, settings.unknown_gsd, generator)
        times = torch.cat([self.noise.times(pairs, generator), self.noise.low_times(pairs, generator)])
        noisy, target = self.noise.apply(clean, times, generator)
        noisy = _channels_last(noisy)
        velocity, told, expected = model(noisy, times, sizes)
        errors = (velocity.float() - target).square().mean(dim=(1, 2, 3))
        contrast = contrast_loss(told, bank.places[index])
        alignment = torch.zeros_like(contrast)
        if settings.alignment:
            _, seen, _ = average(noisy[pairs:], times[pairs:], sizes[pairs:])
            alignment = alignment_loss(expected[:pairs], seen)
        loss = errors.mean() + settings.contrast * contrast + settings.alignment * alignment
        sums = self._sums(times, errors.detach(), contrast.detach(), alignment.detach())
        return Batch(loss, sums, len(clean), len(clean) * crop**2)

    def _sums(self, times: Tensor, errors: Tensor, contrast: Tensor, alignment: Tensor) -> Tensor:
        """Totals and counts (2, figures): the error of v by noise bucket, then the other losses, then its mean."""
        sums = torch.zeros((2, len(self.figures)), device=errors.device)
        bucket = torch.searchsorted(self._edges, times, right=True)
        sums[0].index_add_(0, bucket, errors)
        sums[1].index_add_(0, bucket, torch.ones_like(errors))
        sums[0, -3:] = torch.stack([contrast, alignment, errors.mean()])
        sums[1, -3:] = 1
        return sums


def draw_crops(
    bank: Bank, index: Tensor, crop: int, unknown: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Inputs (B, 3 f², crop / f, crop / f) of random crops of the tiles named, and (B,) what is said of their size."""
    images, gsd_m = random_crops(bank, index, crop, generator)
    hidden = torch.rand(len(index), generator=generator, device=index.device) < unknown
    return functional.pixel_unshuffle(images, UNSHUFFLE), size_numbers(gsd_m, hidden)


def _channels_last(values: Tensor) -> Tensor:
    return values.contiguous(memory_format=torch.channels_last)
