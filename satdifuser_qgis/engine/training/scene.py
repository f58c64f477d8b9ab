"""Training a scene classifier on kept cells and statistics: two hundred to some ten thousand labelled tiles."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..decoder import DecoderConfig
from ..reporter import Reporter
from ..scene import SceneDecoder
from ..turns import TURNS, reoriented
from .kernel import fit_kernel
from .loop import BALANCE_WEIGHT, diverged


@dataclass(frozen=True)
class SceneTiles:
    """Tiles as training reads them.

    cells: per scale (N,T,C,2,2), of any float type. statistics: (N,S). targets: (N,) numbers of classes.
    """

    cells: list[Tensor]
    statistics: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.targets)

    def rows(self, which: Tensor) -> SceneTiles:
        """Some of the tiles, in this order."""
        return SceneTiles([part[which] for part in self.cells], self.statistics[which], self.targets[which])


@dataclass(frozen=True)
class SceneSettings:
    """steps: 0 follows the number of tiles, see `steps_for`. mixup: the beta distribution's parameter."""

    batch: int = 128
    learning_rate: float = 2e-3
    weight_decay: float = 5e-2
    smoothing: float = 0.05
    mixup: float = 0.3
    steps: int = 0
    seed: int = 0


def steps_for(tiles: int, batch: int) -> int:
    """Twenty looks at each of a few tiles, fewer at each of many, at least 150 steps."""
    return max(150, round(min(20 * tiles, 30_000 + 3 * tiles) / batch))


def share_for(tiles: int) -> float:
    """What the networks count for beside the kernel machine alone: half, and from 300 tiles on more (decision 11)."""
    return max(0.5, tiles / (tiles + 300))


def fit_scene(
    config: DecoderConfig, tiles: SceneTiles, settings: SceneSettings, reporter: Reporter, message: str
) -> SceneDecoder:
    """A trained classifier: the same arguments give the same weights.

    First the kernel machine on the statistics, if the head has one; then fuser and networks learn, beside its scores
    of tiles that it did not see, what these leave open. Raises EngineError("bad_input") where the loss stops being a
    number.
    """
    torch.manual_seed(settings.seed)
    model = SceneDecoder(config)
    model.measure(tiles.cells)
    scores = None
    if config.side_channels:
        scores = fit_kernel(model.head.kernel, tiles.statistics, tiles.targets, settings.seed)
        model.head.share.fill_(share_for(len(tiles)))
    model.train()
    steps = settings.steps or steps_for(len(tiles), settings.batch)
    optimiser = torch.optim.AdamW(model.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.learning_rate, total_steps=steps + 1)
    for step, draw in enumerate(draws(len(tiles), settings, steps), start=1):
        loss = loss_on(model, tiles.rows(draw.tiles), scores, draw, settings.smoothing)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if step % 50 == 0 or step == steps:
            check_loss(loss, step)
            reporter.progress(step, steps, "steps", message)
    return model.eval()


@dataclass(frozen=True)
class Draw:
    """A step's ``tiles`` (B,), one of eight ways to turn them (0 to 7), and how they are mixed: ``share`` (0 to 1) of
    each and the rest of the one at the same place in ``order`` (B,)."""

    tiles: Tensor
    turn: int
    share: float
    order: Tensor


def draws(count: int, settings: SceneSettings, steps: int) -> Iterator[Draw]:
    """One for each step; every tile comes once before any comes again."""
    rng = np.random.default_rng(settings.seed)
    left: list[int] = []
    size = min(settings.batch, count)
    for _ in range(steps):
        while len(left) < size:
            left += rng.permutation(count).tolist()
        picked, left = left[:size], left[size:]
        share = float(rng.beta(settings.mixup, settings.mixup))
        yield Draw(torch.tensor(picked), int(rng.integers(TURNS)), share, torch.from_numpy(rng.permutation(size)))


def loss_on(model: SceneDecoder, batch: SceneTiles, scores: Tensor | None, draw: Draw, smoothing: float) -> Tensor:
    """Mean cross-entropy of the members on a batch, turned, and mixed with itself (Zhang et al. 2018, mixup).

    batch: the draw's tiles. scores: the kernel machine's (N,classes) of all tiles.
    """

    def mixed(values: Tensor) -> Tensor:
        return draw.share * values + (1 - draw.share) * values[draw.order]

    pyramid = [mixed(reoriented(part, draw.turn)) for part in model.standardised(batch.cells)]
    fused = model.decoder.fuser(pyramid)
    beside = None if scores is None else mixed(scores[draw.tiles])
    logits = model.head.member_logits(fused.maps, beside).transpose(1, 2)
    truth = mixed(functional.one_hot(batch.targets, logits.shape[1]).float())
    truth = (1 - smoothing) * truth + smoothing / logits.shape[1]
    loss = -(logits.log_softmax(1) * truth[:, :, None]).sum(1).mean()
    return loss if fused.balance is None else loss + BALANCE_WEIGHT * fused.balance


def check_loss(loss: Tensor, step: int) -> None:
    """Raises EngineError("bad_input") for a loss that is no number."""
    if not math.isfinite(float(loss.detach())):
        raise diverged(f"The training diverged: after {step} steps the loss is {float(loss.detach())}.")
