"""Comparators learn from the same labels, are tested on the same other pixels, and cost what they themselves use."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import geopandas
import numpy as np
import psutil
import pytest
import rasterio
from rasterio.features import rasterize
from shapely.geometry import box

from benchmarks import measured
from benchmarks.comparators import compare, ours_leads, read_arguments, score_map
from benchmarks.measured import Cost, run
from benchmarks.split_image import SQUARE_PX, SQUARES, draw, dubai, korea, own
from tests.data import landscape, write_label_layer, write_landscape, write_raster
from tests.engine.tiny import pixel_backbone

REMOTIOR_PYTHON = os.environ.get("SATDIFUSER_REMOTIOR_PYTHON", "")


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> tuple[str, str]:
    return write_landscape(tmp_path_factory.mktemp("painted"), height=150, width=200)


def run_methods(files, folder: Path, methods: str, *more: str) -> dict:
    image, labels = files
    texts = ["--json", "unused", "--image", image, "--labels", labels, "--methods", methods, "--threads", "1", *more]
    return compare(read_arguments(texts), folder)


def test_labels_come_from_the_left_and_the_right_is_tested(files, tmp_path):
    scene = own(Path(files[0]), Path(files[1]), "")
    labels = draw(scene, tmp_path, seed=0)
    with rasterio.open(labels.raster) as raster:
        drawn = raster.read(1)
    assert scene.first_tested == 120
    assert not drawn[:, 120:].any()
    assert not scene.tested[:, :120].any()
    assert np.array_equal(drawn[drawn > 0], scene.truth[drawn > 0])
    counts = {code: int((drawn == code).sum()) for code in scene.names}
    assert labels.pixels == {str(code): count for code, count in counts.items()}
    assert all(SQUARES <= count <= SQUARES * SQUARE_PX**2 for count in counts.values())


def test_polygons_hold_the_same_pixels_as_the_raster(files, tmp_path):
    labels = draw(own(Path(files[0]), Path(files[1]), ""), tmp_path, seed=3)
    frame = geopandas.read_file(labels.polygons)
    with rasterio.open(labels.raster) as raster:
        burnt = rasterize(zip(frame.geometry, frame["code"]), raster.shape, transform=raster.transform)
        assert np.array_equal(burnt, raster.read(1))


def test_a_seed_draws_its_own_labels_every_time(files, tmp_path):
    scene = own(Path(files[0]), Path(files[1]), "")
    drawn = []
    for number, seed in enumerate((0, 0, 1)):
        (tmp_path / str(number)).mkdir()
        with rasterio.open(draw(scene, tmp_path / str(number), seed).raster) as raster:
            drawn.append(raster.read(1))
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])


def test_polygons_of_ones_own_are_labels_too(tmp_path):
    image = write_raster(tmp_path / "image.tif", landscape(40, 60)[0])
    shapes = [box(500_000, 5_199_800, 500_300, 5_200_000), box(500_300, 5_199_600, 500_600, 5_200_000)]
    scene = own(Path(image), Path(write_label_layer(tmp_path / "own.gpkg", shapes, ["wood", "lake"])), "class")
    assert scene.names == {1: "lake", 2: "wood"}
    assert [(scene.truth == code).sum() for code in (0, 1, 2)] == [600, 1200, 600]


def test_labels_on_another_grid_and_unknown_fields_are_refused_in_words(files, tmp_path):
    other = write_raster(tmp_path / "other.tif", np.ones((20, 20), np.uint8))
    with pytest.raises(ValueError, match="another grid"):
        own(Path(files[0]), Path(other), "")
    polygons = write_label_layer(tmp_path / "own.gpkg", [box(0, 0, 1, 1)], ["wood"])
    with pytest.raises(ValueError, match='no field "kind"'):
        own(Path(files[0]), Path(polygons), "kind")


def test_one_class_on_the_left_is_not_enough(tmp_path):
    image = write_raster(tmp_path / "image.tif", landscape(20, 30)[0])
    labels = write_raster(tmp_path / "labels.tif", np.ones((20, 30), np.uint8))
    with pytest.raises(ValueError, match="fewer than two classes"):
        draw(own(Path(image), Path(labels), ""), tmp_path, seed=0)


def test_a_map_is_scored_where_it_is_tested_and_counted_as_a_whole(files, tmp_path):
    scene = own(Path(files[0]), Path(files[1]), "")
    wrong = np.where(np.arange(200) < 120, scene.truth % 4 + 1, scene.truth).astype(np.uint16)
    row = score_map(scene, Path(write_raster(tmp_path / "map.tif", wrong)))
    assert (row["overall_accuracy"], row["miou"], row["tested_pixels"]) == (1, 1, 150 * 80)
    one = score_map(scene, Path(write_raster(tmp_path / "one.tif", np.full((150, 200), 1, np.uint16))))
    assert one["patches_per_megapixel"] == pytest.approx(1e6 / (150 * 200))
    with pytest.raises(ValueError, match="predictions run from -1"):
        score_map(scene, Path(write_raster(tmp_path / "none.tif", np.zeros((150, 200), np.uint16))))


def test_forests_map_the_image_and_the_row_of_remotior_is_left_out_in_words(files, tmp_path, capsys):
    results = run_methods(files, tmp_path, "forest,forest-remotior,remotior")
    assert [row["method"] for row in results["rows"]] == ["forest", "forest-remotior"]
    assert all(row["overall_accuracy"] > 0.8 for row in results["rows"])
    assert all(40 < row["memory_mib"] < 1000 for row in results["rows"])
    assert all(row["cpu_seconds"] > 0 for row in results["rows"])
    assert "--remotior-python" in results["left_out"]["remotior"]
    assert results["images"][0]["ours_leads"] == {}
    said = capsys.readouterr().out
    assert "| method | seconds | CPU seconds | peak memory MiB | OA | mIoU | patches/Mpx |" in said
    assert "remotior-sensus is left out" in said


@pytest.mark.skipif(not REMOTIOR_PYTHON, reason="SATDIFUSER_REMOTIOR_PYTHON names no interpreter with remotior-sensus")
def test_remotior_learns_from_the_same_labels(files, tmp_path):
    results = run_methods(files, tmp_path, "remotior", "--remotior-python", REMOTIOR_PYTHON)
    assert results["rows"][0]["overall_accuracy"] > 0.8
    assert results["conditions"]["remotior-sensus"]


def test_an_interpreter_without_remotior_is_refused(files, tmp_path):
    with pytest.raises(SystemExit, match="has no remotior-sensus"):
        run_methods(files, tmp_path, "remotior", "--remotior-python", sys.executable)


@pytest.mark.slow
def test_ours_trains_and_maps_through_the_engine(files, tmp_path):
    backbone = pixel_backbone(tmp_path / "tiny", attention=False)
    results = run_methods(files, tmp_path, "forest,ours", "--backbone", str(backbone))
    row = results["rows"][1]
    assert row["tested_pixels"] == results["rows"][0]["tested_pixels"]
    assert results["conditions"]["backbone"]["name"] == "tiny"
    assert set(results["images"][0]["ours_leads"]) == {"overall_accuracy", "miou", "patches_per_megapixel"}


def test_ours_leads_with_the_most_right_and_the_fewest_patches():
    rows = [
        {"method": "forest", "overall_accuracy": 0.5, "miou": 0.4, "patches_per_megapixel": 900.0},
        {"method": "ours", "overall_accuracy": 0.6, "miou": 0.3, "patches_per_megapixel": 90.0},
    ]
    assert ours_leads(rows) == {"overall_accuracy": True, "miou": False, "patches_per_megapixel": True}


def test_a_commands_peak_is_its_own_and_not_that_of_who_started_it(tmp_path):
    held = np.ones(300 * 2**20, np.uint8)
    small = run([sys.executable, "-I", "-S", "-c", "pass"], tmp_path, os.environ)
    large = run([sys.executable, "-I", "-S", "-c", "b'x' * (200 * 2**20)"], tmp_path, os.environ)
    assert small.memory_mib < 100 < held.nbytes / 2**20
    assert 200 < large.memory_mib < 300


def test_a_commands_children_count(tmp_path):
    busy = "import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', 'sum(range(10**8))'])"
    assert run([sys.executable, "-c", busy], tmp_path, os.environ).cpu_seconds > 0.3


def test_a_command_that_fails_tells_its_last_words(tmp_path):
    with pytest.raises(RuntimeError, match="no such luck"):
        run([sys.executable, "-c", "raise SystemExit('no such luck')"], tmp_path, os.environ)


def test_costs_of_commands_one_after_the_other():
    assert Cost(1, 2, 300) + Cost(10, 20, 100) == Cost(11, 22, 300)


def test_images_of_the_shared_data_have_all_classes_on_both_sides(shared_data, tmp_path):
    for scene in (dubai(tmp_path), korea(tmp_path)):
        left = scene.truth[:, : scene.first_tested]
        assert set(scene.names) == set(np.unique(left[left > 0])) == set(np.unique(scene.tested)) - {0}
        with rasterio.open(scene.path) as image:
            assert image.crs is not None
            assert (image.shape, image.count) == (scene.truth.shape, 3)


def test_a_comparison_that_is_ended_leaves_nothing_running(tmp_path):
    told = tmp_path / "pid"
    waits = f"import os, time; open({str(told)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    script = [sys.executable, measured.__file__, str(tmp_path / "cost.json"), sys.executable, "-S", "-c", waits]
    with subprocess.Popen(script, stderr=subprocess.DEVNULL) as between:
        until = time.monotonic() + 30
        while not (told.exists() and told.read_text()) and time.monotonic() < until:
            time.sleep(0.05)
        between.terminate()
    until = time.monotonic() + 10
    while psutil.pid_exists(int(told.read_text())) and time.monotonic() < until:
        time.sleep(0.05)
    assert not psutil.pid_exists(int(told.read_text()))
