"""Where a training stands: weights, their average, the optimiser's moments and counts, in one safetensors file."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from ....protocol.errors import EngineError

CHECKPOINT = "checkpoint.safetensors"
EMA_DECAY = 0.999


@dataclass
class Progress:
    """Counts over all sittings. ``losses`` maps a name to its latest mean."""

    step: int = 0
    views: int = 0
    pixels: int = 0
    seconds: float = 0.0
    sittings: int = 0
    losses: dict[str, float] = field(default_factory=dict)
    hardware: list[str] = field(default_factory=list)
    settings: dict[str, float] = field(default_factory=dict)


class State:
    """A model in training with the moving average of its weights."""

    def __init__(self, model: Any, optimizer: torch.optim.AdamW) -> None:
        self.model = model
        self.optimizer = optimizer
        self.progress = Progress()
        self.average = {name: value.detach().clone() for name, value in model.state_dict().items()}

    def follow(self) -> None:
        """Moves the average towards the weights; faster in the first steps."""
        decay = min(EMA_DECAY, (1 + self.progress.step) / (10 + self.progress.step))
        with torch.no_grad():
            for name, value in self.model.state_dict().items():
                self.average[name].lerp_(value, 1 - decay)

    def save(self, folder: Path) -> None:
        """Writes the checkpoint, replacing the last one only when the new one is whole."""
        tensors: dict[str, Tensor] = {}
        for name, value in self.model.state_dict().items():
            tensors[f"model.{name}"] = value
            tensors[f"average.{name}"] = self.average[name]
        for name, parameter in self.model.named_parameters():
            for moment in ("exp_avg", "exp_avg_sq"):
                if moment in self.optimizer.state.get(parameter, {}):
                    tensors[f"{moment}.{name}"] = self.optimizer.state[parameter][moment]
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{CHECKPOINT}.part"
        plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        save_file(plain, part, metadata={"progress": json.dumps(asdict(self.progress))})
        os.replace(part, folder / CHECKPOINT)

    def adopt(self, backbone: Path) -> bool:
        """Goes on from a written backbone: its averaged weights and counts, without moments; False where it cannot.

        The checkpoint is too large to be kept beside the code; this loses some hundred steps at most.
        """
        written = read_written(backbone)
        own = self.model.unet.state_dict()
        if written is None or {k: v.shape for k, v in written[0].items()} != {k: v.shape for k, v in own.items()}:
            return False
        weights, self.progress = written
        self.model.unet.load_state_dict(weights)
        for name, value in weights.items():
            self.average[f"unet.{name}"].copy_(value)
        return True

    def load(self, folder: Path) -> bool:
        """Takes up the checkpoint in ``folder``; False where there is none.

        Raises EngineError("bad_input") for one of another network.
        """
        if not (folder / CHECKPOINT).exists():
            return False
        tensors, self.progress = read_checkpoint(folder)
        weights = _under(tensors, "model.")
        if {k: v.shape for k, v in weights.items()} != {k: v.shape for k, v in self.model.state_dict().items()}:
            raise EngineError(
                "bad_input", f'The checkpoint in "{folder}" belongs to another network.', "Choose an empty run folder."
            )
        self.model.load_state_dict(weights)
        for name, value in _under(tensors, "average.").items():
            self.average[name].copy_(value)
        first, second = _under(tensors, "exp_avg."), _under(tensors, "exp_avg_sq.")
        for name, parameter in self.model.named_parameters():
            if name in first:
                self.optimizer.state[parameter] = {
                    "step": torch.tensor(float(self.progress.step), device=_counter_device(parameter)),
                    "exp_avg": torch.empty_like(parameter).copy_(first[name]),
                    "exp_avg_sq": torch.empty_like(parameter).copy_(second[name]),
                }
        return True


def read_written(backbone: Path) -> tuple[dict[str, Tensor], Progress] | None:
    """Weights (float32) and counts of a folder that `export` wrote; None where there is none with counts."""
    card, weights = backbone / "satdifuser.json", backbone / "unet" / "diffusion_pytorch_model.safetensors"
    if not (card.exists() and weights.exists()):
        return None
    training = json.loads(card.read_text(encoding="utf-8")).get("training")
    if training is None:
        return None
    return {name: value.float() for name, value in load_file(weights).items()}, Progress(**training)


def read_checkpoint(folder: Path) -> tuple[dict[str, Tensor], Progress]:
    """Tensors on the CPU and counts of the checkpoint in ``folder``. Raises EngineError("bad_input") without one."""
    if not (folder / CHECKPOINT).exists():
        raise EngineError("bad_input", f'There is no checkpoint in "{folder}".', "Train for some minutes first.")
    with safe_open(folder / CHECKPOINT, framework="pt") as stored:
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (no mapping)
        progress = Progress(**json.loads(stored.metadata()["progress"]))
    return tensors, progress


def averaged_unet(folder: Path) -> tuple[dict[str, Tensor], Progress]:
    """The averaged weights of the UNet alone, and the counts."""
    tensors, progress = read_checkpoint(folder)
    return _under(tensors, "average.unet."), progress


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}


def _counter_device(parameter: Tensor) -> torch.device:
    """Where a fused optimiser keeps its step count: beside the parameter."""
    return parameter.device
