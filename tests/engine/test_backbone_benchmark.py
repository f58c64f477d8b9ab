"""The backbone's benchmark: what is scored is never learnt from, and every row says what the task asks of it."""

from __future__ import annotations

import argparse
import io
import json
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks import backbone, scene_tuned
from benchmarks.baselines.scene import forest, from_scratch, support_vectors
from benchmarks.scene_sets import fitted, open_scenes
from satdifuser_qgis.engine.training import scene
from tests.engine.tiny import pixel_backbone

CLASSES = ("Bright", "Dark")


def write_class(folder, name, numbers, px=64):
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
        for number in numbers:
            rng = np.random.default_rng(number)
            level = 160 if name == "Bright" else 60
            data = io.BytesIO()
            Image.fromarray(rng.normal(level, 20, (px, px, 3)).clip(0, 255).astype(np.uint8)).save(data, "PNG")
            archive.writestr(f"{name}/{name}_{number}.png", data.getvalue())


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two classes of twelve tiles; tiles 0 to 3 of a class are fold 0."""
    folder = tmp_path_factory.mktemp("data") / "eurosat"
    ids = []
    for name in CLASSES:
        write_class(folder / "train", name, range(12))
        ids += [f"{name}/{name}_{number}" for number in range(12)]
    table = "".join(f"{tile},0,0,{0 if int(tile.split('_')[1]) < 4 else 1}\n" for tile in ids)
    (folder / "train_lonlat.csv").write_text("id,lon,lat,fold\n" + table)
    for seed in range(3):
        (folder / f"train_200_seed{seed}.txt").write_text("\n".join(ids))
    return folder.parent


def test_what_is_scored_is_dropped_from_the_label_lists(data):
    scenes = open_scenes("eurosat", data, [200], [0, 1], None)
    assert len(scenes.test) == 8
    assert len(scenes.train[200, 0]) == 16
    assert not set(scenes.test) & set(scenes.train[200, 1])
    assert all(scenes.ids[row].split("_")[1] in "0123" for row in scenes.test)


def test_a_folder_of_class_zips_is_scored_instead_and_its_tiles_are_not_learnt(data, tmp_path):
    for name in CLASSES:
        write_class(tmp_path, name, (11, 20))
    scenes = open_scenes("eurosat", data, [200], [0], tmp_path)
    assert [scenes.ids[row] for row in scenes.test] == [
        "Bright/Bright_11",
        "Bright/Bright_20",
        "Dark/Dark_11",
        "Dark/Dark_20",
    ]
    assert len(scenes.train[200, 0]) == 22


def test_no_label_left_is_told(data):
    with pytest.raises(ValueError, match="200 labels of seed 0"):
        open_scenes("eurosat", data, [200], [0], data / "eurosat" / "train")


def test_images_of_odd_sizes_are_cut_and_mirrored_out():
    image = np.arange(3 * 10 * 6, dtype=np.uint8).reshape(3, 10, 6)
    assert fitted(image, 8).shape == (3, 8, 8)
    assert np.array_equal(fitted(image, 8)[:, :, :6], image[:, 1:9])


@pytest.mark.parametrize("learn", [forest, support_vectors])
def test_baselines_on_statistics_learn_and_repeat_themselves(learn):
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    x = rng.normal(size=(60, 4)) + y[:, None]
    first, count, size = learn(x[:45], y[:45], x[45:], 0)
    assert (first == y[45:]).mean() > 0.5
    assert np.array_equal(first, learn(x[:45], y[:45], x[45:], 0)[0])
    assert count > 0
    assert size > count


def test_the_network_from_scratch_gives_a_class_a_tile():
    tiles = np.random.default_rng(0).integers(0, 255, (4, 3, 16, 16)).astype(np.uint8)
    found, count, _ = from_scratch(tiles, np.arange(4) % 2, tiles[:3], 0, steps=2)
    assert found.shape == (3,)
    assert 1e5 < count < 4e5


def test_a_run_gives_every_row_its_fields(data, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SATDIFUSER_DATA", str(data))
    monkeypatch.setattr(scene, "steps_for", lambda tiles, batch: 5)
    monkeypatch.setattr(scene_tuned, "MOST_STEPS", 2)
    changed = []

    def watched(task, model, extractor, targets, train=scene_tuned._train):
        before = [value.clone() for value in extractor.backbone.network.parameters()]
        train(task, model, extractor, targets)
        after = extractor.backbone.network.parameters()
        changed.append(any(not torch.equal(*pair) for pair in zip(before, after)))

    monkeypatch.setattr(scene_tuned, "_train", watched)
    folder = pixel_backbone(tmp_path / "tiny", attention=False)
    texts = [
        "--sets",
        "eurosat",
        "--labels",
        "200",
        "--methods",
        "forest,global-side,random,clean,three-times,tuned",
        "--seeds",
        "0,",
        "--threads",
        "1",
    ]
    places = ["--backbone", str(folder), "--cache", str(tmp_path / "cache"), "--json", str(tmp_path / "rows.json")]
    results = backbone.compare(backbone.read_arguments([*texts, *places]), tmp_path)
    assert json.loads((tmp_path / "rows.json").read_text(encoding="utf-8")) == results
    assert [row["method"] for row in results["rows"]] == ["forest", "global-side", "random", "three-times", "tuned"]
    untuned, _, tuned = results["rows"][2:]
    assert changed == [True]
    assert tuned["trained_parameters"] > untuned["trained_parameters"]
    row = results["rows"][1]
    assert (row["set"], row["labels"], row["kind"], row["extraction"]) == ("eurosat", 200, "ours", "noised")
    assert row["backbone_saw_labels"] is False
    assert row["macro_f1"] == row["accuracy"] == 1
    assert row["gmac_per_256_tile"] > 0
    assert row["runs"][0]["labels_used"] == 16
    assert set(results["denoising"]) == {"this", "untrained"}
    said = capsys.readouterr()
    assert "| ours, global + statistics | 100.0 ± 0.0 (100.0) |" in said.out
    assert "clean is left out" in said.err


def test_a_backbone_too_large_to_be_trained_has_no_tuned_row(tmp_path, monkeypatch):
    folder = str(pixel_backbone(tmp_path / "tiny"))
    assert set(backbone.impossible(folder)) == {"clean", "clean-side"}
    monkeypatch.setattr("satdifuser_qgis.engine.training.finetune.LARGEST", 10)
    assert "million weights" in backbone.impossible(folder)["tuned"]


def test_a_test_folder_leaves_eurosat_alone_and_unknown_lengths_are_refused(tmp_path, capsys):
    assert backbone.read_arguments(["--test", str(tmp_path)]).sets == ["eurosat"]
    with pytest.raises(SystemExit):
        backbone.read_arguments(["--labels", "300"])
    assert "300 labels" in capsys.readouterr().err


def test_seeds_are_a_number_or_a_list():
    assert backbone.read_seeds("3") == [0, 1, 2]
    assert backbone.read_seeds("2,") == [2]
    with pytest.raises(argparse.ArgumentTypeError):
        backbone.read_seeds("4")
