"""Training the classifier of single pixels, and how much of a map is left to it: ground held back decides.

With some thousand labelled pixels, fuser and head learn the places of the labels as readily as their classes; values of
pixels cannot tell places apart. With more labels the features win, and their share grows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ..decoder import Decoder
from ..heads.layers import mixed
from ..heads.pixel_networks import PixelNetworks
from ..heads.pixels import PixelClassifier, pixel_values
from ..report.scores import score
from ..reporter import Reporter
from .learners import Learner
from .loop import class_counts, class_weights, diverged
from .pixel_networks import fit_networks
from .samples import UNLABELLED, Sample

STEPS, BATCH_PX, MOST_PX = 400, 512, 200_000
LEARNING_RATE, WEIGHT_DECAY = 3e-3, 0.05
# Shares of fuser and head that are tried on ground held back, from single pixels alone to fuser and head alone.
SHARES = tuple(step / 10 for step in range(11))
# Without such ground nothing speaks for either.
UNKNOWN_SHARE = 0.5
# Fewer than so many blocks, as unequal ones count, have no scatter to speak of.
LEAST_BLOCKS = 1.5


@dataclass(frozen=True)
class Weighing:
    """What fuser and head count for in the map's probabilities, the rest being the classifier's of single pixels.

    ``best_share`` is what the ground held back favours, ``share`` what they are given. Mean IoU on that ground of each
    alone and of both together, and of both together the confusion matrix of each block held back, (blocks, K, K). All
    but ``share`` are None where there is none. ``networks``: what each of those that read the encoder's maps counts for
    in the classifier's part, by its name; empty without an encoder.
    """

    share: float
    best_share: float | None = None
    fused_miou: float | None = None
    pixels_miou: float | None = None
    miou: float | None = None
    matrices: NDArray[np.int64] | None = None
    networks: Mapping[str, float] = field(default_factory=dict)

    @property
    def figures(self) -> dict[str, Any]:
        """All but the matrices, for the model's header."""
        return {
            "share": self.share,
            "best_share": self.best_share,
            "fused_miou": self.fused_miou,
            "pixels_miou": self.pixels_miou,
            "miou": self.miou,
            "networks": dict(self.networks),
        }

    @property
    def sentence(self) -> str:
        """For log and report."""
        fused, plain = (f"{share * 100:.0f} %" for share in (self.share, 1 - self.share))
        pixels = "pixels with the encoder's maps" if self.networks else "single pixels with the 5 × 5 around them"
        parts = f"In the map diffusion features count for {fused}, {pixels} for {plain}"
        if self.share in (0, 1):
            parts = f"{'Diffusion features' if self.share else pixels[0].upper() + pixels[1:]} decide alone"
        if self.miou is None:
            return f"{parts}: without validation blocks nothing tells which to trust more."
        if self.networks and self.share < 1:
            counted = ", ".join(f"{weight * 100:.0f} % {name}" for name, weight in self.networks.items())
            parts += f" (of four networks: {counted})"
        said = (
            f"{parts}. Mean IoU in the validation blocks: {self.fused_miou or 0:.2f} with features alone, "
            f"{self.pixels_miou or 0:.2f} with pixels alone, {self.miou:.2f} in the map."
        )
        if self.best_share is not None and self.best_share > self.share:
            said += (
                f" These blocks favour {self.best_share * 100:.0f} % for the features, but by no more than chance may "
                "explain, so the smaller weight was taken; labels in more places would tell."
            )
        return said


def add_pixels(
    learner: Learner, decoder: Decoder, samples: Sequence[Sample], classes: int, seed: int, reporter: Reporter
) -> Weighing:
    """Trains the decoder's classifier of pixels, then gives fuser and head one of `SHARES`, see `best_and_chosen`."""
    classifier = decoder.pixels
    if classifier is None:
        raise ValueError("this decoder has no classifier of pixels")
    if isinstance(classifier, PixelNetworks):
        fit_networks(classifier.cpu(), samples, classes, seed, reporter)
    else:
        fit_pixels(classifier.cpu(), samples, classes, seed)
    classifier.to(learner.device)
    found = _weigh(learner, classifier, samples, classes, reporter)
    decoder.give_share(found.share)
    if isinstance(classifier, PixelNetworks):
        names = [network.view.name for network in classifier]
        return replace(found, networks=dict(zip(names, classifier.weights.tolist(), strict=True)))
    return found


