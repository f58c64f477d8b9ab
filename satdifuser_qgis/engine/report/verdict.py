"""A training's figures in words, by rules that the report states beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...protocol.classes import LandCoverClass
from ..listing import MOST_NAMED, listing
from .scores import Counts, Scores, score
from .spread import DRAWS, Range, Spread, spread

GOOD_IOU, FAIR_IOU = 0.6, 0.4
FEW_LABELS_PX = 1000
# Two places that are right by chance are no rarity; three are, see RULES.
UNPROVEN_PLACES = 2
WIDE_SPREAD, ONE_CLASS_RULES = 0.15, 0.7
SERIOUS_CONFUSION, LEAST_CONFUSION = 0.25, 0.01

RULES = (
    f"A class is called good from an IoU of {GOOD_IOU:.1f}, usable with care from {FAIR_IOU:.1f}, and not to be "
    "trusted below.",
    "It is called unproven, whatever its IoU, where fewer than three validation blocks hold its labels, or nearly all "
    f"of them lie in two ((Σn)² / Σn² of the labelled pixels n of each block is at most {UNPROVEN_PLACES}); and where "
    f"the range of its IoU reaches from below {FAIR_IOU:.1f} to {GOOD_IOU:.1f} or more. Blocks count, not pixels: "
    "pixels of one place resemble one another, but if a class were right in fewer than 4 of 10 places, three places "
    "would all be right in 6 of 100 cases only.",
    f"The verdict is green where the IoU is {GOOD_IOU:.1f} on average and each class is good or usable with care.",
    "The largest confusion is that of the largest share of a class; classes in one validation block come last.",
    f"Few labels are fewer than {FEW_LABELS_PX:,} training pixels of a class.",
    "The range behind a score holds 90 % of the scores that come out when the validation blocks are drawn again with "
    f"repetition, {DRAWS} times; it is called wide from {WIDE_SPREAD:.2f}. It needs two blocks.",
)

GRADES = {
    "good": "good",
    "fair": "usable with care",
    "weak": "do not trust",
    "unproven": "unproven",
    "unchecked": "not checked",
}


@dataclass(frozen=True)
class Verdict:
    """``grade`` is good, fair, weak or unknown; ``headline`` sentences, what went wrong first; ``details`` what is
    behind it."""

    grade: str
    headline: tuple[str, ...]
    details: tuple[str, ...]


@dataclass(frozen=True)
class Checked:
    """What is known of a class: labelled pixels for training and for validation, its `Scores` where it has them, the
    range of its IoU, and the validation ``blocks`` and ``places`` of `Spread`."""

    name: str
    trained_px: int
    validation_px: int = 0
    iou: float | None = None
    f1: float | None = None
    producers: float | None = None
    users: float | None = None
    iou_range: Range | None = None
    blocks: int = 0
    places: float = 0.0

    @property
    def grade(self) -> str:
        """good, fair, weak, unproven (too few places, or too uncertain) or unchecked (no validation pixel)."""
        if self.validation_px == 0 or self.iou is None:
            return "unchecked"
        if self.places <= UNPROVEN_PLACES or self.uncertain:
            return "unproven"
        return "good" if self.iou >= GOOD_IOU else "fair" if self.iou >= FAIR_IOU else "weak"

    @property
    def uncertain(self) -> bool:
        """Whether other blocks could have called it good as well as not to be trusted."""
        return self.iou_range is not None and self.iou_range[0] < FAIR_IOU and self.iou_range[1] >= GOOD_IOU


def judge(classes: Sequence[LandCoverClass], trained_px: Sequence[int], blocks: Sequence[Counts]) -> Verdict:
    """The verdict on a model from the confusion matrix of each validation block (none: no validation was made).

    trained_px: training pixels, one a class.
    """
    if not blocks:
        return _unchecked(classes, trained_px)
    matrix, found = np.sum(blocks, axis=0), spread(blocks)
    scores, checked = score(matrix), check_classes(classes, trained_px, blocks)
    largest, *others = _confusions(checked, matrix) or [(0.0, "")]
    details = [
        _in_figures(scores, checked, found),
        *[sentence for share, sentence in others if share >= SERIOUS_CONFUSION][:MOST_NAMED],
        *_doubts(checked, found, len(blocks)),
        *_advice(checked),
    ]
    confusion = [f"Largest confusion: {largest[1]}"] if largest[0] >= LEAST_CONFUSION else []
    return Verdict(_overall(scores, checked), (*confusion, *_by_grade(checked)), tuple(details))


def check_classes(
    classes: Sequence[LandCoverClass], trained_px: Sequence[int], blocks: Sequence[Counts]
) -> list[Checked]:
    """What is known of each class; see `judge`."""
    if not blocks:
        return [Checked(item.name, trained) for item, trained in zip(classes, trained_px, strict=True)]
    matrix, found = np.sum(blocks, axis=0), spread(blocks)
    scores = score(matrix)
    figures = (scores.iou, scores.f1, scores.producers, scores.users, found.iou, found.blocks, found.places)
    rows = zip(classes, trained_px, matrix.sum(1).tolist(), *figures, strict=True)
    return [Checked(item.name, *row) for item, *row in rows]


def _unchecked(classes: Sequence[LandCoverClass], trained_px: Sequence[int]) -> Verdict:
    few = [item.name for item, pixels in zip(classes, trained_px, strict=True) if pixels < FEW_LABELS_PX]
    details = ["Train again with a share for validation, or compare a map with ground that you know."]
    if few:
        details.append(f"Few labels: {listing(few)} (fewer than {FEW_LABELS_PX:,} pixels each).")
    headline = "No validation was made: all labels were used for training, so how good this model is, is not known."
    return Verdict("unknown", (headline,), tuple(details))


def _overall(scores: Scores, checked: Sequence[Checked]) -> str:
    miou = scores.miou or 0.0
    # No green light while a class is in doubt.
    sure = all(item.grade in ("good", "fair") for item in checked)
    return "good" if miou >= GOOD_IOU and sure else "fair" if miou >= FAIR_IOU else "weak"


def _by_grade(checked: Sequence[Checked]) -> list[str]:
    sentences = []
    for grade, saying in _SAYINGS.items():
        items = [_with_reason(item) for item in checked if item.grade == grade]
        if items:
            sentences.append(saying.format(listing(items)))
    return sentences


# The worst first: it is what the reader must not miss.
_SAYINGS = {
    "weak": "Do not trust {}.",
    "unchecked": "Not checked at all: {}.",
    "unproven": "Unproven for {}.",
    "fair": "Usable with care for {}.",
    "good": "Good for {}.",
}


def _with_reason(item: Checked) -> str:
    if item.grade in ("good", "unchecked") or item.iou is None:
        return item.name
    if item.places <= UNPROVEN_PLACES:
        where = (
            f"only {_blocks(item.blocks)}"
            if item.blocks <= UNPROVEN_PLACES
            else f"most of it in {_blocks(round(item.places))}"
        )
        return f"{item.name} (IoU {item.iou:.2f}, but {where})"
    if item.uncertain and item.iou_range:
        low, high = item.iou_range
        return f"{item.name} (IoU {item.iou:.2f}, but {low:.2f} to {high:.2f} with other blocks)"
    labels = f" from {item.trained_px:,} labelled pixels" if item.trained_px < FEW_LABELS_PX else ""
    return f"{item.name} (IoU {item.iou:.2f}{labels})"


def _blocks(count: int) -> str:
    return f"{count} validation block{'s' * (count != 1)}"


def _in_figures(scores: Scores, checked: Sequence[Checked], found: Spread) -> str:
    right, count = round((scores.overall_accuracy or 0) * 100), sum(item.iou is not None for item in checked)
    of_classes = f"over {count} classes" if count > 1 else "of the one class"
    other = f"; {found.miou[0]:.2f} to {found.miou[1]:.2f} with other validation blocks" if found.miou else ""
    return (
        f"In the validation blocks {right} of 100 pixels were right, and the mean IoU {of_classes} was "
        f"{scores.miou or 0:.2f}{other}."
    )


def _confusions(checked: Sequence[Checked], matrix: Counts) -> list[tuple[float, str]]:
    """For each class the one that it is most often mapped as: the share of its pixels, a sentence. Largest first; those
    of classes in one validation block, which may be a handful of pixels, last."""
    found = []
    for index, item in enumerate(checked):
        missed = matrix[index].copy()
        missed[index] = 0
        if missed.any():
            rival, share = int(missed.argmax()), float(missed.max() / item.validation_px)
            pixels = f"{missed.max():,} of {item.validation_px:,} pixels"
            said = f"{share * 100:.0f} % of {item.name} was mapped as {checked[rival].name} ({pixels})."
            found.append((item.blocks == 1, share, said))
    return [(share, said) for _, share, said in sorted(found, key=lambda entry: (entry[0], -entry[1]))]


def _doubts(checked: Sequence[Checked], found: Spread, blocks: int) -> list[str]:
    sentences = []
    total = sum(item.validation_px for item in checked)
    largest = max(checked, key=lambda item: item.validation_px)
    if largest.validation_px > ONE_CLASS_RULES * total:
        share = round(100 * largest.validation_px / total)
        sentences.append(f"{share} % of the validation pixels are {largest.name}: overall accuracy says little here.")
    if found.miou and found.miou[1] - found.miou[0] >= WIDE_SPREAD:
        sentences.append("That range is wide: expect other quality in other places.")
    if blocks == 1:
        sentences.append("All of it comes from one block of ground: how scores vary from place to place is not known.")
    return sentences


def _advice(checked: Sequence[Checked]) -> list[str]:
    poor = sorted((item for item in checked if item.grade != "good"), key=lambda item: item.trained_px)
    scarce = [item.name for item in poor if item.trained_px < FEW_LABELS_PX]
    if scarce:
        return [f"More labels of {listing(scarce)}, in several places, would help most."]
    if poor:
        return [f"Look first at the labels of {listing([item.name for item in poor])}: are they exact to the pixel?"]
    return []
