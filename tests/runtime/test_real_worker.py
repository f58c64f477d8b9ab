"""The real worker in the engine's Python, with tasks that misbehave, driven from QGIS's Python."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import pytest

from satdifuser_qgis.protocol.codec import dump_request
from satdifuser_qgis.protocol.doctor import DoctorRequest
from satdifuser_qgis.protocol.errors import EngineError
from satdifuser_qgis.protocol.events import decode
from satdifuser_qgis.runtime.process import run

from .conftest import assert_clean, gone

ROOT = Path(__file__).resolve().parents[2]


def test_outputs_appear_when_the_task_is_done(request_for, feedback, played, tmp_path):
    result = run(request_for("works"), feedback, played)
    assert result.outputs == {"OUTPUT": str(tmp_path / "outputs" / "map.tif")}
    assert result.values == {"SECONDS": 1.5, "DEVICE_USED": "cpu", "Größe": "ä"}
    assert sorted(os.listdir(tmp_path / "outputs")) == ["map.tif", "map.tif.aux.xml"]
    assert os.listdir(tmp_path / "inputs") == ["image.tif"]
    assert feedback.infos == ["The task has begun."]
    assert feedback.shares == [25.0, 100.0]
    assert feedback.texts[0] == "Working"


def test_prints_cannot_damage_the_events(request_for, feedback, played):
    log = run(request_for("prints"), feedback, played).log.read_text(encoding="utf-8")
    assert "stderr: from a child" in log


@pytest.mark.parametrize(
    ("task", "code", "said"),
    [
        ("bug", "internal", "KeyError"),
        ("wrong_number", "internal", "ValueError"),
        ("memory", "out_of_memory", "memory"),
        ("torch_memory", "out_of_memory", "memory"),
        ("full_disk", "no_space", "map.tif"),
        ("gdal_full_disk", "no_space", "space"),
        ("forbidden", "bad_input", "map.tif"),
        ("missing_library", "engine_broken", "a_library_that_is_not_there"),
        ("cuda", "device", "no kernel image"),
        ("segfault", "crashed", "SIGSEGV"),
        ("killed", "crashed", "memory ran out"),
        ("leaves", "crashed", "exit code 0"),
    ],
)
def test_every_failure_has_a_code_a_sentence_and_leaves_nothing(
    request_for, feedback, played, tmp_path, task, code, said
):
    with pytest.raises(EngineError) as caught:
        run(request_for(task), feedback, played)
    failure = caught.value
    assert failure.code == code
    assert said in failure.message
    assert failure.remedy
    assert "Traceback" not in str(failure)
    assert_clean(tmp_path)


@pytest.mark.parametrize("task", ["bug", "killed"])
def test_a_folder_made_for_an_output_goes_with_it(request_for, feedback, played, tmp_path, task):
    request = replace(request_for(task), output=str(tmp_path / "outputs" / "new" / "er" / "map.tif"))
    with pytest.raises(EngineError):
        run(request, feedback, played)
    assert_clean(tmp_path)
    assert not (tmp_path / "home" / "models").exists()


def test_traceback_is_in_the_log(request_for, feedback, played, tmp_path):
    with pytest.raises(EngineError, match=r"run\.log"):
        run(request_for("bug"), feedback, played)
    (log,) = (tmp_path / "home" / "runs").glob("*/run.log")
    assert "KeyError: 'no such key'" in log.read_text(encoding="utf-8")


def test_a_request_of_another_protocol_is_refused(request_for, feedback, played, monkeypatch):
    monkeypatch.setattr("satdifuser_qgis.protocol.codec.PROTOCOL", 2)
    with pytest.raises(EngineError, match="protocol 2") as caught:
        run(request_for("works"), feedback, played)
    assert caught.value.code == "bad_request"


def cancelled_after(feedback, condition, request, engine) -> float:
    """Seconds from the moment when cancel was asked for to the failure."""
    asked = []

    def cancel() -> bool:
        if not asked and condition():
            asked.append(time.monotonic())
        return bool(asked)

    feedback.cancel_when = cancel
    with pytest.raises(EngineError) as caught:
        run(request, feedback, engine)
    assert caught.value.code == "cancelled"
    return time.monotonic() - asked[0]


def test_cancel_is_answered_between_batches(request_for, feedback, played, tmp_path):
    took = cancelled_after(feedback, lambda: feedback.texts, request_for("cooperative"), played)
    assert took < 2.0
    assert_clean(tmp_path)


def test_a_worker_deaf_to_cancel_is_ended_with_its_children(request_for, feedback, played, tmp_path):
    pids = tmp_path / "pids"
    took = cancelled_after(feedback, lambda: pids.exists() and pids.read_text(), request_for("deaf"), played)
    assert took < 5.0
    assert all(gone(int(pid), within_s=1.0) for pid in pids.read_text().split())
    assert_clean(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process without asking it")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_worker_that_is_asked_to_end_clears_up_and_says_so(request_for, played, tmp_path, name):
    folder = tmp_path / "ab12"
    folder.mkdir()
    (folder / "request.json").write_text(dump_request(request_for("without_checks")), encoding="utf-8")
    command = [str(played.python), "-I", "-u", str(played.bootstrap), str(folder / "request.json")]
    ears = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **ears) as worker:
        while b'"progress"' not in worker.stdout.readline():
            assert worker.poll() is None
        assert any("part-ab12" in path for path in os.listdir(tmp_path / "outputs"))
        worker.send_signal(getattr(signal, name))
        last = decode(worker.stdout.readlines()[-1], "ab12")
    assert (last["event"], last["code"], last["message"]) == ("failed", "cancelled", "Cancelled.")
    assert worker.returncode == 1
    assert_clean(tmp_path)


def test_a_frozen_worker_is_ended(request_for, feedback, played, tmp_path):
    began = time.monotonic()
    with pytest.raises(EngineError, match="no sign of life") as caught:
        run(request_for("frozen"), feedback, played, silence_limit_s=1.5)
    assert caught.value.code == "timeout"
    assert time.monotonic() - began < 1.5 + 5.0
    assert_clean(tmp_path)


def test_a_library_that_holds_the_lock_is_no_silence(request_for, feedback, played):
    log = run(request_for("holds_the_lock"), feedback, played, silence_limit_s=1.5).log.read_text(encoding="utf-8")
    assert "holds_the_lock" in log  # and the log says where the time went


def test_a_working_worker_without_progress_is_ended(request_for, feedback, played, tmp_path):
    with pytest.raises(EngineError, match="no progress"):
        run(request_for("cooperative"), feedback, played, stall_limit_s=1.0)
    assert_clean(tmp_path)


def test_worker_of_a_dead_parent_ends_and_clears_up(request_for, played, tmp_path):
    script = f"""
        import sys
        from pathlib import Path
        sys.path.insert(0, {str(ROOT)!r})
        from satdifuser_qgis.protocol.nodata import NoData
        from satdifuser_qgis.protocol.segment import SegmentRequest
        from satdifuser_qgis.runtime.environment.locate import Engine
        from satdifuser_qgis.runtime.process import run
        class Feedback:
            isCanceled = lambda self: False
            def __getattr__(self, name): return lambda *_: None
        request = SegmentRequest(**{vars(request_for("deaf"))!r})
        run(request, Feedback(), Engine(Path({str(played.python)!r}), "the test", Path({str(played.bootstrap)!r})))
    """
    pids = tmp_path / "pids"
    with subprocess.Popen([sys.executable, "-I", "-c", textwrap.dedent(script)]) as parent:
        while not (pids.exists() and len(pids.read_text().split()) == 2):
            assert parent.poll() is None
            time.sleep(0.02)
        assert any("part-" in name for name in os.listdir(tmp_path / "outputs"))
        parent.kill()
    worker, child = map(int, pids.read_text().split())
    try:
        assert gone(worker, within_s=5.0)
    finally:
        os.kill(child, signal.SIGKILL)
    assert_clean(tmp_path)


def test_a_poisoned_environment_does_not_reach_the_worker(request_for, feedback, played, monkeypatch):
    poison = {
        "PYTHONHOME": "/nowhere",
        "PYTHONPATH": "/usr/lib/python3/dist-packages",
        "PROJ_LIB": "/nowhere",
        "PROJ_DATA": "/nowhere",
        "GDAL_DATA": "/nowhere",
        "GDAL_DRIVER_PATH": "/nowhere",
        "LD_LIBRARY_PATH": "/usr/lib",
        "LD_PRELOAD": "",
        "QGIS_PREFIX_PATH": "/usr",
        "QT_QPA_PLATFORM": "offscreen",
        "VIRTUAL_ENV": "/nowhere",
        "A_SECRET": "hush",
    }
    for name, value in poison.items():
        monkeypatch.setenv(name, value)
    values = run(request_for("environment"), feedback, played).values
    assert not set(poison) & set(values["names"].split())
    assert {"HOME", "PATH", "HF_HUB_OFFLINE", "SATDIFUSER_HOME", "OMP_NUM_THREADS"} <= set(values["names"].split())
    assert values["epsg"] == 32632
    assert str(ROOT) not in values["paths"].split(os.pathsep)


def test_doctor_tells_versions_and_no_name_of_the_user(feedback, engine, home, monkeypatch):
    (home / "models").mkdir(parents=True)
    (home / "models" / "fields.safetensors").touch()
    monkeypatch.setenv("HOME", str(home.parent))
    values = run(DoctorRequest(), feedback, engine).values
    assert values["problems"] == 0
    for word in (
        "torch: 2.",
        "GDAL 3.",
        "GEOS 3.",
        "CPU: ",
        "Memory: ",
        "Models: fields.safetensors",
        "Backbones: compact-s2-rgb",
        "Home: ~",
    ):
        assert word in values["engine"]
    assert str(home.parent) not in values["engine"]
