"""What every algorithm that the engine runs has in common."""

from __future__ import annotations

from typing import Any

from satdifuser_qgis.processing import base


def test_the_start_of_the_engine_is_told_before_it_starts(segment, engine, image, model, tmp_path, monkeypatch):
    told = []

    def run(request: Any, feedback: Any, located: Any) -> Any:
        told.append(feedback.textLog())
        return engine.run(request, feedback, located)

    monkeypatch.setattr(base, "run", run)
    segment.run(INPUT=image, MODEL=model, OUTPUT=str(tmp_path / "map.tif"))
    assert "Starting the engine\n" in told[0]
