"""Our model file: one ``.safetensors`` with the decoder's tensors and a header that says all the rest.

The header key ``satdifuser`` holds JSON: classes, bands, scaling, pixel size, backbone, which features, decoder,
training settings, scores. Nothing in it can run code, and it can be read without torch.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from ..protocol import folders
from ..protocol.classes import LandCoverClass
from ..protocol.codec import from_plain, to_plain
from ..protocol.errors import EngineError
from .outputs import target_of
from .raster.normalise import Scaling
from .raster.units import Units

if TYPE_CHECKING:
    from torch import Tensor

# 2: an encoder is read beside the diffusion model, of which earlier versions know nothing.
FORMATS = (1, 2)
KEY = "satdifuser"
# What the names of a fine-tuned backbone's tensors begin with.
BACKBONE = "backbone."
# File names have at most 255 bytes, of which a letter may take four.
_LONGEST_STEM = 50
_LARGEST_TILE = 4096


@dataclass(frozen=True)
class BackboneReference:
    """Which diffusion model the features come from.

    ``reference`` is how to load it, a shipped name or a folder; ``digest`` is the SHA-256 of its weights there.
    ``tuned``: the model file holds its network's weights, changed by training.
    """

    reference: str
    name: str
    revision: str
    digest: str
    tuned: bool = False


@dataclass(frozen=True)
class EncoderReference:
    """Which companion encoder is read: its name, the SHA-256 of its weights, and how many times images are enlarged."""

    name: str
    digest: str
    enlarged: int


@dataclass(frozen=True)
class ModelHeader:
    """All of a model but its tensors.

    ``bands`` are the 1-based bands of the training raster, ``band_names`` their descriptions ("" where it has none)
    and ``band_centres_nm`` their centre wavelengths (0 where unknown; old files hold none). ``gsd_m`` is the pixel size
    the model was trained at, in metres, 0 where unknown. ``tile_px`` is the side of a tile, in pixels of that size.
    ``features`` and ``decoder`` are the constructor values of `features.Recipe` and `decoder.DecoderConfig`.
    ``units`` are the scale and offset that the training raster declares for each band; the numbers of ``scaling`` are
    in them. Older models have () and do not know. ``encoder`` is None where none is read.
    """

    name: str
    classes: tuple[LandCoverClass, ...]
    bands: tuple[int, ...]
    band_names: tuple[str, ...]
    scaling: Scaling
    gsd_m: float
    tile_px: int
    backbone: BackboneReference
    features: dict[str, Any]
    decoder: dict[str, Any]
    spectral: bool = True
    task: str = "segmentation"
    format: int = 1
    training: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    units: tuple[Units, ...] = ()
    band_centres_nm: tuple[float, ...] = ()
    encoder: Optional[EncoderReference] = None


_FIELDS = frozenset(ModelHeader.__dataclass_fields__)


def write_model(path: str | os.PathLike[str], header: ModelHeader, tensors: dict[str, Tensor]) -> None:
    """Writes header and tensors; the same content gives the same bytes."""
    from safetensors.torch import save

    text = json.dumps(to_plain(header), ensure_ascii=False, sort_keys=True, allow_nan=False)
    ordered = {key: tensors[key].detach().cpu().contiguous() for key in sorted(tensors)}
    # Not save_file, which makes the file unreadable for everybody else on the machine.
    try:
        Path(path).write_bytes(save(ordered, {KEY: text}))
    except OSError as error:
        # Python names the file where it cannot be opened, and none where it cannot be written to its end.
        error.filename = os.fspath(target_of(Path(path)))
        raise


def read_header(path: str | os.PathLike[str]) -> ModelHeader:
    """The header of a model file. Raises EngineError("bad_model") where it is none of ours or too new."""
    path = Path(path)
    plain = _plain_header(path)
    if plain.get("format") not in FORMATS:
        raise EngineError(
            "bad_model",
            f'The model "{path.name}" has format {plain.get("format")!r}, this version reads {FORMATS[0]} to '
            f"{FORMATS[-1]}.",
            "Update the plugin, or train the model again.",
        )
    try:
        return _header_from(plain)
    except (ValueError, TypeError, KeyError) as error:
        raise EngineError(
            "bad_model", f'The header of the model "{path.name}" is damaged: {error}.', "Use another copy of the file."
        ) from error


def read_model(path: str | os.PathLike[str]) -> tuple[ModelHeader, dict[str, Tensor]]:
    """Header and tensors of a model file, on the CPU."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    header = read_header(path)
    try:
        tensors = load_file(path)
        for name, tensor in tensors.items():
            if not bool(tensor.isfinite().all()):
                raise ValueError(f"the tensor {name} holds values that are no numbers")
        return header, tensors
    except (SafetensorError, OSError, ValueError) as error:
        raise EngineError(
            "bad_model", f'The model "{Path(path).name}" cannot be read: {error}.', "Use another copy of the file."
        ) from error


