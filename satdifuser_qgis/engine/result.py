"""What a task hands back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, Union


@dataclass(frozen=True)
class Result:
    """Paths by output name, and figures or texts by name; numbers are finite (leave out what is not known)."""

    outputs: Dict[str, str] = field(default_factory=dict)
    values: Dict[str, Union[float, int, str]] = field(default_factory=dict)
