"""Clean extraction: one pass over the image itself, by a second network or the only one."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from safetensors.torch import load_file, save_file

from satdifuser_qgis.engine.backbones import load_backbone
from satdifuser_qgis.engine.features import Extractor, Recipe
from satdifuser_qgis.engine.model_file import read_header
from satdifuser_qgis.engine.outputs import Outputs
from satdifuser_qgis.engine.reporter import Silent
from satdifuser_qgis.engine.tasks import segment, trainsegmentation
from satdifuser_qgis.protocol.errors import EngineError
from satdifuser_qgis.protocol.segment import SegmentRequest
from satdifuser_qgis.protocol.trainsegmentation import TrainSegmentationRequest
from tests.data import write_landscape
from tests.engine.tiny import latent_backbone, pixel_backbone, write

CPU = torch.device("cpu")
WEIGHTS = "clean/diffusion_pytorch_model.safetensors"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return pixel_backbone(tmp_path / "tiny", clean=True)


@pytest.fixture
def request_(tmp_path: Path, folder: Path) -> TrainSegmentationRequest:
    image, labels = write_landscape(tmp_path, height=200, width=260)
    return TrainSegmentationRequest(
        input=image,
        label_rasters=(labels,),
        model=str(tmp_path / "m.safetensors"),
        backbone=str(folder),
        epochs=1,
        scaling=1,
    )


def train(request: TrainSegmentationRequest) -> str:
    """The extraction that the model says it was trained with."""
    with Outputs("test") as outputs:
        trainsegmentation.run(request, Silent(), outputs)
        outputs.commit()
    return str(read_header(request.model).features["mode"])


def let_clean_be_automatic(folder: Path) -> None:
    card = json.loads((folder / "satdifuser.json").read_text(encoding="utf-8"))
    write(folder / "satdifuser.json", card | {"default_extraction": "clean"})


def let_one_network_do_both(folder: Path) -> None:
    card = json.loads((folder / "satdifuser.json").read_text(encoding="utf-8"))
    write(folder / "satdifuser.json", card | {"clean_network": "unet"})


@pytest.mark.parametrize("shared", [False, True])
def test_features_do_not_depend_on_the_place_and_are_those_of_the_clean_network_at_time_zero(
    folder: Path, shared: bool
) -> None:
    if shared:
        let_one_network_do_both(folder)
    images = torch.rand(2, 3, 16, 24, generator=torch.Generator().manual_seed(3)) * 2 - 1
    backbone = load_backbone(str(folder), CPU)
    name = backbone.default_streams[-1]
    extractor = Extractor(backbone, Recipe(streams=(name,), mode="clean"), CPU)
    pyramid = extractor(images, [(0, 0), (0, 24)])
    assert extractor.recipe.times == (0,)
    assert torch.equal(pyramid[0], extractor(images, [(8, 8), (5, 7)])[0])
    seen: list[torch.Tensor] = []
    twin = load_backbone(str(folder), CPU)
    network = twin.network if shared else twin.clean.network
    network.get_submodule(name).register_forward_hook(lambda _module, _args, output: seen.append(output))
    network(backbone.encode(images), torch.zeros(2))
    torch.testing.assert_close(pyramid[0][:, 0], seen[0])


def test_the_clean_network_is_not_read_for_noised_features(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(b"no weights")
    backbone = load_backbone(str(folder), CPU)
    Extractor(backbone, Recipe(), CPU)(torch.zeros(1, 3, 16, 16), [(0, 0)])
    with pytest.raises(EngineError, match="cannot be read"):
        Extractor(backbone, Recipe(mode="clean"), CPU)


def test_a_backbone_without_it_is_refused_with_the_way_out(tmp_path: Path) -> None:
    backbone = load_backbone(str(pixel_backbone(tmp_path / "plain")), CPU)
    with pytest.raises(EngineError, match="no network for clean images") as caught:
        Extractor(backbone, Recipe(mode="clean"), CPU)
    assert caught.value.code == "bad_model"
    assert "noised" in caught.value.remedy
    with pytest.raises(EngineError, match="only one in pixel space can have one"):
        Extractor(load_backbone(str(latent_backbone(tmp_path / "latent")), CPU), Recipe(mode="clean"), CPU)


def test_a_damaged_config_is_told_when_it_is_read(folder: Path) -> None:
    (folder / "clean" / "config.json").write_text("{")
    with pytest.raises(EngineError, match="do not describe one") as caught:
        _ = load_backbone(str(folder), CPU).clean
    assert caught.value.code == "bad_model"


def test_one_network_may_do_both_wherever_it_lies(tmp_path: Path) -> None:
    folder = pixel_backbone(tmp_path / "plain")
    let_one_network_do_both(folder)
    (folder / "checkpoint-5").mkdir()
    (folder / "unet").rename(folder / "checkpoint-5" / "unet")
    backbone = load_backbone(str(folder), CPU)
    assert backbone.has_clean
    assert backbone.clean.digest == backbone.digest


def test_the_embedded_backbone_reads_clean_images() -> None:
    assert load_backbone("", CPU).has_clean


@pytest.mark.parametrize("change", [{"times": (20,)}, {"published": True}])
def test_there_is_nothing_to_choose_about_noise(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="without noise"):
        Recipe(mode="clean", **change)  # type: ignore[arg-type]


def test_automatic_follows_the_backbone_unless_times_are_chosen(request_, folder):
    assert train(request_) == "noised"
    let_clean_be_automatic(folder)
    assert train(request_) == "clean"
    assert train(dataclasses.replace(request_, timesteps=(20,))) == "noised"
    assert train(dataclasses.replace(request_, extraction=1)) == "noised"


@pytest.mark.parametrize("shared", [False, True])
def test_a_model_on_clean_features_maps_and_knows_the_weights_it_was_trained_on(request_, folder, tmp_path, shared):
    if shared:
        let_one_network_do_both(folder)
    assert train(dataclasses.replace(request_, extraction=3)) == "clean"
    noised, header = load_backbone(str(folder), CPU), read_header(request_.model)
    assert header.features["times"] == [0]
    assert header.backbone.digest == noised.clean.digest
    assert (noised.clean.digest == noised.digest) is shared
    target = str(tmp_path / "map.tif")
    wanted = SegmentRequest(input=request_.input, model=request_.model, output=target)
    with Outputs("test") as outputs:
        segment.run(wanted, Silent(), outputs)
        outputs.commit()
    with rasterio.open(target) as file:
        assert set(np.unique(file.read(1))) <= {1, 2, 3, 4}
    own, other = ("unet", "clean") if shared else ("clean", "unet")
    weights = (folder / other / "diffusion_pytorch_model.safetensors").read_bytes()
    (folder / own / "diffusion_pytorch_model.safetensors").write_bytes(weights)
    with pytest.raises(EngineError, match="in revision 1, but other weights are in"), Outputs("test") as outputs:
        segment.run(wanted, Silent(), outputs)


def test_a_damaged_clean_network_is_told_by_its_files(folder):
    config = folder / "clean" / "config.json"
    whole = config.read_text(encoding="utf-8")
    for text, said in (("{}", "clean is of no class, which is not known"), ("null", "does not describe a network")):
        config.write_text(text, encoding="utf-8")
        with pytest.raises(EngineError, match=said):
            load_backbone(str(folder), CPU).clean  # noqa: B018
    config.write_text(whole, encoding="utf-8")
    weights = load_file(folder / WEIGHTS)
    weights["conv_out.bias"][0] = float("nan")
    save_file(weights, folder / WEIGHTS)
    with pytest.raises(EngineError, match=r"clean.* are damaged: conv_out.bias holds values that are no numbers"):
        load_backbone(str(folder), CPU).clean  # noqa: B018


@pytest.mark.parametrize("key", ["default_extraction", "clean_network"])
def test_an_unknown_choice_in_the_card_is_refused(folder, key):
    card = json.loads((folder / "satdifuser.json").read_text(encoding="utf-8"))
    write(folder / "satdifuser.json", card | {key: "best"})
    with pytest.raises(EngineError, match=f'{key} is "best"'):
        load_backbone(str(folder), CPU)
