"""What the throughput benchmark works on: a synthetic image, a latent backbone and models, all of random numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
import torch
from rasterio.enums import ColorInterp
from rasterio.windows import Window as Area

from satdifuser_qgis.engine.backbones import load_backbone
from satdifuser_qgis.engine.decoder import DecoderConfig
from satdifuser_qgis.engine.features import Extractor, Recipe
from satdifuser_qgis.engine.model_file import BackboneReference, ModelHeader, write_model
from satdifuser_qgis.engine.raster.normalise import Scaling
from satdifuser_qgis.engine.tasks.trainsegmentation import HEAD_CHANNELS, TILE_PX
from satdifuser_qgis.engine.training.loop import new_decoder
from satdifuser_qgis.protocol.classes import PALETTE, LandCoverClass
from satdifuser_qgis.protocol.codec import to_plain

TIMES = (1, 101, 201)
GSD_M = 10.0
SEED = 0
STRIP_PX = 256
CLASSES = 4


def write_image(path: Path, height: int, width: int) -> str:
    """Three bands of 8 bit in a tiled GeoTIFF, written strip by strip: waves of some hundred pixels, and noise."""
    rng = np.random.default_rng(SEED)
    profile = {"driver": "GTiff", "tiled": True, "blockxsize": STRIP_PX, "blockysize": STRIP_PX, "crs": "EPSG:32633"}
    profile |= {"count": 3, "dtype": "uint8", "height": height, "width": width}
    place = rasterio.Affine(GSD_M, 0, 300_000, 0, -GSD_M, 5_200_000)
    across = np.sin(np.arange(width) / 53)
    with rasterio.open(path, "w", transform=place, **profile) as file:
        file.colorinterp = [ColorInterp.red, ColorInterp.green, ColorInterp.blue]
        for row in range(0, height, STRIP_PX):
            rows = np.arange(row, min(row + STRIP_PX, height))
            waves = 90 + 40 * np.outer(np.sin(rows / 71), across)
            noise = rng.integers(0, 60, (3, len(rows), width), np.uint8)
            file.write(waves.astype(np.uint8) + noise, window=Area(0, row, width, len(rows)))
    return str(path)


def latent_backbone(folder: Path) -> str:
    """A diffusers folder of Stable Diffusion's shape and schedule with random weights: the U-Net a tenth as wide, the
    autoencoder a sixteenth; 77 tokens of a stored prompt."""
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from safetensors.torch import save_file

    torch.manual_seed(SEED)
    UNet2DConditionModel(
        block_out_channels=(32, 64, 128, 128), cross_attention_dim=64, attention_head_dim=8, norm_num_groups=8
    ).save_pretrained(folder / "unet")
    AutoencoderKL(
        block_out_channels=(8, 16, 32, 32),
        layers_per_block=2,
        norm_num_groups=8,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
    ).save_pretrained(folder / "vae")
    DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1).save_pretrained(
        folder / "scheduler"
    )
    save_file({"cond": torch.randn(1, 77, 64)}, folder / "prompt_embeds.safetensors")
    return str(folder)


def write_random_model(path: Path, backbone: str) -> Path:
    """A model file as training writes it by default (global weighted fusion, light head, the pixels beside them), with
    noised features at `TIMES`; its decoder has learnt nothing. backbone: a folder or a shipped name."""
    device = torch.device("cpu")
    loaded = load_backbone(backbone, device)
    extractor = Extractor(loaded, Recipe(TIMES), device)
    classes = tuple(LandCoverClass(code, f"class {code}", PALETTE[code]) for code in range(1, CLASSES + 1))
    config = DecoderConfig(
        fusion="global",
        head="light",
        scales=tuple(extractor.scales),
        times=TIMES,
        classes=len(classes),
        side_channels=3,
        head_channels=HEAD_CHANNELS["light"],
        pixels=True,
        share=0.9,
    )
    header = ModelHeader(
        name="throughput",
        classes=classes,
        bands=(1, 2, 3),
        band_names=("", "", ""),
        scaling=Scaling("constant", (0.0,) * 3, (255.0,) * 3),
        gsd_m=GSD_M,
        tile_px=TILE_PX[loaded.space],
        backbone=BackboneReference(backbone, loaded.name, loaded.revision, loaded.digest),
        features=to_plain(extractor.recipe),
        decoder=to_plain(config),
    )
    write_model(path, header, new_decoder(config, SEED).state_dict())
    return path
