"""The training itself: the same code on one CPU, one GPU, or many by ``accelerate launch``."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from torch import Tensor
from torch.nn import functional

from ...reporter import Reporter
from .augment import random_crops
from .network import BUCKETS, UNSHUFFLE, WIDTHS, Noise, Pretrainer, build_scheduler, build_unet, contrast_loss
from .state import State

WARM_UP_STEPS = 300
LAST_RATE = 0.02
LOG_STEPS = 50


@dataclass(frozen=True)
class Settings:
    """How one sitting trains. ``steps`` counts over all sittings (0: the clock alone ends it).

    In the last ``finish`` share of the sitting (of the steps, where given) whole tiles are shown and the learning
    rate falls; 0 leaves the weights ready to be trained on. ``checkpoint_minutes`` is the time between checkpoints.
    """

    minutes: float
    steps: int = 0
    batch: int = 128
    crop_px: int = 32
    finish: float = 0.2
    learning_rate: float = 1e-3
    contrast: float = 0.2
    seed: int = 0
    checkpoint_minutes: float = 4.0
    widths: tuple[int, ...] = WIDTHS


class Sitting:
    """One stretch of training to the next checkpoint: from the last one in ``folder``, else from the weights that
    ``backbone`` holds, else from nothing."""

    def __init__(
        self, settings: Settings, tiles: Tensor, folder: Path, accelerator: Accelerator, backbone: Path | None = None
    ) -> None:
        self.settings = settings
        self.folder = folder
        self.accelerator = accelerator
        self.device = accelerator.device
        torch.manual_seed(settings.seed)
        unet = build_unet(tiles.shape[-1], settings.widths)
        model = Pretrainer(unet).to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = torch.optim.AdamW(
            model.parameters(), lr=settings.learning_rate, betas=(0.9, 0.99), weight_decay=0.01, fused=True
        )
        self.state = State(model, optimizer)
        self.resumed = self.state.load(folder) or (backbone is not None and self.state.adopt(backbone))
        self.model, self.optimizer = accelerator.prepare(model, optimizer)
        self.tiles = tiles.to(self.device)
        self.noise = Noise(build_scheduler().alphas_cumprod, self.device)
        self.generator = torch.Generator(self.device)
        self.sums = torch.zeros((2, len(BUCKETS) + 1), device=self.device)

    def run(self, reporter: Reporter) -> State:
        """Trains until the budget is used; saves at the end, at intervals, and when it is cancelled."""
        progress, settings = self.state.progress, self.settings
        progress.sittings += 1
        self._describe()
        begun = saved = time.monotonic()
        before = progress.seconds
        self.model.train()
        try:
            while True:
                elapsed = self._shared(time.monotonic() - begun)
                if elapsed >= 60 * settings.minutes or 0 < settings.steps <= progress.step:
                    break
                share = progress.step / settings.steps if settings.steps else elapsed / (60 * settings.minutes)
                self._step(share)
                progress.seconds = before + time.monotonic() - begun
                if progress.step % LOG_STEPS == 0:
                    self._tell(reporter, elapsed)
                if time.monotonic() - saved > 60 * settings.checkpoint_minutes:
                    self._save()
                    saved = time.monotonic()
                reporter.check()
        finally:
            self._save()
        return self.state

    def _step(self, share: float) -> None:
        """One batch: pairs of crops of the same tiles, noised; denoising and contrast; weights and average move."""
        settings, progress = self.settings, self.state.progress
        finishing = share >= 1 - settings.finish
        crop = self.tiles.shape[-1] if finishing else settings.crop_px
        pairs = max(2, settings.batch * settings.crop_px**2 // crop**2 // 2)
        # All chance comes from (seed, step, process): a resumed training draws what an uninterrupted one draws.
        self.generator.manual_seed((settings.seed * 1_000_003 + progress.step) * 64 + self.accelerator.process_index)
        index = torch.randint(len(self.tiles), (pairs,), generator=self.generator, device=self.device).repeat(2)
        images = random_crops(self.tiles, index, crop, self.generator)
        clean = functional.pixel_unshuffle(images, UNSHUFFLE)
        times = self.noise.times(len(clean), self.generator)
        noisy, target = self.noise.apply(clean, times, self.generator)
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate(share)
        with self.accelerator.autocast():
            velocity, embeddings = self.model(noisy.contiguous(memory_format=torch.channels_last), times)
        errors = (velocity.float() - target).square().mean(dim=(1, 2, 3))
        contrast = contrast_loss(embeddings)
        self.accelerator.backward(errors.mean() + settings.contrast * contrast)
        self.accelerator.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        progress.step += 1
        progress.views += len(clean) * self.accelerator.num_processes
        progress.pixels += len(clean) * crop**2 * self.accelerator.num_processes
        self.state.follow()
        self._count(times, errors.detach(), contrast.detach())

    def _rate(self, share: float) -> float:
        """The learning rate: a linear warm-up, a plateau, a linear fall in the finish."""
        settings = self.settings
        warm = min(1.0, (self.state.progress.step + 1) / WARM_UP_STEPS)
        left = min(1.0, (1 - share) / settings.finish) if settings.finish else 1.0
        return settings.learning_rate * warm * max(LAST_RATE, left)

    def _count(self, times: Tensor, errors: Tensor, contrast: Tensor) -> None:
        """Adds a batch to the sums of the losses: a column a noise bucket, then all of them, then the contrast."""
        edges = torch.tensor(BUCKETS[1:], device=self.device)
        bucket = torch.searchsorted(edges, times, right=True)
        self.sums[0].index_add_(0, bucket, errors)
        self.sums[1].index_add_(0, bucket, torch.ones_like(errors))
        extra = torch.stack([errors.mean(), contrast])
        self.sums[0, -2:] += extra
        self.sums[1, -2:] += 1

    def _tell(self, reporter: Reporter, elapsed: float) -> None:
        """Reports the mean losses since the last report and how far the sitting is."""
        sums = self.accelerator.reduce(self.sums, reduction="sum").tolist()
        self.sums.zero_()
        names = [f"loss t {low}-{high - 1}" for low, high in zip(BUCKETS, BUCKETS[1:])] + ["loss", "contrast"]
        losses = {name: total / count for name, total, count in zip(names, *sums) if count}
        self.state.progress.losses.update(losses)
        if not self.accelerator.is_main_process:
            return
        for name, value in losses.items():
            reporter.metric(name, value)
        message = f"step {self.state.progress.step}, {self.state.progress.views} views"
        reporter.progress(elapsed, 60 * self.settings.minutes, "s", message)

    def _describe(self) -> None:
        """Notes in the checkpoint on what hardware and with which settings this sitting runs."""
        if self.device.type == "cuda":
            place = f"{self.accelerator.num_processes} x {torch.cuda.get_device_name(self.device)}"
        else:
            place = f"a {os.cpu_count()}-core {platform.machine()} CPU ({torch.get_num_threads()} threads)"
        if place not in self.state.progress.hardware:
            self.state.progress.hardware.append(place)
        numbers = {name: value for name, value in asdict(self.settings).items() if isinstance(value, (int, float))}
        self.state.progress.settings.update(numbers)

    def _save(self) -> None:
        if self.accelerator.is_main_process:
            self.state.save(self.folder)

    def _shared(self, seconds: float) -> float:
        """The main process's clock, so that all processes stop after the same step."""
        if self.accelerator.num_processes == 1:
            return seconds
        box: list[Any] = [seconds]
        broadcast_object_list(box)
        return float(box[0])
