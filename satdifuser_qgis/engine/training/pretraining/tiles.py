"""Square RGB tiles out of zip archives, as one array of bytes; names that must not be seen are never decoded."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Collection
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ....protocol.errors import EngineError

SUFFIXES = (".webp", ".png", ".jpg", ".jpeg", ".tif")


def read_tiles(
    folder: Path, leave_out: Collection[str] = (), only: Collection[str] | None = None
) -> tuple[Tensor, list[str]]:
    """All tiles of the zip archives below ``folder`` as bytes (N, 3, S, S) with their ids, in order of the ids.

    An id is the entry's path without suffix, such as ``Forest/Forest_12``. Entries in ``leave_out`` are not even
    decoded; with ``only``, nothing else is. Raises EngineError("bad_input") where nothing is left or sizes differ.
    """
    refused = frozenset(leave_out)
    wanted = None if only is None else frozenset(only)
    found: dict[str, np.ndarray] = {}
    for archive in sorted(folder.rglob("*.zip")):
        with zipfile.ZipFile(archive) as entries:
            for name in entries.namelist():
                path = PurePosixPath(name)
                tile = str(path.with_suffix(""))
                welcome = tile not in refused and (wanted is None or tile in wanted)
                if welcome and path.suffix.lower() in SUFFIXES:
                    found[tile] = _pixels(entries.read(name))
    _check(found, folder)
    ids = sorted(found)
    return torch.from_numpy(np.stack([found[tile] for tile in ids])), ids


def read_ids(path: str, fold: int = 0) -> frozenset[str]:
    """The ids in a list: a text file with one a line, or a table (.csv) with columns id and fold, of which ``fold``.

    An empty path gives no ids. Raises EngineError("bad_input") for a table without these columns.
    """
    if not path:
        return frozenset()
    text = Path(path).read_text(encoding="utf-8")
    if not path.lower().endswith(".csv"):
        return frozenset(line.strip() for line in text.splitlines() if line.strip())
    rows = csv.DictReader(io.StringIO(text))
    if not {"id", "fold"} <= set(rows.fieldnames or ()):
        raise EngineError(
            "bad_input", f'The table "{path}" has no columns "id" and "fold".', "Name a list of tile ids."
        )
    return frozenset(row["id"] for row in rows if row["fold"] == str(fold))


def _pixels(data: bytes) -> np.ndarray:
    """One encoded image as bytes (3, S, S)."""
    with Image.open(io.BytesIO(data)) as image:
        return np.ascontiguousarray(np.asarray(image.convert("RGB")).transpose(2, 0, 1))


def _check(found: dict[str, np.ndarray], folder: Path) -> None:
    """Raises EngineError unless there are tiles, all square and of one size."""
    if not found:
        raise EngineError("bad_input", f'No tile was found in zip archives below "{folder}".', "Choose another folder.")
    shapes = {pixels.shape for pixels in found.values()}
    shape = next(iter(shapes))
    if len(shapes) > 1 or shape[1] != shape[2]:
        sizes = ", ".join(sorted(f"{columns} x {rows}" for _, rows, columns in shapes)[:4])
        raise EngineError("bad_input", f"Tiles must be square and of one size, but there are {sizes} px.", "Cut them.")
