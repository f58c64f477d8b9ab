"""Files and folders of any name are inputs and outputs as others are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from qgis.core import QgsRasterLayer, QgsVectorLayer

from satdifuser_qgis.processing.values import items_of

from . import landscape

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows takes other names")
NAMES = ["!archiv", "a;b", ";", "tab\tname", "line\nbreak", "a#b", "a?b", "100%", "a&b", "q\"uo'te", " lead", "trail ",
         "-dash", "e\u0301", "🌲", "a|b"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_training_with_such_names(train, engine, tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    images = [landscape.write_raster(tmp_path / "x.tif").rename(folder / f"{name}{number}.tif") for number in range(3)]
    codes = landscape.write_raster(tmp_path / "x.tif", bands=1, classes=True).rename(folder / f"{name} codes.tif")
    labels = landscape.write_labels(tmp_path / "x.gpkg").rename(folder / f"{name}.gpkg")
    targets = {"MODEL": str(folder / f"{name}.safetensors"), "REPORT": str(folder / f"{name}.html")}
    train.run(
        INPUT=str(images[0]), MORE_INPUTS=f"{images[1]};{images[2]}", LABEL_RASTERS=str(codes), LABELS=str(labels),
        CLASS_FIELD="class", **targets,
    )  # fmt: skip
    (request,) = engine.requests
    assert (request.input, request.more_inputs) == (str(images[0]), tuple(map(str, images[1:])))
    assert request.label_rasters == (str(codes),)
    assert (request.model, request.report) == (targets["MODEL"], targets["REPORT"])
    assert len(list(QgsVectorLayer(request.labels, "read", "ogr").getFeatures())) == 3
    assert name == "a|b" or request.labels.startswith(str(labels))


@pytest.mark.parametrize("name", NAMES)
def test_a_map_with_such_names(segment, engine, tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    image = landscape.write_raster(tmp_path / "x.tif").rename(folder / f"{name}.tif")
    model = landscape.write_model(tmp_path / "x.safetensors").rename(folder / f"{name}.safetensors")
    targets = {
        "OUTPUT": folder / f"{name} map.tif",
        "POLYGONS": folder / f"{name} map.gpkg",
        "ENTROPY": folder / "e.tif",
    }
    segment.run(INPUT=str(image), MODEL=str(model), **{key: str(path) for key, path in targets.items()})
    (request,) = engine.requests
    assert (request.input, request.model) == (str(image), str(model))
    assert [request.output, request.polygons, request.entropy] == [str(path) for path in targets.values()]
    land_cover = QgsRasterLayer(str(targets["OUTPUT"]), "map")
    assert [item.label for item in land_cover.renderer().classes()] == [item["name"] for item in landscape.CLASSES]


def test_a_semicolon_parts_a_list_but_not_the_name_of_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a;b.tif", "a", "c.tif", "d;e;f.tif"):
        Path(name).touch()
    assert items_of("a;b.tif;c.tif;;d;e;f.tif") == ["a;b.tif", "c.tif", "d;e;f.tif"]
    assert items_of(f"{tmp_path}/a;b.tif") == [f"{tmp_path}/a;b.tif"]
    assert items_of("x.tif;y.tif;") == ["x.tif", "y.tif"]
    assert items_of("3;2;1") == ["3", "2", "1"]
