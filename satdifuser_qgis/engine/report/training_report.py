"""The report of a training: one HTML file without scripts that opens with a verdict and shows what it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ...protocol.classes import LandCoverClass
from .page import page
from .plots import Chart, Curve, chart, ink_on, text_px, tint
from .scores import Counts, score
from .spread import spread
from .verdict import GRADES, RULES, Checked, check_classes, judge

TEMPLATE = "training.html.j2"
MOST_IN_MATRIX = 30
RIGHT_RGB, WRONG_RGB, WEIGHT_RGB = (15, 110, 100), (200, 78, 20), (53, 55, 140)


@dataclass(frozen=True)
class LabelCount:
    """Labelled pixels of the class ``code``: for training, for validation, ignored (with the reason)."""

    code: int
    trained: int
    validation: int = 0
    ignored: int = 0
    reason: str = ""


@dataclass(frozen=True)
class CurvePoint:
    """One look while training: losses are means a labelled pixel; the last two are None without validation."""

    step: int
    training_loss: float
    validation_loss: float | None = None
    miou: float | None = None


@dataclass(frozen=True)
class FusionWeight:
    """What the fuser gives to one stream at one timestep, 0 to 1."""

    time: int
    stream: str
    weight: float


@dataclass(frozen=True)
class InputImage:
    """An image that was trained on: its name, size in pixels, and a word on pixel size and labels."""

    name: str
    width: int
    height: int
    note: str = ""


@dataclass(frozen=True)
class TrainingReport:
    """Everything that the report says. Empty or None leaves the section out, and where it matters says so.

    ``blocks`` are the confusion matrices of the validation blocks that hold labels (true class in rows, order of
    ``classes``). ``split`` says in words what was used for validation, ``decided`` how diffusion features and single
    pixels share the map. ``table``: the name of the file beside the report that has the same figures.
    ``stored_as``: the model's name in the model store, which is another one where that was taken.
    """

    model_name: str
    task: str
    classes: tuple[LandCoverClass, ...]
    label_counts: tuple[LabelCount, ...]
    curve: Sequence[CurvePoint] = ()
    best_step: int = 0
    blocks: tuple[Counts, ...] = ()
    split: str = ""
    settings: tuple[tuple[str, str], ...] = ()
    fusion: tuple[FusionWeight, ...] = ()
    decided: str = ""
    warnings: tuple[str, ...] = ()
    inputs: tuple[InputImage, ...] = ()
    provenance: tuple[tuple[str, str], ...] = ()
    table: str = ""
    stored_as: str = ""

    @property
    def matrix(self) -> Counts | None:
        """(K, K) confusion matrix of all validation blocks; None without any."""
        return np.sum(self.blocks, axis=0) if self.blocks else None

    @property
    def counts(self) -> list[LabelCount]:
        """The label counts in the order of the classes."""
        known = {count.code: count for count in self.label_counts}
        return [known.get(item.code, LabelCount(item.code, 0)) for item in self.classes]

    @cached_property
    def checked(self) -> list[Checked]:
        """What is known of each class."""
        return check_classes(self.classes, [count.trained for count in self.counts], self.blocks)


def training_report(data: TrainingReport) -> str:
    """The report as HTML. The same data give the same text."""
    matrix = data.matrix
    return page(
        TEMPLATE,
        data=data,
        verdict=judge(data.classes, [count.trained for count in data.counts], data.blocks),
        rules=RULES,
        grades=GRADES,
        scores=None if matrix is None else score(matrix),
        spread=spread(data.blocks).miou if data.blocks else None,
        validation_px=0 if matrix is None else int(matrix.sum()),
        rows=list(zip(data.classes, data.counts, data.checked, strict=True)),
        confusion=_confusion(data),
        mapped=[] if matrix is None else matrix.sum(0).tolist(),
        charts=_charts(data),
        heat=_heat(data.fusion),
    )


def _confusion(data: TrainingReport) -> list[dict[str, Any]]:
    """Rows of the confusion matrix: shares of each true class with their colours; nothing without validation, and where
    it would be a wall of numbers, which the table beside the report holds."""
    matrix = data.matrix
    if matrix is None or (data.table and len(data.classes) > MOST_IN_MATRIX):
        return []
    rows = []
    for index, item in enumerate(data.classes):
        total = int(matrix[index].sum())
        cells = []
        for column, count in enumerate(matrix[index].tolist()):
            share = count / total if total else 0.0
            rgb = RIGHT_RGB if column == index else WRONG_RGB
            cells.append({"count": count, "share": share, "fill": tint(share, rgb), "ink": ink_on(share)})
        rows.append({"item": item, "total": total, "cells": cells})
    return rows


def _charts(data: TrainingReport) -> list[Chart]:
    steps = [point.step for point in data.curve]
    losses: list[Curve] = [
        ("training", "first", [point.training_loss for point in data.curve]),
        ("validation blocks", "second", [point.validation_loss for point in data.curve]),
    ]
    means: list[Curve] = [("mean IoU of the validation blocks", "second", [point.miou for point in data.curve])]
    best = data.best_step or None
    drawn = (chart("Loss", steps, losses, best), chart("Mean IoU", steps, means, best))
    return [item for item in drawn if item is not None]


def _heat(weights: Sequence[FusionWeight]) -> dict[str, Any] | None:
    """Streams in rows, timesteps in columns. An even share is half-tone at most: even weights must not look strong."""
    if not weights:
        return None
    streams, times = list(dict.fromkeys(w.stream for w in weights)), sorted({w.time for w in weights})
    even = 1 / len(weights)
    darkest = max(2 * even, *(weight.weight for weight in weights))
    known = {(weight.stream, weight.time): weight.weight for weight in weights}
    rows = []
    for stream in streams:
        cells = []
        for time in times:
            value = known.get((stream, time))
            part = (value or 0.0) / darkest
            cells.append({"value": value, "fill": tint(part, WEIGHT_RGB), "ink": ink_on(part)})
        rows.append({"stream": stream, "cells": cells})
    label_px = round(max(text_px(stream) for stream in streams)) + 16
    return {"times": times, "rows": rows, "even": even, "label_px": label_px}
