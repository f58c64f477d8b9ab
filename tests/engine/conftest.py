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
def few_steps() -> Iterator[None]:
    """Networks on pixels learn for a moment only: tests train a hundred models, and hardly one needs good ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("satdifuser_qgis.engine.training.pixel_networks.STEPS", 40)
        patch.setattr("satdifuser_qgis.engine.training.pixel_networks.TRIAL_STEPS", 20)
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
