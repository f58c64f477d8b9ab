"""Fine-tuning: a compact backbone trained on with the decoder, and kept only where held-back ground says it pays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...protocol.errors import EngineError
from ..backbones import Backbone
from ..decoder import Decoder
from ..features import Extractor
from ..reporter import Reporter
from .estimate import Costs
from .landcover import Ground
from .learners import WithBackbone
from .loop import FitResult, FitSettings, fit
from .samples import Sample

# Weights of a network that two cores can train in minutes; DiffusionSat has 870 million.
LARGEST = 30_000_000
# Tiles a step, all in one graph: about 1 GB with the embedded backbone at three times.
BATCH = 4
EPOCHS = 4
STEPS = (40, 240)


@dataclass(frozen=True)
class Tuning:
    """Mean IoU on the ground held back with the frozen backbone, and the best that training it reached.

    ``kept``: that was better, so the model holds the changed backbone.
    """

    frozen: float
    tuned: float
    kept: bool

    @property
    def sentence(self) -> str:
        """For log and report."""
        if self.kept:
            return (
                f"the backbone was fine-tuned: mean IoU of the diffusion features in the validation blocks rose from "
                f"{self.frozen:.3f} to {self.tuned:.3f}"
            )
        return (
            f"fine-tuning the backbone did not pay (mean IoU of the diffusion features in the validation blocks "
            f"{self.tuned:.3f}, frozen {self.frozen:.3f}), so the backbone stays as it was"
        )


def check_compact(backbone: Backbone) -> None:
    """Raises EngineError("bad_request") for a backbone that is too large to be trained here."""
    weights = sum(parameter.numel() for parameter in backbone.network.parameters())
    if backbone.space == "pixel" and weights <= LARGEST:
        return
    raise EngineError(
        "bad_request",
        f'The backbone "{backbone.name}" works in {backbone.space} space and has {weights / 1e6:.0f} million weights; '
        f"only compact ones in pixel space with at most {LARGEST / 1e6:.0f} million can be fine-tuned.",
        "Choose the embedded backbone, or leave it frozen (Training of the backbone: Frozen).",
    )


def tuning_settings(tiles: int, epochs: int, seed: int) -> FitSettings:
    """Steps from counts: 4 epochs over the tiles within 40 to 240 steps, or fewer epochs where fewer were chosen."""
    per_epoch = -(-tiles // BATCH)
    steps = epochs * per_epoch if 0 < epochs < EPOCHS else int(np.clip(EPOCHS * per_epoch, *STEPS))
    # Of six looks the first ones fall into the highest rates, where a trained network is usually worse than before.
    return FitSettings(steps, BATCH, learning_rate=3e-4, look_every=max(1, steps // 6), patience=4, seed=seed)


def tuning_seconds(ground: Ground, settings: FitSettings, costs: Costs) -> float:
    """What `tune` is expected to take, its looks at the ground held back included."""
    checked = sum(any(block in ground.held_back for block in tile.counts) for tile in ground.tiles)
    looks = -(-settings.steps // settings.look_every)
    return settings.steps * settings.batch * costs.tuned_tile_s + looks * checked * costs.tile_s


def tune(
    ground: Ground,
    samples: Sequence[Sample],
    extractor: Extractor,
    decoder: Decoder,
    frozen: FitResult,
    settings: FitSettings,
    spectral: bool,
    reporter: Reporter,
) -> tuple[FitResult, Tuning]:
    """Trains network and decoder on in place, after ``frozen``; both are as they were where that is not better.

    samples: their kept features are not used. Needs ground that is held back.
    """
    before = max(point.miou or 0.0 for point in frozen.curve)
    learner = WithBackbone(extractor, decoder, spectral)
    extractor.backbone.learn(True)
    try:
        found = fit(learner, samples, len(ground.classes), settings, reporter, "Fine-tuning the backbone", before)
    finally:
        extractor.backbone.learn(False)
    tuning = Tuning(before, max((point.miou or 0.0 for point in found.curve), default=0.0), found.best_step > 0)
    reporter.log(f"{tuning.sentence[0].upper()}{tuning.sentence[1:]}.")
    return (_joined(frozen, found) if tuning.kept else frozen), tuning


def without_features(samples: Sequence[Sample]) -> list[Sample]:
    """The samples with pixels and labels alone, so that the kept features' memory is free again."""
    return [replace(sample, pyramid=[]) for sample in samples]


def _joined(first: FitResult, second: FitResult) -> FitResult:
    """One curve: the second stage's steps are counted on from the first's."""
    done = first.curve[-1].step
    curve = [*first.curve, *(replace(point, step=done + point.step) for point in second.curve)]
    return FitResult(curve, done + second.best_step, second.matrices)
