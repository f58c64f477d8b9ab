"""What a scheduler file says of the noise: how much of the image is left at each time, and what is predicted."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...protocol.errors import EngineError

PREDICTIONS = ("epsilon", "v_prediction", "sample")
# Far more times than any model has; a damaged number must not fill the memory.
_LONGEST = 100_000
_REMEDY = "Copy the backbone's whole folder again."


@dataclass(frozen=True)
class Schedule:
    """Noise levels of a diffusion model.

    ``alphas_cumprod``: (times,), float64 on the CPU, the share of the image's variance that is left at each
    model time. ``prediction_type`` is one of `PREDICTIONS`. ``steps_offset`` shifts the grid of `leading_times`.
    """

    alphas_cumprod: Tensor
    prediction_type: str
    steps_offset: int = 0

    @property
    def length(self) -> int:
        """The number of model times, usually 1000."""
        return len(self.alphas_cumprod)

    def alpha_bar(self, time: float) -> float:
        """The share of the image at one model time; 1 (the clean image) for negative times."""
        return 1.0 if time < 0 else float(self.alphas_cumprod[int(time)])

    def alpha_bars(self, times: Tensor) -> Tensor:
        """`alpha_bar` of many times at once: (B,) of any kind to (B,) float64 on the CPU."""
        times = times.detach().to("cpu", torch.long)
        return torch.where(times < 0, 1.0, self.alphas_cumprod[times.clamp(min=0)])

    def leading_times(self, steps: int) -> list[int]:
        """The grid of ``steps`` times that DDIM walks with "leading" spacing, ascending."""
        if not 1 <= steps <= self.length:
            raise ValueError(f"{steps} steps were asked for, but the schedule allows 1 to {self.length}")
        return [step * (self.length // steps) + self.steps_offset for step in range(steps)]


def read_prediction(output: Tensor, x: Tensor, alpha: float, prediction_type: str) -> tuple[Tensor, Tensor]:
    """Noise and clean image from a network's output at noise level ``alpha`` (0 to 1), for x = √α z + √(1-α) n."""
    signal, noise = math.sqrt(alpha), math.sqrt(max(0.0, 1.0 - alpha))
    if prediction_type == "epsilon":
        return output, (x - noise * output) / signal
    if prediction_type == "v_prediction":
        return signal * output + noise * x, signal * x - noise * output
    if prediction_type == "sample":
        # At the clean end there is no noise to speak of, and the division has no meaning.
        return (x - signal * output) / noise if noise > 0 else torch.zeros_like(x), output
    raise ValueError(f'prediction type "{prediction_type}" is none of {", ".join(PREDICTIONS)}')


def read_schedule(folder: Path) -> Schedule:
    """The schedule in ``folder/scheduler_config.json``. Raises EngineError("bad_model")."""
    path = folder / "scheduler_config.json"
    if not path.is_file():
        raise EngineError("bad_model", f"The backbone has no scheduler: {path} is missing.", _REMEDY)
    config = json.loads(path.read_text(encoding="utf-8"))
    prediction = str(config.get("prediction_type", "epsilon"))
    if prediction not in PREDICTIONS:
        raise EngineError(
            "bad_model",
            f'{path} says prediction_type "{prediction}", which is none of {", ".join(PREDICTIONS)}.',
            "Use a backbone that predicts one of these.",
        )
    alphas = torch.cumprod(1.0 - _betas(config, path), 0)
    if not alphas.isfinite().all():
        raise _broken(path, "rescale_betas_zero_snr", True, "possible with betas that hardly differ")
    return Schedule(alphas, prediction, int(_number(config, "steps_offset", 0, len(alphas) - 1, path)))


def _betas(config: dict[str, Any], path: Path) -> Tensor:
    """Noise added per step, (times,) float64, by diffusers' names of the families. Raises EngineError("bad_model")."""
    count = int(_number(config, "num_train_timesteps", 1000, _LONGEST, path, least=1))
    low, high = _number(config, "beta_start", 0.0001, 1, path), _number(config, "beta_end", 0.02, 1, path)
    family = str(config.get("beta_schedule", "linear"))
    if config.get("trained_betas") is not None:
        betas = torch.tensor(_listed(config["trained_betas"], path), dtype=torch.float64)
    elif family == "linear":
        betas = torch.linspace(low, high, count, dtype=torch.float64)
    elif family == "scaled_linear":
        betas = torch.linspace(low**0.5, high**0.5, count, dtype=torch.float64) ** 2
    elif family == "squaredcos_cap_v2":
        at = torch.arange(count + 1, dtype=torch.float64) / count
        bars = torch.cos((at + 0.008) / 1.008 * math.pi / 2) ** 2
        betas = (1 - bars[1:] / bars[:-1]).clamp(max=0.999)
    else:
        raise EngineError(
            "bad_model",
            f'{path} says beta_schedule "{family}", which is not known.',
            "Known are linear, scaled_linear, squaredcos_cap_v2 and trained_betas.",
        )
    return _without_last_signal(betas) if config.get("rescale_betas_zero_snr") else betas


def _listed(betas: Any, path: Path) -> list[float]:
    """Betas written out one by one. Raises EngineError("bad_model") that names the first that is none."""
    if not isinstance(betas, list) or not betas:
        raise _broken(path, "trained_betas", betas, "a list of numbers from 0 to 1")
    named = {f"trained_betas[{place}]": beta for place, beta in enumerate(betas)}
    return [_number(named, key, 0, 1, path) for key in named]


def _number(config: dict[str, Any], key: str, default: float, most: float, path: Path, least: float = 0) -> float:
    """A number from ``least`` to ``most``. Raises EngineError("bad_model") that names file, key and value."""
    value = config.get(key, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
        raise _broken(path, key, value, f"a number from {least:g} to {most:g}")
    return value


def _broken(path: Path, key: str, value: Any, wanted: str) -> EngineError:
    return EngineError("bad_model", f"{path} says {key} {json.dumps(value)[:80]}, which is not {wanted}.", _REMEDY)


def _without_last_signal(betas: Tensor) -> Tensor:
    """Betas rescaled so that nothing of the image is left at the last time (Lin et al., "zero terminal SNR")."""
    roots = torch.cumprod(1.0 - betas, 0).sqrt()
    first, last = roots[0].clone(), roots[-1].clone()
    bars = ((roots - last) * first / (first - last)) ** 2
    return 1.0 - torch.cat([bars[:1], bars[1:] / bars[:-1]])
