"""The report of a training: one HTML file without scripts that opens with a verdict and shows what it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import jinja2

from ...protocol import folders
from ...protocol.classes import LandCoverClass
from .plots import Chart, Curve, chart, ink_on, text_px, tint
from .scores import Counts, score
from .verdict import RULES, judge, miou_range

TEMPLATE = "training.html.j2"
RIGHT_RGB, WRONG_RGB, WEIGHT_RGB = (15, 110, 100), (200, 78, 20), (53, 55, 140)


@dataclass(frozen=True)
class LabelCount:
    """Labelled pixels of the class ``code``: trained on, held back for validation, ignored (with the reason)."""

    code: int
    trained: int
    held_back: int = 0
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
    """What the fuser gives to one stream at one model time, 0 to 1."""

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

    ``matrix`` is the confusion matrix on held-back ground (true class in rows, order of ``classes``), ``blocks``
    the same for each held-back block (they add up to it). ``split`` says in words what was held back, ``decided`` how
    fuser and head share the map with single pixels.
    """

    model_name: str
    task: str
    classes: tuple[LandCoverClass, ...]
    label_counts: tuple[LabelCount, ...]
    curve: Sequence[CurvePoint] = ()
    best_step: int = 0
    matrix: Counts | None = None
    blocks: tuple[Counts, ...] = ()
    split: str = ""
    settings: tuple[tuple[str, str], ...] = ()
    fusion: tuple[FusionWeight, ...] = ()
    decided: str = ""
    warnings: tuple[str, ...] = ()
    inputs: tuple[InputImage, ...] = ()
    provenance: tuple[tuple[str, str], ...] = field(default=())


def training_report(data: TrainingReport) -> str:
    """The report as HTML. The same data give the same text."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders.resources() / "report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    checked = data.matrix is not None and bool(data.matrix.sum())
    return environment.get_template(TEMPLATE).render(
        data=data,
        verdict=judge(data.classes, [count.trained for count in _counts(data)], data.matrix, data.blocks),
        rules=RULES,
        scores=score(data.matrix) if checked and data.matrix is not None else None,
        spread=miou_range(data.blocks),
        held_back_px=int(data.matrix.sum()) if data.matrix is not None else 0,
        rows=_class_rows(data),
        confusion=_confusion(data),
        charts=_charts(data),
        heat=_heat(data.fusion),
    )


def _counts(data: TrainingReport) -> list[LabelCount]:
    known = {count.code: count for count in data.label_counts}
    return [known.get(item.code, LabelCount(item.code, 0)) for item in data.classes]


def _class_rows(data: TrainingReport) -> list[dict[str, Any]]:
    empty: tuple[float | None, ...] = (None,) * len(data.classes)
    scores = score(data.matrix) if data.matrix is not None else None
    iou, f1 = (scores.iou, scores.f1) if scores else (empty, empty)
    return [
        {"item": item, "count": count, "iou": iou[index], "f1": f1[index]}
        for index, (item, count) in enumerate(zip(data.classes, _counts(data), strict=True))
    ]


def _confusion(data: TrainingReport) -> list[dict[str, Any]]:
    """Rows of the confusion table: shares of each true class with their colours; nothing without held-back pixels."""
    if data.matrix is None:
        return []
    rows = []
    for index, item in enumerate(data.classes):
        total = int(data.matrix[index].sum())
        cells = []
        for column, count in enumerate(data.matrix[index].tolist()):
            share = count / total if total else 0.0
            rgb = RIGHT_RGB if column == index else WRONG_RGB
            cells.append({"count": count, "share": share, "fill": tint(share, rgb), "ink": ink_on(share)})
        rows.append({"item": item, "total": total, "cells": cells})
    return rows


def _charts(data: TrainingReport) -> list[Chart]:
    steps = [point.step for point in data.curve]
    losses: list[Curve] = [
        ("training", "first", [point.training_loss for point in data.curve]),
        ("held-back ground", "second", [point.validation_loss for point in data.curve]),
    ]
    means: list[Curve] = [("mean IoU on held-back ground", "second", [point.miou for point in data.curve])]
    best = data.best_step or None
    drawn = (chart("Loss", steps, losses, best), chart("Mean IoU", steps, means, best))
    return [item for item in drawn if item is not None]


def _heat(weights: Sequence[FusionWeight]) -> dict[str, Any] | None:
    """Streams in rows, times in columns. An even share is half-tone at most: even weights should not look strong."""
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
