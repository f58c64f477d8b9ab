"""What happens to a computer while it maps: each is a failure in words with its code, and leaves nothing behind."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil

from satdifuser_qgis.engine.failures import explain
from satdifuser_qgis.engine.inference import room
from satdifuser_qgis.engine.outputs import Outputs
from satdifuser_qgis.engine.reporter import Silent
from satdifuser_qgis.engine.worker import execute
from satdifuser_qgis.protocol.codec import dump_request
from satdifuser_qgis.protocol.errors import EngineError
from satdifuser_qgis.protocol.segment import SegmentRequest
from tests.data import landscape, write_huge_mosaic, write_raster
from tests.engine.conftest import ROOT

NAMES = ("output", "probabilities", "entropy")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, model: Path) -> SegmentRequest:
    """A model and an image."""
    image = tmp_path_factory.mktemp("world") / "image.tif"
    write_raster(image, landscape(height=300, width=280, seed=4)[0])
    return SegmentRequest(input=str(image), model=str(model), output="", threads=1)


def request_in(world: SegmentRequest, folder: Path) -> SegmentRequest:
    """All outputs in a folder."""
    outputs = {name: str(folder / f"{name}.tif") for name in NAMES}
    return dataclasses.replace(world, polygons=str(folder / "polygons.gpkg"), **outputs)


class Meddling(Silent):
    """Does something once, when the map has begun."""

    def __init__(self, meddle: Callable[[], object]) -> None:
        self.meddle: Callable[[], object] | None = meddle

    def progress(self, done: float, total: float, unit: str, message: str = "") -> None:
        if message == "Mapping" and self.meddle:
            meddle, self.meddle = self.meddle, None
            meddle()


def failure_of(request: SegmentRequest, meddle: Callable[[], object] = lambda: None) -> EngineError:
    with pytest.raises(Exception) as caught:  # noqa: PT011
        execute(request, Meddling(meddle), Outputs("test"))
    failure = explain(caught.value)
    assert failure.message
    assert failure.remedy
    assert "Error" not in str(failure)
    return failure


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a disk in memory with the given options."""
    mounted: list[Path] = []

    def mount(options: str) -> Path:
        folder = tmp_path / f"disk {len(mounted)}"
        folder.mkdir()
        made = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True)
        if made.returncode:
            pytest.skip(f"no small disk can be mounted here: {made.stderr.decode().strip()}; full disks were left out")
        mounted.append(folder)
        return folder

    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk; full disks were left out")
    yield mount
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_too_small_is_told_before_computing_with_sizes_and_time(world, small_disk):
    disk = small_disk("size=2m")
    failure = failure_of(request_in(world, disk), lambda: pytest.fail("the map has begun"))
    assert failure.code == "no_space"
    assert "300 pixels" in failure.message
    assert "takes about" in failure.message
    assert "and about 5.2 MB" in failure.message
    assert os.listdir(disk) == []


def test_advice_for_a_sparse_raster_is_where_its_data_lie(world, tmp_path, monkeypatch):
    monkeypatch.setattr(room.shutil, "disk_usage", lambda folder: _Full())
    request = dataclasses.replace(request_in(world, tmp_path / "maps"), input=write_huge_mosaic(tmp_path))
    failure = failure_of(request)
    assert failure.code == "no_space"
    assert "takes about" in failure.message
    assert "all data lie in 67 × 67 pixels" in failure.remedy
    assert not (tmp_path / "maps").exists()


class _Full:
    free = 0


@pytest.mark.parametrize("spare_kb", [0, 100, 700])
def test_a_disk_that_fills_up_meanwhile_is_told_and_nothing_stays(world, small_disk, spare_kb):
    disk = small_disk("size=16m")

    def fill() -> None:
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        (disk / "filler").write_bytes(bytes(max(0, free - spare_kb * 1024)))

    failure = failure_of(request_in(world, disk), fill)
    assert failure.code == "no_space"
    assert os.listdir(disk) == ["filler"]


def test_a_target_that_may_not_be_written_is_told_before_computing(world, small_disk):
    disk = small_disk("size=16m,ro")
    failure = failure_of(request_in(world, disk), lambda: pytest.fail("the map has begun"))
    assert failure.code == "bad_request"
    assert str(disk) in failure.message


