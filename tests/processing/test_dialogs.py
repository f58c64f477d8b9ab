"""The dialogs open with what a newcomer needs, and what is rarely used folded away."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from qgis.core import QgsProject, QgsRasterLayer, QgsVectorLayer


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
