"""Every file of the folder of awkward inputs is processed rightly or refused in words, as its manifest says."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import shapely
from affine import Affine

from benchmarks.awkward import Bench, read_cases, tiny_backbone
from benchmarks.awkward_checks import map_differences
from benchmarks.awkward_runs import InProcess
from satdifuser_qgis.engine.raster.grid import Window
from satdifuser_qgis.engine.raster.read import open_raster
from satdifuser_qgis.protocol.segment import SegmentRequest
from tests.data import landscape, write_huge_mosaic, write_label_layer, write_raster
from tests.engine.conftest import shared_folder

FOLDER = shared_folder() / "awkward"
NAMES = [entry["file"] for entry in json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))["files"]] if (
    FOLDER / "manifest.json"
).is_file() else []  # fmt: skip
SECONDS = 300.0


@pytest.fixture(scope="module")
def bench(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A copy that can be written to, so that what is left beside inputs would be seen."""
    work = tmp_path_factory.mktemp("awkward")
    shutil.copytree(shared_data / "awkward", work / "inputs", copy_function=shutil.copyfile)
    for path in (work / "inputs").rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return Bench(work / "inputs", work, tiny_backbone(work / "tiny"), InProcess(SECONDS))


@pytest.mark.parametrize("name", NAMES)
def test_an_awkward_file_is_processed_or_refused_as_its_manifest_says(bench, name):
    (case,) = (case for case in read_cases(bench.folder) if case.name == name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outcome = bench.run(case)
    assert not outcome.differences, outcome


def test_the_folder_of_awkward_files_is_there(shared_data):
    assert NAMES


def test_gaps_of_mosaics_are_known_without_reading(tmp_path):
    with open_raster(write_huge_mosaic(tmp_path)) as raster:
        assert raster.filled.meets(Window(763, 563, 1, 1))
        assert not raster.filled.meets(Window(800, 500, 90_000, 90_000))
        assert raster.filled.around() == Window(699, 499, 67, 67)
        valid = raster.read((1, 1, 1), Window(690, 490, 100, 100))[1]
        assert valid.sum() == 64 * 64
        assert not raster.read((1, 1, 1), Window(50_000, 50_000, 10, 10))[1].any()


def test_a_gap_without_nodata_is_a_measurement(tmp_path):
    with open_raster(write_huge_mosaic(tmp_path, 2000, nodata="")) as raster:
        assert raster.filled.around() == raster.grid.whole
        assert raster.read((1, 1, 1), Window(0, 0, 10, 10))[1].all()


def test_blocks_that_a_sparse_file_lacks_are_known(tmp_path):
    values = np.zeros((1, 2048, 2048), np.uint8)
    values[:, 600:700, 1100:1200] = 7
    options = {"tiled": True, "blockxsize": 256, "blockysize": 256, "sparse_ok": True, "nodata": 0}
    path = write_raster(tmp_path / "sparse.tif", values, compress="deflate", **options)
    with open_raster(path) as raster:
        assert raster.filled.around() == Window(512, 1024, 256, 256)
        assert raster.read((1, 1, 1), raster.grid.whole)[1].sum() == 100 * 100


def test_the_check_of_maps_finds_what_differs(tmp_path):
    image = write_raster(tmp_path / "image.tif", np.full((1, 20, 30), 5, np.uint8))
    codes = np.full((20, 30), 1, np.uint8)
    tags = {"transform": Affine(10, 0, 500_000, 0, -10, 5_200_001)}
    for name in ("classes", "probabilities", "entropy", "polygons"):
        write_raster(tmp_path / f"{name}.tif", codes, **tags)
    names = {name: str(tmp_path / f"{name}.tif") for name in ("probabilities", "entropy", "polygons")}
    found = map_differences(SegmentRequest(image, "model", str(tmp_path / "classes.tif"), **names), [1])
    assert [text.split(" is ")[0] for text in found] == [
        "output: geotransform", "probabilities: geotransform", "entropy: geotransform"
    ]  # fmt: skip


@pytest.fixture
def with_a_local_crs(tmp_path):
    """A bench over a folder with rasters in a local CRS, in UTM and unreadable, and labels in all of them."""
    folder, site = tmp_path / "inputs", 'LOCAL_CS["site grid",UNIT["metre",1]]'
    folder.mkdir()
    squares = [shapely.box(500_020 + x, 5_199_500, 500_100 + x, 5_199_600) for x in (0, 200, 400, 600)]
    for name, crs in (("local", site), ("utm", "EPSG:32633")):
        write_raster(folder / f"{name}.tif", landscape(128, 128)[0], crs=crs)
        write_label_layer(folder / f"{name}.gpkg", squares, ["a", "b"] * 2, crs=crs)
    (folder / "broken.tif").write_text("no raster")
    expected = {"local.tif": "process", "broken.tif": "process", "utm.tif": "process", "utm.gpkg": "process",
                "local.gpkg": "refuse"}  # fmt: skip
    files = [{"file": name, "expected": word} for name, word in expected.items()]
    (folder / "manifest.json").write_text(json.dumps({"files": files}), encoding="utf-8")
    return Bench(folder, tmp_path / "work", tiny_backbone(tmp_path / "tiny"), InProcess(SECONDS))


def test_a_raster_in_a_local_crs_and_one_that_cannot_be_read_are_cases_as_others(with_a_local_crs):
    outcomes = {case.name: with_a_local_crs.run(case) for case in read_cases(with_a_local_crs.folder)}
    assert {name: outcome.happened for name, outcome in outcomes.items()} == {
        "local.tif": "process", "broken.tif": "refuse", "utm.tif": "process", "utm.gpkg": "process",
        "local.gpkg": "refuse",
    }  # fmt: skip
    wrong = {name: outcome.differences for name, outcome in outcomes.items() if outcome.differences}
    assert wrong == {"broken.tif": ["refuse happened but process was expected"]}


def test_a_case_that_cannot_be_checked_is_a_line_and_not_the_end(with_a_local_crs, monkeypatch):
    def fail(*args):
        raise ValueError("no way to compare")

    monkeypatch.setattr("benchmarks.awkward.map_differences", fail)
    case = next(case for case in read_cases(with_a_local_crs.folder) if case.name == "utm.tif")
    outcome = with_a_local_crs.run(case)
    assert outcome.differences[0] == "it could not be checked: ValueError: no way to compare"
