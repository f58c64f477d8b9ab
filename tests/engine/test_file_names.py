"""Labels are read and polygons written whatever files and folders are called; archives are opened as before."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path

import pyogrio
import pytest
import shapely

from satdifuser_qgis.engine.file_names import as_file, split_address
from satdifuser_qgis.engine.outputs import Outputs
from satdifuser_qgis.engine.reporter import Silent
from satdifuser_qgis.engine.vector.labels import read_vector_labels
from satdifuser_qgis.engine.worker import execute
from satdifuser_qgis.protocol.segment import SegmentRequest
from satdifuser_qgis.protocol.trainsegmentation import TrainSegmentationRequest
from tests.data import landscape, write_label_layer, write_landscape, write_raster
from tests.engine.tiny import pixel_backbone

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows takes other names")
NAMES = ["!archiv", "a!b;c", ";", "tab\tname", "line\nbreak", "a#b", "a?b", "100% %20", "a&b", "q\"uo'te", " lead",
         "trail ", "-dash", "e\u0301", "🌲", "a|b", "a|layername=b", "x.zip", "a:b", "back\\slash"]  # fmt: skip
BOXES = [shapely.box(500_020, 5_199_500, 500_220, 5_199_900), shapely.box(500_320, 5_199_500, 500_520, 5_199_900)]


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".geojson", ".fgb"])
@pytest.mark.parametrize("name", NAMES)
def test_labels_with_such_names_are_read(tmp_path, name, suffix):
    write_label_layer(tmp_path / f"x{suffix}", BOXES, ["a", "b"])
    parts = list(tmp_path.glob("x.*"))
    folder = tmp_path / name
    folder.mkdir()
    for part in parts:
        part.rename(folder / f"{name}{part.suffix}")
    path = str(folder / f"{name}{suffix}")
    sources = [path]
    if not set("|\\") & set(name):
        sources.append(f"{path}|layername={name if suffix == '.shp' else 'x'}")
    before = os.getcwd()
    for source in sources:
        labels = read_vector_labels(source, "class")
        assert [item.name for item in labels.classes] == ["a", "b"]
        assert labels.crs_wkt
    assert os.getcwd() == before


def test_labels_with_such_names_are_read_by_a_relative_path(tmp_path, monkeypatch):
    (tmp_path / "a!b").mkdir()
    shutil.move(write_label_layer(tmp_path / "x.gpkg", BOXES, ["a", "b"]), tmp_path / "a!b" / "c;d.gpkg")
    monkeypatch.chdir(tmp_path)
    assert len(read_vector_labels("a!b/c;d.gpkg", "class").table) == 2


def test_archives_are_opened_as_before(tmp_path):
    write_label_layer(tmp_path / "x.shp", BOXES, ["a", "b"])
    (tmp_path / "a!b").mkdir()
    for archive in (tmp_path / "x.zip", tmp_path / "a!b" / "x;y.zip"):
        with zipfile.ZipFile(archive, "w") as file:
            for part in tmp_path.glob("x.*"):
                if part.suffix != ".zip":
                    file.write(part, part.name)
    plain, odd = tmp_path / "x.zip", tmp_path / "a!b" / "x;y.zip"
    for source in (
        plain,
        f"{plain}!x.shp",
        f"zip://{plain}!x.shp",
        f"/vsizip/{plain}/x.shp",
        f"/vsizip/{odd}/x.shp",
        odd,
    ):
        assert len(read_vector_labels(str(source), "class").table) == 2, source
    with as_file("https://example.org/a;b!c.gpkg") as source:
        assert source == "https://example.org/a;b!c.gpkg"


def test_what_follows_a_path_is_told_from_its_name(tmp_path):
    (tmp_path / "a|layername=b").mkdir()
    path = str(tmp_path / "a|layername=b" / "c.gpkg")
    Path(path).touch()
    assert split_address(path) == (path, [])
    assert split_address(f"{path}|layername=d|subset=e") == (path, ["layername=d", "subset=e"])
    assert split_address("gone.gpkg|layername=d") == ("gone.gpkg", ["layername=d"])


@pytest.mark.parametrize(
    ("name", "suffix"),
    [(name, ".gpkg") for name in NAMES] + [("a!b;c", ending) for ending in (".shp", ".geojson", ".fgb")],
)
def test_maps_and_polygons_with_such_names_are_written(tmp_path, model, name, suffix):
    folder = tmp_path / name
    folder.mkdir()
    image = write_raster(tmp_path / "x.tif", landscape(48, 64)[0])
    image = str(Path(image).rename(folder / f"{name}.tif"))
    target = folder / f"{name} polygons{suffix}"
    request = SegmentRequest(image, str(model), str(folder / f"{name} map.tif"), polygons=str(target), threads=1)
    before = os.getcwd()
    execute(request, Silent(), Outputs("run"))
    assert os.getcwd() == before
    with as_file(target) as file:
        frame = pyogrio.read_dataframe(file)
    assert frame.area_px.sum() == 48 * 64
    assert not [path for path in folder.iterdir() if ".part-" in path.name]


def test_bytes_do_not_depend_on_the_name(tmp_path, model):
    image = write_raster(tmp_path / "x.tif", landscape(48, 64)[0])
    found = []
    for folder in (tmp_path / "plain", tmp_path / "a!;b"):
        paths = {"output": "map.tif", "polygons": "map.gpkg"}
        execute(SegmentRequest(image, str(model), **{key: str(folder / name) for key, name in paths.items()}),
                Silent(), Outputs("run"))  # fmt: skip
        found.append({path.name: path.read_bytes() for path in sorted(folder.iterdir())})
    assert found[0] == found[1]


def test_a_training_in_a_folder_with_such_a_name(tmp_path):
    folder = tmp_path / "!a;b\t"
    folder.mkdir()
    image, codes = write_landscape(folder, "img!;", height=128, width=128)
    shutil.move(write_label_layer(tmp_path / "x.gpkg", BOXES, ["a", "b"]), folder / "l;!.gpkg")
    request = TrainSegmentationRequest(
        image, str(folder / "m;!.safetensors"), labels=str(folder / "l;!.gpkg"), class_field="class",
        label_rasters=(codes,), report=str(folder / "r;!.html"), backbone=str(pixel_backbone(tmp_path / "tiny")),
        epochs=1, threads=1,
    )  # fmt: skip
    execute(request, Silent(), Outputs("run"))
    assert (folder / "m;!.safetensors").is_file()
    assert (folder / "r;!.html").is_file()
