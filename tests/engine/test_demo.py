"""`make demo`: what it learns from, what it refuses, and that its classes have names. QGIS is left out here."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio

from benchmarks import demo
from satdifuser_qgis.engine.model_file import read_header
from satdifuser_qgis.engine.outputs import Outputs
from satdifuser_qgis.engine.reporter import Silent
from satdifuser_qgis.engine.worker import execute
from satdifuser_qgis.protocol.segment import SegmentRequest
from satdifuser_qgis.protocol.trainsegmentation import TrainSegmentationRequest
from tests.data import landscape, write_raster
from tests.engine.tiny import pixel_backbone

CLASSES = {10: ("building", (220, 20, 60)), 30: ("road", (255, 200, 0)), 70: ("forest", (0, 100, 0))}


class Chosen(Exception):  # noqa: N818 (it is no error: the demo has come to where it would train)
    """Holds the scene."""


@pytest.fixture
def chosen(monkeypatch, tmp_path):
    """A function from arguments to the scene that the demo would train on."""

    def stop(scene, folder):
        raise Chosen(scene)

    def choose(*arguments: str) -> demo.Scene:
        monkeypatch.setattr(sys, "argv", ["demo.py", *arguments, "--folder", str(tmp_path / "made")])
        with pytest.raises(Chosen) as caught:
            demo.main()
        return caught.value.args[0]

    monkeypatch.setattr(demo, "make", stop)
    monkeypatch.setenv("SATDIFUSER_DATA", str(tmp_path / "data"))
    return choose


@pytest.fixture
def korea(tmp_path: Path) -> Path:
    """The Korean set in small: two images to learn from and the one that is mapped; codes without names in them."""
    folder = tmp_path / "data" / "segmentation" / "s2_korea_landcover"
    for number, name in enumerate(("train/kr_1.tif", "train/kr_2.tif", f"test/{demo.UNSEEN_TILE}")):
        part, _, file = name.partition("/")
        for kind in ("images", "labels"):
            (folder / part / kind).mkdir(parents=True, exist_ok=True)
        image, codes = landscape(height=128, width=128, seed=number)
        write_raster(folder / part / "images" / file, image)
        codes = np.array([0, 10, 30, 70, 70], np.uint8)[codes]
        colors = {code: color for code, (_, color) in CLASSES.items()}
        write_raster(folder / part / "labels" / file, codes, nodata=0, colormap=colors)
    listed = [{"code": code, "name": name, "rgb": color} for code, (name, color) in CLASSES.items()]
    (folder / "manifest.json").write_text(json.dumps({"classes": listed}))
    return folder


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_classes_have_names_and_colours_in_model_report_and_map_and_nothing_is_written_beside_the_labels(
    korea, chosen, tmp_path
):
    before = contents(korea)
    scene = chosen()
    given: dict[str, list[str]] = {}
    for key, value in scene.training:
        given.setdefault(key.lower(), []).append(value)
    request = TrainSegmentationRequest(
        input=given["input"][0],
        more_inputs=tuple(given["more_inputs"]),
        label_rasters=tuple(given["label_rasters"]),
        model=str(tmp_path / "model.safetensors"),
        report=str(tmp_path / "report.html"),
        backbone=str(pixel_backbone(tmp_path / "tiny")),
        epochs=1,
        scaling=1,
        threads=1,
    )
    execute(request, Silent(), Outputs("made"))
    header = read_header(request.model)
    named = [(code, name, "#{:02x}{:02x}{:02x}".format(*color)) for code, (name, color) in CLASSES.items()]
    assert [(item.code, item.name, item.color) for item in header.classes] == named
    assert "forest" in Path(request.report).read_text(encoding="utf-8")
    target = tmp_path / "map.tif"
    execute(SegmentRequest(str(scene.target), request.model, str(target), threads=1), Silent(), Outputs("mapped"))
    with rasterio.open(target) as file:
        assert file.tags()["CLASS_70"] == "forest"
        assert file.colormap(1)[70] == (0, 100, 0, 255)
    truth = demo.truth_of(scene, header)
    assert set(np.unique(truth)) == set(CLASSES)
    assert contents(korea) == before


def test_labels_of_ones_own_go_with_the_image_and_a_layer_may_be_named(chosen, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("my.tif", "my.gpkg"):
        (tmp_path / name).touch()
    scene = chosen("--input", "my.tif", "--labels", "my.gpkg|layername=fields", "--class-field", "kind")
    labels = f"{tmp_path / 'my.gpkg'}|layername=fields"
    assert scene.training == (("INPUT", str(tmp_path / "my.tif")), ("LABELS", labels), ("CLASS_FIELD", "kind"))
    assert (scene.target, scene.truth) == (tmp_path / "my.tif", None)


def test_without_imagery_a_landscape_is_painted_and_said_to_be(chosen):
    scene = chosen()
    assert "PAINTED" in scene.story
    assert all(Path(value).exists() for key, value in scene.training if key != "CLASS_FIELD")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--input", "my.tif"), "INPUT needs LABELS"),
        (("--input", "my.tif", "--labels", "my.gpkg"), "and CLASS_FIELD"),
        (("--labels", "my.gpkg"), "need INPUT"),
        (("--class-field", "kind"), "need INPUT"),
        (("--input", "none.tif", "--labels", "my.gpkg", "--class-field", "kind"), "none.tif is not there"),
        (("--input", "my.tif", "--labels", "none.gpkg|layerid=0", "--class-field", "kind"), "none.gpkg is not there"),
    ],
)
def test_half_of_what_is_needed_is_refused(monkeypatch, tmp_path, arguments, said):
    monkeypatch.chdir(tmp_path)
    for name in ("my.tif", "my.gpkg"):
        (tmp_path / name).touch()
    monkeypatch.setattr(sys, "argv", ["demo.py", *arguments, "--folder", "made"])
    with pytest.raises(SystemExit, match=said):
        demo.main()


def test_without_qgis_or_the_staged_plugin_the_way_out_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="make setup"):
        demo.Qgis(tmp_path)
    tool = tmp_path / "qgis_process"
    tool.write_text("#!/bin/sh\nexit 3\n")
    tool.chmod(0o755)
    monkeypatch.setattr(demo, "STAGED", tmp_path / "build")
    with pytest.raises(SystemExit, match="make stage"):
        demo.Qgis(tmp_path)
    (tmp_path / "build" / demo.PLUGIN).mkdir(parents=True)
    with pytest.raises(SystemExit, match="`qgis_process plugins enable` ended with code 3"):
        demo.Qgis(tmp_path)
