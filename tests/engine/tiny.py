"""Tiny random backbones in diffusers folders, for tests of the numerical core."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import torch
from diffusers.models.unets.unet_2d import UNet2DModel
from safetensors.torch import save_file

from tests.engine.reference_maker import write_backbone

BETAS = torch.linspace(0.0001, 0.02, 1000).tolist()


def pixel_backbone(
    folder: Path, prediction: str = "v_prediction", unshuffle: int = 2, attention: bool = True, clean: bool = False
) -> Path:
    """A folder with a pixel-space network of two levels, stored in half precision; ``clean`` adds the second one."""
    torch.set_num_threads(1)
    _write_network(folder / "unet", 0, unshuffle, attention)
    if clean:
        _write_network(folder / "clean", 1, unshuffle, attention)
    (folder / "scheduler").mkdir()
    write(folder / "scheduler" / "scheduler_config.json", {"trained_betas": BETAS, "prediction_type": prediction})
    write(
        folder / "satdifuser.json",
        {
            "format": 1,
            "name": "tiny",
            "revision": "1",
            "space": "pixel",
            "unshuffle": unshuffle,
            "gsd_m": [5, 20],
            "default_times": [20, 60],
            "default_streams": [],
            "input_range": [-1, 1],
            "scaling": {"low": [0, 0, 0], "high": [255, 255, 255]},
        },
    )
    return folder


def latent_backbone(folder: Path) -> Path:
    """A folder with a conditioned network on the latents of an autoencoder that makes 4 × 4 pixels one."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    write_backbone(folder)
    save_file({"cond": torch.randn(1, 5, 10)}, folder / "prompt_embeds.safetensors")
    return folder


def _write_network(folder: Path, seed: int, unshuffle: int, attention: bool) -> None:
    torch.manual_seed(seed)
    network = UNet2DModel(
        in_channels=3 * unshuffle**2,
        out_channels=3 * unshuffle**2,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "AttnDownBlock2D" if attention else "DownBlock2D"),
        up_block_types=("AttnUpBlock2D" if attention else "UpBlock2D", "UpBlock2D"),
        attention_head_dim=8,
    )
    folder.mkdir(parents=True)
    network.save_config(folder)
    save_file({k: v.half() for k, v in network.state_dict().items()}, folder / "diffusion_pytorch_model.safetensors")


def write(path: Path, value: object) -> None:
    """A JSON file."""
    path.write_text(json.dumps(value), encoding="utf-8")


def tiny_model(folder: Path) -> Path:
    """A model file of four classes on a tiny backbone; it has learnt next to nothing. ``folder`` must exist."""
    from satdifuser_qgis.engine.outputs import Outputs
    from satdifuser_qgis.engine.reporter import Silent
    from satdifuser_qgis.engine.worker import execute
    from satdifuser_qgis.protocol.trainsegmentation import TrainSegmentationRequest
    from tests.data import write_landscape

    image, labels = write_landscape(folder, height=140, width=150)
    request = TrainSegmentationRequest(
        input=image,
        label_rasters=(labels,),
        model=str(folder / "model.safetensors"),
        backbone=str(pixel_backbone(folder / "tiny")),
        epochs=2,
        scaling=1,
        threads=1,
    )
    execute(request, Silent(), Outputs("made"))
    weigh_features(Path(request.model))
    return Path(request.model)


def weigh_features(model: Path, share: float = 0.5) -> None:
    """Gives fuser and head that share of a model's maps; on images as simple as those of tests training gives none."""
    from satdifuser_qgis.engine.model_file import read_model, write_model

    header, tensors = read_model(model)
    write_model(model, replace(header, decoder=header.decoder | {"share": share}), tensors)
