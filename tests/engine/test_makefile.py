"""What `make` promises: a zip that the plugin repository takes, and no question for root where none is needed."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.engine.conftest import ROOT

MAKE = shutil.which("make")
pytestmark = pytest.mark.skipif(MAKE is None, reason="there is no make here; the Makefile was left out")
PLUGIN = "satdifuser_qgis"
# What the make that may have started these tests would hand on.
OUTSIDE = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}


def zipped(folder: Path, *variables: str) -> subprocess.CompletedProcess[str]:
    """``make zip`` on a copy of what it needs, in which some of the code has run."""
    for name in (PLUGIN, "resources", "i18n"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("Makefile", "metadata.txt", "LICENSE"):
        shutil.copyfile(ROOT / name, folder / name)
    compiled = folder / PLUGIN / "engine" / "__pycache__" / "worker.cpython-39.pyc"
    compiled.parent.mkdir(exist_ok=True)
    compiled.touch()
    command = [MAKE, "zip", f"PYTHON={sys.executable}", *variables]
    return subprocess.run(command, cwd=folder, env=OUTSIDE, capture_output=True, text=True)


def test_the_zip_holds_the_plugin_in_one_folder_with_licence_and_metadata_and_nothing_compiled(tmp_path):
    done = zipped(tmp_path)
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(tmp_path / "build" / f"{PLUGIN}.zip") as file:
        names = [name for name in file.namelist() if not name.endswith("/")]
        metadata = configparser.ConfigParser(interpolation=None)
        metadata.read_string(file.read(f"{PLUGIN}/metadata.txt").decode())
        assert file.read(f"{PLUGIN}/LICENSE") == (ROOT / "LICENSE").read_bytes()
    assert metadata["general"]["name"]
    assert {name.split("/")[0] for name in names} == {PLUGIN}
    held = {name.partition("/")[2] for name in names}
    assert {"__init__.py", "engine/bootstrap.py", "runtime/environment/requirements.txt"} <= held
    assert "resources/models/compact-s2-rgb/unet/diffusion_pytorch_model.safetensors" in held
    parts = {part for name in held for part in name.split("/")}
    assert not {part for part in parts if part.startswith((".", "__pycache__")) or part.endswith((".pyc", ".so"))}
    assert "tests" not in parts


def test_a_zip_that_the_repository_would_refuse_is_a_failure(tmp_path):
    done = zipped(tmp_path, "LARGEST_ZIP=1000")
    assert done.returncode != 0
    assert "at most 1000" in done.stdout


def set_up(folder: Path, *present: str) -> tuple[str, list[str]]:
    """What ``make setup`` says while it looks for programs, and its calls for root, where only these are there."""
    programs = folder / "bin"
    programs.mkdir()
    for name in ("sh", "mkdir", "touch", "env"):
        (programs / name).symlink_to(shutil.which(name))
    for name, script in {**dict.fromkeys((*present, "python"), "exit 0"), "sudo": 'echo "$@" >> asked'}.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    command = [MAKE, "-f", str(ROOT / "Makefile"), ".venv/.system", "PYTHON=python", "SUDO=sudo", "SHELL=/bin/sh"]
    done = subprocess.run(command, cwd=folder, env=OUTSIDE | {"PATH": str(programs)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    asked = folder / "asked"
    return done.stdout, asked.read_text().splitlines() if asked.exists() else []


def test_root_is_not_asked_for_where_only_translations_would_be_left_out(tmp_path):
    said, asked = set_up(tmp_path, "qgis_process")
    assert asked == []
    assert "Left out: lrelease" in said


def test_nothing_is_said_or_asked_where_all_is_there(tmp_path):
    assert set_up(tmp_path, "qgis_process.bin", "lrelease") == ("", [])


def test_root_is_asked_for_where_there_is_no_qgis(tmp_path):
    _, asked = set_up(tmp_path, "lrelease")
    assert asked[0] == "apt-get update"
    assert "python3-qgis" in asked[1]
