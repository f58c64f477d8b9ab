"""The engine on the command line, as people and scripts call it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from satdifuser_qgis.engine.__main__ import ConsoleReporter, main

ROOT = Path(__file__).resolve().parents[2]


def call(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "satdifuser_qgis.engine", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", timeout=120)


def request(tmp_path: Path, body: dict) -> str:
    path = tmp_path / "request.json"
    path.write_text(json.dumps({"protocol": 1, **body}))
    return str(path)


def test_run_answers_with_one_json_object(tmp_path):
    done = call("run", request(tmp_path, {"task": "doctor", "request": {"threads": 1}}))
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert set(answer) == {"outputs", "values"}
    assert "1 threads" in answer["values"]["engine"]
    assert "Loading torch" in done.stderr


def test_devices_are_told_as_json():
    answer = json.loads(call("devices").stdout)
    assert set(answer) == {"torch", "cores", "threads", "cuda", "mps"}


def test_a_failure_is_told_on_stderr_with_exit_code_1(tmp_path, capfd):
    path = request(tmp_path, {"task": "segment", "request": {"input": "a.tif", "model": "m", "output": "o", "spd": 1}})
    assert main(["run", path]) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert "failed (bad_request)" in err
    assert "no key 'spd'" in err
    assert "Traceback" not in err
    assert main(["--verbose", "run", path]) == 1
    assert "Traceback" in capfd.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["fly"], ["run"], ["compare-reference"]])
def test_wrong_usage_is_exit_code_2(arguments, capfd):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage" in capfd.readouterr().err


def _hear_signals() -> None:
    """Tests that run in the background or under nohup inherit deaf ears, which the engine respects."""
    for name in ("SIGINT", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)


@pytest.mark.skipif(os.name == "nt", reason="a console event cannot be sent to one process on Windows")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_ctrl_c_cancels_and_so_does_being_ended(tmp_path, name):
    path = request(tmp_path, {"task": "doctor", "request": {}})
    command = [sys.executable, "-m", "satdifuser_qgis.engine", "run", path]
    pipes = {"stderr": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, preexec_fn=_hear_signals, **pipes) as process:
        process.stderr.readline()  # it has begun
        process.send_signal(getattr(signal, name))
        out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert out == ""
    assert "failed (cancelled)" in err


def test_console_tells_progress_at_times_and_details_on_demand():
    import io

    quiet, loud = io.StringIO(), io.StringIO()
    for stream, verbose in ((quiet, False), (loud, True)):
        reporter = ConsoleReporter(stream, verbose)
        reporter.log("careful", "warning")
        reporter.log("a detail", "debug")
        reporter.metric("loss", 0.5)
        for done in range(100):
            reporter.progress(done, 100, "tiles", "Mapping")
        reporter.progress(1, 0, "tiles", "Counting")
        reporter.progress(3, 4, "", "Drawing")
    lines = ["warning: careful", "  0 % Mapping (0 of 100 tiles)", "     Counting (1 of 0 tiles)", " 75 % Drawing"]
    assert quiet.getvalue().splitlines() == lines
    assert "a detail\nloss = 0.5" in loud.getvalue()
