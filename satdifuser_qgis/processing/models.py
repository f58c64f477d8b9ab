"""Model files as the QGIS half sees them: found by name or path, their classes read from the header.

The header of a ``.safetensors`` file is 8 bytes of length (little endian) and that much JSON.
"""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any, Dict, Tuple

from qgis.PyQt.QtCore import QCoreApplication

from ..protocol import folders
from ..protocol.classes import LandCoverClass
from ..protocol.codec import from_plain
from .values import closest

translate = QCoreApplication.translate

# The format allows 100 MB; ours have a few kB.
HEADER_LIMIT = 10_000_000


def find_model(reference: str, name: str) -> str:
    """The absolute path of a model given by path or by name. Raises ValueError that lists what there is."""
    path = folders.find_model(reference)
    if path is not None:
        return os.path.abspath(path)
    raise ValueError(_not_found(reference, name))


def read_classes(path: str) -> Tuple[LandCoverClass, ...]:
    """The classes of a model in legend order. Raises ValueError where the file is no model of ours."""
    try:
        header = json.loads(_read_header(path)["__metadata__"]["satdifuser"])
        return tuple(from_plain(LandCoverClass, item, "classes") for item in header["classes"])
    except (OSError, ValueError, KeyError, TypeError, struct.error) as error:
        raise ValueError(
            translate(
                "SatDiFuser",
                '"{path}" is no model of SatDiFuser ({error}). Choose a file made by "Train a land-cover model".',
            ).format(path=path, error=error)
        ) from error


def find_backbone(reference: str, name: str) -> str:
    """A backbone's folder as absolute path, or the name of a shipped one as it is; "" stays "". Raises ValueError."""
    if not reference:
        return ""
    if Path(reference).expanduser().is_dir():
        return os.path.abspath(Path(reference).expanduser())
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
    known = folders.known_models()
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
        return header
