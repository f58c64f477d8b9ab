"""Where a training stands: weights, their average, the optimiser's moments and counts."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from ....protocol.errors import EngineError
from .checkpoint import Progress, progress_from, read_checkpoint, write_checkpoint

NOISED, CLEAN = "checkpoint", "clean"
UNETS = {NOISED: "unet", CLEAN: "clean"}
# Where the written folder's card keeps the counts of each.
COUNTS = {NOISED: "training", CLEAN: "distillation"}
WEIGHTS = "diffusion_pytorch_model.safetensors"
EMA_DECAY = 0.999


class State:
    """A model in training, named after its checkpoint, with the moving average of its weights as a second model."""

    def __init__(self, name: str, model: Any, optimizer: torch.optim.AdamW) -> None:
        self.name = name
        self.model = model
        self.optimizer = optimizer
        self.progress = Progress()
        self.average = copy.deepcopy(model).requires_grad_(False)
        self._pairs = list(zip(self.average.parameters(), model.parameters()))

    @torch.no_grad()
    def follow(self) -> None:
        """Moves the average towards the weights; faster in the first steps."""
        decay = min(EMA_DECAY, (1 + self.progress.step) / (10 + self.progress.step))
        for average, value in self._pairs:
            average.lerp_(value, 1 - decay)

    def save(self, folder: Path, part_mb: float = 0.0) -> None:
        """Writes the checkpoint, see `write_checkpoint`."""
        tensors: dict[str, Tensor] = {}
        for name, value in self.model.state_dict().items():
            tensors[f"model.{name}"] = value
        for name, value in self.average.state_dict().items():
            tensors[f"average.{name}"] = value
        for name, parameter in self.model.named_parameters():
            for moment in ("exp_avg", "exp_avg_sq"):
                if moment in self.optimizer.state.get(parameter, {}):
                    tensors[f"{moment}.{name}"] = self.optimizer.state[parameter][moment]
        write_checkpoint(folder, self.name, tensors, self.progress, part_mb)

    def adopt(self, backbone: Path) -> bool:
        """Goes on from a written backbone: its averaged weights and counts, without moments; False where it cannot.

        A checkpoint is too large to be kept beside the code; this loses some hundred steps at most.
        """
        written = read_written(backbone)
        if written is None or not _fits(written[0], self.model.unet):
            return False
        weights, self.progress = written
        self.progress.begun_at = self.progress.step
        for model in (self.model, self.average):
            model.unet.load_state_dict(weights, strict=False)
        return True

    def load(self, folder: Path) -> bool:
        """Takes up the checkpoint in ``folder``; False where there is none. What the checkpoint does not know yet,
        such as an embedding that was added since, begins anew.

        Raises EngineError("bad_input") for one of another network.
        """
        found = read_checkpoint(folder, self.name)
        if found is None:
            return False
        tensors, self.progress = found
        weights, averages = under(tensors, "model."), under(tensors, "average.")
        if not _fits(weights, self.model):
            raise EngineError(
                "bad_input", f'The checkpoint in "{folder}" belongs to another network.', "Choose an empty run folder."
            )
        self.model.load_state_dict(weights, strict=False)
        self.average.load_state_dict(averages, strict=False)
        first, second = under(tensors, "exp_avg."), under(tensors, "exp_avg_sq.")
        steps = float(self.progress.own_steps)
        for name, parameter in self.model.named_parameters():
            if name in first:
                self.optimizer.state[parameter] = {
                    # a fused optimiser keeps its step count beside the parameter
                    "step": torch.tensor(steps, device=parameter.device),
                    "exp_avg": torch.empty_like(parameter).copy_(first[name]),
                    "exp_avg_sq": torch.empty_like(parameter).copy_(second[name]),
                }
        return True


def read_written(backbone: Path, name: str = NOISED) -> tuple[dict[str, Tensor], Progress] | None:
    """Weights (float32) and counts of a network that `export` wrote; None where there is none with counts."""
    card, weights = backbone / "satdifuser.json", backbone / UNETS[name] / WEIGHTS
    if not (card.exists() and weights.exists()):
        return None
    counts = json.loads(card.read_text(encoding="utf-8")).get(COUNTS[name])
    if counts is None:
        return None
    return {key: value.float() for key, value in load_file(weights).items()}, progress_from(counts)


def averaged_unet(folder: Path, backbone: Path) -> tuple[dict[str, Tensor], Progress]:
    """The averaged weights of the UNet alone and the counts: of the checkpoint, else of the written backbone.

    Raises EngineError("bad_input") where there is neither.
    """
    found = read_checkpoint(folder, NOISED)
    if found is not None:
        return under(found[0], "average.unet."), found[1]
    written = read_written(backbone)
    if written is None:
        raise EngineError("bad_input", f'There is no checkpoint in "{folder}".', "Train for some minutes first.")
    return written


def read_clean(folder: Path, step: int, backbone: Path | None = None) -> tuple[dict[str, Tensor], Progress] | None:
    """The averaged weights and counts of the student whose teacher stood at ``step``: of the checkpoint, else of the
    written backbone, if one is named; None where there is none.
    """
    found = read_checkpoint(folder, CLEAN)
    if found is not None and found[1].settings.get("teacher_step") == step:
        return under(found[0], "average.unet."), found[1]
    written = None if backbone is None else read_written(backbone, CLEAN)
    return None if written is None or written[1].settings.get("teacher_step") != step else written


def under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Those tensors whose names begin so, without that beginning."""
    return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}


def _fits(weights: dict[str, Tensor], model: Any) -> bool:
    own = {name: value.shape for name, value in model.state_dict().items()}
    return all(own.get(name) == value.shape for name, value in weights.items())
