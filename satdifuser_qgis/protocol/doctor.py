"""Request of "Check the installation"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Tuple

from .choices import check_threads


@dataclass(frozen=True)
class DoctorRequest:
    """Ask the engine for its versions, devices, memory and models. Answers in ``values["engine"]``, a text."""

    TASK: ClassVar[str] = "doctor"
    OUTPUTS: ClassVar[Tuple[str, ...]] = ()

    threads: int = 0

    def __post_init__(self) -> None:
        check_threads(self.threads)
