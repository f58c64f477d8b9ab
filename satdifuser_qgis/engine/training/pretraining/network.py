"""What is trained: a compact pixel-space UNet that predicts v, and small heads that tell tiles apart.

Beside denoising two losses need no labels. Contrast (InfoNCE): crops of one tile are alike, of strangers not. Alignment
(Grill et al. 2020, "BYOL"; across noise levels as in SRA, arXiv 2505.02831): a noisy crop tells what the averaged
network says of another crop of the tile with little noise. Both read pooled maps of the middle and of the decoder, so
that all blocks learn from them.
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
# Times below this are "little noise".
LOW_TIMES = 100
TEMPERATURE = 0.2
# EuroSAT's tiles lie 0.65 km apart; beside each other or overlapping they show the same ground.
NEIGHBOUR_KM = 1.5
# Decoder blocks whose maps are worth reading, from the end, and at which time: docs/decisions/0017.
READ_BLOCKS = 2
READ_TIME = 1
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
    lose absolute colour and contrast. The pixel size enters as a class label of type "timestep", see `size_numbers`;
    that embedding begins with zeros, so that weights without it go on as they were.
    """
    channels = 3 * UNSHUFFLE**2
    unet = UNet2DModel(
        sample_size=sample_px // UNSHUFFLE,
        in_channels=channels,
        out_channels=channels,
        layers_per_block=2,
        block_out_channels=widths,
        norm_num_groups=NORM_GROUPS,
        down_block_types=("DownBlock2D",) * len(widths),
        up_block_types=("UpBlock2D",) * len(widths),
        add_attention=False,
        class_embed_type="timestep",
    )
    for parameter in unet.class_embedding.linear_2.parameters():
        nn.init.zeros_(parameter)
    return unet


class Pretrainer(nn.Module):
    """The UNet with the heads of the label-free losses; one call gives what all of them need."""

    def __init__(self, unet: Any, width: int = 128) -> None:
        super().__init__()
        self.unet = unet
        self._maps: list[Tensor] = []
        for block in (unet.mid_block, *unet.up_blocks):
            block.register_forward_hook(self._keep)
        widths = [unet.config["block_out_channels"][-1], *reversed(unet.config["block_out_channels"])]
        self.projector = _head(2 * sum(widths), width)
        self.predictor = _head(width, width)

    def _keep(self, module: nn.Module, inputs: Any, output: Tensor) -> None:
        self._maps.append(output)

    def forward(self, noisy: Tensor, times: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of noisy inputs (B, 3 f², H/f, W/f): predicted v, shaped as they are, and two vectors of unit length (B, D):
        what the input's maps say of its tile, and what another crop of that tile is expected to say.

        sizes: (B,) numbers of `size_numbers`.
        """
        self._maps.clear()
        velocity = self.unet(noisy, times, sizes).sample
        pooled = torch.cat([statistic for kept in self._maps for statistic in _pool(kept)], dim=1)
        self._maps.clear()
        told = self.projector(pooled)
        expected = self.predictor(told)
        return velocity, functional.normalize(told.float(), dim=1), functional.normalize(expected.float(), dim=1)


def _head(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, 512), nn.LayerNorm(512), nn.GELU(), nn.Linear(512, outputs))


def size_numbers(gsd_m: Tensor, unknown: Tensor) -> Tensor:
    """What the network is told of the pixel size: metres times 1000, as DiffusionSat does, and 0 where unknown."""
    return torch.where(unknown, torch.zeros_like(gsd_m), gsd_m * 1000)


def read_streams(unet: Any) -> tuple[str, ...]:
    """Module paths of what land cover is read from: outputs of the residual blocks, after their additions, of the last
    two decoder blocks, in the order of computation. docs/decisions/0017 has the measurements.
    """
    last = list(enumerate(unet.up_blocks))[-READ_BLOCKS:]
    return tuple(f"up_blocks.{number}.resnets.{i}" for number, block in last for i in range(len(block.resnets)))


class StreamReader(nn.Module):
    """Gives the maps of `read_streams`."""

    def __init__(self, unet: Any) -> None:
        super().__init__()
        modules = [unet.get_submodule(name) for name in read_streams(unet)]
        self.channels = tuple(module.out_channels for module in modules)
        self._maps: list[Tensor] = []
        # in a list, so that the network is not counted among this module's own parameters
        self._unet = [unet]
        self._hooks = [module.register_forward_hook(self._keep) for module in modules]

    def _keep(self, module: nn.Module, inputs: Any, output: Tensor) -> None:
        self._maps.append(output)

    def forward(self, noisy: Tensor, times: Tensor, sizes: Tensor) -> list[Tensor]:
        """One map (B, C, h, w) a stream."""
        self._maps.clear()
        self._unet[0](noisy, times, sizes)
        maps = list(self._maps)
        self._maps.clear()
        return maps

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self._unet[0].parameters()).device

    def close(self) -> None:
        """Takes its hooks off the network."""
        for hook in self._hooks:
            hook.remove()


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

    def low_times(self, count: int, generator: torch.Generator) -> Tensor:
        """Model times (count,) of little noise, uniform."""
        return torch.randint(LOW_TIMES, (count,), generator=generator, device=self.signal.device)

    def apply(self, clean: Tensor, times: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The noisy input and the v that the network shall predict, both shaped as ``clean`` (B, C, H, W)."""
        noise = torch.randn(clean.shape, generator=generator, device=clean.device)
        signal, sigma = (table[times][:, None, None, None] for table in (self.signal, self.sigma))
        return signal * clean + sigma * noise, signal * noise - sigma * clean


def contrast_loss(told: Tensor, places: Tensor) -> Tensor:
    """InfoNCE between the two halves (2n, D) of a batch: row i and row n + i come from one tile.

    places: (n, 2) in km. Crops of the same or of a neighbouring tile are not taken for strangers.
    """
    count = len(places)
    partner = torch.arange(2 * count, device=told.device).roll(count)
    near = ((places[:, None] - places[None]).abs().amax(dim=2) < NEIGHBOUR_KM).repeat(2, 2)
    stranger = ~near
    stranger = stranger.scatter(1, partner[:, None], torch.ones_like(stranger))
    similarity = (told @ told.T / TEMPERATURE).masked_fill(~stranger, float("-inf"))
    return functional.cross_entropy(similarity, partner)


def alignment_loss(expected: Tensor, told: Tensor) -> Tensor:
    """Squared distance of unit vectors (n, D), 0 to 4: what was expected of a tile from what the teacher says of it."""
    return (2 - 2 * (expected * told.detach()).sum(dim=1)).mean()


def _pool(values: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (B, C) of maps (B, C, H, W); the small constant keeps the root's slope finite."""
    variance, mean = torch.var_mean(values.float(), dim=(2, 3), correction=0)
    return mean, (variance + 1e-4).sqrt()
