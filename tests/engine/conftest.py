"""Where the real imagery and the reference vectors lie; tests that need them say what they left out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]


def shared_folder() -> Path:
    """The folder of real data, named by SATDIFUSER_DATA or beside the clone."""
    return Path(os.environ.get("SATDIFUSER_DATA") or ROOT.parent / "shared" / "data").resolve()


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Model store, cache and runs of a test lie in a folder of its own."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("SATDIFUSER_HOME", str(home))
    torch.set_num_threads(1)
    return home


@pytest.fixture(scope="session", autouse=True)
def in_short() -> Iterator[None]:
    """Networks on pixels learn for a moment, on small tiles: tests train hundreds of models, and few need good ones."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"STEPS": 40, "TRIAL_STEPS": 20, "MOST_PX": 6000}.items():
            patch.setattr(f"satdifuser_qgis.engine.training.pixel_networks.{name}", value)
        patch.setattr("satdifuser_qgis.engine.tasks.trainsegmentation.ENCODED_TILE_PX", 128)
        yield


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file of four classes on a tiny backbone, trained once for all; both are to be left as they are."""
    from tests.engine.tiny import tiny_model  # brings diffusers, which most tests do without

    folder = tmp_path_factory.mktemp("model")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SATDIFUSER_HOME", str(folder / "home"))
        return tiny_model(folder)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real imagery."""
    folder = shared_folder()
    if not folder.is_dir():
        pytest.skip(f"the shared data folder {folder} is not there; real imagery was left out")
    return folder


@pytest.fixture(scope="session")
def shared_reference() -> Path:
    """Golden vectors of the published code."""
    folder = shared_folder().parent / "reference"
    if not folder.is_dir():
        pytest.skip(f"the reference folder {folder} is not there; golden vectors were left out")
    return folder
