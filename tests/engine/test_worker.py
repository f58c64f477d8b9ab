"""The worker's parts, in the engine's own Python. The whole process is tried in tests/runtime."""

from __future__ import annotations

import errno
import json
import os
import platform
import subprocess
import sys
import threading
import types

import pytest
import torch

from satdifuser_qgis.engine import worker
from satdifuser_qgis.engine.failures import explain
from satdifuser_qgis.engine.outputs import Outputs
from satdifuser_qgis.engine.reporter import Silent
from satdifuser_qgis.engine.result import Result
from satdifuser_qgis.engine.threads import VARIABLES, physical_cores, set_threads
from satdifuser_qgis.protocol.doctor import DoctorRequest
from satdifuser_qgis.protocol.errors import EngineError


@pytest.fixture
def pipe():
    """Both ends of a pipe; the writing end belongs to the stream."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stream:
        yield stream, writing


def sent(stream, count: int) -> list:
    return [json.loads(stream.readline()) for _ in range(count)]


@pytest.fixture
def reporter(pipe, tmp_path):
    _, writing = pipe
    events = worker.EventStream(writing, "run", on_broken=pytest.fail)
    return worker.EventReporter(events, tmp_path / "cancel")


def test_reports_become_events(pipe, reporter):
    reporter.log("A sentence.")
    reporter.metric("loss", 0.5)
    reporter.metric("loss", float("inf"))
    reporter.progress(1, 2, "tiles", "Mapping")
    got = [{key: value for key, value in event.items() if key != "id"} for event in sent(pipe[0], 4)]
    assert got == [
        {"event": "log", "level": "info", "message": "A sentence."},
        {"event": "metric", "name": "loss", "value": 0.5},
        {"event": "log", "level": "debug", "message": "loss is inf"},
        {"event": "progress", "done": 1, "total": 2, "unit": "tiles", "message": "Mapping"},
    ]


def test_progress_is_thinned_but_never_its_end(pipe, reporter):
    for done in range(10_001):
        reporter.progress(done, 10_000, "tiles", "Mapping")
    reporter.log("the end")
    events = []
    while not events or events[-1]["event"] != "log":
        events += sent(pipe[0], 1)
    assert len(events) < 500
    assert events[-2]["done"] == 10_000


def test_numbers_of_numpy_and_torch_do_as_figures(pipe, reporter):
    reporter.metric("loss", torch.tensor(0.25))
    assert sent(pipe[0], 1)[0]["value"] == 0.25


def test_cancel_file_is_seen(reporter, tmp_path):
    reporter.check()
    (tmp_path / "cancel").touch()
    reporter._last_check = 0.0
    with pytest.raises(EngineError) as caught:
        reporter.progress(1, 2, "tiles")
    assert caught.value.code == "cancelled"


def test_alive_is_sent_until_it_is_stopped(pipe, monkeypatch):
    monkeypatch.setattr(worker.events, "ALIVE_EVERY_S", 0.01)
    stream = worker.EventStream(pipe[1], "run", on_broken=pytest.fail)
    stream.start_alive()
    assert {event["event"] for event in sent(pipe[0], 3)} == {"alive"}
    stream.stop_alive()
    stream.send("finished", outputs={}, values={})
    stream._file.close()
    assert json.loads(pipe[0].readlines()[-1])["event"] == "finished"


def test_a_closed_pipe_is_noticed_by_alive(monkeypatch):
    monkeypatch.setattr(worker.events, "ALIVE_EVERY_S", 0.01)
    reading, writing = os.pipe()
    noticed = threading.Event()
    stream = worker.EventStream(writing, "run", on_broken=lambda: (noticed.set(), stream._stop.set()))
    os.close(reading)
    stream.start_alive()
    assert noticed.wait(5.0)
    os.dup2(os.open(os.devnull, os.O_WRONLY), writing)  # what is still buffered goes nowhere
    stream._file.close()


def task_returning(monkeypatch, result) -> None:
    def run(request, reporter, outputs):
        outputs.part(request.target).write_text("map")
        return result

    module = types.SimpleNamespace(run=run)
    monkeypatch.setattr(worker.importlib, "import_module", lambda name: module)


def test_a_task_runs_in_a_process_that_keeps_memory(monkeypatch, tmp_path):
    called = []
    monkeypatch.setattr(worker, "keep_freed_memory", lambda: called.append("kept"))
    task_returning(monkeypatch, Result({}))
    worker.execute(types.SimpleNamespace(TASK="any", threads=1, target=tmp_path / "map.tif"), Silent(), Outputs("run"))
    assert called == ["kept"]


def test_outputs_get_their_names_after_the_task(monkeypatch, tmp_path):
    task_returning(monkeypatch, Result({"OUTPUT": "map.tif"}))
    request = types.SimpleNamespace(TASK="any", threads=1, target=tmp_path / "map.tif")
    assert worker.execute(request, Silent(), Outputs("run")).outputs == {"OUTPUT": "map.tif"}
    assert os.listdir(tmp_path) == ["map.tif"]


def test_a_result_that_cannot_be_told_leaves_no_output(monkeypatch, tmp_path):
    task_returning(monkeypatch, Result(values={"MIOU": float("nan")}))
    request = types.SimpleNamespace(TASK="any", threads=1, target=tmp_path / "map.tif")
    with pytest.raises(ValueError, match="JSON"):
        worker.execute(request, Silent(), Outputs("run"))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "no JSON"), ('{"protocol": 1, "task": "doctor", "request": {"thread": 1}}', "no key 'thread'")],
)
def test_requests_that_cannot_be_read_are_bad(tmp_path, text, said):
    path = tmp_path / "request.json"
    path.write_text(text)
    with pytest.raises(EngineError, match=said) as caught:
        worker.read_request(path)
    assert caught.value.code == "bad_request"
    with pytest.raises(EngineError, match="cannot be read"):
        worker.read_request(tmp_path / "none.json")


def test_threads_are_those_of_the_request_or_the_cores():
    before = torch.get_num_threads()
    try:
        assert set_threads(1) == torch.get_num_threads() == 1
        assert {os.environ[name] for name in VARIABLES} == {"1"}
        assert set_threads(100_000) == torch.get_num_threads() == os.cpu_count()
        assert set_threads(0) == physical_cores() >= 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told what to keep")
def test_pages_of_freed_arrays_are_not_asked_for_anew():
    code = """
