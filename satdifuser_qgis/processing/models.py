"""Model files as the QGIS half sees them: found by name or path, and what their headers say of them.

The header of a ``.safetensors`` file is 8 bytes of length (little endian) and that much JSON.
"""

from __future__ import annotations

import json
import os
import struct
from dataclasses import dataclass, field
from datetime import datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from qgis.PyQt.QtCore import QCoreApplication

from ..protocol import folders
from ..protocol.classes import LandCoverClass
from ..protocol.codec import from_plain
from .values import closest

translate = QCoreApplication.translate

# The format allows 100 MB; ours have a few kB.
HEADER_LIMIT = 10_000_000
LAND_COVER = "segmentation"


@dataclass(frozen=True)
class _Header:
    """What is shown of a header; the engine checks the rest. Defaults are for what older versions did not write."""

    classes: Tuple[LandCoverClass, ...]
    bands: Tuple[int, ...] = ()
    band_names: Tuple[str, ...] = ()
    gsd_m: float = 0.0
    task: str = LAND_COVER
    scores: Dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelCard:
    """A model as it is shown in a list.

    ``name`` is that of its file, by which `find_model` finds it. ``bands`` are the names of its bands, their numbers
    where they have none. ``gsd_m`` is its pixel size in metres, 0 where unknown. ``miou`` is its mean intersection over
    union in validation, 0 to 1, None where it was not measured. ``changed`` is when its file was.
    """

    path: str
    name: str
    task: str
    classes: Tuple[LandCoverClass, ...]
    bands: Tuple[str, ...]
    gsd_m: float
    miou: Optional[float]
    changed: datetime


def find_model(reference: str, name: str) -> str:
    """The absolute path of a model given by path or by name. Raises ValueError that lists what there is."""
    path = folders.find_model(reference)
    if path is not None:
        return os.path.abspath(path)
    raise ValueError(_not_found(reference, name))


def read_card(path: str) -> ModelCard:
    """What a model's header says. Raises ValueError where the file is no model of ours, or not all of one."""
    try:
        plain = json.loads(_read_header(path)["__metadata__"]["satdifuser"])
        shown = {key: plain[key] for key in _Header.__dataclass_fields__ if key in plain}
        header = from_plain(_Header, shown, "header")
        changed = datetime.fromtimestamp(os.stat(path).st_mtime)
    except (json.JSONDecodeError, UnicodeDecodeError, EOFError, struct.error) as error:
        raise ValueError(
            translate(
                "SatDiFuser",
                'The model "{path}" is damaged or incomplete. Copy or train it again, or choose another file.',
            ).format(path=path)
        ) from error
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(
            translate(
                "SatDiFuser",
                '"{path}" is no model of SatDiFuser ({error}). Choose a file made by "Train a land-cover model".',
            ).format(path=path, error=error)
        ) from error
    bands = tuple(name or str(number) for number, name in zip_longest(header.bands, header.band_names))
    miou = header.scores.get("miou")
    measured = isinstance(miou, float) and 0 <= miou <= 1
    return ModelCard(
        path, Path(path).stem, header.task, header.classes, bands, header.gsd_m, miou if measured else None, changed
    )


def land_cover_card(path: str, name: str) -> ModelCard:
    """The card of a model that maps land cover. Raises ValueError where it does something else."""
    card = read_card(path)
    if card.task != LAND_COVER:
        does = {"scene": translate("SatDiFuser", "names whole scenes")}.get(
            card.task, translate("SatDiFuser", 'is made for another task ("{task}")').format(task=card.task)
        )
        raise ValueError(
            translate(
                "SatDiFuser",
                '{name}: the model "{model}" {does} and cannot map land cover. '
                'Choose a model made by "Train a land-cover model".',
            ).format(name=name, model=card.name, does=does)
        )
    return card


def land_cover_models() -> List[ModelCard]:
    """The shipped and stored models that map land cover, the newest first. Files that are none are left out."""
    found = []
    for path in folders.model_files():
        try:
            found.append(land_cover_card(str(path), ""))
        except ValueError:
            continue
    return sorted(found, key=lambda card: card.changed, reverse=True)


def find_backbone(reference: str, name: str) -> str:
    """A backbone's folder as absolute path, or the name of a shipped one as it is; "" stays "". Raises ValueError."""
    if not reference:
        return ""
    folder = os.path.expanduser(reference)
    if os.path.isdir(folder):
        return os.path.abspath(folder)
    shipped = sorted(path.name for path in folders.shipped_models().glob("*") if path.is_dir())
    if reference in shipped:
        return reference
    raise ValueError(
        translate(
            "SatDiFuser",
            '{name}: there is no folder "{reference}" and no shipped backbone of that name. Shipped: {shipped}. '
            "Leave it empty for the embedded one.",
        ).format(name=name, reference=reference, shipped=", ".join(shipped) or "–")
    )


def _not_found(reference: str, name: str) -> str:
    known = [card.name for card in land_cover_models()]
    meant = closest(Path(reference).stem, known)
    if meant:
        hint = translate("SatDiFuser", 'Did you mean "{meant}"?').format(meant=meant)
    elif known:
        hint = translate("SatDiFuser", "Known by name: {names}.").format(names=", ".join(known))
    else:
        hint = translate("SatDiFuser", 'Train one first with "Train a land-cover model".')
    return translate("SatDiFuser", '{name}: there is no model "{reference}". {hint}').format(
        name=name, reference=reference, hint=hint
    )


def _read_header(path: str) -> Dict[str, Any]:
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > HEADER_LIMIT:
            raise ValueError(f"its header would have {length} bytes")
        header: Dict[str, Any] = json.loads(file.read(length))
        if not isinstance(header, dict):
            raise ValueError("its header is no table")
        ends = [each["data_offsets"][1] for name, each in header.items() if name != "__metadata__"]
        if os.fstat(file.fileno()).st_size < 8 + length + max(ends, default=0):
            raise EOFError
        return header
