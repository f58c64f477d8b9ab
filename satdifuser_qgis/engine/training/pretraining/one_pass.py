"""The second part of the training: one clean pass that stands for several noised ones (CleanDIFT, arXiv 2412.03439).

The student begins as a copy of the averaged network and sees images without noise, at time 0. From each of its streams
a linear map a time, which is dropped afterwards, must tell the teacher's stream at that time. The squared error makes
what is told the mean over all noises.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .bank import Bank
from .denoising import draw_crops
from .loop import Batch, Settings
from .network import Noise, StreamReader, build_scheduler

# Of which times the one pass tells.
TOLD_TIMES = (1, 101, 201)
# A channel that hardly varies in a batch must not outweigh the others.
LEAST_VARIANCE = 1e-4


class OnePass(nn.Module):
    """The student and its maps to each of `TOLD_TIMES`."""

    def __init__(self, unet: Any) -> None:
        super().__init__()
        self.unet = unet
        self.reader = StreamReader(unet)
        self.maps = nn.ParameterList(
            torch.eye(channels).expand(len(TOLD_TIMES), channels, channels).clone() for channels in self.reader.channels
        )

    def forward(self, clean: Tensor, sizes: Tensor, which: Tensor) -> list[Tensor]:
        """What the streams (B, C, h, w) of clean inputs say of those at the times that ``which`` (B,) numbers."""
        streams = self.reader(clean, torch.zeros_like(sizes), sizes)
        return [torch.einsum("bchw,bdc->bdhw", value, weight[which]) for value, weight in zip(streams, self.maps)]


class Distillation:
    """Whole tiles, each at one of the times: what the student tells of the teacher's streams."""

    figures: tuple[str, ...] = ("unexplained",)

    def __init__(self, settings: Settings, bank: Bank, teacher: Any, device: torch.device) -> None:
        self.settings = settings
        self.bank = bank.to(device)
        self.teacher = StreamReader(teacher.to(device).requires_grad_(False))
        self.times = torch.tensor(TOLD_TIMES, device=device)
        self.noise = Noise(build_scheduler().alphas_cumprod, device)

    def __call__(self, model: Any, average: Any, generator: torch.Generator, finishing: bool) -> Batch:
        """One batch; see `Objective`. The loss is the share of the streams' variance that is not told."""
        side = self.bank.side
        count = max(2, self.settings.batch * self.settings.crop_px**2 // side**2)
        index = self.bank.draw(count, generator)
        clean, sizes = draw_crops(self.bank, index, side, self.settings.unknown_gsd, generator)
        which = torch.randint(len(self.times), (count,), generator=generator, device=index.device)
        noisy, _ = self.noise.apply(clean, self.times[which], generator)
        with torch.no_grad():
            wanted = self.teacher(noisy, self.times[which], sizes)
        told = model(clean.contiguous(memory_format=torch.channels_last), sizes, which)
        loss = torch.stack([_unexplained(a.float(), b.float()) for a, b in zip(told, wanted)]).mean()
        sums = torch.stack([loss.detach(), torch.ones_like(loss)])[:, None]
        return Batch(loss, sums, count, count * side**2)


def _unexplained(told: Tensor, wanted: Tensor) -> Tensor:
    """Squared error over variance, a channel of (B, C, h, w) counting like any other."""
    variance = wanted.var(dim=(0, 2, 3)).clamp(min=LEAST_VARIANCE)
    return ((told - wanted).square().mean(dim=(0, 2, 3)) / variance).mean()
