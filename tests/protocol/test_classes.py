"""Classes, colours and folders."""

from __future__ import annotations

from pathlib import Path, PureWindowsPath

import pytest

from satdifuser_qgis.protocol import folders
from satdifuser_qgis.protocol.classes import (
    CUSTOMARY,
    PALETTE,
    LandCoverClass,
    customary_color,
    default_color,
    nodata_for,
)


@pytest.mark.parametrize(
    ("codes", "nodata"),
    [
        ((), 0),
        ((1, 2), 0),
        ((0, 1), 255),
        ((0, 255), 65535),
        ((1, 300), 0),
        ((0, 300), 255),
        (range(256), 65535),
        ((0, 255, 65535), 65534),
    ],
)
def test_nodata_is_no_class(codes, nodata):
    assert nodata_for(codes) == nodata


@pytest.mark.parametrize(("code", "color"), [(-1, "#000000"), (65536, "#000000"), (1, "red"), (1, "#FF0000")])
def test_classes_out_of_range_are_refused(code, color):
    with pytest.raises(ValueError, match="wood"):
        LandCoverClass(code, "wood", color)


def test_colours_are_distinct_and_go_round():
    assert len(set(PALETTE)) == len(PALETTE)
    assert default_color(len(PALETTE)) == PALETTE[0]
    assert LandCoverClass(1, "wood", "#0102ff").rgb == (1, 2, 255)


@pytest.mark.parametrize(
    ("name", "like"),
    [("Forest", "Wald"), ("water bodies", "Gewässer"), ("Buildings", "land_built"), ("bare_soil", "Offenboden")],
)
def test_names_that_maps_paint_in_one_colour_get_it(name, like):
    assert customary_color(name) == customary_color(like) != ""
    assert customary_color("Foresters' choice") == customary_color("class 3") == customary_color("") == ""
    assert all(LandCoverClass(1, "any", color) for color in CUSTOMARY)


def test_all_folders_move_together(monkeypatch, tmp_path):
    monkeypatch.setenv("SATDIFUSER_HOME", str(tmp_path))
    for folder in (folders.model_store(), folders.runs(), folders.environment()):
        assert folder.parent == tmp_path
    monkeypatch.delenv("SATDIFUSER_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr("sys.platform", "linux")
    assert folders.home() == tmp_path / "data" / "satdifuser_qgis"


def test_a_relative_home_is_one_of_the_current_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SATDIFUSER_HOME", "store")
    assert folders.home() == tmp_path / "store"


@pytest.mark.parametrize(("platform", "part"), [("win32", "satdifuser_qgis"), ("darwin", "Application Support")])
def test_every_system_has_a_home(monkeypatch, platform, part):
    monkeypatch.delenv("SATDIFUSER_HOME", raising=False)
    monkeypatch.setattr("sys.platform", platform)
    assert part in str(folders.home())


def test_a_name_that_is_taken_gets_a_number(tmp_path: Path):
    assert folders.unused(tmp_path, "fields", ".safetensors").name == "fields.safetensors"
    (tmp_path / "fields.safetensors").touch()
    (tmp_path / "fields-2.safetensors").touch()
    assert folders.unused(tmp_path, "fields", ".safetensors").name == "fields-3.safetensors"


def test_a_model_is_found_by_path_and_by_name(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("SATDIFUSER_HOME", str(tmp_path))
    stored = folders.model_store() / "fields.safetensors"
    stored.parent.mkdir()
    stored.touch()
    assert folders.find_model("fields") == folders.find_model("fields.safetensors") == stored
    assert folders.find_model(str(stored)) == stored
    assert folders.find_model("meadows") is None
    assert folders.find_model("somewhere/fields") is None
    assert "fields" in folders.known_models()


def test_names_of_users_are_left_out():
    assert folders.without_user(f"Models: {Path.home()}/models") == "Models: ~/models"


def test_names_of_users_are_left_out_however_windows_writes_them(monkeypatch):
    monkeypatch.setattr(folders.Path, "home", lambda: PureWindowsPath(r"C:\Users\Ann"))
    monkeypatch.setattr(folders.sys, "platform", "win32")
    for text in (r"c:\users\ann\x", "C:/Users/Ann/x", repr(r"C:\Users\Ann\x")):
        assert "ann" not in folders.without_user(text).lower()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Last error: /media/anna/x.tif", "Last error: /media/USER/x.tif"),
        ("the folder /run/media/anna.", "the folder /run/media/USER."),
        ('"D:\\anna\\x.tif" in /data/anna, /data/anna', '"D:\\USER\\x.tif" in /data/USER, /data/USER'),
        ("/data/hanna/anna.tif, /data/anna-maria/annas, anna", "/data/hanna/anna.tif, /data/anna-maria/annas, anna"),
    ],
)
def test_names_of_users_are_left_out_of_other_folders(monkeypatch, text, told):
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(variable, "anna")
    assert folders.without_user(text) == told


def test_a_system_without_names_of_users_is_no_failure(monkeypatch):
    def unknown():
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr("getpass.getuser", unknown)
    assert folders.without_user("/media/anna/x.tif") == "/media/anna/x.tif"
