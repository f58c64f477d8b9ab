"""What the pretraining of the embedded backbone promises, on tiny tiles and a tiny network."""

from __future__ import annotations

import dataclasses
import io
import json
import signal
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, UNet2DModel
from PIL import Image
from safetensors.torch import load_file, save_file

from satdifuser_qgis.engine.backbones import load_backbone
from satdifuser_qgis.engine.outputs import Outputs
from satdifuser_qgis.engine.reporter import Silent
from satdifuser_qgis.engine.tasks import pretrain
from satdifuser_qgis.engine.training.pretraining.augment import random_crops, to_range
from satdifuser_qgis.engine.training.pretraining.bank import Bank, read_bank
from satdifuser_qgis.engine.training.pretraining.checkpoint import Progress, read_checkpoint
from satdifuser_qgis.engine.training.pretraining.denoising import Denoising
from satdifuser_qgis.engine.training.pretraining.loop import Settings
from satdifuser_qgis.engine.training.pretraining.network import (
    LOW_TIMES,
    Noise,
    Pretrainer,
    build_scheduler,
    build_unet,
    contrast_loss,
)
from satdifuser_qgis.engine.training.pretraining.signals import held_signals
from satdifuser_qgis.engine.training.pretraining.state import read_clean
from satdifuser_qgis.protocol.errors import EngineError
from satdifuser_qgis.protocol.pretrain import PretrainRequest, Source
from tests.data import write_raster
from tests.engine.notes import Notes

