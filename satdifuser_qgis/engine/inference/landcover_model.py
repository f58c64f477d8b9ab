"""A model file brought to life: backbone, feature extraction and decoder as one function of tiles."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from ...protocol.codec import from_plain
from ...protocol.errors import EngineError
from ..backbones import Backbone, load_backbone
from ..decoder import Decoder, DecoderConfig
from ..encoders.encoder import load_encoder
from ..encoders.encoding import Encoding
from ..encoders.weights import NotInstalled
from ..features import Extractor, Recipe
from ..model_file import ModelHeader, read_model, split_tensors
from ..raster.read import Raster
from .tile_metadata import tile_metadata
from .tiles import resize

Module = TypeVar("Module", bound=nn.Module)


def extract(
    extractor: Extractor, tiles: Tensor, raster: Raster, positions: Sequence[tuple[int, int]], side: int
) -> list[Tensor]:
    """The pyramid of tiles, with the raster's own metadata where the recipe asks for them."""
    metadata = None
    if extractor.recipe.metadata == "raster" and extractor.backbone.has_metadata:
        metadata = tile_metadata(raster, positions, side, tiles.shape[-1])
    return extractor(tiles, positions, metadata)


class LandCoverModel:
    """Tiles in, logits out. Build it with `load`, or from its parts while training."""

    def __init__(
        self,
        header: ModelHeader,
        extractor: Extractor,
        decoder: Decoder,
        device: torch.device,
        encoding: Encoding | None = None,
    ) -> None:
        self.header = header
        self.extractor, self.encoding = extractor, encoding
        self.decoder = decoder.eval().to(device)
        self.device = device

    @classmethod
    def load(cls, path: Path, device: torch.device) -> LandCoverModel:
        """Raises EngineError("bad_model") where the file, its backbone or their agreement is broken."""
        header, extractor, decoder = read_parts(path, device, "segmentation", Decoder)
        return cls(header, extractor, decoder, device, _encoding(header, device) if decoder.uses_encoder else None)

    @torch.inference_mode()
    def logits(self, tiles: Tensor, raster: Raster, positions: Sequence[tuple[int, int]]) -> Tensor:
        """(B, classes, side, side) on the CPU.

        tiles: (B, 3, side, side) in pixels of the raster, scaled to about -1..1; the network sees them in its own.
        positions: row and column of each tile in the raster, which decide its noise.
        """
        side = tiles.shape[-1]
        tiles = resize(tiles, self.header.tile_px).to(self.device)
        # A model of single pixels alone needs no features: its maps take a fraction of the time.
        pyramid = extract(self.extractor, tiles, raster, positions, side) if self.decoder.uses_features else []
        encoded = self.encoding(tiles) if self.encoding else []
        spectral = tiles if self.header.spectral else None
        # On a CPU a tile at a time: its maps then stay in the caches, and fusing takes two thirds of the time.
        step = 1 if self.device.type == "cpu" else len(tiles)
        parts = [slice(at, at + step) for at in range(0, len(tiles), step)]
        size = (tiles.shape[-2], tiles.shape[-1])
        logits = [
            self.decoder(
                [level[part] for level in pyramid],
                size,
                None if spectral is None else spectral[part],
                [maps[part] for maps in encoded],
            )
            for part in parts
        ]
        return resize(torch.cat(logits).float(), side).cpu()


def read_parts(
    path: Path, device: torch.device, task: str, build: Callable[[DecoderConfig], Module]
) -> tuple[ModelHeader, Extractor, Module]:
    """Header, extractor and decoder of a model file for this task; ``build`` makes the decoder that its tensors fill.

    Raises EngineError("bad_model") where the file, its backbone or their agreement is broken, or its task is another.
    """
    header, tensors = read_model(path)
    # The name that it is chosen by: the store and the user may have given the file another one since it was trained.
    header = replace(header, name=path.stem)
    _check_task(header, task)
    backbone = load_backbone(_where(header, path), device)
    try:
        recipe = from_plain(Recipe, header.features, "features")
        decoder = build(from_plain(DecoderConfig, header.decoder, "decoder"))
        decoder_tensors, network_tensors = split_tensors(tensors)
        decoder.load_state_dict(decoder_tensors)
        extractor = Extractor(backbone, recipe, device)
        _check_digest(header, extractor.backbone)
        if header.backbone.tuned:
            extractor.backbone.network.load_state_dict(network_tensors)
    except (RuntimeError, ValueError) as error:
        raise EngineError(
            "bad_model",
            f'The header of the model "{header.name}" is damaged, or its tensors do not fit it.',
            "Use another copy of the file.",
            str(error),
        ) from error
    return header, extractor, decoder


def _encoding(header: ModelHeader, device: torch.device) -> Encoding | None:
    """The encoder that the model reads. Raises EngineError where it is not that of the training."""
    if header.encoder is None:
        return None
    encoder = load_encoder(device)
    if isinstance(encoder, NotInstalled):
        raise EngineError(
            "engine_broken",
            f'The model "{header.name}" reads the encoder {header.encoder.name}, which is not installed.',
            encoder.remedy,
        )
    if (encoder.name, encoder.digest) != (header.encoder.name, header.encoder.digest):
        raise EngineError(
            "bad_model",
            f'The model "{header.name}" was trained with the encoder {header.encoder.name}, but {encoder.name} with '
            "other weights is installed.",
            "Train the model again.",
        )
    return Encoding(encoder, header.encoder.enlarged)


def _where(header: ModelHeader, path: Path) -> str:
    """How to load the backbone: as it was in training, or from a folder of that name beside the model file, which is
    where it lies when both were brought from another machine."""
    reference = header.backbone.reference
    *parents, name = re.split(r"[\\/]", reference)
    if not parents or Path(reference).is_dir():
        return reference
    beside = path.parent / name
    if beside.is_dir():
        return str(beside)
    raise EngineError(
        "bad_model",
        f'The model "{header.name}" needs the backbone "{header.backbone.name}", but neither {reference}, where it '
        f"was in training, nor {beside} is there.",
        f"Put the backbone's folder beside the model file, as {beside}.",
    )


def _check_task(header: ModelHeader, task: str) -> None:
    if header.task != task:
        said = {"segmentation": "maps land cover pixel by pixel", "scene": "names whole scenes"}
        raise EngineError(
            "bad_model",
            f'The model "{header.name}" {said.get(header.task, f"is for {header.task}")}; '
            f"here one is needed that {said[task]}.",
            "Choose another model.",
        )


def _check_digest(header: ModelHeader, backbone: Backbone) -> None:
    if backbone.digest != header.backbone.digest:
        same = backbone.revision == header.backbone.revision
        raise EngineError(
            "bad_model",
            f'The model "{header.name}" was trained on the backbone "{header.backbone.name}" in revision '
            f"{header.backbone.revision}, but "
            + ("other weights are" if same else f"revision {backbone.revision} with other weights is")
            + f" in {backbone.weights_folder}.",
            "Put the weights back that it was trained on, or train the model again."
            if same
            else "Train the model again, or install that revision of the backbone.",
        )
