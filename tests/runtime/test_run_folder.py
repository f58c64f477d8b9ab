"""Run folders, logs and what dead workers leave."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from pathlib import Path

import pytest

from satdifuser_qgis.protocol import folders
from satdifuser_qgis.protocol.errors import EngineError
from satdifuser_qgis.runtime.run_folder import FORGOTTEN_AFTER_S, RunFolder, RunLog, clear_parts, prune


def test_the_request_is_in_the_folder_of_its_run(request_for):
    with RunFolder(request_for("fields")) as folder:
        body = json.loads(folder.request_file.read_text(encoding="utf-8"))
        folder.cancel()
        assert (folder.path / "cancel").read_bytes() == b""
    assert folder.path.parent == folders.runs()
    assert (body["protocol"], body["task"], body["request"]["model"]) == (1, "segment", "fields")


def test_twenty_runs_are_kept_but_none_that_is_at_work(request_for):
    request = request_for()
    with RunFolder(request) as at_work:
        os.utime(at_work.path, (1, time.time() - 1000))
        for age in range(25):
            with RunFolder(request) as done:
                pass
            os.utime(done.path, (1, time.time() - age))
        assert at_work.path.is_dir()
        assert len(os.listdir(folders.runs())) <= 22
    prune(folders.runs(), keep=1)
    assert len(os.listdir(folders.runs())) == 1


def test_a_run_that_a_crash_left_running_is_forgotten_one_day(home):
    old = folders.runs() / "crashed"
    old.mkdir(parents=True)
    (old / "running").touch()
    prune(folders.runs(), keep=0)
    assert old.is_dir()
    os.utime(old, (1, time.time() - FORGOTTEN_AFTER_S - 10))
    prune(folders.runs(), keep=0)
    assert not old.exists()


def test_a_log_is_bounded_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("satdifuser_qgis.runtime.run_folder.LOG_LIMIT_CHARACTERS", 100)
    log = RunLog(tmp_path / "run.log")
    for _ in range(1000):
        log.write("a line")
    log.close()
    log.write("too late")
    lines = log.path.read_text(encoding="utf-8").splitlines()
    assert len(lines) < 10
    assert lines[-1].startswith("The log is full")


def test_only_parts_of_this_run_are_cleared(request_for, tmp_path):
    outputs, store = tmp_path / "outputs", folders.model_store()
    store.mkdir(parents=True)
    mine = [
        outputs / "map.part-ab12.tif",
        outputs / "map.part-ab12.tif.aux.xml",
        store / "fields.part-ab12.safetensors",
    ]
    others = [outputs / "map.tif", outputs / "map.part-ffff.tif", store / "fields.safetensors"]
    for path in (*mine, *others):
        path.touch()
    folder = outputs / "features.part-ab12-work"
    folder.mkdir()
    assert clear_parts(request_for(), "ab12") == []
    assert not any(path.exists() for path in (*mine, folder))
    assert all(path.exists() for path in others)


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_parts_beside_what_a_link_leads_to_are_cleared(request_for, tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "map.part-ab12.tif").touch()
    request = request_for()
    Path(request.output).symlink_to(tmp_path / "store" / "map.tif")
    assert clear_parts(request, "ab12") == []
    assert list((tmp_path / "store").iterdir()) == []


def test_targets_without_a_folder_are_no_trouble(request_for, tmp_path):
    (tmp_path / "outputs").rmdir()
    assert clear_parts(request_for(), "ab12") == []


class FullDisk:
    """A file that can no longer be written, nor closed without complaint."""

    def __init__(self) -> None:
        self.closed, self.asked = False, 0

    def write(self, text: str) -> int:
        self.asked += 1
        raise OSError(errno.ENOSPC, "No space left on device")

    def close(self) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_log_that_cannot_be_written_is_given_up_and_fails_nothing(tmp_path, monkeypatch):
    log = RunLog(tmp_path / "run.log")
    log.close()
    full = FullDisk()
    monkeypatch.setattr(log, "_file", full)
    for _ in range(3):
        log.write("lost")
    log.close()
    assert full.asked == 1


@pytest.mark.parametrize(
    ("number", "code", "remedy"),
    [(errno.ENOSPC, "no_space", "Free some space"), (errno.EACCES, "bad_request", "you may write there")],
)
def test_a_run_folder_that_cannot_be_made_is_told_with_the_way_out(request_for, monkeypatch, number, code, remedy):
    def refuse(self, *_arguments, **_options):
        raise OSError(number, os.strerror(number), str(self))

    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(EngineError) as caught:
        RunFolder(request_for())
    assert caught.value.code == code
    assert str(folders.runs()) in caught.value.message
    assert remedy in caught.value.remedy
    assert folders.HOME_VARIABLE in caught.value.remedy
    assert os.listdir(folders.runs()) == []


def test_a_home_that_is_a_file_is_told(request_for, home):
    home.write_text("no folder")
    with pytest.raises(EngineError) as caught:
        RunFolder(request_for())
    assert caught.value.code == "bad_request"


def test_a_run_whose_folder_was_emptied_ends_well(request_for):
    with RunFolder(request_for()) as folder:
        shutil.rmtree(folder.path)
