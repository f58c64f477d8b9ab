"""What lay beside a replaced file goes with it, links stay links, and names may be as long as the file system takes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
import shapely

from satdifuser_qgis.engine.outputs import Outputs, target_of
from satdifuser_qgis.protocol.side_files import side_files
from tests.data import UTM, write_raster
from tests.engine.conftest import ROOT

links = pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")


def replace(target: Path, text: str = "new", **sides: str) -> None:
    """One run that writes ``target``; ``sides`` are its side files by what follows the name, with "_" for "."."""
    with Outputs("ab12") as outputs:
        part = outputs.part(target)
        part.write_text(text)
        for ending, content in sides.items():
            part.with_name(part.name + ending.replace("_", ".")).write_text(content)
        outputs.commit()


def texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize(
    ("target", "sides"),
    [
        ("map.tif", ["map.qml", "map.qmd", "map.tif.ovr", "map.tif.msk", "map.tif.msk.ovr", "map.tif.vat.dbf",
                     "map.tfw", "map.wld", "map.tif.aux.xml", "map.tif.xml"]),
        ("MAP.TIF", ["MAP.qml", "MAP.TIF.OVR", "MAP.TFW"]),
        ("a [1].tiff", ["a [1].qml", "a [1].tiff.ovr", "a [1].tiffw"]),
        ("map.shp", ["map.qml", "map.shx", "map.dbf", "map.prj", "map.cpg", "map.qix", "map.sbn", "map.sbx",
                     "map.shp.xml"]),
        ("map.geojson", ["map.qml", "map.qmd"]),
        ("map.fgb", ["map.qml"]),
        ("map.gpkg", ["map.qml", "map.gpkg-wal", "map.gpkg-shm", "map.gpkg-journal", "map.gpkg.aux.xml"]),
    ],
)  # fmt: skip
def test_side_files_of_the_file_before_go_with_it(tmp_path, target, sides):
    for name in (target, *sides):
        (tmp_path / name).write_text("old")
    replace(tmp_path / target)
    assert texts(tmp_path) == {target: "new"}


@pytest.mark.parametrize(
    "others",
    [
        ["map.shp", "map.qml", "map.qmd"],
        ["map.tiff", "map.tfw", "map.qml"],
        ["map.jpg", "map.wld"],
        ["map.tif.bak", "map.tif.zip", "map.txt", "map.dbf", "map.prj", "map.cpg", "map.gpkg", "map.gpkg-wal"],
        ["map2.tif", "map2.qml", "map2.tif.ovr", "map.tif2.ovr", "a map.qml", "map.tif.ovr.txt"],
    ],
)
def test_what_belongs_to_another_file_stays(tmp_path, others):
    for name in ("map.tif", *others):
        (tmp_path / name).write_text("old")
    replace(tmp_path / "map.tif")
    assert texts(tmp_path) == {"map.tif": "new"} | dict.fromkeys(others, "old")


@pytest.mark.parametrize("fate", ["fails", "is cancelled", "cannot be renamed"])
def test_a_run_that_fails_leaves_file_and_side_files_as_they_were(tmp_path, monkeypatch, fate):
    names = ("map.tif", "map.tif.aux.xml", "map.tif.ovr", "map.qml")
    for name in names:
        (tmp_path / name).write_text("old")

    def held(*args: object) -> None:
        raise PermissionError(13, "held by another program")

    def run() -> None:
        with Outputs("ab12") as outputs:
            part = outputs.part(tmp_path / "map.tif")
            part.write_text("new")
            part.with_name(part.name + ".aux.xml").write_text("new")
            if fate == "cannot be renamed":
                monkeypatch.setattr(os, "replace", held)
                outputs.commit()
            raise RuntimeError if fate == "fails" else KeyboardInterrupt

    with pytest.raises((RuntimeError, KeyboardInterrupt, PermissionError)):
        run()
    assert texts(tmp_path) == dict.fromkeys(names, "old")


def test_pyramids_and_masks_of_the_map_before_are_not_shown_for_the_new_one(tmp_path):
    old, new = np.full((1, 64, 64), 1, np.uint8), np.full((1, 64, 64), 2, np.uint8)
    target = tmp_path / "map.tif"
    write_raster(target, old)
    with rasterio.Env(TIFF_USE_OVR="YES"), rasterio.open(target, "r+") as file:
        file.build_overviews([2, 4])
        file.write_mask(np.zeros((64, 64), np.bool_))
    with rasterio.open(target) as file:
        assert file.overviews(1) == [2, 4]
    with Outputs("ab12") as outputs:
        write_raster(outputs.part(target), new)
        outputs.commit()
    with rasterio.open(target) as file:
        assert (file.overviews(1), file.read(1, out_shape=(16, 16)).max(), file.read_masks(1).min()) == ([], 2, 255)


def test_a_crs_of_the_shapefile_before_is_not_that_of_the_new_one(tmp_path):
    point = [shapely.Point(0, 0)]
    geopandas.GeoDataFrame({"name": ["a"]}, geometry=point, crs=UTM).to_file(tmp_path / "map.shp")
    with Outputs("ab12") as outputs:
        geopandas.GeoDataFrame({"name": ["a"]}, geometry=point).to_file(outputs.part(tmp_path / "map.shp"))
        outputs.commit()
    assert geopandas.read_file(tmp_path / "map.shp").crs is None


@links
@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_a_link(tmp_path, there):
    store, project = tmp_path / "store", tmp_path / "project"
    store.mkdir()
    project.mkdir()
    if there:
        for name in ("v1.dat", "v1.dat.aux.xml"):
            (store / name).write_text("old")
    (project / "map.tif").symlink_to(Path("..") / "store" / "v1.dat")
    (project / "map.tif.ovr").write_text("old")
    replace(project / "map.tif", _aux_xml="names")
    assert os.readlink(project / "map.tif") == os.path.join("..", "store", "v1.dat")
    assert texts(project) == {"map.tif": "new", "map.tif.aux.xml": "names"}
    assert (store / "v1.dat").read_text() == "new"
    assert not list(tmp_path.rglob("*.part-*"))


@links
def test_the_side_files_of_what_a_link_leads_to_go_too(tmp_path):
    (tmp_path / "store").mkdir()
    for name in ("map.tif", "map.tif.ovr", "map.tif.aux.xml"):
        (tmp_path / "store" / name).write_text("old")
    (tmp_path / "map.tif").symlink_to(tmp_path / "store" / "map.tif")
    replace(tmp_path / "map.tif", _aux_xml="names")
    assert texts(tmp_path / "store") == {"map.tif": "new"}
    assert texts(tmp_path) == {"map.tif": "new", "map.tif.aux.xml": "names"}


@links
def test_side_files_that_are_links_stay_links(tmp_path):
    (tmp_path / "store").mkdir()
    for ending in (".shp", ".dbf", ".qix"):
        (tmp_path / "store" / f"v1{ending}").write_text("old")
        (tmp_path / f"map{ending}").symlink_to(tmp_path / "store" / f"v1{ending}")
    with Outputs("ab12") as outputs:
        part = outputs.part(tmp_path / "map.shp")
        for ending in (".shp", ".dbf"):
            part.with_suffix(ending).write_text("new")
        outputs.commit()
    assert texts(tmp_path / "store") == {"v1.shp": "new", "v1.dbf": "new"}
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_symlink()) == ["map.dbf", "map.shp"]


@links
def test_a_failed_run_leaves_a_link_and_a_dangling_one(tmp_path):
    (tmp_path / "map.tif").symlink_to(tmp_path / "gone" / "far.tif")
    with Outputs("ab12") as outputs:
        outputs.part(tmp_path / "map.tif").write_text("half")
    assert [path.name for path in tmp_path.iterdir()] == ["map.tif"]
    assert (tmp_path / "map.tif").is_symlink()


@links
def test_a_link_to_another_disk(tmp_path, monkeypatch):
    """Side files cannot be renamed onto another disk; the file itself lies on that of its part."""
    (tmp_path / "store").mkdir()
    (tmp_path / "map.tif").symlink_to(tmp_path / "store" / "map.tif")
    rename = os.replace

    def within_a_disk(source: Path, target: Path) -> None:
        if Path(source).parent != Path(target).parent:
            raise OSError(18, "Invalid cross-device link")
        rename(source, target)

    monkeypatch.setattr(os, "replace", within_a_disk)
    replace(tmp_path / "map.tif", _aux_xml="names")
    assert texts(tmp_path) == {"map.tif": "new", "map.tif.aux.xml": "names"}
    assert texts(tmp_path / "store") == {"map.tif": "new"}


@pytest.mark.parametrize(
    "stem",
    ["m" * 251, "한" * 83, "e\u0301" * 80, "🌲" * 62, "labels;v2!", "tab\tname", "line\nbreak", "100% #sure?", " -x ",
     "[2023]"],
)  # fmt: skip
def test_any_name_that_the_file_system_takes_can_be_written(tmp_path, stem):
    if os.name == "nt":
        pytest.skip("Windows takes other names")
    first, second = tmp_path / f"{stem}.fgb", tmp_path / f"{stem[:-1]}x.fgb"
    with Outputs("ab12") as outputs:
        for target in (first, second):
            part = outputs.part(target)
            assert target_of(part) == target
            part.write_text(target.name)
            scratch = outputs.scratch(target, "-confidence.tif")
            scratch.with_name(f"{scratch.name}-work.tif").write_text("work")
        outputs.commit()
    assert texts(tmp_path) == {first.name: first.name, second.name: second.name}


def test_a_folder_that_is_not_there_holds_no_side_files(tmp_path):
    assert side_files(tmp_path / "gone" / "map.tif") == []


@pytest.mark.parametrize("other", ["parcels.gpkg", "parcels.csv", "parcels.png"])
def test_a_style_that_lies_beside_another_file_stays_where_the_target_is_new(tmp_path, other):
    (tmp_path / other).write_text("the user's")
    (tmp_path / "parcels.qml").write_text("the user's style")
    with Outputs("test") as outputs:
        outputs.part(tmp_path / "parcels.tif").write_text("map")
        outputs.commit()
    assert (tmp_path / "parcels.qml").read_text() == "the user's style"


def test_the_stale_style_of_a_map_that_is_gone_goes_though_names_nearby_begin_alike(tmp_path):
    for name in ("map.qml", "map2.tif", "map.tif.aux.xml"):
        (tmp_path / name).write_text("old")
    with Outputs("test") as outputs:
        outputs.part(tmp_path / "map.tif").write_text("map")
        outputs.commit()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["map.tif", "map2.tif"]


@links
@pytest.mark.parametrize("end", ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"])
@pytest.mark.parametrize("moment", range(6))
def test_a_process_that_is_ended_while_it_replaces_leaves_no_new_file_beside_old_side_files(tmp_path, end, moment):
    """It is ended before each of its renames in turn; what hears signals finishes first, at once and in whole."""
    old = ("map.tif", "map.tif.aux.xml", "map.tif.msk", "map.tif.ovr", "map.qml")
    for name in old:
        (tmp_path / name).write_text("old")
    script = f"""
