"""A map computed by a Dask cluster of two real worker processes: the same to the byte, also where one is killed."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import distributed
import geopandas
import pytest

from satdifuser_qgis.engine.__main__ import main
from satdifuser_qgis.engine.inference import cluster
from satdifuser_qgis.engine.inference.mapping import MapPlan, strip_windows
from satdifuser_qgis.engine.inference.tiles import tile_grid
from satdifuser_qgis.engine.outputs import Outputs
from satdifuser_qgis.engine.raster.grid import Window
from satdifuser_qgis.engine.raster.normalise import Scaling
from satdifuser_qgis.engine.reporter import Silent
from satdifuser_qgis.engine.tasks import segment
from satdifuser_qgis.protocol.codec import dump_request
from satdifuser_qgis.protocol.errors import EngineError
from satdifuser_qgis.protocol.segment import SegmentRequest
from tests.data import landscape, write_raster
from tests.engine.conftest import ROOT

RASTERS = ("output", "probabilities", "entropy")


@pytest.fixture(scope="module")
def request_(tmp_path_factory: pytest.TempPathFactory, model: Path) -> SegmentRequest:
    """A request whose outputs, as one process makes them, are there already."""
    folder = tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SATDIFUSER_HOME", str(folder / "home"))
        values = landscape(height=600, width=160, seed=4)[0]
        values[:, 200:330, :100] = 0
        image = write_raster(folder / "image.tif", values, nodata=0)
        request = SegmentRequest(input=image, model=str(model), output="", overlap=50, batch=3, threads=1)
        request = named(request, folder / "alone")
        run(request)
    return request


def named(request: SegmentRequest, folder: Path) -> SegmentRequest:
    names = {name: str(folder / f"{name}.tif") for name in RASTERS}
    return dataclasses.replace(request, polygons=str(folder / "polygons.gpkg"), **names)


def run(request: SegmentRequest, reporter: Silent | None = None, **options: str) -> None:
    with Outputs("test") as outputs:
        segment.run(request, reporter or Silent(), outputs, **options)
        outputs.commit()


class Dask:
    """A scheduler and two workers, started as docs/cluster.md says; the scheduler needs nothing of ours."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = str(free.getsockname()[1])
        self.address = f"tcp://127.0.0.1:{port}"
        self._start("scheduler", "--host", "127.0.0.1", "--port", port)
        self.client = distributed.Client(self.address, timeout=60, set_as_default=False)
        self.work()
        self.work()
        self.client.wait_for_workers(2, timeout=60)

    def work(self) -> None:
        """One worker more. Nothing starts it again when it is killed."""
        self._start("worker", self.address, "--nthreads", "1", "--no-nanny", PYTHONPATH=str(ROOT))

    def kill(self, worker: str) -> None:
        os.kill(self.client.run(os.getpid, workers=[worker])[worker], signal.SIGKILL)

    def end(self) -> None:
        if hasattr(self, "client"):
            self.client.close()
        for process in self.processes:
            process.kill()
            process.wait()

    def _start(self, *arguments: str, **variables: str) -> None:
        command = [sys.executable, "-m", "dask", *arguments, "--no-dashboard"]
        with (self.folder / f"{arguments[0]}.log").open("ab") as log:
            process = subprocess.Popen(command, cwd=self.folder, env=os.environ | variables, stdout=log, stderr=log)
        self.processes.append(process)


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dask]:
    started = Dask(tmp_path_factory.mktemp("dask"))
    try:
        started.start()
        yield started
    finally:
        started.end()


@pytest.fixture
def wanted(request_: SegmentRequest, tmp_path: Path) -> SegmentRequest:
    return named(request_, tmp_path / "maps")


def assert_same(made: SegmentRequest, alone: SegmentRequest) -> None:
    for name in RASTERS:
        assert Path(getattr(made, name)).read_bytes() == Path(getattr(alone, name)).read_bytes(), name
    assert geopandas.read_file(made.polygons).equals(geopandas.read_file(alone.polygons))


class _Cancelling(Silent):
    """Cancels once parts of the map are there."""

    def progress(self, done: float, total: float, unit: str, message: str = "") -> None:
        if unit == "tiles" and done:
            raise EngineError("cancelled", "Cancelled.")


def test_a_map_of_a_cluster_is_the_same_to_the_byte_as_one_made_alone(request_, wanted, dask, tmp_path, capfd):
    path = tmp_path / "request.json"
    path.write_text(dump_request(wanted), encoding="utf-8")
    assert main(["run", str(path), "--scheduler", dask.address]) == 0, capfd.readouterr().err
    assert "2 workers of the Dask cluster" in capfd.readouterr().err
    assert_same(wanted, request_)


