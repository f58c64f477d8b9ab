"""The parameter MODEL as a list in QGIS's own dialogs, and labels that say what may stand instead."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from qgis.core import (
    QgsApplication,
    QgsProcessingModelAlgorithm,
    QgsProcessingModelChildParameterSource,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)
from qgis.gui import QgsFileWidget
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QDesktopServices
from qgis.PyQt.QtWidgets import QDoubleSpinBox, QFileDialog, QLabel

from satdifuser_qgis.gui import model_list
from satdifuser_qgis.gui.model_list import PATH, ModelList
from satdifuser_qgis.processing.provider import SatDiFuserProvider
from satdifuser_qgis.protocol import folders

from ..processing import landscape

READ = {"bands": [3, 2, 1], "band_names": ["B4", "B3", "B2"], "gsd_m": 10.0, "scores": {"miou": 0.713}}


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SATDIFUSER_HOME", str(tmp_path / "home"))


@pytest.fixture
def image(tmp_path: Path) -> None:
    raster = QgsRasterLayer(str(landscape.write_raster(tmp_path / "image.tif")), "image")
    QgsProject.instance().addMapLayer(raster)


@pytest.fixture
def provider(qgis_app: Any, qgis_processing: Any) -> Any:
    provider = SatDiFuserProvider()
    assert QgsApplication.processingRegistry().addProvider(provider)
    yield provider
    QgsApplication.processingRegistry().removeProvider(provider)
    QgsProject.instance().clear()


@pytest.fixture
def opened(provider: Any, qgis_iface: Any, qtbot: Any) -> Any:
    """Opens QGIS's own dialog of an algorithm. pytest-qgis' interface has no browser model of its own."""
    from processing.gui.AlgorithmDialog import AlgorithmDialog
    from processing.gui.BatchAlgorithmDialog import BatchAlgorithmDialog
    from processing.modeler.ModelerParametersDialog import ModelerParametersDialog
    from qgis.gui import QgsBrowserGuiModel

    browser = QgsBrowserGuiModel()
    qgis_iface.browserModel = lambda: browser

    def made(name: str, kind: str = "single") -> Any:
        algorithm = provider.algorithm(name).create()
        if kind == "designer":
            dialog = ModelerParametersDialog(algorithm, QgsProcessingModelAlgorithm("graph", "tests"))
        else:
            dialog = (BatchAlgorithmDialog if kind == "batch" else AlgorithmDialog)(algorithm, parent=None)
        qtbot.addWidget(dialog)
        dialog.resize(1000, 720)
        dialog.show()
        return dialog

    return made


def store(stem: str, age_s: float = 0.0, **header: Any) -> str:
    path = landscape.write_model(folders.model_store() / f"{stem}.safetensors", **{**READ, **header})
    os.utime(path, (1_780_000_000 - age_s,) * 2)
    return str(path)


def rows(listed: ModelList) -> list:
    model = listed.models.model()
    return [
        [model.item(row, column).text() for column in range(model.columnCount())] for row in range(model.rowCount())
    ]


def labels(dialog: Any) -> set:
    return {label.text() for label in dialog.findChildren(QLabel)}


def test_the_dialog_of_mapping_lists_the_models_newest_first(opened, image):
    old, new = store("old", 9), store("new")
    store("scenes", task="scene")
    Path(folders.model_store() / "broken.safetensors").write_bytes(b"xx")
    dialog = opened("segment")
    listed = dialog.findChild(ModelList)
    assert [row[0] for row in rows(listed)] == ["new", "old"]
    assert rows(listed)[0][1:5] == ["3 (water, wood, field)", "B4, B3, B2", "10 m", "0.71"]
    assert dialog.mainWidget().createProcessingParameters()["MODEL"] == new
    dialog.setParameters({"MODEL": old})
    assert listed.models.currentText() == "old"
    assert dialog.mainWidget().createProcessingParameters()["MODEL"] == old


def test_a_path_and_a_name_may_be_written(opened, image, tmp_path):
    store("stored")
    elsewhere = str(landscape.write_model(tmp_path / "elsewhere.safetensors", **READ))
    dialog = opened("segment")
    for written in (elsewhere, "stored", "not there"):
        dialog.setParameters({"MODEL": written})
        assert dialog.mainWidget().createProcessingParameters()["MODEL"] == written


def test_the_chosen_model_is_described_and_one_for_another_task_refused_at_once(qgis_app, qtbot, tmp_path):
    store("crops")
    scenes = store("scenes", task="scene")
    listed = ModelList()
    qtbot.addWidget(listed)
    told = listed.about.text().replace("\N{NO-BREAK SPACE}", " ")
    assert "Classes: 3 (water, wood, field) · Bands: B4, B3, B2 · Pixel size: 10 m · Mean IoU: 0.71" in told
    for written in (scenes, "scenes"):
        listed.set_value(written)
        assert "names whole scenes" in listed.about.text()
    listed.set_value("cro")
    assert listed.about.text() == ""


def test_a_model_that_was_just_trained_is_in_the_list_when_it_opens(qgis_app, qtbot):
    listed = ModelList()
    qtbot.addWidget(listed)
    listed.show()
    assert (rows(listed), listed.value()) == ([], "")
    assert "train one" in listed.models.lineEdit().placeholderText()
    listed.set_value("written before")
    trained = store("just trained")
    listed.models.showPopup()
    assert listed.models.itemData(0, PATH) == trained
    assert listed.value() == "written before"
    listed.models.hidePopup()
    listed.models.setCurrentIndex(0)
    assert listed.value() == trained


def test_what_is_typed_into_the_list_counts_and_not_what_was_chosen(qgis_app, qtbot):
    store("crops")
    listed = ModelList()
    qtbot.addWidget(listed)
    qtbot.keyClicks(listed.models.lineEdit(), "-2")
    assert listed.value() == "crops-2"
    listed.models.lineEdit().clear()
    assert listed.value() == ""


@pytest.mark.parametrize("written", ["{path}", ' "{path}" ', "{address}"])
def test_a_file_may_be_dropped_or_pasted_in_quotes(qgis_app, qtbot, tmp_path, written):
    path = landscape.write_model(tmp_path / "my crops.safetensors", **READ)
    listed = ModelList()
    qtbot.addWidget(listed)
    listed.models.setEditText(written.format(path=path, address=path.as_uri()))
    assert listed.value() == str(path)
    assert "B4, B3, B2" in listed.about.text()


def test_browse_and_the_button_to_the_model_store(qgis_app, qtbot, tmp_path, monkeypatch):
    chosen = str(tmp_path / "chosen.safetensors")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_arguments: (chosen, ""))
    shown = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: shown.append(url.toLocalFile()))
    listed = ModelList()
    qtbot.addWidget(listed)
    browse, open_store = (
        next(button for button in listed.findChildren(model_list.QToolButton) if tip in button.toolTip())
        for tip in ("Choose a model file", "Open the model store")
    )
    qtbot.mouseClick(browse, Qt.MouseButton.LeftButton)
    assert listed.value() == chosen
    qtbot.mouseClick(open_store, Qt.MouseButton.LeftButton)
    assert shown == [str(folders.model_store())]
    assert folders.model_store().is_dir()


def test_models_of_one_day_are_told_apart_by_the_time(qgis_app, qtbot):
    for number, stem in enumerate(("korea", "korea-2")):
        os.utime(store(stem), (1_780_000_000 + 60 * number,) * 2)
    chooser = ModelList()
    qtbot.addWidget(chooser)
    (newer, older) = (row[-1] for row in rows(chooser))
    assert newer[:10] == older[:10]
    assert newer[-5:] > older[-5:]


def test_batch_lists_the_models_in_each_row_and_chooses_none(opened):
    path = store("crops")
    panel = opened("segment", "batch").mainWidget()
    panel.addRow()
    cells = panel.tblParameters.findChildren(ModelList)
    assert [[row[0] for row in rows(cell)] for cell in cells] == [["crops"], ["crops"]]
    assert panel.valueForParameter(0, "MODEL") == ""
    cells[0].models.setCurrentIndex(0)
    assert {panel.valueForParameter(row, "MODEL") for row in (0, 1)} == {path, ""}


def test_the_model_designer_keeps_its_own_widgets_and_completes_names(opened):
    store("crops")
    store("scenes", task="scene")
    dialog = opened("segment", "designer")
    (line,) = [file.lineEdit() for file in dialog.findChildren(QgsFileWidget) if file.lineEdit().completer()]
    names = line.completer().model()
    assert [names.index(row, 0).data() for row in range(names.rowCount())] == ["crops"]
    dialog.widget.widget.wrappers["MODEL"].setWidgetValue(
        QgsProcessingModelChildParameterSource.fromStaticValue("crops")
    )
    (source,) = dialog.createAlgorithm().parameterSources()["MODEL"]
    assert source.staticValue() == "crops"


@pytest.mark.parametrize(("name", "number"), [("trainsegmentation", "0.20"), ("segment", "0.00")])
def test_numbers_are_shown_with_the_decimals_that_are_meant(opened, name, number):
    dialog = opened(name)
    assert number in [box.text() for box in dialog.findChildren(QDoubleSpinBox)]


def test_labels_and_class_field_name_what_may_stand_instead(opened, image, tmp_path):
    layer = QgsVectorLayer(str(landscape.write_labels(tmp_path / "labels.gpkg")), "labels", "ogr")
    QgsProject.instance().addMapLayer(layer)
    dialog = opened("trainsegmentation")
    assert {"Labels (or label rasters)", "Class field (of the labels)"} <= labels(dialog)
    assert not {"Labels [optional]", "Class field [optional]"} & labels(dialog)
    panel = dialog.mainWidget()
    assert not panel.createProcessingParameters()["CLASS_FIELD"]
    dialog.setParameters({"LABELS": layer.id(), "CLASS_FIELD": "class"})
    assert panel.createProcessingParameters()["CLASS_FIELD"] == "class"
    for kind in ("batch", "designer"):
        assert opened("trainsegmentation", kind).isVisible()
