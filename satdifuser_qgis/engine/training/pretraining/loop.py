"""The training itself: the same code on one CPU, one GPU, or many by ``accelerate launch``."""

from __future__ import annotations

import math
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from torch import Tensor

from ....protocol.errors import EngineError
from ...reporter import Reporter
from .signals import held_signals
from .state import State

WARM_UP_STEPS = 150
LAST_RATE = 0.02
LOG_STEPS = 50
Look = Callable[[Any], None]


@dataclass(frozen=True)
class Settings:
    """How one sitting trains; see `PretrainRequest` for the fields of the same names.

    In the last ``finish`` share of the sitting (of the steps, where given) whole tiles are shown and the learning
    rate falls; 0 leaves the weights ready to be trained on.
    """

    minutes: float
    steps: int = 0
    batch: int = 128
    crop_px: int = 32
    finish: float = 0.2
    learning_rate: float = 1e-3
    contrast: float = 1.0
    alignment: float = 1.0
    unknown_gsd: float = 0.3
    seed: int = 0
    checkpoint_minutes: float = 3.0
    part_mb: float = 0.0
    look_minutes: float = 0.0


@dataclass
class Batch:
    """What one batch gave. ``sums``: (2, F), totals and counts of the objective's figures, on the device."""

    loss: Tensor
    sums: Tensor
    views: int
    pixels: int


class Objective(Protocol):
    """What is minimised. ``figures`` names what its batches measure; the last is the loss as a whole."""

    figures: tuple[str, ...]

    def __call__(self, model: Any, average: Any, generator: torch.Generator, finishing: bool) -> Batch:
        """One batch, by chance from the generator alone. ``average`` is called like ``model``, without gradients."""


def new_state(name: str, model: Any, settings: Settings, device: torch.device) -> State:
    """A model with its optimiser on a device, channels last: convolutions are faster that way everywhere."""
    model = model.to(device, memory_format=torch.channels_last)
    rate, fused = settings.learning_rate, device.type in ("cpu", "cuda")
    return State(
        name, model, torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=0.01, fused=fused)
    )