def fit_pixels(classifier: PixelClassifier, samples: Sequence[Sample], classes: int, seed: int) -> None:
    """Trains in place, on the CPU, in about a second: of each class on at most its part of 200,000 pixels."""
    counts = class_counts(samples, classes)
    kept = counts.clamp(max=MOST_PX // classes)
    values, targets = _labelled(samples, kept / counts.clamp(min=1), seed)
    # A class of which fewer pixels are looked at counts for all that it has.
    weights = class_weights(samples, classes) * counts / kept.clamp(min=1)
    classifier.train().measure(values)
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


def _labelled(samples: Sequence[Sample], shares: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Values (N,3S) and classes (N,) of pixels to train on: of each class about its share (K,), drawn by chance."""
    generator = torch.Generator().manual_seed(seed)
    values, targets = [], []
    for sample in samples:
        rows, columns = (sample.target != UNLABELLED).nonzero(as_tuple=True)
        chosen = torch.rand(len(rows), generator=generator) < shares[sample.target[rows, columns]]
        if chosen.any():
            rows, columns = rows[chosen], columns[chosen]
            values.append(pixel_values(sample.pixels[None])[0, rows, columns])
            targets.append(sample.target[rows, columns])
    return torch.cat(values), torch.cat(targets)


@torch.inference_mode()
def _weigh(
    learner: Learner,
    classifier: PixelNetworks | PixelClassifier,
    samples: Sequence[Sample],
    classes: int,
    reporter: Reporter,
) -> Weighing:
    checking = [sample for sample in samples if bool((sample.held_back != UNLABELLED).any())]
    weights = class_weights(samples, classes)
    blocks = 1 + max((int(sample.block.max()) for sample in checking), default=-1)
    matrices = np.zeros((len(SHARES), blocks, classes, classes), np.int64)
    losses, weight = np.zeros((len(SHARES), blocks)), np.zeros(blocks)
    learner.module.eval()
    with learner.as_stored():
        for number, sample in enumerate(checking):
            known = sample.held_back != UNLABELLED
            truth = sample.held_back[known]
            fused = learner.logits([sample])[0][0].float().cpu()[:, known].T
            encoded = [maps[None].to(learner.device).float() for maps in sample.encoded]
            plain = classifier(sample.pixels[None].to(learner.device), encoded)[0].float().cpu()[:, known].T
            block = sample.block[known].numpy()
            cells = (sample.block[known] * classes + truth) * classes
            for place, share in enumerate(SHARES):
                logits = mixed(fused, plain, share)
                errors = functional.cross_entropy(logits, truth, weights, reduction="none")
                losses[place] += np.bincount(block, errors.numpy(), blocks)
                counts = torch.bincount(cells + logits.argmax(1), minlength=blocks * classes**2)
                matrices[place] += counts.view(blocks, classes, classes).numpy()
            weight += np.bincount(block, weights[truth].numpy(), blocks)
            reporter.progress(number + 1, len(checking), "tiles", "Weighing features against single pixels")
    if not weight.any():
        return Weighing(UNKNOWN_SHARE)
    if not np.isfinite(losses).all():
        raise diverged("In the validation blocks what the trained model says is no number.")
    best, chosen = best_and_chosen(losses[:, weight > 0], weight[weight > 0])
    mious = [score(matrix.sum(axis=0)).miou for matrix in matrices]
    return Weighing(SHARES[chosen], SHARES[best], mious[-1], mious[0], mious[chosen], matrices[chosen])


def best_and_chosen(losses: NDArray[np.float64], weight: NDArray[np.float64]) -> tuple[int, int]:
    """Places of two shares: of the one with the least cross-entropy, and of the one that is given.

    That is the least share whose cross-entropy is within one standard error of the best (Breiman et al. 1984, the
    one-standard-error rule; the error is that of the difference). Blocks are what is drawn, since the pixels of a block
    stand for one piece of ground: the error is the jackknife's, each block left out in turn. Where all but one block
    weigh next to nothing there is no error to tell, and half the best share is given.

    losses: (shares, blocks), sums of cross-entropies with classes weighed as in training; weight: (blocks,), sums of
    these weights, above 0.
    """
    best, blocks, total = int(losses.sum(1).argmin()), len(weight), weight.sum()
    if total**2 / (weight**2).sum() < LEAST_BLOCKS:
        return best, best // 2
    differences = losses - losses[best]
    worse = differences.sum(1) / total
    left_out = (differences.sum(1, keepdims=True) - differences) / (total - weight)
    spread = (left_out - left_out.mean(1, keepdims=True)) ** 2
    error = np.sqrt((blocks - 1) / blocks * spread.sum(1))
    return best, int((worse <= error).argmax())
