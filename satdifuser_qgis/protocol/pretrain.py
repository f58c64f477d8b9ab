"""Request of the backbone's pretraining (`make pretrain`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Tuple

from .choices import DEVICE, check_choice


@dataclass(frozen=True)
class Source:
    """Unlabelled tiles of one kind: a folder of images, zip archives and GeoTIFFs, or one such file.

    ``gsd_m`` is their pixel size in metres, 0 where unknown. An image's id is its path below the folder or inside
    the archive, without suffix. Left out are the ids of the list ``leave_out`` (text, one a line, or a table with
    columns id and fold, of which ``leave_out_fold``; its columns lon and lat tell which tiles are neighbours), and of
    each folder's images in the order of their names the first and every ``leave_out_every``-th after it (0: none).
    ``same_ground`` says that all images show one place. ``share`` is the source's share of the views, 0 = by its
    number of distinct pixels. ``about`` goes into the model card: origin and licence.
    """

    path: str
    gsd_m: float = 0.0
    leave_out: str = ""
    leave_out_fold: int = 0
    leave_out_every: int = 0
    same_ground: bool = False
    share: float = 0.0
    about: str = ""

    def __post_init__(self) -> None:
        if self.gsd_m < 0 or self.leave_out_every < 0 or not 0 <= self.share <= 1:
            raise ValueError(
                f"gsd_m is {self.gsd_m}, leave_out_every {self.leave_out_every} and share {self.share}; "
                "at least 0, at least 0 and 0 to 1 are needed"
            )


@dataclass(frozen=True)
class PretrainRequest:
    """Train the compact pixel-space diffusion model without labels, and write it as a diffusers folder.

    ``data``, ``leave_out``, ``leave_out_fold``, ``gsd_m`` and ``about`` are the main source, see `Source`: square
    tiles, ids ``<class>/<name>``, whose side is that of all crops' tiles. ``more`` are further sources. ``run`` is the
    folder of the checkpoint, from which training goes on; ``backbone`` the diffusers folder that is written at the end.

    ``minutes`` is the wall-clock budget of this sitting; ``steps`` ends it earlier, counted over all sittings of the
    run folder (0: only the clock). In the last ``finish`` share of it whole tiles are shown and the learning rate
    falls; 0 where more sittings follow. ``batch`` is crops a step, 0 = 128, on CUDA 1,024 or 2,048. ``contrast`` and
    ``alignment`` weigh the label-free losses beside denoising: two crops of a tile agree, and a crop tells what the
    averaged network sees in another one. ``unknown_gsd`` is the share of views without pixel size.

    ``distil_minutes`` and ``distil_steps`` are the budget of the second part, which turns the averaged network's noised
    passes at several times into one clean pass, kept in the folder's ``clean``; 0 minutes: none,
    and the averaged network itself makes that pass unless an earlier distillation belongs to it.

    ``part_mb`` above 0 writes checkpoints in numbers of 16 bits as files of at most so many MB, to be carried about.
    ``labels`` is a text file of tile ids whose classes score probes on the tiles left out (empty: no probe), at the
    end and every ``probe_minutes`` (0: at the end only); ``tried`` is a JSON file to which the scores are added.
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
    batch: int = 0
    crop_px: int = 32
    finish: float = 0.2
    learning_rate: float = 1e-3
    contrast: float = 1.0
    widths: Tuple[int, ...] = (32, 64, 96, 128)
    checkpoint_minutes: float = 3.0
    seed: int = 0
    device: int = 0
    threads: int = 0
    more: Tuple[Source, ...] = ()
    alignment: float = 1.0
    unknown_gsd: float = 0.3
    distil_minutes: float = 0.0
    distil_steps: int = 0
    part_mb: float = 0.0
    probe_minutes: float = 0.0
    tried: str = ""

    def __post_init__(self) -> None:
        check_choice("device", self.device, DEVICE)
        if min(self.minutes, self.distil_minutes, self.probe_minutes) < 0 or self.checkpoint_minutes <= 0:
            raise ValueError(
                f"minutes is {self.minutes}, distil_minutes {self.distil_minutes}, probe_minutes {self.probe_minutes} "
                f"and checkpoint_minutes {self.checkpoint_minutes}; at least 0, and above 0 for the last, are needed"
            )
        if (self.batch and self.batch < 4) or self.crop_px < 16 or self.crop_px % 16:
            raise ValueError(
                f"batch is {self.batch} and crop_px {self.crop_px}; 0 or at least 4, and a multiple of 16 are needed"
            )
        if not 0 <= self.finish <= 1 or self.steps < 0 or self.distil_steps < 0:
            raise ValueError(
                f"finish is {self.finish}, steps {self.steps} and distil_steps {self.distil_steps}; "
                "0 to 1, and at least 0 are needed"
            )
        if min(self.contrast, self.alignment, self.part_mb) < 0 or not 0 <= self.unknown_gsd <= 1:
            raise ValueError(
                f"contrast is {self.contrast}, alignment {self.alignment}, part_mb {self.part_mb} and unknown_gsd "
                f"{self.unknown_gsd}; at least 0, and 0 to 1 for the last, are needed"
            )
        if not self.widths or any(width < 8 or width % 8 for width in self.widths):
            raise ValueError(f"widths are {self.widths}, but each must be a multiple of 8")

    @property
    def sources(self) -> Tuple[Source, ...]:
        """The main source and the others."""
        main = Source(self.data, self.gsd_m, self.leave_out, self.leave_out_fold, about=self.about)
        return (main, *self.more)
