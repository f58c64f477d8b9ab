"""Doctor: ready or not, and one block that is safe to paste, with or without an engine."""

from __future__ import annotations

import os
import time
from pathlib import Path

from satdifuser_qgis.processing import installation
from satdifuser_qgis.protocol import folders
from satdifuser_qgis.protocol.errors import EngineError

from . import landscape


def block(doctor) -> str:
    """What the log shows: the block once, and in the results, which QGIS shows below, no more than its first line."""
    summary = doctor.run()["SUMMARY"]
    told = doctor.feedback.textLog()
    assert told.count("Runs and logs: ") == told.count("\nQGIS: 3.") == told.count("Last error: ") == 1
    assert "\n" not in summary
    return told[told.index(summary) :]


def test_it_works_without_an_engine(doctor, monkeypatch):
    monkeypatch.setenv("SATDIFUSER_ENGINE_PYTHON", "/nowhere/python")
    landscape.write_model(folders.model_store() / "crops.safetensors")
    told = block(doctor)
    assert told.startswith("Not ready: SATDIFUSER_ENGINE_PYTHON names the engine's Python /nowhere/python")
    assert "Settings > Options > SatDiFuser" in told.splitlines()[0]
    assert "SatDiFuser: " in told
    assert "Engine: none" in told
    assert "Models: crops" in told


def test_it_adds_what_the_engine_says(doctor, engine):
    engine.values = {"engine": "torch: 2.0\nCUDA: none"}
    told = block(doctor)
    assert told.splitlines()[0] == "Ready."
    assert "torch: 2.0\nCUDA: none" in told
    assert "(from a test; not made by the plugin)" in told


def test_an_engine_that_fails_is_told_and_the_rest_too(doctor, engine):
    engine.error = EngineError("engine_broken", "torch cannot be loaded.", "Install the engine again.")
    told = block(doctor)
    assert told.splitlines()[0] == "Not ready: torch cannot be loaded. Install the engine again."


def test_an_engine_without_a_library_is_not_ready(doctor, engine):
    engine.values = {"engine": "diffusers: CANNOT BE LOADED (…)", "problem": "diffusers: No module named 'diffusers'"}
    first = block(doctor).splitlines()[0]
    assert first.startswith("Not ready: The engine cannot load diffusers.")
    assert "Install the engine again in Settings > Options > SatDiFuser." in first


def test_it_does_not_send_the_user_to_itself(doctor, engine):
    engine.values = {"engine": "", "problem": "torch: something else"}
    assert "Check the installation" not in block(doctor).splitlines()[0]


def test_an_outdated_engine_is_ready_and_told(doctor, engine, monkeypatch):
    monkeypatch.setattr(installation, "outdated", lambda engine: "Repair brings it up to date.")
    assert block(doctor).splitlines()[0] == "Ready. Repair brings it up to date."


def test_the_last_error_is_that_of_the_newest_failed_run(doctor, engine):
    for age_s, line in (
        (30, "failed (no_space): old"),
        (20, "failed (internal): new"),
        (15, "failed (bad_input): the image has no bands"),
        (14, "failed (cancelled): Cancelled."),
        (10, "finished: fine"),
    ):
        log = folders.runs() / f"run{age_s}" / "run.log"
        log.parent.mkdir(parents=True)
        log.write_text(f"     1.0 {line}\n", encoding="utf-8")
        os.utime(log, (time.time() - age_s, time.time() - age_s))
    told = block(doctor)
    assert "failed (internal): new" in told
    assert str(Path("run20", "run.log")) in told
    assert "): old" not in told
    assert "the image has no bands" not in told
    assert "Cancelled" not in told


def test_of_a_long_error_the_end_is_shown_as_it_was_indented(doctor, engine):
    log = folders.runs() / "run" / "run.log"
    log.parent.mkdir(parents=True)
    frames = [line for n in range(20) for line in (f'  File "part{n}.py", line {n}', f"    call({n})")]
    log.write_text("\n".join(["     1.0 failed (internal): It failed.", "Traceback:", *frames, "ValueError: the end"]))
    told = block(doctor)
    assert "failed (internal): It failed." in told
    assert '      File "part19.py", line 19\n        call(19)\n    ValueError: the end' in told
    assert "part2.py" not in told


def test_what_interrupted_maps_take_is_told(doctor, engine):
    part = folders.unfinished() / "map" / "part.npz"
    part.parent.mkdir(parents=True)
    part.write_bytes(bytes(5 * 2**20))
    assert f"Parts of interrupted maps: {folders.unfinished()}, 5 MiB" in block(doctor)


def test_the_summary_is_plain_text(doctor, engine):
    assert "<" not in block(doctor)
