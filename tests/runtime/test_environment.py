"""Finding and checking the engine's Python, and what is said when something is wrong with it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from satdifuser_qgis.protocol import folders
from satdifuser_qgis.protocol.errors import EngineError
from satdifuser_qgis.runtime.environment import base_python, locate, verify
from satdifuser_qgis.runtime.environment.failures import FAILURES, broken, explain, of_engine


@pytest.fixture
def package(tmp_path, monkeypatch) -> Path:
    """A package in a checkout without any environment."""
    folder = tmp_path / "checkout" / "satdifuser_qgis"
    folder.mkdir(parents=True)
    monkeypatch.setattr(locate, "PACKAGE", folder)
    return folder


def python_in(folder: Path) -> Path:
    path = locate.python_of(folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_order_of_engines(package, tmp_path):
    with pytest.raises(EngineError, match="not installed") as caught:
        locate.locate(environment={})
    assert caught.value.code == "engine_missing"
    assert locate.OPTIONS in caught.value.remedy
    assert '"Install the engine" in the Processing Toolbox' in caught.value.remedy

    development = python_in(package.parent / ".venv" / "engine")
    assert locate.locate(environment={}).python == development
    own = python_in(folders.environment() / "venv")
    assert locate.locate(environment={}).python == development  # half built: no marker
    (folders.environment() / "venv" / locate.MARKER).touch()
    assert locate.locate(environment={}).python == own
    variable = python_in(tmp_path / "variable")
    environment = {locate.VARIABLE: str(variable)}
    assert locate.locate(environment=environment).python == variable
    setting = python_in(tmp_path / "setting")
    assert locate.locate(str(setting), environment).python == setting


def test_a_setting_may_name_the_folder_of_an_environment(package, tmp_path):
    python = python_in(tmp_path / "my env")
    assert locate.locate(f" {tmp_path / 'my env'} ", {}) == locate.Engine(python, "the QGIS setting", locate.BOOTSTRAP)


@pytest.mark.parametrize("named", ["setting", "variable"])
def test_an_engine_that_is_named_but_not_there_is_no_reason_to_take_another(package, named):
    python_in(package.parent / ".venv" / "engine")
    setting, environment = ("/no/python", {}) if named == "setting" else ("", {locate.VARIABLE: "/no/python"})
    with pytest.raises(EngineError, match="/no/python, which does not exist") as caught:
        locate.locate(setting, environment)
    assert caught.value.code == "engine_missing"


def test_a_staged_plugin_finds_the_engine_of_its_checkout(tmp_path, monkeypatch):
    monkeypatch.setattr(locate, "PACKAGE", tmp_path / "checkout" / "build" / "satdifuser_qgis")
    python = python_in(tmp_path / "checkout" / ".venv" / "engine")
    assert locate.locate(environment={}).python == python


def script(path: Path, text: str) -> locate.Engine:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return locate.Engine(path, "the test")


def test_the_real_engine_is_verified(engine):
    installation = verify.verify(engine)
    assert verify.version_tuple(installation.python) >= (3, 10)
    assert {"torch", "diffusers", "rasterio", "shapely", "PIL"} <= set(installation.versions)


@pytest.mark.skipif(sys.version_info < (3, 10), reason="this Python is refused for its version already")
def test_qgis_python_is_no_engine_and_the_library_is_named():
    with pytest.raises(EngineError, match="torch cannot be used") as caught:
        verify.verify(locate.Engine(Path(sys.executable), "the test"))
    assert caught.value.code == "engine_broken"
    assert "requirements" in caught.value.remedy


def test_engines_that_fail_hang_or_babble_are_told(tmp_path):
    with pytest.raises(EngineError, match="exit code 4"):
        verify.verify(script(tmp_path / "a", "exit 4"))
    with pytest.raises(EngineError, match=r"no answer within 0\.3 seconds") as caught:
        verify.verify(script(tmp_path / "b", "sleep 60"), timeout_s=0.3)
    assert caught.value.code == "timeout"
    with pytest.raises(EngineError, match="failed"):
        verify.verify(script(tmp_path / "c", "echo nonsense"))
    with pytest.raises(EngineError, match="There is no Python"):
        verify.verify(locate.Engine(tmp_path / "none", "the test"))


@pytest.mark.parametrize(("python", "bits"), [("3.9.1", 64), ("3.12.0", 32)])
def test_a_python_too_old_or_too_narrow_is_refused(tmp_path, python, bits):
    report = {"python": python, "bits": bits, "prefix": "", "versions": {}, "problems": {}}
    with pytest.raises(EngineError, match=f"Python {python}, {bits} bit"):
        verify.verify(script(tmp_path / "python", f"echo '{json.dumps(report)}'"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("OSError: [Errno 28] No space left on device", "at least 3 GB"),
        ("ModuleNotFoundError: No module named 'ensurepip'", "python3-venv"),
        ('OSError: [WinError 126] Error loading "C:\\x\\torch\\lib\\c10.dll" or one of its dependencies', "Visual C++"),
        ("OSError: [WinError 225] Operation did not complete because the file contains a virus", "virus scanner"),
        ("PermissionError: [WinError 5] Access is denied", "Close other QGIS windows"),
        ("OSError: [WinError 206] The filename or extension is too long", "short folder"),
        ("ImportError: /lib/libc.so.6: version `GLIBC_2.34' not found", "operating system"),
        ("ImportError: libcudart.so.12: cannot open shared object file", "graphics driver"),
        ("rasterio.errors.CRSError: PROJ: proj_create: Cannot find proj.db", "PROJ_LIB"),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]", "PIP_CERT"),
        ("ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 407", "proxy's address"),
        ("ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 403", "Options > Network"),
        ("ProxyError('Cannot connect to proxy.', NewConnectionError('Failed to establish a new", "Options > Network"),
        ("ProxyError('Your proxy appears to only use HTTP and not HTTPS', SSLError(1", "Options > Network"),
        ("OSError: Missing dependencies for SOCKS support.", "Choose an HTTP proxy in Settings > Options > Network"),
        ("NewConnectionError: Failed to establish a new connection: [Errno -2]", "internet"),
        ("NewConnectionError: Failed to establish a new connection: [Errno -2]", "Options > Network"),
        ("('Connection aborted.', ConnectionResetError(104, 'Connection reset by peer'))", "Options > Network"),
        ("ERROR: No matching distribution found for torch==2.13.0", "3.10 to 3.13"),
        ("ModuleNotFoundError: No module named 'encodings'", "Install the engine again"),
        ("OSError: [Errno 8] Exec format error", "another Python"),
        ("ModuleNotFoundError: No module named 'diffusers'", "requirements"),
        ("ImportError: DLL load failed while importing _base", "Install the engine again"),
        ("MemoryError", "Close other programs"),
    ],
)
def test_known_failures_have_a_remedy(text, said):
    known = explain(text)
    assert known is not None
    assert said in known.remedy + known.message


def test_remedies_are_sentences():
    assert all(known.message.endswith(".") and known.remedy.endswith(".") for known in FAILURES)


def test_unknown_failures_lead_to_the_doctor():
    assert explain("something else") is None
    failure = broken("The engine failed.", "something else")
    assert (failure.code, failure.detail) == ("engine_broken", "something else")
    assert "Check the installation" in failure.remedy


@pytest.mark.parametrize(
    ("origin", "said"),
    [
        (locate.SETTING, 'Clear "Python of the engine" in Settings > Options > SatDiFuser to use the installed engine'),
        (locate.VARIABLE, f"Remove the variable {locate.VARIABLE} to use the installed engine"),
        (locate.OWN, "Install the engine again in Settings > Options > SatDiFuser."),
    ],
)
@pytest.mark.parametrize(
    "text", ["No module named 'torch'", "Exec format error", "something else", "CUDA driver version"]
)
def test_installing_again_is_advised_only_where_it_helps(origin, said, text):
    failure = of_engine(locate.Engine(Path("python"), origin), broken("The engine failed.", text))
    assert said in failure.remedy
    assert failure.remedy.count("nstall the engine again") == (origin == locate.OWN)
    assert of_engine(locate.Engine(Path("python"), origin), EngineError("no_space", "Full.", "Free some.")).remedy == (
        "Free some."
    )


def test_a_base_python_is_tried_before_it_is_taken(tmp_path):
    old = script(tmp_path / "old", "echo '[[3, 8], true, \"/old\"]'").python
    narrow = script(tmp_path / "narrow", "echo '[[3, 12], false, \"/narrow\"]'").python
    bare = script(tmp_path / "bare", "echo \"ModuleNotFoundError: No module named 'ensurepip'\" >&2; exit 1").python
    good = script(tmp_path / "good", "echo '[[3, 12], true, \"/good\"]'").python
    candidates = [(str(path),) for path in (tmp_path / "none", old, narrow, bare, good)]
    assert base_python.find_base_python(candidates) == Path("/good")
    with pytest.raises(EngineError, match=r"No Python from 3\.10") as caught:
        base_python.find_base_python(candidates[:-1])
    assert caught.value.code == "engine_missing"
    assert "python3-venv" in caught.value.remedy
    assert [line.rpartition(": ")[2] for line in caught.value.detail.splitlines()][1:] == [
        "Python 3.8, 64 bit",
        "Python 3.12, 32 bit",
        "No module named 'ensurepip'",
    ]


def test_this_machine_has_a_base_python_that_is_no_environment_of_ours():
    path = base_python.find_base_python()
    assert os.access(path, os.X_OK)
    assert ".venv" not in path.parts
