"""Enumerations of requests. The numbers are public (models, command lines): append only, 0 is automatic."""

from __future__ import annotations

from typing import Sequence

from .errors import FieldError

SCALING = ("automatic", "constant", "percentile", "divisor", "none")
FUSION = ("automatic", "global", "localized", "mixture")
HEAD = ("automatic", "light", "upernet")
EXTRACTION = ("automatic", "noised", "inversion", "clean")
# What is trained: fusion and head on a frozen backbone, or the backbone with them where that pays.
FINETUNE = ("frozen", "backbone")
# The encoder that is read beside the diffusion model.
ENCODER = ("automatic", "none", "EfficientNet-Lite2")
DEVICE = ("automatic", "cpu", "cuda", "mps")
# Of backbones that know metadata: leave the numbers out, give zeros, or the image's own. A text in requests.
METADATA = ("none", "zeros", "raster")


def check_choice(name: str, value: int, choices: Sequence[str]) -> None:
    """Raises FieldError where ``value`` is no index of ``choices``."""
    if not 0 <= value < len(choices):
        listed = ", ".join(f"{i} {choice}" for i, choice in enumerate(choices))
        raise FieldError(f"{{{name}}} is {value} but must be one of: {listed}")


def check_threads(threads: int) -> None:
    """Raises ValueError for a number of threads that no machine has; 0 is automatic."""
    if not 0 <= threads <= 1024:
        raise ValueError(f"threads is {threads} but must be from 0 (one a core) to 1024")
