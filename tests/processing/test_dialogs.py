"""The dialogs open with what a newcomer needs, and what is rarely used folded away."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from qgis.core import QgsProject, QgsRasterLayer, QgsVectorLayer
from qgis.PyQt.QtWidgets import QAbstractSpinBox

from satdifuser_qgis.styling.in_project import OUTPUT


def keep_picture(widget: Any, name: str) -> None:
    """A picture for people to look at, where SATDIFUSER_PICTURES names a folder."""
    folder = os.environ.get("SATDIFUSER_PICTURES")
    if folder:
        widget.grab().save(str(Path(folder) / f"{name}.png"))


@pytest.mark.parametrize("name", ["trainsegmentation", "segment", "setupenvironment", "doctor"])
def test_dialogs_open(dialog, image, labels, name):
    QgsProject.instance().addMapLayers([QgsRasterLayer(image, "image"), QgsVectorLayer(labels, "labels", "ogr")])
    made = dialog(name)
    assert made.algorithm().id() == f"satdifuser:{name}"
    keep_picture(made, name)
    made.close()


def test_the_dialog_takes_the_only_image_and_offers_its_fields(dialog, image, labels):
    from processing.tools import dataobjects

    raster, vector = QgsRasterLayer(image, "image"), QgsVectorLayer(labels, "labels", "ogr")
    QgsProject.instance().addMapLayers([raster, vector])
    made = dialog("trainsegmentation")
    made.setParameters({"LABELS": vector.id(), "CLASS_FIELD": "class"})
    parameters = made.createProcessingParameters()
    assert parameters["INPUT"] in (raster.id(), raster)
    assert parameters["CLASS_FIELD"] == "class"
    fine, message = made.algorithm().checkParameterValues(parameters, dataobjects.createContext())
    assert (fine, message) == (True, "")
    keep_picture(made, "trainsegmentation-filled")
    made.close()


def shown(made: Any, name: str) -> Any:
    return made.mainWidget().wrappers[name]


def test_the_only_layer_that_labels_could_be_is_chosen(dialog, image, labels):
    vector, made_by_us = (QgsVectorLayer(labels, name, "ogr") for name in ("labels", "map"))
    made_by_us.setCustomProperty(OUTPUT, True)
    QgsProject.instance().addMapLayers([QgsRasterLayer(image, "image"), vector, made_by_us])
    made = dialog("trainsegmentation")
    keep_picture(made, "trainsegmentation-labels")
    assert shown(made, "LABELS").parameterValue() == vector.id()
    fields = shown(made, "CLASS_FIELD").wrappedWidget()
    assert fields.findText("class") >= 0
    made.close()


def test_of_several_layers_none_is_chosen(dialog, image, labels):
    QgsProject.instance().addMapLayers([QgsVectorLayer(labels, name, "ogr") for name in ("labels", "parcels")])
    made = dialog("trainsegmentation")
    assert not shown(made, "LABELS").parameterValue()
    made.close()


def test_the_divisor_can_be_set_only_where_it_counts(dialog):
    made = dialog("trainsegmentation")
    for choice in (0, 3, 1):
        made.setParameters({"SCALING": choice})
        assert shown(made, "DIVISOR").wrappedWidget().isEnabled() == (choice == 3)
    made.close()


@pytest.mark.parametrize(("algorithm", "name"), [("trainsegmentation", "EPOCHS"), ("segment", "BATCH")])
def test_a_zero_that_means_automatic_says_so(dialog, algorithm, name):
    made = dialog(algorithm)
    spin = shown(made, name).wrappedWidget()
    spin = spin if isinstance(spin, QAbstractSpinBox) else spin.findChild(QAbstractSpinBox)
    assert spin.text() == "Automatic"
    assert shown(made, name).parameterValue() == 0
    made.setParameters({name: 7})
    assert (spin.text(), shown(made, name).parameterValue()) == ("7", 7)
    made.close()
