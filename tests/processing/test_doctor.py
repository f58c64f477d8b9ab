"""Doctor: one block, safe to paste, with or without an engine."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from satdifuser_qgis.protocol import folders
from satdifuser_qgis.protocol.errors import EngineError

from . import landscape


def test_it_works_without_an_engine(doctor, monkeypatch):
    monkeypatch.setenv("SATDIFUSER_ENGINE_PYTHON", "/nowhere/python")
    landscape.write_model(folders.model_store() / "crops.safetensors")
    summary = doctor.run()["SUMMARY"]
    assert "SatDiFuser: " in summary
    assert "QGIS: 3." in summary
    assert "Engine: none. " in summary
    assert "/nowhere/python" in summary
    assert "Models: crops" in summary
    assert summary in doctor.feedback.textLog()


def test_it_adds_what_the_engine_says(doctor, engine):
    engine.values = {"engine": "torch: 2.0\nCUDA: none"}
    summary = doctor.run()["SUMMARY"]
    assert "torch: 2.0\nCUDA: none" in summary
    assert "(from a test; not made by the plugin)" in summary


def test_an_engine_that_fails_is_told_and_the_rest_too(doctor, engine):
    engine.error = EngineError("engine_broken", "torch cannot be loaded.", "Install the engine again.")
    summary = doctor.run()["SUMMARY"]
    assert "Engine does not work: torch cannot be loaded. Install the engine again." in summary
    assert "Runs and logs: " in summary


def test_the_last_error_is_that_of_the_newest_failed_run(doctor, engine):
    for age_s, line in ((30, "failed (bad_input): old"), (20, "failed (no_space): new"), (10, "finished: fine")):
        log = folders.runs() / f"run{age_s}" / "run.log"
        log.parent.mkdir(parents=True)
        log.write_text(f"     1.0 {line}\n", encoding="utf-8")
        os.utime(log, (time.time() - age_s, time.time() - age_s))
    summary = doctor.run()["SUMMARY"]
    assert "failed (no_space): new" in summary
    assert str(Path("run20", "run.log")) in summary
    assert "old" not in summary


def test_what_interrupted_maps_take_is_told(doctor, engine):
    part = folders.unfinished() / "map" / "part.npz"
    part.parent.mkdir(parents=True)
    part.write_bytes(bytes(5 * 2**20))
    assert f"Parts of interrupted maps: {folders.unfinished()}, 5 MiB" in doctor.run()["SUMMARY"]


def test_the_summary_is_plain_text(doctor, engine):
    assert "<" not in json.dumps(doctor.run()["SUMMARY"])