import resource
import numpy as np
from satdifuser_qgis.engine.memory import keep_freed_memory
keep_freed_memory()
for _ in range(3):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    arrays = [np.ones(2**20) for _ in range(20)]
    del arrays
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(told.stdout) < 1000, "160 MiB are 40960 pages"


def chained(outer: Exception, inner: Exception) -> Exception:
    outer.__cause__ = inner
    return outer


class OutOfMemoryError(RuntimeError):
    """Named like torch's."""


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (EngineError("no_overlap", "They do not overlap."), "no_overlap", "overlap"),
        (KeyboardInterrupt(), "cancelled", "Cancelled"),
        (MemoryError(), "out_of_memory", "memory"),
        (OutOfMemoryError("CUDA out of memory. Tried to allocate"), "out_of_memory", "memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "out_of_memory", "memory"),
        (OSError(errno.ENOSPC, "No space", "/x/map.tif"), "no_space", "/x/map.tif"),
        (OSError(errno.EDQUOT, "Quota"), "no_space", "disk"),
        (chained(RuntimeError("closing failed"), OSError("Write error: No space left on device")), "no_space", "disk"),
        (PermissionError(errno.EACCES, "Denied", "/x/map.part.tif", None, "/x/map.tif"), "bad_input", "/x/map.tif"),
        (FileNotFoundError(errno.ENOENT, "No such file", "/x/image.tif"), "bad_input", "/x/image.tif does not exist"),
        (OSError(errno.ENAMETOOLONG, "File name too long", "/x/nn"), "bad_input", "/x/nn cannot be used: file name"),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "/x/a.tif/b"), "bad_input", "not a directory"),
        (ImportError("DLL load failed", name="torch"), "engine_broken", "DLL load failed"),
        (ImportError("cannot import name", name="satdifuser_qgis.engine.heads"), "internal", "cannot import"),
        (RuntimeError("CUDA error: device-side assert triggered"), "device", "device-side"),
        (ValueError("too many values to unpack"), "internal", "ValueError: too many values"),
        (RuntimeError(), "internal", "RuntimeError: no message"),
        (RuntimeError("one\ntwo"), "internal", "one."),
    ],
)
def test_whatever_is_raised_gets_a_code_and_a_sentence(error, code, said):
    failure = explain(error)
    assert failure.code == code
    assert said in failure.message
    assert "\n" not in failure.message


def test_detail_holds_the_traceback():
    with pytest.raises(ValueError, match="here") as caught:
        raise ValueError("here")
    assert "Traceback" in explain(caught.value).detail


def test_doctor_tells_of_a_library_that_is_broken(monkeypatch):
    from satdifuser_qgis.engine.tasks import doctor

    monkeypatch.setattr(doctor, "LIBRARIES", ("a_library_that_is_not_there", "numpy"))
    values = doctor.run(DoctorRequest(), Silent(), Outputs("run")).values
    assert values["problems"] == 1
    assert values["problem"].startswith("a_library_that_is_not_there: ")
    assert "a_library_that_is_not_there: CANNOT BE LOADED" in values["engine"]
    assert f"torch {torch.__version__}" not in values["engine"]