def test_a_cancelled_map_leaves_no_work_waiting_and_goes_on_later(request_, wanted, dask, monkeypatch):
    monkeypatch.setattr(cluster, "MOST_STRIPS", 1)
    with pytest.raises(EngineError, match="Cancelled"):
        run(wanted, _Cancelling(), scheduler=dask.address)
    until = time.monotonic() + 20
    while any(dask.client.processing().values()) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(dask.client.processing().values())
    assert not dask.client.who_has()
    run(wanted, scheduler=dask.address)
    assert_same(wanted, request_)


class _Killing(Silent):
    """Kills a worker that is computing, once parts of the map are there."""

    def __init__(self, dask: Dask) -> None:
        self.dask, self.killed, self.left = dask, "", 0.0

    def progress(self, done: float, total: float, unit: str, message: str = "") -> None:
        if unit == "tiles" and done and not self.killed:
            busy = [worker for worker, keys in self.dask.client.processing().items() if keys]
            if busy:
                self.dask.kill(busy[0])
                self.killed, self.left = busy[0], total - done


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_the_part_of_a_killed_worker_is_done_again(request_, wanted, dask, monkeypatch):
    monkeypatch.setattr(cluster, "POLL_S", 0.01)
    killing = _Killing(dask)
    run(wanted, killing, scheduler=dask.address)
    assert killing.killed
    assert killing.left > 0, "it was killed in mid-run"
    left = dask.client.nthreads()
    dask.work()
    assert len(left) == 1
    assert killing.killed not in left
    assert_same(wanted, request_)


class _Hiding(Silent):
    """Takes the raster away once all is planned: workers find none."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def log(self, message: str, level: str = "info") -> None:
        if "Dask" in message:
            self.path.rename(self.path.with_suffix(".away"))


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps open files in place")
def test_a_worker_that_cannot_see_the_raster_is_named(wanted, dask):
    hiding = _Hiding(wanted.input)
    try:
        with pytest.raises(EngineError, match=r"The worker tcp://127.*image.tif. does not exist") as caught:
            run(wanted, hiding, scheduler=dask.address)
    finally:
        hiding.path.with_suffix(".away").rename(hiding.path)
    assert caught.value.code == "bad_input"
    assert "Every worker must see the raster" in caught.value.remedy


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"versions": {"SatDiFuser": "0.0.9"}}, r"it runs SatDiFuser .* instead of 0\.0\.9"),
        ({"threads": 1025}, "but 1025 threads were asked for"),
        ({"fingerprint": "other"}, "image.tif is another raster there"),
        ({"digest": "other"}, "model.safetensors is another model there"),
    ],
)
def test_a_worker_that_would_compute_something_else_refuses(wanted, dask, monkeypatch, change, said):
    made = cluster._job
    monkeypatch.setattr(cluster, "_job", lambda *given: dataclasses.replace(made(*given), **change))
    with pytest.raises(EngineError, match=said) as caught:
        run(wanted, scheduler=dask.address)
    assert caught.value.code != "internal"
    assert not Path(wanted.output).exists()


def test_other_tasks_are_refused(tmp_path, capfd):
    path = tmp_path / "request.json"
    path.write_text(json.dumps({"protocol": 1, "task": "doctor", "request": {}}))
    assert main(["run", str(path), "--scheduler", "tcp://127.0.0.1:8786"]) == 1
    assert 'Only maps ("segment") are computed on a cluster' in capfd.readouterr().err


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "127.0.0.1", "nonsense:port", "tcp://127.0.0.1:SILENT"])
def test_no_scheduler_is_told_in_time(monkeypatch, address):
    monkeypatch.setattr(cluster, "CONNECT_S", 0.5)
    began = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = address.replace("SILENT", str(silent.getsockname()[1]))
        with pytest.raises(EngineError, match=f'No Dask scheduler answers at "{address}"') as caught:
            cluster.Cluster(address)
    assert caught.value.code == "bad_request"
    assert time.monotonic() - began < 10


def test_without_dask_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(EngineError, match=r'pip install "dask\[distributed\]"') as caught:
        run(SegmentRequest("image.tif", "model", "map.tif"), scheduler="tcp://127.0.0.1:8786")
    assert caught.value.code == "engine_broken"


@pytest.mark.parametrize("overlap", [0, 25, 75])
@pytest.mark.parametrize("most", [1, 3, 100])
def test_parts_hold_each_missing_strip_once(overlap, most):
    window = Window(13, 700, 911, 9000)
    plan = MapPlan(window, tile_grid(1000, 10_000, 64, 64, overlap).touching(window), (1, 2, 3), Scaling("none"), 8)
    strips = [strip for block in plan.blocks() for strip in strip_windows(plan, block) if not strip.empty]
    missing = [strip for number, strip in enumerate(strips) if number % 7]
    parts = cluster.cut(plan, missing.__contains__, most)
    found = [[strip for strip in strip_windows(part, part.window) if not strip.empty] for part in parts]
    assert [strip for part in found for strip in part] == missing
    assert max(len(part) for part in found) <= most
    assert all([part.window] == part.blocks() for part in parts)
    assert len(parts) < len(missing) or most == 1
