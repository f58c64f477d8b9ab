"""Models as the QGIS half lists them: cards of what is there, and no word of what is not for land cover."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import pytest

from satdifuser_qgis.processing.models import land_cover_card, land_cover_models, read_card
from satdifuser_qgis.protocol import folders

from . import landscape

WHOLE = {
    "bands": [3, 2, 1],
    "band_names": ["red", "", "blue"],
    "gsd_m": 10.0,
    "scores": {"miou": 0.713, "iou": {"water": 0.9}},
    "task": "segmentation",
    "name": "another name",
    "of a later version": 1,
}


def store(stem: str, age_s: float = 0.0, **header: object) -> Path:
    path = landscape.write_model(folders.model_store() / f"{stem}.safetensors", **header)
    os.utime(path, (1_780_000_000 - age_s,) * 2)
    return path


def test_a_card_says_what_a_model_is_for():
    card = read_card(str(store("crops", **WHOLE)))
    assert (card.name, card.task, card.gsd_m, card.miou) == ("crops", "segmentation", 10.0, 0.713)
    assert [item.name for item in card.classes] == ["water", "wood", "field"]
    assert card.bands == ("red", "2", "blue")
    assert card.changed.timestamp() == 1_780_000_000


@pytest.mark.parametrize("scores", [{}, {"miou": None}, {"miou": "good"}, {"miou": float("nan")}])
def test_a_model_that_was_not_measured_has_no_score(scores):
    assert read_card(str(store("crops", scores=scores))).miou is None


def test_the_newest_model_comes_first():
    store("b", 100), store("a", 300), store("c", 200)
    assert [card.name for card in land_cover_models()] == ["b", "c", "a"]


def test_what_is_no_land_cover_model_is_not_offered():
    store("crops")
    store("scenes", task="scene")
    folder = folders.model_store()
    (folder / "a folder.safetensors").mkdir()
    huge = struct.pack("<Q", 2**40)
    for index, content in enumerate((b"", b"xx", huge, struct.pack("<Q", 5) + b"[1,2]", struct.pack("<Q", 2) + b"{}")):
        (folder / f"broken{index}.safetensors").write_bytes(content)
    deep = b"[" * 100_000
    (folder / "deep.safetensors").write_bytes(struct.pack("<Q", len(deep)) + deep)
    for index, wrong in enumerate(({"gsd_m": "ten"}, {"band_names": 3}, {"scores": []}, {"task": None})):
        store(f"wrong{index}", **wrong)
    (folder / "gone.safetensors").symlink_to(folder / "nowhere")
    assert [card.name for card in land_cover_models()] == ["crops"]


@pytest.mark.parametrize("kept", [0, 3, 40, -1])
def test_a_model_of_which_the_end_is_missing_is_called_incomplete(kept):
    path = store("crops")
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    header["weight"] = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
    text = json.dumps(header).encode()
    whole = struct.pack("<Q", len(text)) + text + bytes(16)
    path.write_bytes(whole)
    assert read_card(str(path)).name == "crops"
    path.write_bytes(whole[:kept])
    with pytest.raises(ValueError, match="is damaged or incomplete") as error:
        read_card(str(path))
    assert "char" not in str(error.value)
    assert land_cover_models() == []


@pytest.mark.parametrize(("task", "said"), [("scene", "names whole scenes"), ("change", '"change"')])
def test_a_model_for_another_task_is_refused_with_the_way_out(task, said):
    with pytest.raises(ValueError, match="cannot map land cover") as error:
        land_cover_card(str(store("scenes", task=task)), "Model")
    assert str(error.value).startswith('Model: the model "scenes" ')
    assert said in str(error.value)
    assert 'Choose a model made by "Train a land-cover model".' in str(error.value)


def test_the_shipped_scene_classifier_is_refused():
    with pytest.raises(ValueError, match="names whole scenes"):
        land_cover_card(str(folders.resources() / "scenes" / "eurosat-scenes.safetensors"), "Model")


@pytest.mark.parametrize("written", ["~nobody-of-this-name/crops", "x" * 5000, "a\0b", "~"])
def test_nothing_that_is_written_breaks_the_search(written):
    assert folders.find_model(written) is None