import os, signal, sys
from pathlib import Path
from satdifuser_qgis.engine.outputs import Outputs
from satdifuser_qgis.engine.worker import end_cleanly
rename, count = os.replace, iter(range(99))
def ended(source, target):
    if next(count) == {moment}:
        os.kill(os.getpid(), signal.{end})
    rename(source, target)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
end_cleanly()
with Outputs("ab12") as outputs:
    part = outputs.part(Path({str(tmp_path)!r}) / "map.tif")
    part.write_text("new")
    part.with_name(part.name + ".aux.xml").write_text("new")
    os.replace = ended
    outputs.commit()
"""
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True)
    found = {name: text for name, text in texts(tmp_path).items() if ".part-" not in name}
    if end == "SIGKILL" and found["map.tif"] == "old":
        assert set(found.values()) == {"old"}
    else:
        assert found.pop("map.tif.aux.xml", "new") == "new"
        assert found == {"map.tif": "new"}
    if end != "SIGKILL":
        assert texts(tmp_path) == {"map.tif": "new", "map.tif.aux.xml": "new"}


def test_a_side_file_that_is_held_leaves_all_as_it_was(tmp_path, monkeypatch):
    names = ("map.tif", "map.tif.aux.xml", "map.tif.ovr", "map.qml")
    for name in names:
        (tmp_path / name).write_text("old")
    rename = os.replace

    def held(source: Path, target: Path) -> None:
        if Path(source).name == "map.tif.ovr":
            raise PermissionError(13, "held by another program", str(source))
        rename(source, target)

    monkeypatch.setattr(os, "replace", held)
    with pytest.raises(PermissionError):
        replace(tmp_path / "map.tif", _aux_xml="new")
    assert texts(tmp_path) == dict.fromkeys(names, "old")


def test_the_thread_that_finds_the_parent_dead_waits_for_the_renames(tmp_path, monkeypatch):
    outputs = Outputs("ab12")
    part = outputs.part(tmp_path / "map.tif")
    part.write_text("new")
    part.with_name(part.name + ".aux.xml").write_text("new")
    rename, others = os.replace, []

    def slowly(source: Path, target: Path) -> None:
        if not others:
            others.append(threading.Thread(target=outputs.discard))
            others[0].start()
            others[0].join(0.2)
        rename(source, target)

    monkeypatch.setattr(os, "replace", slowly)
    outputs.commit()
    others[0].join()
    assert texts(tmp_path) == {"map.tif": "new", "map.tif.aux.xml": "new"}
