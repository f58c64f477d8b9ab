"""A training's figures in words, by rules that the report states beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...protocol.classes import LandCoverClass
from .scores import Counts, Scores, score

GOOD_IOU, FAIR_IOU = 0.6, 0.4
FEW_LABELS_PX, UNPROVEN_PX = 1000, 200
WIDE_SPREAD, ONE_CLASS_RULES = 0.15, 0.7
DRAWS = 400

RULES = (
    f"A class is called good from an IoU of {GOOD_IOU:.1f}, usable with care from {FAIR_IOU:.1f}, and not to be "
    f"trusted below. With fewer than {UNPROVEN_PX} held-back pixels it is called unproven, whatever its score.",
    f"The verdict is green where the IoU is {GOOD_IOU:.1f} on average and each class is good or usable with care.",
    f"Few labels are fewer than {FEW_LABELS_PX:,} training pixels of a class.",
    "The range behind a score holds 90 % of the scores that come out when the held-back blocks are drawn again with "
    f"repetition, {DRAWS} times; it is called wide from {WIDE_SPREAD:.2f}. It needs two blocks.",
)


@dataclass(frozen=True)
class Verdict:
    """``grade`` is good, fair, weak or unknown; ``headline`` one or two sentences; ``details`` what is behind it."""

    grade: str
    headline: str
    details: tuple[str, ...]


@dataclass(frozen=True)
class Checked:
    """What is known of a class: labelled pixels that trained and that were held back, and its IoU if it has one."""

    name: str
    trained_px: int
    held_back_px: int
    iou: float | None

    @property
    def grade(self) -> str:
        """good, fair, weak, unproven (too few held-back pixels) or unchecked (none)."""
        if self.held_back_px == 0 or self.iou is None:
            return "unchecked"
        if self.held_back_px < UNPROVEN_PX:
            return "unproven"
        return "good" if self.iou >= GOOD_IOU else "fair" if self.iou >= FAIR_IOU else "weak"


def judge(
    classes: Sequence[LandCoverClass], trained_px: Sequence[int], matrix: Counts | None, blocks: Sequence[Counts] = ()
) -> Verdict:
    """The verdict on a model from its confusion matrix on held-back ground (None: nothing was held back).

    trained_px: training pixels, one a class. blocks: the matrix of each held-back block, where known.
    """
    if matrix is None or not matrix.sum():
        return _unchecked(classes, trained_px)
    scores = score(matrix)
    checked = [
        Checked(item.name, trained, int(held_back), iou)
        for item, trained, held_back, iou in zip(classes, trained_px, matrix.sum(1), scores.iou, strict=True)
    ]
    details = [
        _in_figures(scores, checked, blocks),
        *_mistakes(checked, matrix),
        *_doubts(checked, blocks),
        *_advice(checked),
    ]
    return Verdict(_overall(scores, checked), _headline(checked), tuple(details))


def miou_range(blocks: Sequence[Counts]) -> tuple[float, float] | None:
    """The range of mIoU that the choice of blocks alone explains (5th to 95th percentile); None below two blocks."""
    if len(blocks) < 2:
        return None
    stack = np.stack(list(blocks))
    draws = np.random.default_rng(0).integers(len(stack), size=(DRAWS, len(stack)))
    found = [score(stack[draw].sum(0)).miou for draw in draws]
    known = [value for value in found if value is not None]
    if not known:
        return None
    low, high = np.percentile(known, (5, 95))
    return float(low), float(high)


def listing(names: Sequence[str]) -> str:
    """Names as a clause: "a", "a and b", "a, b and c"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _unchecked(classes: Sequence[LandCoverClass], trained_px: Sequence[int]) -> Verdict:
    few = [item.name for item, pixels in zip(classes, trained_px, strict=True) if pixels < FEW_LABELS_PX]
    details = ["Train again with a share for validation, or compare a map with ground that you know."]
    if few:
        details.append(f"Few labels: {listing(few)} (fewer than {FEW_LABELS_PX:,} pixels each).")
    headline = "No validation was made: no labelled ground was held back, so how good this model is, is not known."
    return Verdict("unknown", headline, tuple(details))


def _overall(scores: Scores, checked: Sequence[Checked]) -> str:
    miou = scores.miou or 0.0
    # No green light while a class is in doubt.
    sure = all(item.grade in ("good", "fair") for item in checked)
    return "good" if miou >= GOOD_IOU and sure else "fair" if miou >= FAIR_IOU else "weak"


def _headline(checked: Sequence[Checked]) -> str:
    grouped = {grade: [item for item in checked if item.grade == grade] for grade in _SAYINGS}
    parts = []
    for grade, saying in _SAYINGS.items():
        if grouped[grade]:
            parts.append(saying.format(listing([_with_reason(item) for item in grouped[grade]])))
    return " ".join(parts)


_SAYINGS = {
    "good": "Good for {}.",
    "fair": "Usable with care for {}.",
    "weak": "Do not trust {}.",
    "unproven": "Unproven for {}.",
    "unchecked": "Not checked at all: {}.",
}


def _with_reason(item: Checked) -> str:
    if item.grade == "good":
        return item.name
    if item.grade == "unproven":
        return f"{item.name} (only {item.held_back_px} pixels were held back)"
    if item.grade == "unchecked" or item.iou is None:
        return item.name
    labels = f" from {item.trained_px:,} labelled pixels" if item.trained_px < FEW_LABELS_PX else ""
    return f"{item.name} (IoU {item.iou:.2f}{labels})"


def _in_figures(scores: Scores, checked: Sequence[Checked], blocks: Sequence[Counts]) -> str:
    right, count = round((scores.overall_accuracy or 0) * 100), sum(item.iou is not None for item in checked)
    of_classes = f"over {count} classes" if count > 1 else "of the one class"
    found = miou_range(blocks)
    spread = f"; {found[0]:.2f} to {found[1]:.2f} if other blocks had been looked at" if found else ""
    return (
        f"On held-back ground {right} of 100 pixels were right, and the mean IoU {of_classes} was "
        f"{scores.miou or 0:.2f}{spread}."
    )


def _mistakes(checked: Sequence[Checked], matrix: Counts) -> list[str]:
    sentences = []
    for index, item in enumerate(checked):
        if item.grade not in ("weak", "fair"):
            continue
        missed = matrix[index].copy()
        missed[index] = 0
        rival, share = int(missed.argmax()), missed.max() / item.held_back_px
        if share >= 0.25:
            sentences.append(f"{round(share * 100)} % of {item.name} was mapped as {checked[rival].name}.")
    return sentences


def _doubts(checked: Sequence[Checked], blocks: Sequence[Counts]) -> list[str]:
    sentences = []
    total = sum(item.held_back_px for item in checked)
    largest = max(checked, key=lambda item: item.held_back_px)
    if largest.held_back_px > ONE_CLASS_RULES * total:
        share = round(100 * largest.held_back_px / total)
        sentences.append(f"{share} % of the held-back pixels are {largest.name}: overall accuracy says little here.")
    found = miou_range(blocks)
    if found and found[1] - found[0] >= WIDE_SPREAD:
        sentences.append("That range is wide: expect other quality in other places.")
    if len(blocks) == 1:
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
