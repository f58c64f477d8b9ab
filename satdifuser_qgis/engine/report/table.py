"""The figures of a training as one table for other programs: a row a class, its scores and what it was mapped as."""

from __future__ import annotations

import csv
import io

from .training_report import TrainingReport
from .verdict import GRADES

# Without it spreadsheets read the file in the system's own encoding.
_BYTE_ORDER_MARK = "\ufeff"
_COLUMNS = (
    *("code", "class", "verdict", "iou", "iou_low", "iou_high", "f1", "producers_accuracy", "users_accuracy"),
    *("training_pixels", "validation_pixels", "validation_blocks", "ignored_pixels"),
)


def training_table(data: TrainingReport) -> str:
    """CSV of `_COLUMNS`, and for each class of the validation pixels that were mapped as it. Empty: not known."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([*_COLUMNS, *(f"mapped as {item.code} {item.name}" for item in data.classes)])
    mapped = [[""] * len(data.classes)] * len(data.classes) if data.matrix is None else data.matrix.tolist()
    for item, count, found, row in zip(data.classes, data.counts, data.checked, mapped, strict=True):
        scores = (found.iou, *(found.iou_range or (None, None)), found.f1, found.producers, found.users)
        figures = ["" if value is None else f"{value:.4f}" for value in scores]
        pixels = (count.trained, count.validation, found.blocks, count.ignored)
        writer.writerow([item.code, item.name, GRADES[found.grade], *figures, *pixels, *row])
    return _BYTE_ORDER_MARK + text.getvalue()
