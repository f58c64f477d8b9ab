"""Failures with a code from a closed list, a sentence for the user and a way out."""

from __future__ import annotations

import re
from typing import Callable, Tuple, Type

CODES = (
    "bad_request",
    "bad_input",
    "bad_model",
    "no_overlap",
    "too_few_labels",
    "out_of_memory",
    "no_space",
    "device",
    "cancelled",
    "crashed",
    "timeout",
    "engine_missing",
    "engine_broken",
    "internal",
)


class FieldError(ValueError):
    """A value that a field of a request cannot have.

    Fields stand in braces in ``text``: as text it has their names, which are the keys of a request file; `named` puts
    the labels of a dialog there.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return self.named(str)

    def named(self, label: Callable[[str], str]) -> str:
        """The text with ``label`` of each field."""
        return re.sub(r"\{(\w+)\}", lambda found: label(found[1]), self.text)


class EngineError(Exception):
    """A task that cannot be done, told to the user.

    ``code`` is one of `CODES`; ``message`` names the thing and the value; ``remedy`` says what to do next;
    ``detail`` goes to the log only. ``str()`` is message and remedy together.
    """

    def __init__(self, code: str, message: str, remedy: str = "", detail: str = "") -> None:
        if code not in CODES:
            raise ValueError(f'"{code}" is not a failure code; the codes are {", ".join(CODES)}')
        super().__init__(f"{message} {remedy}".strip())
        self.code = code
        self.message = message
        self.remedy = remedy
        self.detail = detail

    def __reduce__(self) -> Tuple[Type[EngineError], Tuple[str, str, str, str]]:
        """Travels between processes whole; exceptions are made anew from their text alone else."""
        return EngineError, (self.code, self.message, self.remedy, self.detail)
