"""A scene classifier's model file brought to life: tiles in, probabilities of classes out."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ..features import Extractor
from ..features.cells import summarise
from ..features.statistics import scene_statistics
from ..model_file import ModelHeader
from ..scene import SceneDecoder, probabilities
from ..turns import reoriented
from .landcover_model import read_parts


class SceneModel:
    """Build it with `load`, or from its parts after training."""

    def __init__(self, header: ModelHeader, extractor: Extractor, decoder: SceneDecoder, device: torch.device) -> None:
        self.header = header
        self.extractor = extractor
        self.decoder = decoder.eval().to(device)
        self.device = device

    @classmethod
    def load(cls, path: Path, device: torch.device) -> SceneModel:
        """Raises EngineError("bad_model") where the file, its backbone or their agreement is broken."""
        return cls(*read_parts(path, device, "scene", SceneDecoder), device)

    @torch.inference_mode()
    def probabilities(self, tiles: Tensor, turns: int = 1) -> Tensor:
        """(B,classes), rows summing to 1, on the CPU.

        tiles: (B,3,tile_px,tile_px), scaled to about -1..1 by the header's scaling. A tile's classes depend on its
        pixels alone, not on its place: all get the same noise. turns: 1, or up to 8 to average over its flips and
        quarter turns, at as many times the cost.
        """
        total = torch.zeros(len(tiles), len(self.header.classes))
        for turn in range(turns):
            total += self._once(reoriented(tiles, turn))
        return total / turns

    def _once(self, tiles: Tensor) -> Tensor:
        pyramid = self.extractor(tiles.to(self.device), [(0, 0)] * len(tiles))
        cells = summarise(pyramid, self.extractor.scales)
        unit = ((tiles + 1) / 2).clamp(0, 1).float().cpu().numpy()
        statistics = torch.from_numpy(scene_statistics(unit)).to(self.device)
        return probabilities(self.decoder, cells, statistics).cpu()
