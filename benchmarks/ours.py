"""This project's own methods, run through the same engine tasks that QGIS runs."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray

from benchmarks.labelled_set import LabelledSet, Pair, read_codes
from satdifuser_qgis.engine.model_file import read_header
from satdifuser_qgis.engine.outputs import Outputs
from satdifuser_qgis.engine.reporter import Silent
from satdifuser_qgis.engine.tasks.trainsegmentation import TILE_PX
from satdifuser_qgis.engine.training.landcover import STEPS
from satdifuser_qgis.engine.training.loop import BATCH
from satdifuser_qgis.engine.worker import execute
from satdifuser_qgis.protocol import folders
from satdifuser_qgis.protocol.choices import FUSION
from satdifuser_qgis.protocol.segment import SegmentRequest
from satdifuser_qgis.protocol.trainsegmentation import TrainSegmentationRequest

DEFAULT_BACKBONE = "compact-s2-rgb"
SEED = 0
# A third of a training is enough to tell streams apart.
CHOICE_STEPS = STEPS[1] / 3


@dataclass(frozen=True)
class Settings:
    """What all of our rows share."""

    work: Path
    threads: int
    backbone: str = DEFAULT_BACKBONE


class Ours:
    """A model trained and applied by the engine. ``streams`` and ``times`` empty: the backbone's own."""

    def __init__(
        self,
        settings: Settings,
        fusion: str,
        scaling: int,
        streams: tuple[str, ...] = (),
        times: tuple[int, ...] = (),
        epochs: int = 0,
    ) -> None:
        self.settings, self.fusion, self.scaling = settings, fusion, scaling
        self.streams, self.times, self.epochs = streams, times, epochs
        self.model = settings.work / "model.safetensors"
        self.values: dict[str, Any] = {}

    def learn(self, labelled: LabelledSet) -> None:
        """Trains with the defaults; validation blocks come out of the training images."""
        images = [str(pair.image) for pair in labelled.train]
        request = TrainSegmentationRequest(
            input=images[0],
            more_inputs=tuple(images[1:]),
            label_rasters=tuple(str(pair.label) for pair in labelled.train),
            model=str(self.model),
            backbone=self.settings.backbone,
            fusion=FUSION.index(self.fusion),
            scaling=self.scaling,
            streams=self.streams,
            timesteps=self.times,
            epochs=self.epochs,
            seed=SEED,
            threads=self.settings.threads,
        )
        self.values = dict(execute(request, Silent(), Outputs("benchmark")).values)
        self.values["weighing"] = read_header(self.model).training["weighing"]

    def map(self, pair: Pair) -> NDArray[np.uint16]:
        """Class codes of an image."""
        target = self.settings.work / f"{pair.image.stem}.tif"
        request = SegmentRequest(
            input=str(pair.image), model=str(self.model), output=str(target), threads=self.settings.threads
        )
        execute(request, Silent(), Outputs("benchmark"))
        return read_codes(target)


class BestSingleStream:
    """One stream at one time, chosen by the validation mIoU of the training images; never by the test images.

    First the streams at the middle one of the backbone's times, then the other times for the best stream. Of the
    embedded backbone, which is read at one time, that leaves one stream a scale to choose from.
    """

    def __init__(self, settings: Settings, scaling: int) -> None:
        self.settings, self.scaling = settings, scaling
        self.tried: list[dict[str, Any]] = []

    def learn(self, labelled: LabelledSet) -> None:
        """Trains every candidate for a while, then the best one as all other methods are trained."""
        self.epochs = choice_epochs(labelled)
        streams, times = candidates(self.settings.backbone)
        middle = times[len(times) // 2]
        for stream in streams:
            self._try(labelled, stream, middle)
        stream = self._best()["stream"]
        for time in times:
            if time != middle:
                self._try(labelled, stream, time)
        self.values = {**self._best(), "tried": self.tried}
        self.chosen = Ours(self.settings, "global", self.scaling, (stream,), (self._best()["time"],))
        self.chosen.learn(labelled)
        self.values["weighing"] = self.chosen.values["weighing"]

    def map(self, pair: Pair) -> NDArray[np.uint16]:
        """Class codes of an image, by the chosen candidate."""
        return self.chosen.map(pair)

    def _try(self, labelled: LabelledSet, stream: str, time: int) -> None:
        candidate = {"stream": stream, "time": time}
        folder = self._folder(candidate)
        folder.mkdir(parents=True, exist_ok=True)
        settings = replace(self.settings, work=folder)
        method = Ours(settings, "global", self.scaling, (stream,), (time,), self.epochs)
        method.learn(labelled)
        # Of its fuser and head alone: what single pixels add is the same for all candidates.
        self.tried.append({**candidate, "validation_miou": method.values["weighing"]["fused_miou"]})

    def _best(self) -> dict[str, Any]:
        return max(self.tried, key=lambda candidate: candidate["validation_miou"])

    def _folder(self, candidate: dict[str, Any]) -> Path:
        return self.settings.work / f"{candidate['stream']}@{candidate['time']}"


def choice_epochs(labelled: LabelledSet) -> int:
    """Epochs of about `CHOICE_STEPS` steps, for images in the pixel size of the embedded backbone or without one."""
    tiles = 0
    for pair in labelled.train:
        with rasterio.open(pair.image) as file:
            tiles += math.ceil(file.height / TILE_PX["pixel"]) * math.ceil(file.width / TILE_PX["pixel"])
    return max(1, round(CHOICE_STEPS / math.ceil(tiles / BATCH)))


def candidates(backbone: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The last of the backbone's own streams on each scale, and the backbone's own times."""
    import torch

    from satdifuser_qgis.engine.backbones import load_backbone
    from satdifuser_qgis.engine.features import Extractor, Recipe

    device = torch.device("cpu")
    extractor = Extractor(load_backbone(backbone, device), Recipe(), device)
    return tuple(scale.streams[-1] for scale in extractor.scales), tuple(extractor.recipe.times)


def write_random_backbone(source: Path, target: Path) -> Path:
    """A backbone folder like ``source`` whose U-Net has fresh weights, drawn with a fixed seed."""
    import torch
    from diffusers import UNet2DModel

    shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.safetensors"), dirs_exist_ok=True)
    torch.manual_seed(SEED)
    net = UNet2DModel.from_config(UNet2DModel.load_config(source / "unet"))
    net.to(torch.float16).save_pretrained(target / "unet")
    card = json.loads((target / "satdifuser.json").read_text(encoding="utf-8"))
    card["name"] = f"{card['name']}-random"
    (target / "satdifuser.json").write_text(json.dumps(card, indent=1), encoding="utf-8")
    return target


def random_backbone(settings: Settings) -> str:
    """The path of a random-weights twin of the backbone in use."""
    source = Path(settings.backbone)
    if not source.is_dir():
        source = folders.shipped_models() / settings.backbone
    return str(write_random_backbone(source, settings.work / "random-weights"))
