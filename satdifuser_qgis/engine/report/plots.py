"""Where things go in the report's pictures: numbers only; the template draws them, so that all text is escaped."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 430.0, 230.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 22.0, 12.0, 34.0
LETTER_PX = 6.4
Curve = tuple[str, str, Sequence["float | None"]]
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Tick:
    """A grid line: position in picture units, and what is written beside it."""

    at: float
    text: str


@dataclass(frozen=True)
class Line:
    """One curve; ``points`` is what SVG's polyline takes, ``dots`` its corners."""

    name: str
    kind: str
    points: str
    dots: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Chart:
    """Curves over steps with their grid, in a picture of WIDTH × HEIGHT."""

    title: str
    lines: tuple[Line, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    marked_x: float | None
    width: float = WIDTH
    height: float = HEIGHT
    left: float = LEFT
    right: float = WIDTH - RIGHT
    top: float = TOP
    bottom: float = HEIGHT - BOTTOM


def chart(
    title: str,
    steps: Sequence[int],
    curves: Sequence[Curve],
    marked: int | None = None,
) -> Chart | None:
    """A chart of (name, kind, value at each step) curves; None where no curve has a value.

    The vertical axis starts at 0. ``marked`` is a step to point out.
    """
    shown = [(name, kind, values) for name, kind, values in curves if any(_is_known(value) for value in values)]
    if not shown or not steps:
        return None
    end = max(*steps, 1)
    largest = max(v for _, _, values in shown for v in values if v is not None and _is_known(v))
    x_marks = [mark for mark in ticks(end, 6) if mark <= end and mark == int(mark)]
    y_marks = ticks(largest or 1.0, 5)
    x_scale = (WIDTH - LEFT - RIGHT) / end
    y_scale = (HEIGHT - TOP - BOTTOM) / y_marks[-1]

    def place(step: float, value: float) -> tuple[float, float]:
        return round(LEFT + step * x_scale, 1), round(HEIGHT - BOTTOM - value * y_scale, 1)

    lines = []
    for name, kind, values in shown:
        pairs = zip(steps, values, strict=True)
        dots = tuple(place(step, value) for step, value in pairs if value is not None and _is_known(value))
        lines.append(Line(name, kind, " ".join(f"{x},{y}" for x, y in dots), dots))
    return Chart(
        title,
        tuple(lines),
        tuple(Tick(place(mark, 0)[0], f"{mark:,.0f}") for mark in x_marks),
        tuple(Tick(place(0, mark)[1], f"{mark:g}") for mark in y_marks),
        place(marked, 0)[0] if marked else None,
    )


def ticks(largest: float, about: int) -> tuple[float, ...]:
    """Round numbers from 0 to ``largest`` or just beyond, ``about`` of them."""
    rough = largest / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in _STEPS if factor * power >= rough * 0.999)
    return tuple(round(step * i, 10) for i in range(math.ceil(largest / step - 1e-9) + 1))


def text_px(text: str) -> float:
    """About how wide a word of the pictures' small print is, in picture units."""
    return len(text) * LETTER_PX


def tint(share: float, rgb: tuple[int, int, int]) -> str:
    """A colour between white (0) and ``rgb`` (1), as #rrggbb."""
    part = min(max(share, 0.0), 1.0)
    return "#" + "".join(f"{round(255 + (channel - 255) * part):02x}" for channel in rgb)


def ink_on(share: float) -> str:
    """Dark or light text, whichever reads on `tint` of a dark colour."""
    return "#ffffff" if share > 0.6 else "#1c2b2a"


def _is_known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