class Sitting:
    """One stretch of training of a state, which stays in ``folder`` at intervals. ``look`` is shown the averaged model
    every ``look_minutes``."""

    def __init__(
        self,
        settings: Settings,
        objective: Objective,
        state: State,
        folder: Path,
        accelerator: Accelerator,
        look: Look | None = None,
    ) -> None:
        self.settings = settings
        self.objective = objective
        self.state = state
        self.folder = folder
        self.accelerator = accelerator
        self.look = look if accelerator.is_main_process else None
        self.device = accelerator.device
        self.model, self.optimizer = accelerator.prepare(state.model, state.optimizer)
        self.generator = torch.Generator(self.device)
        self.sums = torch.zeros((2, len(objective.figures)), device=self.device)
        self._student, self._teacher = self.model, state.average
        self._whole = True

    def run(self, reporter: Reporter) -> None:
        """Trains until the budget is used; saves at the end, at intervals, and when it is cancelled."""
        progress, settings = self.state.progress, self.settings
        progress.sittings += 1
        self._describe()
        begun = saved = looked = time.monotonic()
        before = progress.seconds
        self.model.train()
        try:
            self._compile(reporter)
            while True:
                elapsed = self._shared(time.monotonic() - begun)
                if elapsed >= 60 * settings.minutes or 0 < settings.steps <= progress.own_steps:
                    break
                share = progress.own_steps / settings.steps if settings.steps else elapsed / (60 * settings.minutes)
                with held_signals():
                    self._step(share)
                progress.seconds = before + time.monotonic() - begun
                if progress.step % LOG_STEPS == 0:
                    self._tell(reporter, elapsed)
                if time.monotonic() - saved > 60 * settings.checkpoint_minutes:
                    self._save()
                    saved = time.monotonic()
                if self.look and 0 < 60 * settings.look_minutes < time.monotonic() - looked:
                    self.look(self.state.average)
                    looked = time.monotonic()
                reporter.check()
        finally:
            self._save()

    def _step(self, share: float) -> None:
        """One batch; weights and average move."""
        settings, progress = self.settings, self.state.progress
        self._whole = False
        # All chance comes from (seed, step, process): a resumed training draws what an uninterrupted one draws.
        self.generator.manual_seed((settings.seed * 1_000_003 + progress.step) * 64 + self.accelerator.process_index)
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate(share)
        batch = self.objective(self._model, self._average, self.generator, share >= 1 - settings.finish)
        self.accelerator.backward(batch.loss)
        self.accelerator.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        progress.step += 1
        progress.views += batch.views * self.accelerator.num_processes
        progress.pixels += batch.pixels * self.accelerator.num_processes
        self.state.follow()
        self.sums += batch.sums
        self._whole = True

    def _model(self, *inputs: Tensor) -> Any:
        with self._precision():
            return self._student(*inputs)

    def _average(self, *inputs: Tensor) -> Any:
        with torch.no_grad(), self._precision():
            return self._teacher(*inputs)

    def _precision(self) -> torch.autocast:
        """bf16 on CUDA, where tensor cores make it pay; on CPUs it brought little. Losses stay in float32."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda")

    def _compile(self, reporter: Reporter) -> None:
        """On CUDA the networks are compiled, and a batch is tried; where that fails they go on as they are."""
        if self.device.type != "cuda":
            return
        # every size of crops is compiled for itself: there are two, and general shapes cost speed
        self._student = torch.compile(self.model, dynamic=False)
        self._teacher = torch.compile(self.state.average, dynamic=False)
        begun = time.monotonic()
        try:
            self._try()
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            reporter.log(f"Compiling failed, training goes on without: {first}", "warning")
            self._student, self._teacher = self.model, self.state.average
            self._try()
        reporter.log(f"The first batch took {time.monotonic() - begun:.0f} s.")

    def _try(self) -> None:
        self.generator.manual_seed(0)
        self.accelerator.backward(self.objective(self._model, self._average, self.generator, False).loss)
        self.optimizer.zero_grad()
        torch.cuda.synchronize()

    def _rate(self, share: float) -> float:
        """The learning rate: a linear warm-up, a plateau, a linear fall in the finish."""
        settings, progress = self.settings, self.state.progress
        warm = min(1.0, (progress.own_steps + 1) / WARM_UP_STEPS)
        left = min(1.0, (1 - share) / settings.finish) if settings.finish else 1.0
        return settings.learning_rate * warm * max(LAST_RATE, left)

    def _tell(self, reporter: Reporter, elapsed: float) -> None:
        """Reports the mean figures since the last report and how far the sitting is.

        Raises EngineError("bad_input") once the loss is no number; the last checkpoint then stays.
        """
        sums = self.accelerator.reduce(self.sums, reduction="sum").tolist()
        self.sums.zero_()
        figures = {name: total / count for name, total, count in zip(self.objective.figures, *sums) if count}
        if not math.isfinite(figures[self.objective.figures[-1]]):
            self._whole = False
            raise EngineError(
                "bad_input",
                f"The training diverged at step {self.state.progress.step}.",
                "Choose a lower learning rate.",
            )
        self.state.progress.losses.update(figures)
        if not self.accelerator.is_main_process:
            return
        for name, value in figures.items():
            reporter.metric(name, value)
        message = f"step {self.state.progress.step}, {self.state.progress.views} views"
        reporter.progress(elapsed, 60 * self.settings.minutes, "s", message)

    def _describe(self) -> None:
        """Notes in the checkpoint on what hardware and with which settings this sitting runs."""
        if self.device.type == "cuda":
            place = f"{self.accelerator.num_processes} x {torch.cuda.get_device_name(self.device)}"
        else:
            place = f"a {os.cpu_count()}-core {platform.machine()} CPU (threads used: {torch.get_num_threads()})"
        if place not in self.state.progress.hardware:
            self.state.progress.hardware.append(place)
        self.state.progress.settings.update(asdict(self.settings))

    def _save(self) -> None:
        """Writes the checkpoint, unless a step failed in its middle."""
        if self._whole and self.accelerator.is_main_process:
            self.state.save(self.folder, self.settings.part_mb)

    def _shared(self, seconds: float) -> float:
        """The main process's clock, so that all processes stop after the same step."""
        if self.accelerator.num_processes == 1:
            return seconds
        box: list[Any] = [seconds]
        broadcast_object_list(box)
        return float(box[0])
