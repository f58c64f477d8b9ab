"""Training the classifier of single pixels, and how much of a map is left to it: ground held back decides.

With some thousand labelled pixels, fuser and head learn the places of the labels as readily as their classes; values of
pixels cannot tell places apart. With more labels the features win, and their share grows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ..decoder import Decoder, mixed
from ..heads.pixels import PixelClassifier, pixel_values
from ..reporter import Reporter
from .learners import Learner
from .loop import class_weights, count_by_block, no_counts
from .samples import UNLABELLED, Sample

STEPS, BATCH_PX, MOST_PX = 400, 512, 200_000
LEARNING_RATE, WEIGHT_DECAY = 3e-3, 0.05
# Shares of the features that are tried on ground held back.
SHARES = tuple(step / 10 for step in range(11))
# Without such ground nothing speaks for either.
UNKNOWN_SHARE = 0.5


def add_pixels(
    learner: Learner, decoder: Decoder, samples: Sequence[Sample], classes: int, seed: int, reporter: Reporter
) -> NDArray[np.int64] | None:
    """Trains the decoder's classifier of pixels and chooses its share; see `choose_share`."""
    if decoder.pixels is None:
        raise ValueError("this decoder has no classifier of pixels")
    fit_pixels(decoder.pixels, samples, classes, seed)
    decoder.pixels.to(learner.device)
    return choose_share(learner, decoder, samples, classes, reporter)


def fit_pixels(classifier: PixelClassifier, samples: Sequence[Sample], classes: int, seed: int) -> None:
    """Trains in place on at most 200,000 of the labelled pixels; takes about a second."""
    values, targets = _labelled(samples, seed)
    weights = class_weights(samples, classes)
    classifier.cpu().train().measure(values)
    torch.manual_seed(seed)
    optimiser = torch.optim.AdamW(classifier.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=STEPS + 1)
    for _ in range(STEPS):
        picked = torch.randint(len(values), (BATCH_PX,))
        loss = functional.cross_entropy(classifier.of_values(values[picked]), targets[picked], weights)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
    classifier.eval()


def _labelled(samples: Sequence[Sample], seed: int) -> tuple[Tensor, Tensor]:
    """Values (N,3S) and classes (N,) of labelled pixels outside of the ground held back."""
    total = sum(int((sample.target != UNLABELLED).sum()) for sample in samples)
    rng = np.random.default_rng(seed)
    values, targets = [], []
    for sample in samples:
        places = (sample.target != UNLABELLED).nonzero().numpy()
        if total > MOST_PX:
            places = places[rng.random(len(places)) < MOST_PX / total]
        if len(places):
            rows, columns = torch.from_numpy(places).T
            values.append(pixel_values(sample.pixels[None])[0, rows, columns])
            targets.append(sample.target[rows, columns])
    return torch.cat(values), torch.cat(targets)


@torch.inference_mode()
def choose_share(
    learner: Learner, decoder: Decoder, samples: Sequence[Sample], classes: int, reporter: Reporter
) -> NDArray[np.int64] | None:
    """Sets the decoder's share of the features to that of `SHARES` with the least mean cross-entropy on ground held
    back, classes weighed as in training. Returns the confusion matrix of each block held back, (blocks, K, K), with
    that share; None without such ground.
    """
    checking = [sample for sample in samples if bool((sample.held_back != UNLABELLED).any())]
    if not checking or decoder.pixels is None:
        decoder.share.fill_(UNKNOWN_SHARE)
        return None
    weights = class_weights([sample for sample in samples if bool((sample.target != UNLABELLED).any())], classes)
    matrices = np.stack([no_counts(checking, classes)] * len(SHARES))
    losses = torch.zeros(len(SHARES), dtype=torch.float64)
    learner.module.eval()
    with learner.as_stored():
        for sample in checking:
            reporter.check()
            fused = learner.logits([sample])[0].float().cpu()
            plain = decoder.pixels(sample.pixels[None].to(learner.device)).float().cpu()
            for number, share in enumerate(SHARES):
                logits = mixed(fused, plain, share)
                entropy = functional.cross_entropy(
                    logits, sample.held_back[None], weights, ignore_index=UNLABELLED, reduction="sum"
                )
                losses[number] += entropy.double()
                count_by_block(matrices[number], sample, logits)
    best = int(losses.argmin())
    decoder.share.fill_(SHARES[best])
    return matrices[best]
