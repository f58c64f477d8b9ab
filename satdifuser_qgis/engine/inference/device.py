"""Which device computes, from the request's choice."""

from __future__ import annotations

import torch

from ...protocol.choices import DEVICE
from ...protocol.errors import EngineError

_TITLES = {"cpu": "the processor", "cuda": "an NVIDIA GPU (CUDA)", "mps": "an Apple GPU (MPS)"}
# The plugin's installer takes the CPU build, without the GPU libraries of several GB.
_CUDA_BUILD = (
    " To use CUDA, name a Python with a CUDA build of torch in Settings > Options > SatDiFuser, or in the variable "
    "SATDIFUSER_ENGINE_PYTHON."
)


def choose_device(choice: int) -> torch.device:
    """0 takes CUDA, then MPS, then the CPU. A device that is asked for and absent is EngineError("device")."""
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    wanted = DEVICE[choice]
    if wanted == "automatic":
        wanted = next(name for name in ("cuda", "mps", "cpu") if there[name])
    if not there[wanted]:
        usable = ", ".join(name for name, present in there.items() if present)
        raise EngineError(
            "device",
            f"{_TITLES[wanted]} was asked for, but the engine finds none here (torch {torch.__version__}).",
            f"Choose another device ({usable}) or automatic.{_CUDA_BUILD if wanted == 'cuda' else ''}",
        )
    return torch.device(wanted)


def device_title(device: torch.device) -> str:
    """A device's name for logs and reports."""
    if device.type == "cuda":
        return f"CUDA, {torch.cuda.get_device_name(device)}"
    return device.type.upper()
