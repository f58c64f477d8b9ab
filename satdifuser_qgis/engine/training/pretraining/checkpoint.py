"""Checkpoints as files: one that is exact, or several small ones in half precision that can be carried about."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

# The squared gradients span more powers of ten than float16 has.
MOMENTS = ("exp_avg.", "exp_avg_sq.")


@dataclass
class Progress:
    """Counts over all sittings. ``losses`` maps a name to its latest mean. The run began at the step ``begun_at``,
    which is not 0 where it went on from written weights.
    """

    step: int = 0
    views: int = 0
    pixels: int = 0
    seconds: float = 0.0
    sittings: int = 0
    losses: dict[str, float] = field(default_factory=dict)
    hardware: list[str] = field(default_factory=list)
    settings: dict[str, float] = field(default_factory=dict)
    begun_at: int = 0

    @property
    def own_steps(self) -> int:
        """Steps of this run alone, which are those that the optimiser knows."""
        return self.step - self.begun_at


def write_checkpoint(
    folder: Path, name: str, tensors: dict[str, Tensor], progress: Progress, part_mb: float = 0.0
) -> None:
    """Writes ``<name>.safetensors``, or with ``part_mb`` above 0 the index ``<name>.json`` and its parts.

    It replaces the last checkpoint of this name, in either form, only when the new one is whole. Parts hold no more
    than ``part_mb`` million bytes each: weights and averages as float16, moments as bfloat16.
    """
    folder.mkdir(parents=True, exist_ok=True)
    single, index = folder / f"{name}.safetensors", folder / f"{name}.json"
    plain = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    if not part_mb:
        whole = folder / f"{name}.safetensors.part"
        save_file(plain, whole, metadata={"progress": json.dumps(asdict(progress))})
        os.replace(whole, single)
        _remove_parts(folder, name, keep=())
        index.unlink(missing_ok=True)
        return
    files = []
    for number, part in enumerate(_parts(plain, part_mb * 1e6)):
        files.append(f"{name}-{progress.step}-{number}.safetensors")
        save_file(part, folder / files[-1])
    whole = folder / f"{name}.json.part"
    whole.write_text(json.dumps({"files": files, "progress": asdict(progress)}), encoding="utf-8")
    os.replace(whole, index)
    _remove_parts(folder, name, keep=files)
    single.unlink(missing_ok=True)


def read_checkpoint(folder: Path, name: str) -> tuple[dict[str, Tensor], Progress] | None:
    """Tensors on the CPU, float32, and counts of the newest checkpoint of this name; None where there is none."""
    single, index = folder / f"{name}.safetensors", folder / f"{name}.json"
    found: list[tuple[Progress, list[Path]]] = []
    if single.exists():
        with safe_open(single, framework="pt") as stored:
            found.append((progress_from(json.loads(stored.metadata()["progress"])), [single]))
    if index.exists():
        card = json.loads(index.read_text(encoding="utf-8"))
        found.append((progress_from(card["progress"]), [folder / file for file in card["files"]]))
    if not found:
        return None
    progress, files = max(found, key=lambda pair: pair[0].step)
    return {key: value.float() for file in files for key, value in load_file(file).items()}, progress


def progress_from(values: dict[str, Any]) -> Progress:
    """Counts as they were stored, by this version or another one."""
    known = {item.name for item in fields(Progress)}
    return Progress(**{key: value for key, value in values.items() if key in known})


def _parts(tensors: dict[str, Tensor], size: float) -> Iterator[dict[str, Tensor]]:
    """The tensors in half precision, in groups of at most ``size`` bytes (a larger tensor goes alone)."""
    part: dict[str, Tensor] = {}
    total = 0
    for name, value in tensors.items():
        small = value.to(torch.bfloat16 if name.startswith(MOMENTS) else torch.float16)
        if part and total + small.nbytes > size:
            yield part
            part, total = {}, 0
        part[name], total = small, total + small.nbytes
    yield part


def _remove_parts(folder: Path, name: str, keep: tuple[str, ...] | list[str]) -> None:
    for path in folder.glob(f"{name}-*-*.safetensors"):
        if path.name not in keep:
            path.unlink()
