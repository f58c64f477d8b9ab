"""The benchmark compares like with like: every method gets the same images and is scored by the same function."""

from __future__ import annotations

import argparse
import json

import numpy as np
import pytest
import rasterio
import torch

from benchmarks.backbone import land_cover_rows
from benchmarks.baselines.forest import Forest, pixel_features
from benchmarks.baselines.unet import SmallUNet, UNetMethod
from benchmarks.labelled_set import LabelledSet, open_set, read_codes
from benchmarks.ours import write_random_backbone
from benchmarks.quality import METHODS, listed, measure, measure_row, percent, rows_folder, table

SIDE = 136


def write_pair(folder, number, rng):
    """A bright and a dark half with noise, as class 20 and class 5; a corner is unlabelled."""
    codes = np.full((SIDE, SIDE), 5, np.uint8)
    codes[:, int(rng.integers(40, 90)) :] = 20
    image = np.where(codes == 20, 150, 60) + rng.normal(0, 25, (3, SIDE, SIDE))
    codes[:10, :10] = 0
    for kind, values in (("images", image.clip(0, 255).astype(np.uint8)), ("labels", codes[None])):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        profile = {"driver": "GTiff", "width": SIDE, "height": SIDE, "count": len(values), "dtype": "uint8"}
        place = {"transform": rasterio.Affine(1, 0, 0, 0, -1, 0)}
        with rasterio.open(folder / kind / f"{number}.tif", "w", **profile, **place) as raster:
            raster.write(values)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory) -> LabelledSet:
    data = tmp_path_factory.mktemp("data")
    folder, rng = data / "segmentation" / "dubai_mbrsc", np.random.default_rng(0)
    for part, count in (("train", 2), ("test", 1)):
        for number in range(count):
            write_pair(folder / part, number, rng)
    classes = [{"code": 20, "name": "bright", "rgb": [250, 250, 0]}, {"code": 5, "name": "dark", "rgb": [0, 0, 90]}]
    (folder / "manifest.json").write_text(json.dumps({"classes": classes}))
    return open_set("dubai", data)


def test_a_set_keeps_its_order_of_classes_and_pairs_images_with_labels(labelled):
    assert labelled.codes == (20, 5)
    assert labelled.classes[0].color == "#fafa00"
    assert [pair.label.name for pair in labelled.train] == ["0.tif", "1.tif"]


def test_a_missing_set_says_where_it_was_looked_for(tmp_path):
    with pytest.raises(FileNotFoundError, match="SATDIFUSER_DATA"):
        open_set("korea", tmp_path)


def test_forests_learn_what_they_are_shown_and_context_clears_up_the_map(labelled):
    pixels = measure(Forest(context=False, balanced=False, scaling=1, threads=1), labelled)
    context = measure(Forest(context=True, balanced=True, scaling=2, threads=1), labelled)
    assert pixels["miou"] > 0.8
    assert context["miou"] > pixels["miou"]
    assert context["patches_per_megapixel"] < pixels["patches_per_megapixel"]
    assert pixels["pixels"] == SIDE * SIDE
    assert sum(map(sum, pixels["confusion"])) == (read_codes(labelled.test[0].label) > 0).sum()


def test_context_features_are_bands_then_means_and_deviations_at_four_scales():
    flat = np.full((3, 9, 9), 7, np.float32)
    features = pixel_features(flat, context=True)
    assert features.shape == (81, 27)
    assert features[0] == pytest.approx([7] * 3 + ([7] * 3 + [0] * 3) * 4, abs=0.01)


def test_the_unet_learns_and_answers_on_the_images_grid(labelled):
    method = UNetMethod(scaling=1, threads=1, steps=6)
    row = measure(method, labelled)
    assert row["miou"] > 0.5
    assert method.map(labelled.test[0]).shape == (SIDE, SIDE)


def test_the_unet_is_as_small_as_it_says():
    assert sum(weight.numel() for weight in SmallUNet(5).parameters()) == pytest.approx(4e5, rel=0.1)


def test_the_table_says_every_column_and_a_dash_for_an_absent_class(labelled):
    row = {
        "title": "a method",
        "scaling": 1,
        "miou": 0.5,
        "iou": {"bright": 0.5, "dark": None},
        "overall_accuracy": 0.75,
        "boundary_iou": 0.25,
        "patches_per_megapixel": 1234.5,
        "seconds": 8.4,
    }
    lines = table(labelled, [row]).splitlines()
    assert lines[2] == "| method | scaling | mIoU | bright | dark | OA | boundary IoU | patches/Mpx | CPU seconds |"
    assert lines[4] == "| a method | 1 constants | 50.0 | 50.0 | – | 75.0 | 25.0 | 1234 | 8 |"


def test_unknown_methods_are_refused_with_the_known_ones():
    assert listed(METHODS)("global,forest") == ["global", "forest"]
    with pytest.raises(argparse.ArgumentTypeError, match="localized"):
        listed(METHODS)("globl")


def test_percent_of_nothing_is_a_dash():
    assert (percent(None), percent(0.4567)) == ("–", "45.7")


def test_the_random_backbone_has_the_same_shapes_other_weights_and_is_reproducible(tmp_path):
    from diffusers import UNet2DModel

    source = tmp_path / "source"
    torch.manual_seed(5)
    sizes = {"block_out_channels": (32, 32), "layers_per_block": 1, "norm_num_groups": 8}
    kinds = {"down_block_types": ("DownBlock2D",) * 2, "up_block_types": ("UpBlock2D",) * 2}
    net = UNet2DModel(sample_size=8, in_channels=12, out_channels=12, **sizes, **kinds)
    net.save_pretrained(source / "unet")
    (source / "satdifuser.json").write_text(json.dumps({"name": "tiny"}))
    found = [
        UNet2DModel.from_pretrained(write_random_backbone(source, tmp_path / name) / "unet").state_dict()
        for name in ("a", "b")
    ]
    assert all(torch.equal(found[0][key], found[1][key]) for key in found[0])
    assert found[0]["conv_in.weight"].shape == net.conv_in.weight.shape
    assert not torch.allclose(found[0]["conv_in.weight"], net.conv_in.weight, atol=1e-3)


def test_the_backbones_benchmark_has_these_rows_too(labelled, monkeypatch):
    monkeypatch.setenv("SATDIFUSER_DATA", str(labelled.train[0].image.parents[4]))
    chosen = argparse.Namespace(methods=["forest"], backbone="compact-s2-rgb", threads=1)
    (row,) = land_cover_rows("dubai", chosen)
    assert (row["kind"], row["extraction"]) == ("baseline", "none")
    assert row["miou"] > 0.5


def test_an_interrupted_run_goes_on_with_the_rows_that_it_has(labelled, tmp_path, monkeypatch):
    data = labelled.train[0].image.parents[4]
    monkeypatch.setenv("SATDIFUSER_DATA", str(data))
    arguments = argparse.Namespace(
        json=tmp_path / "q.json", sets=["dubai"], methods=["forest"], backbone="compact-s2-rgb", threads=1, jobs=1
    )
    rows = rows_folder(arguments)
    rows.mkdir(parents=True)
    first = measure_row("dubai", "forest", 1, arguments, rows)
    assert measure_row("dubai", "forest", 1, arguments, rows) == json.loads(json.dumps(first))
    assert measure_row("dubai", "forest", 1, arguments, None)["seconds"] != first["seconds"]
    arguments.threads = 2
    assert rows_folder(arguments) != rows
