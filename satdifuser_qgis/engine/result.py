"""What a task returns to the worker."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Result:
    """``outputs``: name of an output to the path it will have; ``values``: figures and texts for the caller."""

    outputs: dict[str, str] = field(default_factory=dict)
    values: dict[str, float | int | str] = field(default_factory=dict)
