"""What the runtime does with workers that misbehave: small scripts in real processes."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from satdifuser_qgis.protocol.errors import EngineError
from satdifuser_qgis.runtime import run_folder
from satdifuser_qgis.runtime.environment.locate import SETTING, Engine
from satdifuser_qgis.runtime.process import run

from .conftest import assert_clean

FINISHED = 'send("finished", outputs={}, values={"N": 1})'
# Ending a tree that does not obey takes a second, the limits of the tests a second or less.
READABLE_WITHIN_S = 5.0


def failure_of(request, feedback, engine, **limits) -> EngineError:
    began = time.monotonic()
    with pytest.raises(EngineError) as caught:
        run(request, feedback, engine, **limits)
    assert time.monotonic() - began < READABLE_WITHIN_S
    assert "Traceback" not in str(caught.value)
    return caught.value


def test_result_comes_from_finished(request_for, feedback, fake, home):
    result = run(request_for(), feedback, fake('send("finished", outputs={"OUTPUT": "map.tif"}, values={"N": 1})'))
    assert (result.outputs, result.values) == ({"OUTPUT": "map.tif"}, {"N": 1})
    assert "finished" in result.log.read_text(encoding="utf-8")
    assert sorted(os.listdir(result.log.parent)) == ["request.json", "run.log"]


def test_a_relative_home_is_the_same_folder_for_the_worker(request_for, feedback, fake, home, monkeypatch):
    monkeypatch.chdir(home.parent)
    monkeypatch.setenv("SATDIFUSER_HOME", "home")
    result = run(
        request_for(), feedback, fake('send("finished", outputs={}, values={"HOME": os.environ["SATDIFUSER_HOME"]})')
    )
    assert (result.values["HOME"], result.log.parent.parent) == (str(home), home / "runs")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ('send("started"); part(); os.kill(os.getpid(), signal.SIGKILL)', "memory ran out"),
        ('send("started"); part(); sys.exit(3)', "exit code 3"),
        ('send("started"); part(); sys.exit(0)', "exit code 0"),
        (f'send("started"); part(); {FINISHED}; sys.exit(1)', "exit code 1"),
        ('send("started"); part(); os.abort()', "SIGABRT"),
    ],
)
def test_death_is_told_and_leaves_nothing(request_for, feedback, fake, tmp_path, script, said):
    failure = failure_of(request_for(), feedback, fake(script))
    assert failure.code == "crashed"
    assert said in failure.message
    assert str(tmp_path / "home" / "runs") in failure.remedy
    assert_clean(tmp_path)


def test_last_lines_of_stderr_are_kept_for_the_log(request_for, feedback, fake):
    script = 'send("started")\nfor n in range(100000): sys.stderr.write(f"line {n}\\n")\nsys.exit(1)'
    failure = failure_of(request_for(), feedback, fake(script))
    assert failure.detail.splitlines()[-1] == "line 99999"
    assert len(failure.detail) < 20_000


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ('send("started"); part(); time.sleep(60)', "no sign of life"),
        ('send("started"); send("progress", done=1, total=2); part(); time.sleep(60)', "no sign of life"),
        ('send("started"); part()\nwhile True: sys.stderr.write("nonsense\\n")', "no sign of life"),
        ('send("started"); part(); sys.stdout.close(); os.close(1); time.sleep(60)', "no sign of life"),
        ("part(); time.sleep(60)", "no sign of life"),
        ("part()\nwhile True: print('nonsense', flush=True)", "no sign of life"),
        ('part()\nwhile True: sys.stdout.write("x" * 100_000)', "no sign of life"),
        ('send("started"); part()\nwhile True: send("alive"); time.sleep(0.05)', "no progress"),
        ('send("started"); part()\nwhile True: send("log", level="info", message="still here")', "no progress"),
    ],
)
def test_silence_and_stalls_end_in_time(request_for, feedback, fake, tmp_path, script, said):
    failure = failure_of(request_for(), feedback, fake(script), silence_limit_s=0.4, stall_limit_s=1.4)
    assert failure.code == "timeout"
    assert said in failure.message
    assert_clean(tmp_path)


def test_slow_steps_raise_the_stall_limit(request_for, feedback, fake):
    script = f"""
        send("started")
        for done, pause in enumerate((0.3, 1.0)):
            for _ in range(10):
                time.sleep(pause / 10)
                send("alive")
            send("progress", done=done, total=2, unit="tiles", message="")
        {FINISHED}
    """
    assert run(request_for(), feedback, fake(script), stall_limit_s=0.5).values == {"N": 1}


def test_flood_and_nonsense_do_not_hide_the_result(request_for, feedback, fake):
    script = f"""
        send("started")
        sys.stdout.write("x" * 5_000_000 + "\\n")
        sys.stdout.write("nonsense\\n" * 200_000)
        sys.stdout.buffer.write(b"\\xff\\xfe\\x00" * 1000 + b"\\n")
        print(json.dumps({{"event": "finished", "id": "another run", "outputs": {{}}, "values": {{}}}}))
        print(json.dumps({{"event": "unknown", "id": run_id}}), json.dumps([1]), sep="\\n")
        sys.stderr.write("y" * 5_000_000)
        {FINISHED}
    """
    result = run(request_for(), feedback, fake(script))
    assert result.values == {"N": 1}
    assert result.log.stat().st_size < 200_000


def test_flood_of_log_lines_reaches_the_user_bounded(request_for, feedback, fake):
    script = f"""
        send("started")
        for n in range(20_000): send("log", level="info", message="line " * 20)
        {FINISHED}
    """
    result = run(request_for(), feedback, fake(script))
    assert len(feedback.infos) < 2500
    assert "log file" in feedback.warnings[0]
    assert result.log.stat().st_size < 6_000_000


@pytest.mark.parametrize("fields", ["", "outputs=1, values={}", "outputs={}, values=None"])
def test_finished_without_an_answer_is_a_failure(request_for, feedback, fake, fields):
    assert failure_of(request_for(), feedback, fake(f'send("finished", {fields})')).code == "internal"


def test_failed_event_is_raised_as_it_is(request_for, feedback, fake):
    script = 'send("failed", code="too_few_labels", message="One class.", remedy="Two are needed."); sys.exit(1)'
    failure = failure_of(request_for(), feedback, fake(script))
    assert (failure.code, str(failure)) == ("too_few_labels", "One class. Two are needed.")


def test_unknown_failure_code_becomes_internal(request_for, feedback, fake):
    assert failure_of(request_for(), feedback, fake('send("failed", code="bogus", message="?")')).code == "internal"


def test_progress_of_the_wrong_kind_is_ignored(request_for, feedback, fake):
    script = f"""
        for done, total in (("1", 2), (3, 2), (1, 0), (None, None), (-1, 2), (1, 4)):
            send("progress", done=done, total=total, unit=7, message=None)
        {FINISHED}
    """
    run(request_for(), feedback, fake(script))
    assert feedback.shares == [25.0]


def test_finished_that_hangs_on_exit_is_ended(request_for, feedback, fake, monkeypatch):
    monkeypatch.setattr("satdifuser_qgis.runtime.process.EXIT_GRACE_S", 0.3)
    assert failure_of(request_for(), feedback, fake(f"{FINISHED}; time.sleep(60)")).code == "crashed"


def test_a_child_that_holds_the_pipe_does_not_hold_us(request_for, feedback, fake):
    script = 'import subprocess; send("started"); subprocess.Popen(["sleep", "60"]); sys.exit(1)'
    assert failure_of(request_for(), feedback, fake(script)).code == "crashed"


def test_a_worker_that_cannot_be_asked_to_stop_is_ended(request_for, feedback, fake, tmp_path, monkeypatch):
    def refuse(self):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("satdifuser_qgis.runtime.run_folder.RunFolder.cancel", refuse)
    feedback.cancel_when = lambda: True
    failure = failure_of(request_for(), feedback, fake('send("started"); part(); time.sleep(60)'))
    assert failure.code == "cancelled"
    assert "No space left" in failure.detail
    assert_clean(tmp_path)


def test_what_the_worker_says_comes_through_a_full_disk(request_for, feedback, fake, monkeypatch):
    def refuse(_text):
        raise OSError(28, "No space left on device")

    def start_full(self, path):
        started(self, path)
        self._file.close()
        self._file = SimpleNamespace(closed=False, write=refuse, close=lambda: None)

    started = run_folder.RunLog.__init__
    monkeypatch.setattr(run_folder.RunLog, "__init__", start_full)
    flood = 'for n in range(20000): sys.stderr.write(f"line {n}\\n")'
    failure = failure_of(
        request_for(), feedback, fake(f'send("started")\n{flood}\nsend("failed", code="no_space", message="Full.")')
    )
    assert (failure.code, failure.message) == ("no_space", "Full.")


def test_missing_python_is_told(request_for, feedback, tmp_path):
    failure = failure_of(request_for(), feedback, Engine(tmp_path / "no" / "python", "the test"))
    assert failure.code == "engine_missing"
    assert "no/python" in failure.message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("#!/bin/sh\necho \"ModuleNotFoundError: No module named 'encodings'\" >&2; exit 1", "does not start"),
        ("not a program", "no program"),
        ("#!/no/such/interpreter\n", ""),
        ("#!/bin/sh\nexit 7", "exit code 7"),
    ],
)
def test_broken_python_is_told(request_for, feedback, tmp_path, content, said):
    python = tmp_path / "python"
    python.write_text(content)
    python.chmod(0o755)
    failure = failure_of(request_for(), feedback, Engine(python, "the test"))
    assert failure.code in ("engine_broken", "engine_missing")
    assert said in failure.message
    assert failure.remedy


def test_a_python_that_the_user_named_and_that_has_no_libraries_is_told_with_the_way_out(request_for, feedback):
    with pytest.raises(EngineError) as caught:
        run(request_for(), feedback, Engine(Path(sys.executable), SETTING))
    assert caught.value.code == "engine_broken"
    assert 'Clear "Python of the engine" in Settings > Options > SatDiFuser' in caught.value.remedy
    assert "nstall the engine again" not in str(caught.value)
    assert "by its own Python" not in str(caught.value)


def test_own_pause_is_no_silence(monkeypatch):
    from satdifuser_qgis.runtime import process

    now = [0.0]
    monkeypatch.setattr(process.time, "monotonic", lambda: now[0])
    patience = process.Patience(stall_limit_s=5, silence_limit_s=5)
    patience.heard({"event": "progress"})
    now[0] = 1000.0  # the computer slept
    patience.look()
    for now[0] in (1001.0, 1002.0, 1003.0, 1004.0, 1005.0):
        patience.look()
    now[0] = 1006.0
    with pytest.raises(EngineError, match="no sign of life"):
        patience.look()


def test_a_phase_that_cannot_tell_how_far_it_is_gets_on_as_long_as_it_lives(monkeypatch):
    from satdifuser_qgis.runtime import process

    now = [0.0]
    monkeypatch.setattr(process.time, "monotonic", lambda: now[0])
    patience = process.Patience(stall_limit_s=5, silence_limit_s=3)

    def pass_seconds(count: int, sign) -> None:
        for _ in range(count):
            now[0] += 1
            sign()
            patience.look()

    pass_seconds(20, lambda: patience.heard({"event": "alive", "phase": "Drawing polygons"}))
    pass_seconds(20, patience.busy)
    patience.heard({"event": "alive"})
    with pytest.raises(EngineError, match="no progress"):
        pass_seconds(20, lambda: patience.heard({"event": "alive"}))


def test_real_feedback_of_qgis_fits(request_for, fake):
    core = pytest.importorskip("qgis.core")
    feedback = core.QgsProcessingFeedback(False)
    script = f"""
        send("log", level="info", message="412 polygons")
        send("progress", done=1, total=2, unit="tiles", message="Mapping")
        {FINISHED}
    """
    run(request_for(), feedback, fake(script))
    assert feedback.progress() == 50.0
    assert "412 polygons" in feedback.textLog()


def test_no_engine_library_and_no_folder_joins_this_process(request_for, feedback, fake):
    import sys

    path, environment = list(sys.path), dict(os.environ)
    run(request_for(), feedback, fake(FINISHED))
    assert (sys.path, dict(os.environ)) == (path, environment)
    assert not {"torch", "rasterio", "shapely", "geopandas"} & set(sys.modules)
    assert Path.cwd() == Path(os.getcwd())