def backbone_tensors(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """A network's weights as they are named in a model file: in half precision, under `BACKBONE`."""
    return {f"{BACKBONE}{name}": tensor.half() for name, tensor in tensors.items()}


def split_tensors(tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """A model file's tensors as those of the decoder and, float32, those of a fine-tuned backbone's network."""
    decoder = {name: tensor for name, tensor in tensors.items() if not name.startswith(BACKBONE)}
    network = {name[len(BACKBONE) :]: tensors[name].float() for name in tensors.keys() - decoder.keys()}
    return decoder, network


def find_model(reference: str) -> Path:
    """The file of a model, see `folders.find_model`. Raises EngineError("bad_model") where there is none."""
    path = folders.find_model(reference)
    if path is not None:
        return path
    if Path(reference).name != reference:
        raise EngineError("bad_model", f'The model file "{reference}" does not exist.', "Choose another file.")
    known = folders.known_models()
    raise EngineError(
        "bad_model",
        f'There is no model "{reference}", neither shipped nor in the model store.',
        f"Known by name: {', '.join(known)}." if known else "Train one first, or give a model file.",
    )


def place_in_store(name: str) -> Path:
    """Where a model of this name goes in the user's store, under a name that is not taken.

    What no file name can hold on one of the systems becomes "_": a name is no path out of the store.
    """
    stem = re.sub(r'[<>:"/\\|?*\x00-\x1f]', "_", name).strip(" .")[:_LONGEST_STEM]
    return folders.unused(folders.model_store(), stem or "model", folders.MODEL_SUFFIX)


def _plain_header(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get(KEY)
    except (SafetensorError, OSError) as error:
        raise EngineError(
            "bad_model", f'"{path.name}" is no readable model file: {error}.', "Choose a file made by training."
        ) from error
    if text is None:
        raise EngineError(
            "bad_model",
            f'"{path.name}" is a safetensors file but no model of this plugin.',
            'Choose a file made by "Train a land-cover model".',
        )
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise EngineError(
            "bad_model", f'The header of the model "{path.name}" is damaged: {error}.', "Use another copy of the file."
        ) from error
    return plain if isinstance(plain, dict) else {}


def _header_from(plain: dict[str, Any]) -> ModelHeader:
    """Raises ValueError that says what of the header cannot be."""
    header = from_plain(ModelHeader, {key: plain[key] for key in plain if key in _FIELDS}, "header")
    limits = len(header.scaling.low)
    for wrong, said in (
        (not header.classes, "there are no classes"),
        (header.decoder.get("classes") != len(header.classes), "classes and decoder differ in number"),
        (bool(header.decoder.get("side_channels")) != header.spectral, "spectral and decoder differ"),
        (len(header.bands) != 3 or len(header.band_names) != 3, "there are not three bands"),
        (len(header.band_centres_nm) not in (0, 3), "there are not three wavelengths"),
        (limits not in (0, 3) or (not limits and header.scaling.kind != "percentile"), "scaling is not of three bands"),
        (any(a >= b for a, b in zip(header.scaling.low, header.scaling.high, strict=True)), "scaling has no range"),
        (len(header.units) not in (0, 3), "units are not of three bands"),
        (any(not each.scale > 0 for each in header.units), "units have no scale"),
        (bool(header.decoder.get("encoded")) != (header.encoder is not None), "encoder and decoder differ"),
        (header.gsd_m < 0, "the pixel size is negative"),
        (not 8 <= header.tile_px <= _LARGEST_TILE, f"tiles have {header.tile_px} px"),
    ):
        if wrong:
            raise ValueError(said)
    return header
