"""Between images and what a network works on: folded pixels, or the latents of an autoencoder."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class PixelCodec(nn.Module):
    """Folds blocks of ``factor`` × ``factor`` pixels into channels; nothing is lost or learnt."""

    def __init__(self, factor: int, image_channels: int = 3) -> None:
        super().__init__()
        self.factor = factor
        self.channels = image_channels * factor**2

    def encode(self, images: Tensor, noise: Tensor | None = None) -> Tensor:
        """(B,3,H,W) → (B,3·factor²,H/factor,W/factor). There is nothing to sample, so ``noise`` changes nothing."""
        return functional.pixel_unshuffle(images, self.factor)

    def decode(self, x: Tensor) -> Tensor:
        """The way back."""
        return functional.pixel_shuffle(x, self.factor)


class VaeCodec(nn.Module):
    """A diffusers AutoencoderKL. ``scale`` multiplies its latents, as the network was trained."""

    def __init__(self, vae: Any, scale: float | None = None) -> None:
        super().__init__()
        self.vae: Any = vae
        self.factor = 2 ** (len(vae.config.block_out_channels) - 1)
        self.channels = int(vae.config.latent_channels)
        self.scale = float(vae.config.scaling_factor) if scale is None else scale

    def posterior(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the variance of the latents, unscaled."""
        found = self.vae.encode(images).latent_dist
        return found.mean, found.logvar

    def encode(self, images: Tensor, noise: Tensor | None = None) -> Tensor:
        """(B,3,H,W) → (B,c,h,w): the posterior's mode, or with ``noise`` a sample as the published code takes it."""
        mean, logvar = self.posterior(images)
        if noise is not None:
            mean = mean + torch.exp(0.5 * logvar) * noise
        return mean * self.scale

    def decode(self, x: Tensor) -> Tensor:
        """(B,c,h,w) → (B,3,H,W)."""
        return self.vae.decode(x / self.scale).sample
