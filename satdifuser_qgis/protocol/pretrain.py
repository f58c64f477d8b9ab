"""Request of the backbone's pretraining (`make pretrain`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Tuple

from .choices import DEVICE, check_choice


@dataclass(frozen=True)
class PretrainRequest:
    """Train the compact pixel-space diffusion model without labels, and write it as a diffusers folder.

    ``data`` is a folder of zip archives of square RGB tiles, entries ``<class>/<name>.<suffix>``. ``leave_out`` lists
    tiles that must not be seen: a text file with one id a line, or a table with columns id and fold, of which
    ``leave_out_fold`` is left out. ``run`` is the folder of the checkpoint, from which training goes on; ``backbone``
    the diffusers folder that is written at the end.

    ``minutes`` is the wall-clock budget of this sitting; ``steps`` ends it earlier, counted over all sittings
    (0: only the clock). In the last ``finish`` share of it whole tiles are shown and the learning rate falls.
    ``contrast`` weighs the label-free auxiliary loss. ``labels`` is a text file of tile ids whose classes score a
    linear probe on the tiles left out (empty: no probe). ``about`` goes into the model card: source and licence of
    the data. ``gsd_m`` is the pixel size of the tiles in metres.
    """

    TASK: ClassVar[str] = "pretrain"
    OUTPUTS: ClassVar[Tuple[str, ...]] = ("backbone",)

    data: str
    run: str
    backbone: str
    leave_out: str = ""
    leave_out_fold: int = 0
    labels: str = ""
    about: str = ""
    gsd_m: float = 10.0
    minutes: float = 60.0
    steps: int = 0
    batch: int = 128
    crop_px: int = 32
    finish: float = 0.2
    learning_rate: float = 1e-3
    contrast: float = 0.2
    widths: Tuple[int, ...] = (32, 64, 96, 128)
    times: Tuple[int, ...] = (1, 101, 201)
    checkpoint_minutes: float = 4.0
    seed: int = 0
    device: int = 0
    threads: int = 0

    def __post_init__(self) -> None:
        check_choice("device", self.device, DEVICE)
        if self.minutes < 0 or self.checkpoint_minutes <= 0:
            raise ValueError(
                f"minutes is {self.minutes} and checkpoint_minutes {self.checkpoint_minutes}; "
                "at least 0 and above 0 are needed"
            )
        if self.batch < 4 or self.crop_px < 16 or self.crop_px % 16:
            raise ValueError(
                f"batch is {self.batch} and crop_px {self.crop_px}; at least 4 and a multiple of 16 are needed"
            )
        if not 0 <= self.finish <= 1 or self.steps < 0:
            raise ValueError(f"finish is {self.finish} and steps {self.steps}; 0 to 1 and at least 0 are needed")
        if not self.widths or any(width < 8 or width % 8 for width in self.widths):
            raise ValueError(f"widths are {self.widths}, but each must be a multiple of 8")
        if not self.times or any(not 0 <= time < 1000 for time in self.times):
            raise ValueError(f"times are {self.times}, but at least one of 0 to 999 is needed")
