"""What is trained: a compact pixel-space UNet that predicts v, and a small head that tells crops of one tile apart.

The auxiliary contrast needs no labels and no second pass: it reads pooled maps of the middle and of the decoder, which
are the maps that segmentation reads later.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers import DDIMScheduler, UNet2DModel
from torch import Tensor, nn
from torch.nn import functional

UNSHUFFLE = 2
WIDTHS = (32, 64, 96, 128)
NORM_GROUPS = 8
TRAIN_STEPS = 1000
# EDM's log-normal noise levels (Karras et al. 2022): most of the effort lies where features are read.
LOG_SIGMA_MEAN, LOG_SIGMA_STD = -1.2, 1.2
UNIFORM_SHARE = 0.1
TEMPERATURE = 0.2
BUCKETS = (0, 25, 50, 100, 200, 300, 400, 600, 800, TRAIN_STEPS)


def build_scheduler() -> DDIMScheduler:
    """The noise schedule, as it is stored beside the weights."""
    return DDIMScheduler(
        num_train_timesteps=TRAIN_STEPS,
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=0,
    )


def build_unet(sample_px: int, widths: tuple[int, ...] = WIDTHS) -> UNet2DModel:
    """The untrained network for tiles of ``sample_px``, which are pixel-unshuffled before they enter it.

    No attention: cost per pixel stays the same at every tile size. Few groups in the norms, since normalised maps
    lose absolute colour and contrast.
    """
    channels = 3 * UNSHUFFLE**2
    return UNet2DModel(
        sample_size=sample_px // UNSHUFFLE,
        in_channels=channels,
        out_channels=channels,
        layers_per_block=2,
        block_out_channels=widths,
        norm_num_groups=NORM_GROUPS,
        down_block_types=("DownBlock2D",) * len(widths),
        up_block_types=("UpBlock2D",) * len(widths),
        add_attention=False,
    )


class Pretrainer(nn.Module):
    """The UNet with the contrast head; one call gives what both losses need."""

    def __init__(self, unet: Any, width: int = 128) -> None:
        super().__init__()
        self.unet = unet
        self._maps: list[Tensor] = []
        for block in (unet.mid_block, *unet.up_blocks):
            block.register_forward_hook(self._keep)
        widths = [unet.config["block_out_channels"][-1], *reversed(unet.config["block_out_channels"])]
        self.projector = nn.Sequential(
            nn.Linear(2 * sum(widths), 512), nn.LayerNorm(512), nn.GELU(), nn.Linear(512, width)
        )

    def _keep(self, module: nn.Module, inputs: Any, output: Tensor) -> None:
        self._maps.append(output)

    def forward(self, noisy: Tensor, times: Tensor) -> tuple[Tensor, Tensor]:
        """Predicted v (B, 3 f², H/f, W/f) and an embedding of unit length (B, width) of each noisy input."""
        self._maps.clear()
        velocity = self.unet(noisy, times).sample
        pooled = [statistic for kept in self._maps for statistic in _pool(kept)]
        self._maps.clear()
        return velocity, functional.normalize(self.projector(torch.cat(pooled, dim=1)).float(), dim=1)


class Noise:
    """Draws times and noise, on one device, from a generator."""

    def __init__(self, alphas_cumprod: Tensor, device: torch.device) -> None:
        alphas = alphas_cumprod.double().to(device)
        self.signal = alphas.sqrt().float()
        self.sigma = (1 - alphas).sqrt().float()
        self._log_ratio = (0.5 * torch.log((1 - alphas) / alphas)).float()

    def times(self, count: int, generator: torch.Generator) -> Tensor:
        """Model times (count,): log-normal noise levels, a tenth of them uniform so that sampling works too."""
        device = self.signal.device
        draw = torch.rand((2, count), generator=generator, device=device)
        level = LOG_SIGMA_MEAN + LOG_SIGMA_STD * torch.randn(count, generator=generator, device=device)
        times = torch.searchsorted(self._log_ratio, level).clamp(0, TRAIN_STEPS - 1)
        return torch.where(draw[0] < UNIFORM_SHARE, (draw[1] * TRAIN_STEPS).long(), times)

    def apply(self, clean: Tensor, times: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The noisy input and the v that the network shall predict, both shaped as ``clean`` (B, C, H, W)."""
        noise = torch.randn(clean.shape, generator=generator, device=clean.device)
        signal, sigma = (table[times][:, None, None, None] for table in (self.signal, self.sigma))
        return signal * clean + sigma * noise, signal * noise - sigma * clean


def contrast_loss(embeddings: Tensor) -> Tensor:
    """InfoNCE between the two halves (2n, D) of a batch: row i and row n + i come from one tile."""
    count = len(embeddings) // 2
    similarity = embeddings @ embeddings.T / TEMPERATURE
    similarity.fill_diagonal_(float("-inf"))
    partner = torch.arange(2 * count, device=embeddings.device).roll(count)
    return functional.cross_entropy(similarity, partner)


def _pool(values: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (B, C) of maps (B, C, H, W); the small constant keeps the root's slope finite."""
    variance, mean = torch.var_mean(values.float(), dim=(2, 3), correction=0)
    return mean, (variance + 1e-4).sqrt()