SECRET = ("Forest/Forest_3", "River/River_1")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two classes of 8 tiles of 32 px, and lists beside them."""
    chance = np.random.default_rng(0)
    (tmp_path / "train").mkdir()
    rows = ["id,lon,lat,fold"]
    for shade, name in ((60, "Forest"), (160, "River")):
        with zipfile.ZipFile(tmp_path / "train" / f"{name}.zip", "w") as archive:
            for number in range(1, 9):
                pixels = chance.integers(shade, shade + 40, (32, 32, 3), dtype=np.uint8)
                buffer = io.BytesIO()
                Image.fromarray(pixels).save(buffer, format="PNG")
                archive.writestr(f"{name}/{name}_{number}.png", buffer.getvalue())
                tile = f"{name}/{name}_{number}"
                rows.append(f"{tile},0,0,{0 if tile in SECRET else 1}")
    (tmp_path / "folds.csv").write_text("\n".join(rows))
    (tmp_path / "labels.txt").write_text("\n".join(row.split(",")[0] for row in rows[1:]))
    return tmp_path


def request(data: Path, run: str, **changes: object) -> PretrainRequest:
    fields: dict[str, object] = {
        "data": str(data / "train"),
        "run": str(data / run),
        "backbone": str(data / run / "tiny"),
        "leave_out": str(data / "folds.csv"),
        "labels": str(data / "labels.txt"),
        "about": "Noise made by a test.",
        "steps": 6,
        "batch": 8,
        "crop_px": 16,
        "widths": (8, 16),
        "minutes": 5.0,
        "threads": 1,
    }
    return PretrainRequest(**{**fields, **changes})  # type: ignore[arg-type]


def train(wanted: PretrainRequest, reporter: Silent | None = None) -> None:
    with Outputs("test") as outputs:
        pretrain.run(wanted, reporter or Silent(), outputs)
        outputs.commit()


def checkpoint(folder: Path, name: str = "checkpoint") -> tuple[dict[str, torch.Tensor], Progress]:
    found = read_checkpoint(folder, name)
    assert found is not None
    return found


class CancelAfter(Silent):
    """Cancels at the given number of questions."""

    def __init__(self, questions: int) -> None:
        self.left = questions

    def check(self) -> None:
        self.left -= 1
        if self.left <= 0:
            raise EngineError("cancelled", "Cancelled.")


def test_a_stopped_training_goes_on_to_the_weights_of_an_uninterrupted_one(data: Path) -> None:
    train(request(data, "whole"))
    with pytest.raises(EngineError, match="Cancelled"):
        train(request(data, "parts"), CancelAfter(3))
    assert checkpoint(data / "parts")[1].step == 3
    assert not (data / "parts" / "tiny").exists() or not any((data / "parts" / "tiny").rglob("*.json"))
    train(request(data, "parts"))
    (whole, progress), (parts, resumed) = checkpoint(data / "whole"), checkpoint(data / "parts")
    assert (progress.step, progress.views, progress.sittings) == (6, resumed.views, 1)
    assert resumed.sittings == 2
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_without_a_checkpoint_training_goes_on_from_the_written_backbone(data: Path) -> None:
    train(request(data, "first"))
    written = str(data / "first" / "tiny")
    before = load_file(Path(written) / "unet" / "diffusion_pytorch_model.safetensors")
    train(request(data, "elsewhere", backbone=written, steps=2))
    assert "The first 6 steps made an earlier revision of this folder" in (Path(written) / "README.md").read_text()
    _, progress = checkpoint(data / "elsewhere")
    assert (progress.step, progress.sittings) == (8, 2)
    after = load_file(Path(written) / "unet" / "diffusion_pytorch_model.safetensors")
    far = max(float((after[name].float() - before[name].float()).abs().max()) for name in before)
    assert 0 < far < 0.05


def test_tiles_left_out_are_not_decoded_while_training(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    plain = zipfile.ZipFile.read

    def read(archive: zipfile.ZipFile, name: str) -> bytes:
        seen.append(name)
        return plain(archive, name)

    monkeypatch.setattr(zipfile.ZipFile, "read", read)
    bank = read_bank([Source(str(data / "train"), 10.0, str(data / "folds.csv"))], Silent())
    assert bank.tiles.shape == (14, 3, 32, 32)
    assert (bank.contents[0].images, bank.contents[0].left_out) == (14, 2)
    assert len(seen) == 14
    assert not {name.rpartition(".")[0] for name in seen} & set(SECRET)


def test_the_folder_is_read_by_diffusers_and_holds_the_averaged_weights(data: Path) -> None:
    train(request(data, "run"))
    folder = data / "run" / "tiny"
    network = UNet2DModel.from_pretrained(folder, subfolder="unet")
    scheduler = DDIMScheduler.from_pretrained(folder, subfolder="scheduler")
    assert scheduler.config["prediction_type"] == "v_prediction"
    assert torch.equal(scheduler.alphas_cumprod, build_scheduler().alphas_cumprod)
    stored = load_file(folder / "unet" / "diffusion_pytorch_model.safetensors")
    averaged = checkpoint(data / "run")[0]
    assert all(value.dtype == torch.float16 for value in stored.values())
    assert all(torch.equal(value, averaged[f"average.unet.{name}"].half()) for name, value in stored.items())
    assert network(torch.zeros(1, 12, 16, 16), 1, torch.zeros(1)).sample.shape == (1, 12, 16, 16)
    card = json.loads((folder / "satdifuser.json").read_text())
    assert (card["space"], card["unshuffle"], card["gsd_m"]) == ("pixel", 2, [10.0, 20.0])
    assert card["default_times"] == [1]
    assert card["default_streams"] == [f"up_blocks.{block}.resnets.{i}" for block in (0, 1) for i in range(3)]
    assert Image.open(data / "run" / "samples.png").size == (8 * 32, 4 * 32)


def test_the_card_tells_what_the_run_measured(data: Path) -> None:
    train(request(data, "run"))
    card = (data / "run" / "tiny" / "README.md").read_text()
    views = checkpoint(data / "run")[1].views
    assert f"{views:,} crops shown" in card
    assert "Noise made by a test." in card
    assert "14 labelled tiles of the list `labels.txt`, scored on 2 left-out\ntiles" in card
    assert "`up_blocks.0.resnets.0`, `up_blocks.0.resnets.1`" in card
    rows = {line.split(" | ")[0] for line in card.splitlines() if line.startswith("| ")}
    assert {"| this network", "| same network, random weights", "| twelve statistics of the pixels"} <= rows


def test_a_distillation_that_was_stopped_goes_on_to_the_same_clean_pass(data: Path) -> None:
    changes = {"steps": 2, "labels": "", "distil_minutes": 5.0, "distil_steps": 4}
    train(request(data, "whole", **changes))
    train(request(data, "parts", steps=2, labels=""))
    with pytest.raises(EngineError, match="Cancelled"):
        train(request(data, "parts", **changes), CancelAfter(2))
    assert checkpoint(data / "parts", "clean")[1].step == 2
    train(request(data, "parts", **changes))
    (whole, counts), (parts, _) = checkpoint(data / "whole", "clean"), checkpoint(data / "parts", "clean")
    assert (counts.step, counts.settings["teacher_step"]) == (4, 2)
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    stored = load_file(data / "parts" / "tiny" / "clean" / "diffusion_pytorch_model.safetensors")
    assert all(torch.equal(value, parts[f"average.unet.{name}"].half()) for name, value in stored.items())


def test_the_clean_pass_learns_what_the_noised_streams_tell(data: Path) -> None:
    changes = {"labels": "", "widths": (16, 24)}
    train(request(data, "run", **changes, steps=2, distil_minutes=5.0, distil_steps=50))
    first = checkpoint(data / "run", "clean")[1].losses["unexplained"]
    train(request(data, "run", **changes, minutes=0.0, distil_minutes=5.0, distil_steps=100))
    assert checkpoint(data / "run", "clean")[1].losses["unexplained"] < first
    backbone = load_backbone(str(data / "run" / "tiny"), torch.device("cpu"))
    assert backbone.clean.streams() == backbone.streams()
    assert backbone.clean.digest != backbone.digest
    train(request(data, "run", **changes, steps=3))
    assert read_clean(data / "run", 3) is None
    further = load_backbone(str(data / "run" / "tiny"), torch.device("cpu"))
    assert further.clean.digest == further.digest, "the older clean network is read with newer weights"


def test_a_distilled_network_stays_while_its_teacher_stays_and_the_card_says_which_is_read(data: Path) -> None:
    folder = data / "run" / "tiny"
    train(request(data, "run", steps=2, distil_minutes=5.0, distil_steps=2))
    first = load_backbone(str(folder), torch.device("cpu")).clean.digest
    # Another run folder, as in a clone: weights and counts come from the written backbone.
    train(request(data, "clone", backbone=str(folder), minutes=0.0))
    assert load_backbone(str(folder), torch.device("cpu")).clean.digest == first
    assert "| distilled network, without noise |" in (folder / "README.md").read_text()
    notes = Notes()
    train(request(data, "clone", backbone=str(folder), steps=3), notes)
    assert any("no longer read" in line for line in notes.lines)
    text = (folder / "README.md").read_text()
    assert "| this network, without noise |" in text
    assert "by the same network (`clean_network`" in text


def test_a_checkpoint_in_small_parts_is_taken_up(data: Path) -> None:
    train(request(data, "exact", labels=""))
    train(request(data, "parts", labels="", part_mb=0.05))
    files = sorted((data / "parts").glob("checkpoint-6-*.safetensors"))
    assert len(files) > 2
    exact, (near, progress) = checkpoint(data / "exact")[0], checkpoint(data / "parts")
    assert progress.step == 6
    assert set(near) == set(exact)
    for name, value in exact.items():
        torch.testing.assert_close(near[name], value, rtol=1e-2, atol=1e-4)
    train(request(data, "parts", labels="", part_mb=0.05, steps=8))
    assert checkpoint(data / "parts")[1].step == 8
    assert not list((data / "parts").glob("checkpoint-6-*"))


def test_weights_from_before_the_pixel_size_go_on_as_they_were(data: Path) -> None:
    train(request(data, "old", labels=""))
    folder = data / "old" / "tiny"
    weights = load_file(folder / "unet" / "diffusion_pytorch_model.safetensors")
    plain = {name: value for name, value in weights.items() if not name.startswith("class_embedding")}
    save_file(plain, folder / "unet" / "diffusion_pytorch_model.safetensors")
    old = UNet2DModel.from_config({**UNet2DModel.load_config(folder / "unet"), "class_embed_type": None})
    old.load_state_dict({name: value.float() for name, value in plain.items()})
    train(request(data, "new", labels="", backbone=str(folder), minutes=0.0))
    grown = UNet2DModel.from_pretrained(folder, subfolder="unet", torch_dtype=torch.float32)
    x, time = torch.randn(2, 12, 16, 16), torch.tensor([1, 101])
    torch.testing.assert_close(grown(x, time, torch.tensor([0.0, 1e4])).sample, old(x, time).sample)


def test_sources_of_several_sizes_are_cut_to_one(data: Path) -> None:
    chance = np.random.default_rng(1)
    (data / "aerial" / "port").mkdir(parents=True)
    for number in range(10):
        pixels = chance.integers(1, 255, (66, 130, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(data / "aerial" / "port" / f"port{number:02}.png")
    holed = chance.integers(1, 255, (3, 64, 64), dtype=np.uint8)
    mask = np.ones((64, 64), dtype=bool)
    mask[:32, :32] = False
    write_raster(data / "scene.tif", holed, mask=mask)
    sources = (
        Source(str(data / "train"), 10.0, str(data / "folds.csv")),
        Source(str(data / "aerial"), 0.3, leave_out_every=5, same_ground=True),
        Source(str(data / "scene.tif"), share=0.25),
    )
    bank = read_bank(sources, Silent())
    eurosat, aerial, scene = bank.contents
    assert (aerial.images, aerial.left_out, aerial.tiles) == (8, 2, 8 * (2 * 4 + 2))
    assert scene.tiles == 3
    assert scene.share == 0.25
    assert eurosat.share + aerial.share == pytest.approx(0.75)
    assert set(np.round(bank.gsd_m.tolist(), 3)) == {0.0, 0.3, 0.6, 10.0}
    assert len(bank.places[14:94].unique(dim=0)) == 1
    drawn = bank.draw(4000, torch.Generator().manual_seed(0))
    assert float((drawn >= 94).float().mean()) == pytest.approx(0.25, abs=0.03)
    train(request(data, "run", more=sources[1:], labels=""))
    assert "8 images at 0.3 m a pixel" in (data / "run" / "tiny" / "README.md").read_text()


def test_every_training_that_was_scored_is_in_the_table_of_what_was_tried(data: Path) -> None:
    tried = str(data / "tried.json")
    train(request(data, "one", tried=tried))
    train(request(data, "two", tried=tried, alignment=0.0))
    train(request(data, "two", tried=tried, alignment=0.0))
    rows = json.loads(Path(tried).read_text())
    assert [(row["run"], row["alignment"]) for row in rows] == [("one", 1.0), ("two", 0.0)]
    assert all(0 <= row["SVM"] <= 1 for row in rows)
    train(request(data, "two", tried=tried, minutes=0.0, distil_minutes=5.0, distil_steps=2))
    distilled = [row["distilled minutes"] is not None for row in json.loads(Path(tried).read_text())]
    assert distilled == [False, False, True]
    assert "| one | 6 |" in (data / "two" / "tiny" / "README.md").read_text()


def test_a_step_is_whole_when_it_is_interrupted() -> None:
    told: list[str] = []

    def step() -> None:
        with held_signals():
            signal.raise_signal(signal.SIGINT)
            told.append("the step ended")

    # What runs in the background may have inherited that Ctrl-C is ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            step()
    finally:
        signal.signal(signal.SIGINT, before)
    assert told == ["the step ended"]


def test_the_networks_compile_without_a_break() -> None:
    model = Pretrainer(build_unet(32, (8, 16)))
    compiled = torch.compile(model, backend="eager", fullgraph=True, dynamic=False)
    inputs = torch.randn(2, 12, 16, 16), torch.tensor([3, 500]), torch.zeros(2)
    for mine, theirs in zip(compiled(*inputs), model(*inputs)):
        torch.testing.assert_close(mine, theirs)


def test_without_minutes_only_the_folder_is_written(data: Path) -> None:
    train(request(data, "run"))
    before = (data / "run" / "checkpoint.safetensors").read_bytes()
    train(request(data, "run", minutes=0.0, backbone=str(data / "again")))
    assert (data / "run" / "checkpoint.safetensors").read_bytes() == before
    assert (data / "again" / "model_index.json").exists()


def test_a_run_folder_of_another_network_is_refused(data: Path) -> None:
    train(request(data, "run"))
    with pytest.raises(EngineError, match="another network"):
        train(request(data, "run", widths=(8, 24)))


def test_crops_that_are_not_zoomed_keep_their_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    from satdifuser_qgis.engine.training.pretraining import augment

    for name in ("RESIZED_SHARE", "GAIN", "OFFSET"):
        monkeypatch.setattr(augment, name, 0.0)
    tiles = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    index = torch.arange(4).repeat(8)
    bank = Bank(tiles, torch.full((4,), 10.0), torch.zeros(4, 2), torch.linspace(0.25, 1, 4), ())
    crops, gsd_m = random_crops(bank, index, 16, torch.Generator().manual_seed(1))
    assert crops.shape == (32, 3, 16, 16)
    assert set(gsd_m.tolist()) == {10.0}
    for crop, number in zip(crops, index.tolist()):
        windows = to_range(tiles[number]).unfold(1, 16, 1).unfold(2, 16, 1)
        straight = [torch.rot90(crop, turn, (1, 2)) for turn in range(4)]
        images = straight + [image.flip(2) for image in straight]
        nearest = min(float((windows - image[:, None, None]).abs().amax(dim=(0, 3, 4)).min()) for image in images)
        assert nearest < 1e-4


def test_noise_and_v_give_the_clean_image_back() -> None:
    noise = Noise(build_scheduler().alphas_cumprod, torch.device("cpu"))
    generator = torch.Generator().manual_seed(0)
    clean = torch.rand((64, 12, 4, 4), generator=generator) * 2 - 1
    times = noise.times(64, generator)
    noisy, velocity = noise.apply(clean, times, generator)
    signal, sigma = noise.signal[times][:, None, None, None], noise.sigma[times][:, None, None, None]
    torch.testing.assert_close(signal * noisy - sigma * velocity, clean, atol=1e-5, rtol=1e-5)
    assert float((times < 300).float().mean()) > 0.6


def test_contrast_is_least_where_pairs_agree() -> None:
    apart = torch.arange(4.0)[:, None].repeat(1, 2) * 10
    pairs = torch.eye(4).repeat(2, 1)
    strangers = torch.cat([torch.eye(4), torch.eye(4).roll(1, 0)])
    assert contrast_loss(pairs, apart) < contrast_loss(strangers, apart)


def test_neighbours_are_no_strangers() -> None:
    alike = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]).repeat(2, 1)
    apart = torch.tensor([[0.0, 0.0], [50.0, 0.0], [99.0, 0.0]])
    beside = torch.tensor([[0.0, 0.0], [0.65, 0.0], [99.0, 0.0]])
    assert contrast_loss(alike, beside) < 0.1 * contrast_loss(alike, apart)
    assert contrast_loss(alike, torch.zeros(3, 2)) == pytest.approx(0.0)


def test_the_second_crop_of_a_pair_has_little_noise_and_is_what_the_average_sees() -> None:
    bank = Bank(torch.zeros(4, 3, 32, 32, dtype=torch.uint8), torch.full((4,), 10.0), torch.zeros(4, 2),
                torch.linspace(0.25, 1, 4), ())  # fmt: skip
    shown: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}

    def network(name: str):
        def call(noisy: torch.Tensor, times: torch.Tensor, sizes: torch.Tensor):
            shown[name] = noisy, times
            unit = torch.nn.functional.normalize(noisy.flatten(1)[:, :8], dim=1)
            return noisy, unit, unit

        return call

    objective = Denoising(Settings(minutes=1, batch=256, crop_px=16), bank, torch.device("cpu"))
    objective(network("model"), network("average"), torch.Generator().manual_seed(0), False)
    first, second = shown["model"][1].chunk(2)
    assert len(first) == 128
    assert first.max() >= LOW_TIMES > second.max()
    assert torch.equal(shown["average"][1], second)
    assert torch.equal(shown["average"][0], shown["model"][0][128:])


def test_pixel_sizes_that_were_hardly_shown_are_not_said_to_be_known() -> None:
    limits = torch.tensor([0.5, 0.99, 0.995, 1.0])
    bank = Bank(torch.zeros(4, 3, 32, 32), torch.tensor([0.3, 10.0, 90.0, 0.0]), torch.zeros(4, 2), limits, ())
    assert pretrain._sizes(bank, 16) == (0.3, 20.0)
    unknown = dataclasses.replace(bank, gsd_m=torch.zeros(4))
    assert pretrain._sizes(unknown, 16) == (0.0, 0.0)
