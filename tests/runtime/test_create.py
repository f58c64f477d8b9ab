"""Making the engine's environment: with the real venv and pip, but nothing to install."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from satdifuser_qgis.protocol import folders
from satdifuser_qgis.protocol.errors import EngineError
from satdifuser_qgis.runtime.environment import create
from satdifuser_qgis.runtime.environment.locate import MARKER, locate, python_of
from satdifuser_qgis.runtime.environment.verify import Installation


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)


@pytest.fixture
def requirements(tmp_path) -> Path:
    path = tmp_path / "requirements.txt"
    path.write_text("# nothing\n")
    return path


@pytest.fixture
def verified(monkeypatch) -> list:
    """Environments count as working; the list holds what was verified."""
    seen = []
    monkeypatch.setattr(
        create, "verify", lambda engine: seen.append(engine) or Installation("3.12.0", "", {"torch": "2"})
    )
    return seen


def listed() -> list:
    return sorted(os.listdir(folders.environment()))


def test_an_environment_is_made_found_and_removed(feedback, requirements, verified):
    assert create.state(requirements=requirements) == "missing"
    engine = create.create(feedback, requirements=requirements, needed_bytes=0)
    assert verified[0].python == python_of(folders.environment() / "venv.new")
    assert engine.python.is_file()
    assert listed() == ["venv"]
    assert locate(environment={}) == engine
    assert feedback.shares[-1] == 100
    assert create.state(requirements=requirements) == "ready"
    assert create.repair(feedback, requirements=requirements) == engine
    assert feedback.infos[-1] == "The engine works; nothing was changed."
    requirements.write_text("# something else\n")
    assert create.state(requirements=requirements) == "outdated"
    feedback.shares.clear()
    create.remove(feedback)
    assert listed() == []
    assert feedback.shares == sorted(feedback.shares)
    assert len(feedback.shares) > 3


def test_an_engine_that_is_removed_is_gone_before_its_files(feedback, monkeypatch):
    (folders.environment() / "venv" / "lib").mkdir(parents=True)
    (folders.environment() / "venv" / MARKER).write_text("{}")
    seen = []
    remove = create._remove
    monkeypatch.setattr(create, "_remove", lambda part: seen.append(create.state()) or remove(part))
    create.remove(feedback)
    assert set(seen[1:]) == {"missing"}
    assert listed() == []


def test_an_engine_in_use_that_cannot_be_moved_stays_whole(feedback, monkeypatch):
    old = folders.environment() / "venv"
    old.mkdir(parents=True)
    (old / "mine").touch()
    monkeypatch.setattr(create, "_RENAME_ATTEMPTS", 1)

    def refuse(self, target):
        raise PermissionError(13, "Access is denied", str(self))

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(EngineError, match="cannot be renamed"):
        create.remove(feedback)
    assert listed() == ["venv"]
    assert (old / "mine").is_file()


def test_what_pip_unpacks_goes_when_it_is_cancelled(feedback, requirements, tmp_path, monkeypatch):
    outside = tmp_path / "outside"
    outside.mkdir()
    monkeypatch.setenv("TMPDIR", str(outside))
    feedback.cancel_when = lambda: bool(feedback.infos)
    base = fake_base(tmp_path, 'touch "$TMPDIR/pip-unpack-1"; echo "in $TMPDIR"; sleep 60')
    with pytest.raises(EngineError):
        create.create(feedback, base_python=base, requirements=requirements, needed_bytes=0)
    assert feedback.infos == [f"in {folders.environment() / 'venv.new' / 'tmp'}"]
    assert listed() == []
    assert os.listdir(outside) == []


def test_no_scratch_folder_stays_in_an_environment(feedback, requirements, verified):
    create.create(feedback, requirements=requirements, needed_bytes=0)
    assert not (folders.environment() / "venv" / "tmp").exists()


def fake_base(tmp_path, text) -> Path:
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def base_making(tmp_path, text) -> Path:
    """A base Python whose environments have the given script as Python."""
    made = fake_base(tmp_path, text).rename(tmp_path / "made")
    return fake_base(tmp_path, f'mkdir -p "$4/bin"; cp "{made}" "$4/bin/python"')


def test_a_failed_installation_leaves_the_old_environment(feedback, requirements, tmp_path):
    old = folders.environment() / "venv"
    old.mkdir(parents=True)
    (old / MARKER).write_text("{}")
    base = base_making(tmp_path, "echo 'ERROR: No matching distribution found for numpy' >&2; exit 1")
    with pytest.raises(EngineError, match="Installing the other libraries failed") as caught:
        create.create(feedback, base_python=base, requirements=requirements, needed_bytes=0)
    assert caught.value.code == "engine_broken"
    assert "3.10 to 3.13" in caught.value.remedy
    assert "No matching distribution" in caught.value.detail
    assert listed() == ["venv"]
    assert (old / MARKER).is_file()


def test_an_environment_that_does_not_work_is_not_kept(feedback, requirements, tmp_path):
    with pytest.raises(EngineError, match="failed"):
        create.create(feedback, base_python=base_making(tmp_path, "exit 0"), requirements=requirements, needed_bytes=0)
    assert listed() == []


def test_a_new_environment_that_cannot_be_put_in_place_leaves_the_old_one(
    feedback, requirements, verified, monkeypatch
):
    old = folders.environment() / "venv"
    old.mkdir(parents=True)
    (old / "mine").touch()
    rename = Path.rename

    def refuse(self, target):
        if self.name == "venv.new":
            raise OSError(5, "Input/output error", str(self))
        return rename(self, target)

    monkeypatch.setattr(create, "_build", lambda fresh, *_: fresh.mkdir())
    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(EngineError, match="cannot be renamed"):
        create.create(feedback, base_python=Path("python"), requirements=requirements, needed_bytes=0)
    assert listed() == ["venv"]
    assert (old / "mine").is_file()


def test_cancel_ends_the_installation(feedback, requirements, tmp_path):
    feedback.cancel_when = lambda: bool(feedback.infos)
    base = fake_base(tmp_path, "echo begun; sleep 60")
    began = time.monotonic()
    with pytest.raises(EngineError) as caught:
        create.create(feedback, base_python=base, requirements=requirements, needed_bytes=0)
    assert caught.value.code == "cancelled"
    assert time.monotonic() - began < 5.0
    assert listed() == []


def test_a_full_disk_is_told_before_anything_is_done(feedback, requirements):
    with pytest.raises(EngineError, match="needs 1000000000 GB") as caught:
        create.create(feedback, requirements=requirements, needed_bytes=10**18)
    assert caught.value.code == "no_space"
    assert listed() == []


def test_two_installations_do_not_meet(feedback, requirements, tmp_path):
    lock = folders.environment() / "installing.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    with pytest.raises(EngineError, match="another QGIS window"):
        create.create(feedback, requirements=requirements, needed_bytes=0)
    os.utime(lock, (1, time.time() - create.LOCK_FORGOTTEN_AFTER_S - 10))
    with pytest.raises(EngineError, match="Making the environment failed"):
        create.create(feedback, base_python=fake_base(tmp_path, "exit 1"), requirements=requirements, needed_bytes=0)
    assert listed() == []


def test_a_proxy_reaches_pip_and_its_password_no_log(feedback, requirements, tmp_path):
    base = fake_base(tmp_path, 'echo "ProxyError: $HTTPS_PROXY"; exit 1')
    proxy = {"HTTPS_PROXY": "http://me:secret@proxy:3128"}
    with pytest.raises(EngineError) as caught:
        create.create(feedback, base_python=base, requirements=requirements, needed_bytes=0, variables=proxy)
    assert feedback.infos == ["ProxyError: http://***@proxy:3128"]
    assert "secret" not in caught.value.detail
    assert "HTTPS_PROXY" not in os.environ


def test_torch_comes_first_from_the_cpu_index(feedback, requirements, verified, tmp_path, monkeypatch):
    commands = []
    monkeypatch.setattr(create, "_run", lambda title, command, *_: commands.append(command))
    monkeypatch.setattr(create, "_replace", lambda target, fresh: None)
    monkeypatch.setattr(Path, "write_text", lambda *arguments, **options: None)
    requirements.write_bytes(b"torch==2.13.0\nnumpy\n")
    create.create(feedback, base_python=tmp_path, requirements=requirements, needed_bytes=0)
    assert commands[1][-3:] == ["--index-url", create.CPU_INDEX, "torch==2.13.0"]
    assert commands[2][-2:] == ["-r", str(requirements)]
    assert all("-u" in command for command in commands[1:3]), "lines are told as they come"
    monkeypatch.setenv("PIP_FIND_LINKS", "/wheels")
    create.create(feedback, base_python=tmp_path, requirements=requirements, needed_bytes=0)
    assert create.CPU_INDEX not in commands[4]
