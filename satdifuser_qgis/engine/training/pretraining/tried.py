"""The table of what was tried: every scored training adds its row, and the model card shows them all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def read_tried(path: str) -> list[Row]:
    """The rows so far."""
    file = Path(path)
    return list(json.loads(file.read_text(encoding="utf-8"))) if path and file.exists() else []


def add_tried(path: str, row: Row, place: Callable[[Path], Path]) -> list[Row]:
    """The rows with this one, written where a path is given. It replaces one of the same run, step and distillation."""
    same = ("run", "step", "distilled minutes")
    rows = [old for old in read_tried(path) if any(old.get(key) != row.get(key) for key in same)] + [row]
    if path:
        place(Path(path)).write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return rows


def tried_table(rows: list[Row]) -> str:
    """The rows as a Markdown table; columns that hold something, in order of their first appearance."""
    columns = list(dict.fromkeys(key for row in rows for key, value in row.items() if value is not None))
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    lines += [f"| {' | '.join(_cell(row.get(column)) for column in columns)} |" for row in rows]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