def mosaic(folder: Path) -> str:
    """An image in two halves of 300 rows, named by a mosaic."""
    values = landscape(height=600, width=280, seed=4)[0]
    with rasterio.open(write_raster(folder / "whole.tif", values)) as whole:
        rasterio.shutil.copy(whole, folder / "mosaic.vrt", driver="VRT")
    text = (folder / "mosaic.vrt").read_text()
    parts = []
    for number, top in enumerate((0, 300)):
        part = f"part {number}.tif"
        write_raster(folder / part, values[:, top : top + 300])
        parts.append((part, top))
    head, bands = text.split("<VRTRasterBand", 1)[0], []
    for band in (1, 2, 3):
        sources = "".join(
            f'<SimpleSource><SourceFilename relativeToVRT="1">{part}</SourceFilename><SourceBand>{band}</SourceBand>'
            f'<SrcRect xOff="0" yOff="0" xSize="280" ySize="300"/>'
            f'<DstRect xOff="0" yOff="{top}" xSize="280" ySize="300"/></SimpleSource>'
            for part, top in parts
        )
        bands.append(f'<VRTRasterBand dataType="Byte" band="{band}">{sources}</VRTRasterBand>')
    (folder / "mosaic.vrt").write_text(head + "".join(bands) + "</VRTDataset>")
    return str(folder / "mosaic.vrt")


def test_a_part_of_the_input_that_goes_meanwhile_is_told_and_nothing_stays(world, tmp_path):
    request = dataclasses.replace(request_in(world, tmp_path / "maps"), input=mosaic(tmp_path), batch=1)
    # All parts are open since the values were looked at: deleted ones would still be read.
    failure = failure_of(request, lambda: os.truncate(tmp_path / "part 1.tif", 1000))
    assert failure.code == "bad_input"
    assert "mosaic" in failure.message
    assert not (tmp_path / "maps").exists()


def test_an_input_that_is_cut_short_meanwhile_is_told_and_nothing_stays(world, tmp_path):
    path = write_raster(tmp_path / "image.tif", np.repeat(landscape(height=300, width=280)[0], 8, axis=1))
    request = dataclasses.replace(request_in(world, tmp_path / "maps"), input=path, batch=1)
    failure = failure_of(request, lambda: os.truncate(path, 20_000))
    assert failure.code == "bad_input"
    assert path in failure.message
    assert not (tmp_path / "maps").exists()


def test_an_input_that_is_deleted_meanwhile_is_still_read(world, tmp_path):
    """Where the system keeps open files. Windows does not let them be deleted."""
    (tmp_path / "image.tif").write_bytes(Path(world.input).read_bytes())
    request = dataclasses.replace(request_in(world, tmp_path / "maps"), input=str(tmp_path / "image.tif"))
    meddling = Meddling((tmp_path / "image.tif").unlink)
    execute(request, meddling, Outputs("test"))
    assert meddling.meddle is None
    execute(request_in(world, tmp_path / "again"), Silent(), Outputs("test"))
    assert (tmp_path / "maps" / "entropy.tif").is_file()


def run_limited(request: SegmentRequest, folder: Path, spare_mb: int) -> tuple[int, dict[str, object]]:
    """A worker that may take so much more memory than it has after loading its libraries: exit code, last event."""
    (folder / "ab12").mkdir()
    file = folder / "ab12" / "request.json"
    file.write_text(dump_request(request), encoding="utf-8")
    script = f"""
        import resource, sys
        sys.path.insert(0, {str(ROOT)!r})
        from satdifuser_qgis.engine.tasks import segment
        from satdifuser_qgis.engine.worker import main
        pages = int(open("/proc/self/statm").read().split()[0])
        limit = pages * resource.getpagesize() + {spare_mb} * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        sys.exit(main({str(file)!r}))
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, env=environment)
    lines = done.stdout.decode().splitlines()
    return done.returncode, json.loads(lines[-1]) if lines else {}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is limited with Linux's means")
# With 90 MB, nearly what the map takes, one in ten or so ended inside numpy with a signal; the parent tells that as
# crashed (tests/runtime).
@pytest.mark.parametrize("spare_mb", [16, 40, 60])
def test_memory_that_does_not_suffice_is_told_and_nothing_stays(world, tmp_path, spare_mb):
    request = dataclasses.replace(request_in(world, tmp_path / "maps"), batch=64)
    code, last = run_limited(request, tmp_path, spare_mb)
    assert (code, last.get("event"), last.get("code")) == (1, "failed", "out_of_memory"), last
    assert not (tmp_path / "maps").exists()
