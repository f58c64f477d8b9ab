"""Enumerations of requests. The numbers are public (models, command lines): append only, 0 is automatic."""

from __future__ import annotations

from typing import Sequence

SCALING = ("automatic", "constant", "percentile", "divisor", "none")
FUSION = ("automatic", "global", "localized", "mixture")
HEAD = ("automatic", "light", "upernet")
EXTRACTION = ("automatic", "noised", "inversion", "clean")
DEVICE = ("automatic", "cpu", "cuda", "mps")


def check_choice(name: str, value: int, choices: Sequence[str]) -> None:
    """Raises ValueError where ``value`` is no index of ``choices``."""
    if not 0 <= value < len(choices):
        listed = ", ".join(f"{i} {choice}" for i, choice in enumerate(choices))
        raise ValueError(f"{name} is {value} but must be one of: {listed}")
