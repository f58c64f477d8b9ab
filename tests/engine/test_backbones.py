"""Backbones: folders in, one object out."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from tiny import BETAS, pixel_backbone, write

from benchmarks.throughput_inputs import latent_backbone
from satdifuser_qgis.engine.backbones import Backbone, load_backbone
from satdifuser_qgis.engine.backbones.schedule import read_prediction, read_schedule
from satdifuser_qgis.protocol.errors import EngineError

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def pixel(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    return load_backbone(str(pixel_backbone(tmp_path_factory.mktemp("pixel"))), CPU)


@pytest.fixture
def latent(shared_reference: Path) -> Backbone:
    return load_backbone(str(shared_reference / "inversion" / "backbone"), CPU)


def test_a_pixel_folder_tells_what_it_is(pixel: Backbone) -> None:
    assert (pixel.name, pixel.revision, pixel.space) == ("tiny", "1", "pixel")
    assert (pixel.factor, pixel.channels, pixel.size_multiple) == (2, 12, 4)
    assert pixel.prediction_type == "v_prediction"
    assert pixel.default_times == (20, 60)
    assert pixel.gsd_m == (5, 20)
    assert len(pixel.digest) == 64
    assert not pixel.has_metadata


def test_half_precision_weights_become_float32(pixel: Backbone) -> None:
    assert {p.dtype for p in pixel.network.parameters()} == {torch.float32}


def test_pixel_streams_are_found_by_class_with_their_strides(pixel: Backbone) -> None:
    found = {s.name: s for s in pixel.streams()}
    assert found["up_blocks.1.resnets.1.conv2"].stride == 2
    assert found["mid_block.resnets.0.conv2"].stride == 4
    assert found["up_blocks.0.attentions.0"].kind == "attention"
    assert pixel.default_streams[0] == "mid_block.resnets.0.conv2"
    assert all(name.endswith("conv2") for name in pixel.default_streams)


def test_a_latent_folder_streams_are_the_published_21(latent: Backbone) -> None:
    assert (latent.space, latent.factor, latent.size_multiple) == ("latent", 8, 64)
    assert len(latent.default_streams) == 21
    assert latent.default_times == (21, 61, 161)
    strides = {s.stride for s in latent.streams() if s.name in latent.default_streams}
    assert strides == {8, 16, 32, 64}


@pytest.mark.parametrize("size", [(4, 4), (8, 12), (20, 8)])
def test_contract_output_is_finite_shaped_and_independent_of_the_batch(pixel: Backbone, size: tuple[int, int]) -> None:
    images = torch.rand(3, 3, *size, generator=torch.Generator().manual_seed(1)) * 2 - 1
    x = pixel.encode(images)
    together = pixel.denoise(x, torch.tensor([1, 50, 900]))
    alone = torch.cat([pixel.denoise(x[i : i + 1], torch.tensor([t])) for i, t in enumerate((1, 50, 900))])
    assert together.shape == x.shape
    assert torch.isfinite(together).all()
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


def test_pixels_survive_the_way_there_and_back(pixel: Backbone) -> None:
    images = torch.rand(2, 3, 8, 12)
    assert torch.equal(pixel.codec.decode(pixel.encode(images)), images)


@pytest.mark.parametrize("family", ["linear", "scaled_linear", "squaredcos_cap_v2", "trained"])
@pytest.mark.parametrize("rescale", [False, True])
def test_noise_levels_are_diffusers_own(family: str, rescale: bool, tmp_path: Path) -> None:
    config: dict[str, object] = {"beta_schedule": family, "rescale_betas_zero_snr": rescale, "steps_offset": 1}
    if family == "trained":
        config |= {"beta_schedule": "linear", "trained_betas": BETAS}
    write(tmp_path / "scheduler_config.json", config)
    ours, theirs = read_schedule(tmp_path), DDIMScheduler.from_config(config)
    torch.testing.assert_close(ours.alphas_cumprod.float(), theirs.alphas_cumprod, atol=2e-5, rtol=2e-4)
    theirs.set_timesteps(25)
    assert ours.leading_times(25) == theirs.timesteps.flip(0).tolist()
    assert ours.alpha_bar(-1) == 1.0


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "sample"])
def test_every_prediction_type_gives_back_noise_and_image(kind: str) -> None:
    clean, noise, alpha = torch.randn(2, 3), torch.randn(2, 3), 0.8
    x = alpha**0.5 * clean + (1 - alpha) ** 0.5 * noise
    output = {"epsilon": noise, "v_prediction": alpha**0.5 * noise - (1 - alpha) ** 0.5 * clean, "sample": clean}[kind]
    for found, expected in zip(read_prediction(output, x, alpha, kind), (noise, clean)):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_an_unknown_name_says_what_there_is() -> None:
    with pytest.raises(EngineError, match="none that comes with the plugin") as caught:
        load_backbone("no-such-backbone", CPU)
    assert caught.value.code == "bad_model"


@pytest.mark.parametrize(
    ("part", "change", "words"),
    [
        ("unet/config.json", {"_class_name": "Evil"}, "is not known"),
        ("unet/config.json", {"block_out_channels": [8, 24]}, "do not fit"),
        ("scheduler/scheduler_config.json", {"prediction_type": "flow"}, "prediction_type"),
        ("scheduler/scheduler_config.json", {"beta_schedule": "odd", "trained_betas": None}, "beta_schedule"),
        ("satdifuser.json", {"unshuffle": 4}, "12 channels"),
        ("satdifuser.json", {"format": 2}, "format 2"),
        ("satdifuser.json", {"gsd_m": "ten"}, "do not describe one"),
        ("satdifuser.json", {"default_times": [1000]}, "run from 0 to 999"),
    ],
)
def test_a_folder_that_does_not_fit_is_refused(
    part: str, change: dict[str, object], words: str, tmp_path: Path
) -> None:
    folder = pixel_backbone(tmp_path / "b")
    config = json.loads((folder / part).read_text())
    write(folder / part, config | change)
    with pytest.raises(EngineError, match=words) as caught:
        load_backbone(str(folder), CPU)
    assert caught.value.code == "bad_model"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"trained_betas": []}, r"trained_betas \[\], which is not a list"),
        ({"trained_betas": "odd"}, 'trained_betas "odd"'),
        ({"trained_betas": [0.1, None]}, r"trained_betas\[1\] null, which is not a number from 0 to 1"),
        ({"trained_betas": [0.1, float("nan"), 0.2]}, r"trained_betas\[1\] NaN"),
        ({"trained_betas": [-0.5]}, r"trained_betas\[0\] -0.5"),
        ({"trained_betas": [0.1, 0.1], "rescale_betas_zero_snr": True, "steps_offset": 2}, "steps_offset 2"),
        ({"trained_betas": [0.1], "rescale_betas_zero_snr": True}, "rescale_betas_zero_snr true"),
        ({"trained_betas": None, "beta_start": -1, "beta_schedule": "scaled_linear"}, "beta_start -1"),
        ({"trained_betas": None, "beta_end": "high"}, 'beta_end "high"'),
        ({"trained_betas": None, "num_train_timesteps": 0}, "num_train_timesteps 0"),
        ({"trained_betas": None, "num_train_timesteps": 10**12}, "num_train_timesteps 1000000000000"),
    ],
)
def test_a_broken_schedule_names_file_and_value(change: dict[str, object], words: str, tmp_path: Path) -> None:
    folder = pixel_backbone(tmp_path / "b")
    file = folder / "scheduler" / "scheduler_config.json"
    write(file, json.loads(file.read_text()) | change)
    with pytest.raises(EngineError, match=words) as caught:
        load_backbone(str(folder), CPU)
    assert caught.value.code == "bad_model"
    assert str(file) in caught.value.message


@pytest.mark.parametrize("part", ["unet/config.json", "scheduler/scheduler_config.json", "satdifuser.json"])
def test_what_is_no_json_is_told(part: str, tmp_path: Path) -> None:
    folder = pixel_backbone(tmp_path / "b")
    (folder / part).write_text("{")
    with pytest.raises(EngineError, match="do not describe one") as caught:
        load_backbone(str(folder), CPU)
    assert caught.value.code == "bad_model"


@pytest.mark.parametrize("part", ["unet/config.json", "unet/diffusion_pytorch_model.safetensors", "scheduler"])
def test_a_missing_part_is_named(part: str, tmp_path: Path) -> None:
    folder = pixel_backbone(tmp_path / "b")
    os.rename(folder / part, tmp_path / "elsewhere")
    with pytest.raises(EngineError) as caught:
        load_backbone(str(folder), CPU)
    assert caught.value.code == "bad_model"


def test_a_shipped_name_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixel_backbone(tmp_path / "compact-s2-rgb")
    monkeypatch.setattr("satdifuser_qgis.engine.backbones.load.shipped_models", lambda: tmp_path)
    assert load_backbone("", CPU).name == load_backbone("compact-s2-rgb", CPU).name == "tiny"


def test_latent_folders_of_other_kinds_are_refused_with_the_reason(tmp_path: Path) -> None:
    folder = Path(latent_backbone(tmp_path / "filling"))
    config = json.loads((folder / "unet" / "config.json").read_text(encoding="utf-8"))
    UNet2DConditionModel.from_config({**config, "in_channels": 9}).save_pretrained(folder / "unet")
    with pytest.raises(EngineError, match="takes 9 channels, but the autoencoder beside it makes 4") as caught:
        load_backbone(str(folder), CPU)
    assert caught.value.code == "bad_model"
    ldm = pixel_backbone(tmp_path / "ldm")
    (ldm / "vqvae").mkdir()
    with pytest.raises(EngineError, match="only networks in pixel space") as caught:
        load_backbone(str(ldm), CPU)
    assert caught.value.code == "bad_model"
