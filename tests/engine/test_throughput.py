"""The throughput benchmark times what it says: the same tiles and calls in every arm, memory of the worker alone."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch

from benchmarks import throughput, throughput_arms, throughput_memory
from benchmarks.throughput_inputs import TIMES, latent_backbone, write_image, write_random_model
from satdifuser_qgis.engine.backbones import load_backbone
from satdifuser_qgis.engine.raster.grid import Window
from tests.engine.tiny import pixel_backbone

CPU = torch.device("cpu")


@pytest.fixture(scope="module", autouse=True)
def small_batch():
    """Two tiles a row instead of eight."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(throughput_arms, "COLUMNS", 2)
        yield


@pytest.fixture(scope="module")
def backbone(tmp_path_factory) -> Path:
    return pixel_backbone(tmp_path_factory.mktemp("backbone") / "tiny", attention=False)


@pytest.fixture(scope="module")
def sample(backbone, small_batch, tmp_path_factory) -> throughput_arms.Sample:
    folder = tmp_path_factory.mktemp("sample")
    model = write_random_model(folder / "model.safetensors", str(backbone))
    return throughput_arms.open_sample(model, folder, rows=2, device=CPU)


def counted_calls(sample, run) -> list[int]:
    """Network calls of a run: the number of (tile, time) pairs in each."""
    network, pairs = sample.model.extractor.backbone.network, []
    handle = network.register_forward_pre_hook(lambda _module, args: pairs.append(len(args[0])))
    run()
    handle.remove()
    return pairs


def test_a_sample_is_whole_batches_of_tiles(sample):
    assert sample.plan.tiles == 4
    assert sample.plan.window == Window(0, 0, 128 + 96, 128 + 96)
    first = sample.first_row()
    assert first.plan.tiles == 2
    assert first.plan.window == Window(0, 0, 96, 128 + 96)


def test_every_arm_makes_the_calls_that_its_title_says(sample):
    arms = throughput_arms.make_arms(sample.first_row())
    assert counted_calls(sample, arms["noised"]) == [6]
    assert counted_calls(sample, arms["bare"]) == [6]
    assert counted_calls(sample, arms["loop"]) == [1] * 2 * 12
    assert set(counted_calls(sample, arms["inversion"])) == {2}


def test_the_limit_computes_what_ours_computes(sample):
    grid = sample.plan.grid
    tiles, noise = throughput_arms.preloaded(sample)[1]
    positions = [(grid.rows[1], column) for column in grid.columns]
    ours = sample.model.logits(tiles, sample.raster, positions)
    torch.testing.assert_close(throughput_arms.bare_logits(sample.model, tiles, noise), ours)


def test_the_loop_walks_as_far_as_the_published_grid_allows(sample):
    found = throughput_arms.nearest_published(sample.model.extractor.backbone)
    assert found == (0, 100, 200)


def test_the_latent_backbone_has_the_shape_of_stable_diffusion_and_its_times(tmp_path):
    backbone = load_backbone(latent_backbone(tmp_path), CPU)
    assert (backbone.space, backbone.factor, backbone.channels, backbone.size_multiple) == ("latent", 8, 4, 64)
    assert {stream.stride for stream in backbone.streams()} == {8, 16, 32, 64}
    assert throughput_arms.nearest_published(backbone) == TIMES


def test_the_image_is_the_same_each_time_and_never_flat(tmp_path):
    paths = [write_image(tmp_path / f"{number}.tif", 300, 260) for number in range(2)]
    with rasterio.open(paths[0]) as one, rasterio.open(paths[1]) as other:
        values = one.read()
        np.testing.assert_array_equal(values, other.read())
        assert one.profile["tiled"]
    assert values.shape == (3, 300, 260)
    assert values.std(axis=2).min() > 5


def test_ratios_are_those_of_speeds_and_the_median_of_the_rounds():
    rounds = [
        {"loop": 8.0, "noised": 2.0, "inversion": 4.0, "bare": 1.0},
        {"loop": 10.0, "noised": 2.0, "inversion": 8.0, "bare": 1.8},
        {"loop": 9.0, "noised": 3.0, "inversion": 9.0, "bare": 2.7},
    ]
    assert throughput_arms.speed_ratios(rounds) == {
        "noised_vs_loop": 4.0,
        "inversion_vs_loop": 1.25,
        "noised_vs_bare": pytest.approx(0.9),
    }


def test_peak_memory_is_the_childs_own_and_not_what_its_parent_holds(tmp_path, capfd):
    held = np.ones(60_000_000)
    command = [sys.executable, throughput_memory.__file__, sys.executable, "-c", "bytearray(50_000_000)"]
    found = throughput_memory.subprocess.run(command, capture_output=True, text=True, check=True)
    assert 50e6 < json.loads(found.stdout)["peak_bytes"] < held.nbytes / 2


def test_a_worker_that_fails_is_told(tmp_path):
    with pytest.raises(RuntimeError, match="cannot be read"):
        throughput_memory.measured_run(tmp_path / "missing.json", tmp_path / "home")


def test_a_run_gives_one_table_and_every_ratio_twice(backbone, tmp_path, monkeypatch, capsys):
    peaks = iter([3 * 2**29, 2**30, 2**30, 2**30])
    seen = []

    def no_worker(request, home):
        seen.append(json.loads(request.read_text())["request"])
        return {"peak_bytes": next(peaks), "seconds": 2.0}

    monkeypatch.setattr(throughput, "measured_run", no_worker)
    monkeypatch.setattr(throughput, "REPEATS", 1)
    texts = ["--json", "none", "--sizes", "512,256", "--rows", "1", "--threads", "1"]
    arguments = throughput.read_arguments([*texts, "--backbone", str(backbone), "--latent", str(backbone)])
    results = throughput.compare(arguments, tmp_path)
    assert set(results["ratios"]) == set(results["latent"]) == set(throughput.AIMS)
    assert results["ratios"]["memory_large_vs_small"] == 1.5
    assert results["latent"]["peak_gib"] == 1.0
    assert [row["arm"] for row in results["rows"]] == list(throughput_arms.TITLES) * 2
    assert [row["size"] for row in results["memory"]] == [512, 256] * 2
    assert all(request["probabilities"] and request["entropy"] and not request["batch"] for request in seen)
    said = capsys.readouterr()
    assert "| (b) ours, noised | tiny | " in said.out
    assert "| memory_large_vs_small | 1.500 | 1.000 | ≤ 1.1 |" in said.out
    assert "mapping 512 × 512 px in a worker" in said.err
    assert results["conditions"]["times"] == TIMES


def test_sizes_are_numbers_of_pixels():
    assert throughput.read_sizes("2048,8192") == [2048, 8192]
    with pytest.raises(argparse.ArgumentTypeError):
        throughput.read_sizes("0,256")
