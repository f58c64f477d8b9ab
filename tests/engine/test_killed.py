"""A worker that is killed while it maps: old outputs stay whole, and the repeat makes what an unbroken run makes."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
from pathlib import Path

import geopandas
import numpy as np
import pytest

from satdifuser_qgis.engine.outputs import Outputs
from satdifuser_qgis.protocol import folders
from satdifuser_qgis.protocol.codec import dump_request
from satdifuser_qgis.protocol.segment import SegmentRequest
from tests.data import landscape, write_raster
from tests.engine.conftest import ROOT

RASTERS = ("output", "probabilities", "entropy")
KILLS = 4


@pytest.fixture(scope="module")
def request_(tmp_path_factory: pytest.TempPathFactory, model: Path) -> SegmentRequest:
    folder = tmp_path_factory.mktemp("world")
    image = write_raster(folder / "image.tif", landscape(height=700, width=300, seed=4)[0])
    names = {name: str(folder / "maps" / f"{name}.tif") for name in RASTERS}
    polygons = str(folder / "maps" / "polygons.gpkg")
    return SegmentRequest(input=image, model=str(model), polygons=polygons, threads=1, **names)


def start(request: SegmentRequest, folder: Path) -> subprocess.Popen[bytes]:
    """The engine's command line, as users and batch systems start it."""
    file = folder / "request.json"
    file.write_text(dump_request(request), encoding="utf-8")
    command = [sys.executable, "-m", "satdifuser_qgis.engine", "run", str(file)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, cwd=ROOT, **quiet)  # type: ignore[call-overload, no-any-return]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if ".part-" not in path.name}


def wait_for_parts(folder: Path, worker: subprocess.Popen[bytes]) -> None:
    while worker.poll() is None and not any(".part-" in name for name in os.listdir(folder)):
        time.sleep(0.005)


def wait_for_a_finished_part(worker: subprocess.Popen[bytes]) -> None:
    while worker.poll() is None and not any(folders.unfinished().glob("*/*.npz")):
        time.sleep(0.005)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 5))])
def test_a_killed_map_leaves_the_old_one_whole_and_goes_on_to_the_same_result(request_, tmp_path, seed):
    maps = Path(request_.output).parent
    first = dataclasses.replace(request_, overlap=0)
    assert start(first, tmp_path).wait() == 0
    old = contents(maps)
    worker = start(request_, tmp_path)
    wait_for_parts(maps, worker)
    began = time.monotonic()
    assert worker.wait() == 0
    took = time.monotonic() - began
    new, features = contents(maps), geopandas.read_file(request_.polygons)
    assert old.keys() == new.keys()
    assert all(old[name] != new[name] for name in ("output.tif", "probabilities.tif", "entropy.tif"))
    for name, content in old.items():
        (maps / name).write_bytes(content)
    resumed = 0
    for number, moment in enumerate(np.random.default_rng(seed).uniform(0, 0.95, KILLS)):
        worker = start(request_, tmp_path)
        wait_for_parts(maps, worker)
        if number:
            time.sleep(moment * took)
        else:  # one kill is sure to leave something to go on from
            wait_for_a_finished_part(worker)
        worker.kill()
        if worker.wait() != 0:
            # several files cannot be renamed at one stroke, but each is the old one or the new one
            assert contents(maps).keys() == old.keys()
            assert all(content in (old[name], new[name]) for name, content in contents(maps).items())
            resumed += any(folders.unfinished().glob("*/*.npz"))
        for name, content in old.items():
            (maps / name).write_bytes(content)
    assert start(request_, tmp_path).wait() == 0
    assert sorted(os.listdir(maps)) == sorted(old), "nothing stays of the killed runs"
    assert {name: content == new[name] for name, content in contents(maps).items()} == dict.fromkeys(new, True)
    assert geopandas.read_file(request_.polygons).equals(features)
    assert resumed, "no kill was late enough for a part to be finished"
    assert not list(folders.unfinished().glob("*/*.npz"))


def test_the_next_run_removes_what_a_dead_one_left_and_nothing_else(tmp_path):
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    target = tmp_path / "map.tif"
    names = {}
    for text, pid in (("dead", gone.pid), ("alive", os.getppid())):
        outputs = Outputs(text)
        mark = outputs._mark.rpartition("-")[0] + f"-{pid}"
        names[text] = [f"map{mark}.tif", f"map{mark}-work-confidence.tif", f"map{mark}.tif.aux.xml"]
        for name in names[text]:
            (tmp_path / name).touch()
    elsewhere = tmp_path / f"map.part-ab12-000000-{gone.pid}.tif"
    for path in (elsewhere, tmp_path / f"map.part-{gone.pid}.tif"):
        path.touch()
    with Outputs("next") as outputs:
        outputs.part(target).touch()
        outputs.commit()
    left = sorted([*names["alive"], elsewhere.name, f"map.part-{gone.pid}.tif", "map.tif"])
    assert sorted(os.listdir(tmp_path)) == left
