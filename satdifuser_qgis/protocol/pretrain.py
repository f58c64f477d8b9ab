"""Request of the backbone's pretraining (`make pretrain`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Tuple


@dataclass(frozen=True)
class PretrainRequest:
    """Train the compact pixel-space diffusion model.

    ``data`` is a folder of zip archives of square RGB tiles; ``leave_out`` a text file with one tile id a line
    that must not be seen. ``run`` is the folder of checkpoints, from which training goes on; ``backbone`` the
    diffusers folder that is written at the end. ``minutes`` is the wall-clock budget of this sitting.
    """

    TASK: ClassVar[str] = "pretrain"
    OUTPUTS: ClassVar[Tuple[str, ...]] = ("backbone",)

    data: str
    run: str
    backbone: str
    leave_out: str = ""
    minutes: float = 60.0
    batch: int = 64
    crop_px: int = 32
    learning_rate: float = 3e-4
    seed: int = 0
    device: int = 0
    threads: int = 0

    def __post_init__(self) -> None:
        if self.minutes <= 0:
            raise ValueError(f"minutes is {self.minutes} but must be above 0")
        if self.batch < 1 or self.crop_px < 16:
            raise ValueError(f"batch is {self.batch} and crop_px {self.crop_px}; at least 1 and 16 are needed")
