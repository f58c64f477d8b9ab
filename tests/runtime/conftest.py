"""Workers for the runtime: small scripts that misbehave, and the real one with tasks that misbehave.

These tests run in QGIS's Python, which has neither torch nor rasterio.
"""

from __future__ import annotations

import os
import sys
import textwrap
import time
from pathlib import Path
from typing import Callable, List

import pytest

from satdifuser_qgis.protocol.errors import EngineError
from satdifuser_qgis.protocol.segment import SegmentRequest
from satdifuser_qgis.runtime.environment.locate import Engine, locate

HERE = Path(__file__).resolve().parent
PRELUDE = """
import json, os, pathlib, signal, sys, time
request = pathlib.Path(sys.argv[1])
body = json.loads(request.read_text())["request"]
run_id = request.parent.name
def send(event, **fields):
    sys.stdout.write(json.dumps({"event": event, "id": run_id, **fields}) + "\\n")
    sys.stdout.flush()
def part():
    target = pathlib.Path(body["output"])
    path = target.with_name(f"{target.stem}.part-{run_id}{target.suffix}")
    path.write_text("half")
    return path
"""


class Feedback:
    """What the user saw; ``cancel_when`` is asked like the cancel button."""

    def __init__(self) -> None:
        self.infos: List[str] = []
        self.warnings: List[str] = []
        self.shares: List[float] = []
        self.texts: List[str] = []
        self.cancel_when: Callable[[], bool] = lambda: False

    def isCanceled(self) -> bool:  # noqa: N802
        return self.cancel_when()

    def pushInfo(self, info: str) -> None:  # noqa: N802
        self.infos.append(info)

    def pushWarning(self, warning: str) -> None:  # noqa: N802
        self.warnings.append(warning)

    def setProgress(self, progress: float) -> None:  # noqa: N802
        self.shares.append(progress)

    def setProgressText(self, text: str) -> None:  # noqa: N802
        self.texts.append(text)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SATDIFUSER_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def feedback() -> Feedback:
    return Feedback()


@pytest.fixture
def request_for(tmp_path: Path) -> Callable[..., SegmentRequest]:
    """A request whose ``model`` says what the test's task shall do."""
    (tmp_path / "inputs").mkdir()
    (tmp_path / "inputs" / "image.tif").write_text("an image")
    (tmp_path / "outputs").mkdir()

    def make(model: str = "") -> SegmentRequest:
        image, output = tmp_path / "inputs" / "image.tif", tmp_path / "outputs" / "map.tif"
        return SegmentRequest(input=str(image), model=model, output=str(output))

    return make


@pytest.fixture
def fake(tmp_path: Path) -> Callable[[str], Engine]:
    """An engine whose worker is the given script."""

    def make(script: str) -> Engine:
        path = tmp_path / "fake_worker.py"
        path.write_text(PRELUDE + textwrap.dedent(script), encoding="utf-8")
        return Engine(Path(sys.executable), "the test", path)

    return make


@pytest.fixture
def engine() -> Engine:
    """The real engine."""
    try:
        return locate(environment={})
    except EngineError:
        pytest.skip("there is no engine environment; tests of the real worker were left out")


@pytest.fixture
def played(engine: Engine) -> Engine:
    """The real worker, in which "segment" is played by `worker_tasks`."""
    return Engine(engine.python, engine.origin, HERE / "worker_tasks.py")


def assert_clean(tmp_path: Path) -> None:
    """Nothing beside the input, nothing half made beside the target."""
    assert os.listdir(tmp_path / "inputs") == ["image.tif"]
    assert os.listdir(tmp_path / "outputs") == []


def gone(pid: int, within_s: float) -> bool:
    """Whether a process ends in time (a zombie has ended)."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False
