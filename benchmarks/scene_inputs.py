"""What scene methods read, computed once a set and kept: statistics, and summarised features of a backbone."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from benchmarks.scene_sets import Kind, SceneSet
from satdifuser_qgis.engine.backbones import load_backbone
from satdifuser_qgis.engine.features import Extractor, Recipe
from satdifuser_qgis.engine.features.cells import cell_scales, summarise
from satdifuser_qgis.engine.features.statistics import scene_statistics
from satdifuser_qgis.engine.streams import Scale
from satdifuser_qgis.protocol.codec import to_plain

BATCH = 16
# Everything that the kept arrays depend on beside tiles and weights; raise it where statistics or cells change.
VERSION = 1


@dataclass(frozen=True)
class Cells:
    """Summarised features of all tiles of a set: per scale (N,T,C,2,2) float16, and how they came about."""

    scales: tuple[Scale, ...]
    times: tuple[int, ...]
    parts: list[Tensor]
    seconds_per_megapixel: float
    gmac_per_tile: float
    backbone_bytes: int


@dataclass
class SceneInputs:
    """Inputs of one set. cache: the folder where they are kept; the same tiles and weights are not computed again."""

    scenes: SceneSet
    cache: Path
    _cells: dict[tuple[str, Recipe], Cells] = field(default_factory=dict)
    _statistics: tuple[Tensor, float] | None = None

    @property
    def statistics(self) -> Tensor:
        """(N,S) of `features.statistics`."""
        return self._measured()[0]

    @property
    def statistics_seconds_per_megapixel(self) -> float:
        """What they cost here, in seconds of the processor."""
        return self._measured()[1]

    def cells(self, backbone: str, recipe: Recipe) -> Cells:
        """Features by a recipe; what it leaves empty is the backbone's own. All tiles get the noise of one place."""
        if (backbone, recipe) not in self._cells:
            self._cells[backbone, recipe] = self._extracted(backbone, recipe)
        return self._cells[backbone, recipe]

    def _measured(self) -> tuple[Tensor, float]:
        if self._statistics is None:
            arrays, facts = self._kept("statistics", [], self._measure)
            self._statistics = torch.from_numpy(np.array(arrays[0])), facts["seconds_per_megapixel"]
        return self._statistics

    def _measure(self) -> tuple[list[NDArray[Any]], dict[str, Any]]:
        started, tiles = time.process_time(), self.scenes.tiles
        parts = []
        for begin in range(0, len(tiles), 1024):
            parts.append(scene_statistics(tiles[begin : begin + 1024].astype(np.float32) / 255))
            tell(f"{self.scenes.key}: statistics of {begin + len(parts[-1])} of {len(tiles)} tiles")
        return [np.concatenate(parts)], {"seconds_per_megapixel": self._per_megapixel(started)}

    def _extracted(self, reference: str, recipe: Recipe) -> Cells:
        device = torch.device("cpu")
        backbone = load_backbone(reference, device)
        extractor = Extractor(backbone, recipe, device, batch=3 * BATCH)
        extractor.backbone.network.to(memory_format=torch.channels_last)
        what = [extractor.backbone.digest, json.dumps(to_plain(extractor.recipe), sort_keys=True)]
        arrays, facts = self._kept(f"cells-{recipe.mode}", what, lambda: self._extract(extractor))
        parts = [torch.from_numpy(array) for array in arrays]
        weights = sum(value.numel() for value in extractor.backbone.network.parameters())
        scales = cell_scales(extractor.scales)
        return Cells(scales, extractor.recipe.times, parts, **facts, backbone_bytes=2 * weights)

    def _extract(self, extractor: Extractor) -> tuple[list[NDArray[Any]], dict[str, Any]]:
        count = len(self.scenes.tiles)
        arrays: list[NDArray[Any]] = []
        macs = multiplications(lambda: self._summary(extractor, slice(0, 1)))
        started = time.process_time()
        for begin in range(0, count, BATCH):
            parts = self._summary(extractor, slice(begin, begin + BATCH))
            if not arrays:
                arrays = [np.empty((count, *part.shape[1:]), np.float16) for part in parts]
            for array, part in zip(arrays, parts):
                array[begin : begin + BATCH] = part.half().numpy()
            if begin // BATCH % 25 == 0:
                tell(f"{self.scenes.key}: features of {begin} of {count} tiles")
        return arrays, {"seconds_per_megapixel": self._per_megapixel(started), "gmac_per_tile": macs / 1e9}

    @torch.inference_mode()
    def _summary(self, extractor: Extractor, rows: slice) -> list[Tensor]:
        return read_cells(extractor, network_input(self.scenes.tiles[rows], self.scenes.kind))

    def _per_megapixel(self, started: float) -> float:
        pixels = len(self.scenes.tiles) * self.scenes.kind.px**2
        return (time.process_time() - started) / pixels * 1e6

    def _kept(self, name: str, what: list[str], compute: Any) -> tuple[list[NDArray[Any]], dict[str, Any]]:
        """Arrays and facts from the cache, else computed and put there; large ones stay on the disk while read."""
        text = "\n".join([str(VERSION), name, str(self.scenes.kind), *what, *self.scenes.ids])
        total = hashlib.sha256(text.encode())
        total.update(self.scenes.tiles[:: max(1, len(self.scenes.tiles) // 64)].tobytes())
        folder = self.cache / f"{self.scenes.key}-{name}-{total.hexdigest()[:16]}"
        if not (folder / "facts.json").is_file():
            folder.mkdir(parents=True, exist_ok=True)
            arrays, facts = compute()
            for number, array in enumerate(arrays):
                np.save(folder / f"{number}.npy", array)
            (folder / "facts.json").write_text(json.dumps({**facts, "arrays": len(arrays)}), encoding="utf-8")
        facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
        arrays = [np.load(folder / f"{number}.npy", mmap_mode="c") for number in range(facts.pop("arrays"))]
        return arrays, facts


def network_input(tiles: NDArray[np.uint8], kind: Kind) -> Tensor:
    """What the network is shown of (N,3,S,S) bytes: (N,3,P,P) from -1 to 1, P being ``network_px``."""
    shown = torch.from_numpy(tiles).float() / 127.5 - 1
    if shown.shape[-1] == kind.network_px:
        return shown
    return functional.interpolate(shown, size=(kind.network_px,) * 2, mode="area")


def read_cells(extractor: Extractor, images: Tensor) -> list[Tensor]:
    """Summarised features of (N,3,P,P); all tiles get the noise of one place."""
    return summarise(extractor(images, [(0, 0)] * len(images)), extractor.scales)


def multiplications(work: Any) -> float:
    """Multiply-adds of the convolutions and matrix products that ``work`` calls."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops() / 2


def tell(text: str) -> None:
    """A line of progress."""
    print(text, file=sys.stderr, flush=True)
