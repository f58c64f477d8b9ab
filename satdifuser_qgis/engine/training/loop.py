"""The training loop: steps, loss, validation, early stop. Same seed, same weights."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

from ...protocol.errors import EngineError
from ..decoder import Decoder, DecoderConfig
from ..report.scores import confusion_matrix, score
from ..report.training_report import CurvePoint
from ..reporter import Reporter
from .learners import Learner
from .samples import UNLABELLED, Sample

BALANCE_WEIGHT = 0.01
# Crops a step. Quarter tiles: at equal cost, eight crops of 64 px gave 0.42 mean IoU on held-back ground of Korea
# where two whole tiles of 128 px gave 0.37, since a step sees more places.
BATCH = 8
# Weights are averaged over about this many of the last steps: on held-back ground of Korea the average was as good as
# or better than the last weights at every look, by up to 0.05 of mean IoU in the middle of a training.
AVERAGED_STEPS = 100


@dataclass(frozen=True)
class FitSettings:
    """``steps`` at most, of ``batch`` tiles each; a look at the validation tiles every ``look_every`` steps, and an
    end after ``patience`` looks without a better mean IoU (0: no early end)."""

    steps: int
    batch: int = BATCH
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    look_every: int = 50
    patience: int = 4
    seed: int = 0


@dataclass
class FitResult:
    """The curve, and of the best state (it is loaded back) the step and the confusion matrix of each block held back,
    (blocks, K, K); None without such blocks."""

    curve: list[CurvePoint] = field(default_factory=list)
    best_step: int = 0
    matrices: NDArray[np.int64] | None = None

    @property
    def matrix(self) -> NDArray[np.int64] | None:
        """(K, K) confusion matrix of all ground held back."""
        return None if self.matrices is None else self.matrices.sum(axis=0)


def fit(
    learner: Learner,
    samples: Sequence[Sample],
    classes: int,
    settings: FitSettings,
    reporter: Reporter,
    message: str,
    to_beat: float | None = None,
) -> FitResult:
    """Trains in place and returns how it went.

    to_beat: a mean IoU; where no look is better, the state from before is loaded back and the best step is 0.
    Samples without a training pixel only validate. Where the loss stops being a number, it ends if there is a state
    from before, and raises EngineError("bad_input") otherwise; "too_few_labels" where all samples only validate.
    """
    torch.manual_seed(settings.seed)
    training = [sample for sample in samples if bool((sample.target != UNLABELLED).any())]
    if not training:
        raise EngineError(
            "too_few_labels",
            f"None of the {len(samples)} labelled tiles has a labelled pixel outside of the validation blocks.",
            "Label more ground, or hold less of it back (Share for validation).",
        )
    checking = [sample for sample in samples if bool((sample.held_back != UNLABELLED).any())]
    weights, module = class_weights(training, classes).to(learner.device), learner.module.train()
    average = AveragedModel(module, avg_fn=_follow)
    optimiser = torch.optim.AdamW(learner.groups(settings.learning_rate), weight_decay=settings.weight_decay)
    rates = [group["lr"] for group in optimiser.param_groups]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rates, total_steps=settings.steps + 1, pct_start=0.15)
    result, best, recent = FitResult(), -1.0 if to_beat is None else to_beat, []
    best_state: dict[str, Tensor] | None = None if to_beat is None else copy.deepcopy(module.state_dict())
    waited = 0
    for step, batch in enumerate(_batches(learner, training, settings), start=1):
        logits, balance = learner.logits(batch)
        target = torch.stack([sample.target for sample in batch]).to(learner.device)
        loss = segmentation_loss(logits, target, weights) + BALANCE_WEIGHT * balance
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        average.update_parameters(module)
        recent.append(float(loss.detach()))
        if not math.isfinite(recent[-1]):
            if to_beat is not None:
                break
            raise diverged(f"The training diverged: after {step} steps the loss is {recent[-1]}.")
        reporter.progress(step, settings.steps, "steps", message)
        if step % settings.look_every and step != settings.steps:
            continue
        with _swapped(module, average.module):
            point, matrices = _look(learner, checking, classes, weights, step, recent, reporter)
        result.curve.append(point)
        reporter.metric("loss", point.training_loss)
        recent = []
        if to_beat is None if point.miou is None else point.miou > best:
            best, waited = point.miou if point.miou is not None else best, 0
            best_state, result.best_step, result.matrices = copy.deepcopy(average.module.state_dict()), step, matrices
        else:
            waited += 1
        if settings.patience and waited >= settings.patience:
            break
    if best_state is not None:
        module.load_state_dict(best_state)
    module.eval()
    return result


def _follow(average: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
    """A moving average that follows faster in the first steps, where the beginning must be forgotten."""
    share = min(1 - 1 / AVERAGED_STEPS, (1 + int(count)) / (10 + int(count)))
    return average.lerp(current, 1 - share)


@contextmanager
def _swapped(module: nn.Module, other: nn.Module) -> Iterator[None]:
    """While it lasts, ``module`` has the weights of ``other``."""
    own = copy.deepcopy(module.state_dict())
    module.load_state_dict(other.state_dict())
    try:
        yield
    finally:
        module.load_state_dict(own)


def new_decoder(config: DecoderConfig, seed: int) -> Decoder:
    """A decoder with fresh weights that depend on the seed alone."""
    torch.manual_seed(seed)
    return Decoder(config)


def class_counts(samples: Sequence[Sample], classes: int) -> Tensor:
    """(K,) pixels to train on."""
    counts = torch.zeros(classes)
    for sample in samples:
        counts += torch.bincount(sample.target[sample.target != UNLABELLED], minlength=classes)
    return counts


def class_weights(samples: Sequence[Sample], classes: int) -> Tensor:
    """(K,) weights of the loss: the inverse square root of a class's share, mean 1 over the classes present.

    The full inverse would let a road of a few pixels outshout a forest; the root is the usual middle way.
    """
    counts = class_counts(samples, classes)
    weights = torch.where(counts > 0, counts.clamp(min=1).rsqrt(), torch.zeros(()))
    return weights / weights[weights > 0].mean().clamp(min=1e-12)


def segmentation_loss(logits: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Weighted cross-entropy plus soft Dice over the labelled pixels.

    logits (B, K, h, w); target (B, h, w) with -1 where unlabelled; weights (K,). Dice is taken over the classes
    that the batch holds: it follows IoU, which is what the user judges by.
    """
    entropy = functional.cross_entropy(logits, target, weights, ignore_index=UNLABELLED)
    known = (target != UNLABELLED).unsqueeze(1)
    shares = logits.softmax(1) * known
    truth = functional.one_hot(target.clamp(min=0), logits.shape[1]).permute(0, 3, 1, 2) * known
    both, either = (shares * truth).sum((0, 2, 3)), (shares + truth).sum((0, 2, 3))
    present = truth.sum((0, 2, 3)) > 0
    dice = 1 - (2 * both + 1) / (either + 1)
    return entropy + dice[present].mean()


