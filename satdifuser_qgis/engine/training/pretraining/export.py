"""A checkpoint as an ordinary diffusers folder with what that layout cannot say, and a model card."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import DDIMScheduler, __version__
from safetensors.torch import save_file

from .card import Facts, model_card
from .network import UNSHUFFLE
from .state import CLEAN, COUNTS, NOISED, UNETS, WEIGHTS

Place = Callable[[Path], Path]


@dataclass(frozen=True)
class Identity:
    """What the folder says of itself. gsd_m: ground sampling distances shown in training, in metres."""

    name: str
    revision: str
    gsd_m: tuple[float, float]
    default_times: tuple[int, ...]
    default_streams: tuple[str, ...]


def export(
    unet: Any,
    clean: Any | None,
    scheduler: DDIMScheduler,
    identity: Identity,
    facts: Facts,
    target: Path,
    place: Place,
) -> None:
    """Writes the folder ``target``. ``place`` maps each file to where it is written until all of them are whole.

    ``clean`` is the network distilled for the one clean pass, None where ``unet`` makes that too. Weights are stored as
    float16. ``facts`` are the figures of the card; its digest is filled in here.
    """
    digest = hashlib.sha256()
    for name, network in ((UNETS[NOISED], unet), (UNETS[CLEAN], clean)):
        if network is not None:
            written = _save(network, place(target / name / WEIGHTS))
            place(target / name / "config.json").write_text(network.to_json_string(), encoding="utf-8")
            digest.update(written.read_bytes())
            facts.bytes += written.stat().st_size
    facts.digest = grouped(digest.hexdigest())
    pipeline = {
        "_class_name": "DDIMPipeline",
        "_diffusers_version": __version__,
        "scheduler": ["diffusers", "DDIMScheduler"],
        "unet": ["diffusers", "UNet2DModel"],
    }
    texts = {
        "scheduler/scheduler_config.json": scheduler.to_json_string(),
        "model_index.json": _json(pipeline),
        "satdifuser.json": _json(
            {
                **_description(identity),
                "clean_network": UNETS[NOISED if clean is None else CLEAN],
                **_counts(facts, clean is not None),
            }
        ),
        "README.md": model_card(identity.name, identity.revision, facts),
    }
    for name, text in texts.items():
        place(target / name).write_text(text if text.endswith("\n") else f"{text}\n", encoding="utf-8")


def grouped(digest: str) -> str:
    """A hexadecimal digest in groups of eight, so that scanners do not take it for a secret."""
    return " ".join(digest[start : start + 8] for start in range(0, len(digest), 8))


def _description(identity: Identity) -> dict[str, Any]:
    return {
        "format": 1,
        "name": identity.name,
        "revision": identity.revision,
        "space": "pixel",
        "unshuffle": UNSHUFFLE,
        "gsd_m": list(identity.gsd_m),
        "default_times": list(identity.default_times),
        "default_streams": list(identity.default_streams),
        "input_range": [-1, 1],
        "scaling": {"low": [0, 0, 0], "high": [255, 255, 255]},
    }


def _counts(facts: Facts, clean: bool) -> dict[str, Any]:
    """The counts by which a later training goes on from the folder."""
    counts = {COUNTS[NOISED]: asdict(facts.progress)}
    if clean and facts.distillation is not None:
        counts[COUNTS[CLEAN]] = asdict(facts.distillation)
    return counts


def _save(network: Any, written: Path) -> Path:
    weights = {name: value.to(torch.float16).contiguous() for name, value in network.state_dict().items()}
    save_file(weights, written, metadata={"format": "pt"})
    # the safetensors library makes files that only their owner may read
    written.chmod(0o644)
    return written


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
