"""What the pretraining of the embedded backbone promises, on tiny tiles and a tiny network."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, UNet2DModel
from PIL import Image
from safetensors.torch import load_file

from satdifuser_qgis.engine.outputs import Outputs
from satdifuser_qgis.engine.reporter import Silent
from satdifuser_qgis.engine.tasks import pretrain
from satdifuser_qgis.engine.training.pretraining import tiles as tiles_room
from satdifuser_qgis.engine.training.pretraining.augment import random_crops, to_range
from satdifuser_qgis.engine.training.pretraining.network import Noise, build_scheduler, contrast_loss
from satdifuser_qgis.engine.training.pretraining.state import read_checkpoint
from satdifuser_qgis.protocol.errors import EngineError
from satdifuser_qgis.protocol.pretrain import PretrainRequest

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
    }
    return PretrainRequest(**{**fields, **changes})  # type: ignore[arg-type]


def train(wanted: PretrainRequest, reporter: Silent | None = None) -> None:
    with Outputs("test") as outputs:
        pretrain.run(wanted, reporter or Silent(), outputs)
        outputs.commit()


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
    assert read_checkpoint(data / "parts")[1].step == 3
    assert not (data / "parts" / "tiny").exists() or not any((data / "parts" / "tiny").rglob("*.json"))
    train(request(data, "parts"))
    (whole, progress), (parts, resumed) = read_checkpoint(data / "whole"), read_checkpoint(data / "parts")
    assert (progress.step, progress.views, progress.sittings) == (6, resumed.views, 1)
    assert resumed.sittings == 2
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_without_a_checkpoint_training_goes_on_from_the_written_backbone(data: Path) -> None:
    train(request(data, "first"))
    written = str(data / "first" / "tiny")
    before = load_file(Path(written) / "unet" / "diffusion_pytorch_model.safetensors")
    train(request(data, "elsewhere", backbone=written, steps=8))
    _, progress = read_checkpoint(data / "elsewhere")
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
    left_out = tiles_room.read_ids(str(data / "folds.csv"), 0)
    assert left_out == set(SECRET)
    found, ids = tiles_room.read_tiles(data / "train", leave_out=left_out)
    assert found.shape == (14, 3, 32, 32)
    assert not set(ids) & left_out
    assert len(seen) == 14
    assert not {name.rpartition(".")[0] for name in seen} & left_out


def test_the_folder_is_read_by_diffusers_and_holds_the_averaged_weights(data: Path) -> None:
    train(request(data, "run"))
    folder = data / "run" / "tiny"
    network = UNet2DModel.from_pretrained(folder, subfolder="unet")
    scheduler = DDIMScheduler.from_pretrained(folder, subfolder="scheduler")
    assert scheduler.config["prediction_type"] == "v_prediction"
    assert torch.equal(scheduler.alphas_cumprod, build_scheduler().alphas_cumprod)
    stored = load_file(folder / "unet" / "diffusion_pytorch_model.safetensors")
    averaged = read_checkpoint(data / "run")[0]
    assert all(value.dtype == torch.float16 for value in stored.values())
    assert all(torch.equal(value, averaged[f"average.unet.{name}"].half()) for name, value in stored.items())
    assert network(torch.zeros(1, 12, 16, 16), 1).sample.shape == (1, 12, 16, 16)
    card = json.loads((folder / "satdifuser.json").read_text())
    assert (card["space"], card["unshuffle"], card["gsd_m"]) == ("pixel", 2, [5.0, 20.0])
    assert Image.open(data / "run" / "samples.png").size == (8 * 32, 4 * 32)


def test_the_card_tells_what_the_run_measured(data: Path) -> None:
    train(request(data, "run"))
    card = (data / "run" / "tiny" / "README.md").read_text()
    views = read_checkpoint(data / "run")[1].views
    assert f"{views:,} crops shown" in card
    assert "Noise made by a test." in card
    assert "14 labelled tiles, scored on the 2 left-out tiles" in card
    assert "| all times |" in card
    assert "| t 101, decoder block 1 only |" in card


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

    for name in ("ZOOMED_SHARE", "GAIN", "OFFSET"):
        monkeypatch.setattr(augment, name, 0.0)
    tiles = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    index = torch.arange(4).repeat(8)
    crops = random_crops(tiles, index, 16, torch.Generator().manual_seed(1))
    assert crops.shape == (32, 3, 16, 16)
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
    pairs = torch.eye(4).repeat(2, 1)
    strangers = torch.cat([torch.eye(4), torch.eye(4).roll(1, 0)])
    assert contrast_loss(pairs) < contrast_loss(strangers)
