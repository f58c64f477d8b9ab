"""The training loop: when it ends, which of its states stays, and what a class weighs in its loss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from satdifuser_qgis.engine.reporter import Silent
from satdifuser_qgis.engine.training.loop import FitSettings, class_weights, fit
from satdifuser_qgis.engine.training.samples import UNLABELLED, Sample

SIDE = 4
STEPS, LOOK = 60, 5


class Bias(nn.Module):
    """One logit a class for all pixels; at first class 1 leads by a little."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor([0.0, 0.5]))


class Learning:
    """Learns a `Bias`, and keeps the weights at each look at the ground held back."""

    device = torch.device("cpu")

    def __init__(self) -> None:
        self.module = Bias()
        self.looks: list[Tensor] = []

    def groups(self, rate: float) -> list[dict[str, Any]]:
        return [{"params": list(self.module.parameters()), "lr": rate}]

    def prepare(self, sample: Sample, rng: np.random.Generator) -> Sample:
        return sample

    def logits(self, batch: Sequence[Sample]) -> tuple[Tensor, Tensor]:
        return self.module.logits[None, :, None, None].expand(len(batch), 2, SIDE, SIDE), torch.zeros(())

    @contextmanager
    def as_stored(self) -> Iterator[None]:
        self.looks.append(self.module.logits.detach().clone())
        yield


def sample_of(trained: int, held_back: int) -> Sample:
    """A tile of one class to train with and of one to check, -1 for none."""
    target, checked = (torch.full((SIDE, SIDE), code) for code in (trained, held_back))
    return Sample([], torch.zeros(3, SIDE, SIDE), target, checked, checked.clamp(max=0), (0, 0))


def fitted(held_back: int, patience: int, to_beat: float | None = None) -> tuple[Learning, Any]:
    """What comes of training on class 0 alone while the ground held back is of another class."""
    learner = Learning()
    settings = FitSettings(STEPS, 2, learning_rate=0.1, look_every=LOOK, patience=patience)
    return learner, fit(learner, [sample_of(0, held_back)], 2, settings, Silent(), "", to_beat)


@pytest.mark.parametrize(("patience", "looks"), [(1, 2), (3, 4), (0, STEPS // LOOK)])
def test_training_ends_after_so_many_looks_without_a_better_one_and_the_best_state_stays(patience, looks):
    """The more it learns of class 0, the worse on held-back class 1: the first look is the best."""
    learner, result = fitted(held_back=1, patience=patience)
    assert [point.step for point in result.curve] == [LOOK * (number + 1) for number in range(looks)]
    assert len(learner.looks) == looks
    assert result.curve[0].miou == 1
    assert result.curve[-1].miou == 0
    assert result.best_step == LOOK
    assert torch.equal(learner.module.logits, learner.looks[0])
    assert not torch.equal(learner.looks[0], learner.looks[-1])
    assert result.matrix.tolist() == [[0, 0], [0, SIDE**2]]
    assert not learner.module.training


def test_ground_of_classes_that_training_has_not_leaves_no_loss_and_a_score():
    _, result = fitted(held_back=1, patience=1)
    assert [point.validation_loss for point in result.curve] == [None] * len(result.curve)
    assert result.curve[0].miou == 1


def test_without_ground_held_back_the_last_state_stays():
    learner, result = fitted(held_back=UNLABELLED, patience=1)
    assert (result.best_step, result.curve[-1].step, result.matrix) == (STEPS, STEPS, None)
    assert learner.module.logits[0] > learner.module.logits[1]


def test_where_nothing_beats_the_score_from_before_the_state_from_before_stays():
    learner, result = fitted(held_back=1, patience=2, to_beat=1.0)
    assert (result.best_step, result.curve[-1].step, result.matrix) == (0, 2 * LOOK, None)
    assert torch.equal(learner.module.logits, Bias().logits)


def test_a_class_weighs_the_inverse_root_of_its_share_and_nothing_where_it_is_absent():
    target = torch.full((20, 20), UNLABELLED)
    target[:10, :10], target[10:15, :5] = 0, 2
    sample = Sample([], torch.zeros(3, 20, 20), target, target, target, (0, 0))
    # 100 and 25 pixels, and once more in the second tile: their roots are as 2 to 1.
    assert class_weights([sample, sample], 4).tolist() == pytest.approx([2 / 3, 0, 4 / 3, 0])
