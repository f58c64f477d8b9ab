"""DiffusionSat's folders: recognised, and never robbed of their metadata weights."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from satdifuser_qgis.engine.backbones import Backbone, load_backbone, normalise_metadata
from satdifuser_qgis.engine.backbones.load import find_folder
from satdifuser_qgis.engine.features import Extractor, Recipe
from satdifuser_qgis.protocol.errors import EngineError

CPU = torch.device("cpu")


@pytest.fixture
def golden(shared_reference: Path) -> Path:
    return shared_reference / "diffusionsat"


@pytest.fixture
def folder(golden: Path, tmp_path: Path) -> Path:
    """A copy of the published layout, with the stored embeddings in place of a text encoder."""
    copy = tmp_path / "diffusionsat"
    shutil.copytree(golden / "legacy_a", copy, copy_function=shutil.copyfile)
    for path in (copy, *copy.rglob("*")):
        path.chmod(0o755)
    shutil.copyfile(golden / "text_embeddings.safetensors", copy / "text_embeddings.safetensors")
    return copy


@pytest.fixture
def backbone(folder: Path) -> Backbone:
    return load_backbone(str(folder), CPU)


def test_the_folder_is_recognised(backbone: Backbone) -> None:
    assert backbone.has_metadata
    assert (backbone.space, backbone.factor, backbone.prediction_type) == ("latent", 2, "v_prediction")
    assert len(backbone.digest) == 64


@pytest.mark.parametrize(
    ("output", "numbers"),
    [
        ("noise_pred", "metadata"),
        ("noise_pred_lonlat_dropped", "metadata_lonlat_dropped"),
        ("noise_pred_all_dropped", None),
    ],
)
def test_the_published_network_is_matched(backbone: Backbone, golden: Path, output: str, numbers: str | None) -> None:
    expected = load_file(golden / "expected_unet.safetensors")
    given = expected[numbers] if numbers else torch.zeros(2, 7)
    found = backbone.denoise(expected["latents"], expected["timesteps"], given)
    torch.testing.assert_close(found, expected[output], atol=1e-4, rtol=0)


def test_leaving_metadata_out_is_not_the_same_as_zeros(backbone: Backbone, golden: Path) -> None:
    expected = load_file(golden / "expected_unet.safetensors")
    left_out = backbone.denoise(expected["latents"], expected["timesteps"])
    assert (left_out - expected["noise_pred_all_dropped"]).abs().max() > 0.1


def test_the_old_autoencoder_is_matched(backbone: Backbone, golden: Path) -> None:
    expected = load_file(golden / "expected_unet.safetensors")
    found = backbone.encode(expected["vae_image"]) / backbone.codec.scale
    torch.testing.assert_close(found, expected["vae_latent_mean"], atol=1e-5, rtol=0)
    torch.testing.assert_close(
        backbone.codec.decode(found * backbone.codec.scale), expected["vae_decoded"], atol=1e-4, rtol=0
    )


def test_natural_numbers_become_the_networks(golden: Path) -> None:
    stored = load_file(golden / "metadata.safetensors")
    torch.testing.assert_close(
        normalise_metadata(stored["natural"]), stored["normalized"].float(), atol=1e-2, rtol=1e-5
    )


def test_unknown_numbers_become_zero() -> None:
    natural = torch.tensor([[math.nan, 10.0, 10.0, 0.0, math.nan, 5.0, 1.0], [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]])
    found = normalise_metadata(natural)
    assert found[0, [0, 4]].tolist() == [0, 0]
    assert found[1].tolist() == [500, 500, 1000, 0, 0, 0, 0]


def test_each_metadata_choice_gives_other_features(backbone: Backbone) -> None:
    images = torch.rand(1, 3, 16, 16) * 2 - 1
    natural = torch.tensor([[8.0, 50.0, 10.0, 0.0, 2020.0, 6.0, 1.0]])
    found = {
        kind: Extractor(backbone, Recipe(times=(50,), metadata=kind), CPU)(images, [(0, 0)], natural)[-1]
        for kind in ("none", "zeros", "raster")
    }
    assert not torch.allclose(found["none"], found["zeros"], atol=1e-3)
    assert not torch.allclose(found["zeros"], found["raster"], atol=1e-3)
    with pytest.raises(EngineError, match="asked for metadata"):
        Extractor(backbone, Recipe(times=(50,), metadata="raster"), CPU)(images, [(0, 0)])


@pytest.mark.parametrize("part", ["", "checkpoint-150000"])
def test_the_newest_checkpoint_is_found_from_its_folder_or_above(folder: Path, part: str) -> None:
    shutil.copytree(folder / "checkpoint-150000", folder / "checkpoint-90000")
    assert find_folder(str(folder))[1] == folder / "checkpoint-150000" / "unet"
    assert load_backbone(str(folder / part), CPU).has_metadata


def test_folders_by_image_size_are_found(folder: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for size in (512, 256):
        shutil.copytree(folder, root / f"resolution{size}")
    assert find_folder(str(root))[0] == root / "resolution256"
    assert find_folder(str(root / "resolution512"))[0] == root / "resolution512"
    assert load_backbone(str(root), CPU).has_metadata


def test_a_plain_unet_beside_a_checkpoint_does_not_hide_it(folder: Path) -> None:
    plain = folder / "unet"
    shutil.copytree(folder / "checkpoint-150000" / "unet", plain)
    config = json.loads((plain / "config.json").read_text())
    (plain / "config.json").write_text(json.dumps(config | {"_class_name": "UNet2DConditionModel"}))
    assert find_folder(str(folder))[1] == folder / "checkpoint-150000" / "unet"


def test_metadata_weights_count_even_where_the_class_name_is_plain(folder: Path) -> None:
    path = folder / "checkpoint-150000" / "unet" / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"_class_name": "UNet2DConditionModel"}))
    assert load_backbone(str(folder), CPU).has_metadata


def test_a_satunet_without_its_metadata_weights_is_refused(folder: Path) -> None:
    unet = folder / "checkpoint-150000" / "unet"
    weights = torch.load(unet / "diffusion_pytorch_model.bin", weights_only=True)
    plain = {k: v.contiguous() for k, v in weights.items() if not k.startswith("metadata_embedding.")}
    save_file(plain, unet / "diffusion_pytorch_model.safetensors")
    with pytest.raises(EngineError, match="metadata") as caught:
        load_backbone(str(folder), CPU)
    assert caught.value.code == "bad_model"


def test_a_pickle_with_anything_but_tensors_is_refused(folder: Path) -> None:
    path = folder / "checkpoint-150000" / "unet" / "diffusion_pytorch_model.bin"
    torch.save({"conv_in.weight": Path("x")}, path)
    with pytest.raises(EngineError, match="cannot be read") as caught:
        load_backbone(str(folder), CPU)
    assert caught.value.code == "bad_model"


def test_without_embedding_or_encoder_the_way_out_is_told(folder: Path) -> None:
    (folder / "text_embeddings.safetensors").unlink()
    with pytest.raises(EngineError, match=r"prompt_embeds\.safetensors"):
        load_backbone(str(folder), CPU)


def test_a_text_encoder_without_transformers_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "text_embeddings.safetensors").unlink()
    for part in ("text_encoder", "tokenizer"):
        (folder / part).mkdir()
    monkeypatch.setattr("satdifuser_qgis.engine.backbones.prompt.find_spec", lambda _name: None)
    with pytest.raises(EngineError, match="Install the package transformers") as caught:
        load_backbone(str(folder), CPU)
    assert caught.value.code == "bad_model"


def test_a_text_encoder_is_asked_once_with_the_prompt_of_training(folder: Path, golden: Path) -> None:
    expected = load_file(golden / "expected_unet.safetensors")
    (folder / "text_embeddings.safetensors").unlink()
    width = json.loads((folder / "checkpoint-150000" / "unet" / "config.json").read_text())["cross_attention_dim"]
    embedding = _write_text_encoder(folder, width)
    backbone = load_backbone(str(folder), CPU)
    for part in ("text_encoder", "tokenizer"):
        shutil.rmtree(folder / part)
    found = backbone.denoise(expected["latents"], expected["timesteps"], expected["metadata"])
    save_file({"prompt_embeds": embedding}, folder / "text_embeddings.safetensors")
    stored = load_backbone(str(folder), CPU)
    again = stored.denoise(expected["latents"], expected["timesteps"], expected["metadata"])
    torch.testing.assert_close(found, again, atol=1e-6, rtol=0)


def test_a_broken_text_encoder_is_told(folder: Path) -> None:
    (folder / "text_embeddings.safetensors").unlink()
    for part in ("text_encoder", "tokenizer"):
        (folder / part).mkdir()
    with pytest.raises(EngineError, match="text encoder"):
        load_backbone(str(folder), CPU)


def _write_text_encoder(folder: Path, width: int) -> torch.Tensor:
    """A tiny CLIP text encoder, and what it makes of the prompt."""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    letters = sorted(set("asatelliteimage"))
    words = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    (folder / "tokenizer").mkdir()
    (folder / "tokenizer" / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (folder / "tokenizer" / "merges.txt").write_text("#version: 0.2\n")
    tokens = {"model_max_length": 24, "tokenizer_class": "CLIPTokenizer"}
    (folder / "tokenizer" / "tokenizer_config.json").write_text(json.dumps(tokens))
    torch.manual_seed(0)
    config = CLIPTextConfig(
        vocab_size=len(words), hidden_size=width, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=24, bos_token_id=0, eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    model = CLIPTextModel(config).eval()
    model.save_pretrained(folder / "text_encoder")
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    asked = tokenizer("A satellite image", padding="max_length", max_length=24, return_tensors="pt")
    assert int((asked.input_ids != 1).sum()) > 10
    with torch.no_grad():
        return model(asked.input_ids)[0].contiguous()
