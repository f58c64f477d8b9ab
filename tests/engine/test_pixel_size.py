"""A pixel-space network that takes the pixel size is read and called as it was trained for an unknown one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers.models.unets.unet_2d import UNet2DModel
from safetensors.torch import save_file
from tiny import pixel_backbone

from satdifuser_qgis.engine.backbones import load_backbone

CPU = torch.device("cpu")


def sized(folder: Path, last_layer: float) -> Path:
    """The tiny backbone with an embedding of the pixel size, whose last layer holds one number."""
    plain = UNet2DModel.from_pretrained(pixel_backbone(folder), subfolder="unet")
    network = UNet2DModel.from_config({**plain.config, "class_embed_type": "timestep"})
    network.load_state_dict(plain.state_dict(), strict=False)
    for tensor in network.class_embedding.linear_2.parameters():
        torch.nn.init.constant_(tensor, last_layer)
    network.save_config(folder / "unet")
    save_file(network.state_dict(), folder / "unet" / "diffusion_pytorch_model.safetensors")
    return folder


def test_an_embedding_of_zeros_leaves_the_outputs_as_they_were(tmp_path: Path) -> None:
    plain = load_backbone(str(pixel_backbone(tmp_path / "plain")), CPU)
    grown = load_backbone(str(sized(tmp_path / "grown", 0.0)), CPU)
    x, times = torch.randn(2, 12, 8, 8), torch.tensor([20, 60])
    torch.testing.assert_close(grown.denoise(x, times), plain.denoise(x, times))
    assert [stream.name for stream in grown.streams()] == [stream.name for stream in plain.streams()]


def test_an_unknown_pixel_size_is_the_number_0(tmp_path: Path) -> None:
    backbone = load_backbone(str(sized(tmp_path, 0.1)), CPU)
    x, times = torch.randn(2, 12, 8, 8), torch.tensor([20.0, 60.0])
    expected = backbone.network(x, times, class_labels=torch.zeros(2)).sample
    torch.testing.assert_close(backbone.denoise(x, times), expected)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(backbone.network(x, times, class_labels=torch.full((2,), 1e4)).sample, expected)