def diverged(said: str) -> EngineError:
    """The failure of a training whose figures stopped being numbers; ``said`` is the sentence that says which."""
    return EngineError("bad_input", said, "Choose another scaling; extreme values in the images are the usual cause.")


@torch.inference_mode()
def _look(
    learner: Learner,
    checking: Sequence[Sample],
    classes: int,
    weights: Tensor,
    step: int,
    recent: Sequence[float],
    reporter: Reporter,
) -> tuple[CurvePoint, NDArray[np.int64] | None]:
    training_loss = float(np.mean(recent))
    if not checking:
        return CurvePoint(step, training_loss, None, None), None
    blocks = 1 + max(int(sample.block.max()) for sample in checking)
    matrices = np.zeros((blocks, classes, classes), np.int64)
    losses = []
    learner.module.eval()
    with learner.as_stored():
        for sample in checking:
            reporter.check()
            logits = learner.logits([sample])[0].float().cpu()
            predicted = logits[0].argmax(0).numpy()
            for block in sample.block.unique().tolist():
                if block >= 0:
                    truth = torch.where(sample.block == block, sample.held_back, UNLABELLED).numpy()
                    matrices[block] += confusion_matrix(truth, predicted, classes)
            # a tile that holds nothing but classes that training has not weighs nothing: its loss is no number
            if weights.cpu()[sample.held_back[sample.held_back != UNLABELLED]].any():
                losses.append(float(segmentation_loss(logits, sample.held_back[None], weights.cpu())))
    learner.module.train()
    held_back_loss = float(np.mean(losses)) if losses else None
    return CurvePoint(step, training_loss, held_back_loss, score(matrices.sum(axis=0)).miou), matrices


def _batches(learner: Learner, samples: Sequence[Sample], settings: FitSettings) -> Iterator[list[Sample]]:
    rng = np.random.default_rng(settings.seed)
    order: list[int] = []
    for _ in range(settings.steps):
        while len(order) < settings.batch:
            order += rng.permutation(len(samples)).tolist()
        picked, order = order[: settings.batch], order[settings.batch :]
        yield [learner.prepare(samples[i], rng) for i in picked]
