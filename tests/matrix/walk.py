"""A walk through a real QGIS window, run inside QGIS (``qgis --code``): train, map, look at the project.

Reads ``walk.json`` (image, labels, unseen, folder) named by WALK_REQUEST; writes ``walk-result.json`` and pictures
into its folder. It presses the buttons that a user presses and waits as long as a user would.
"""

from __future__ import annotations

import json
import os
import traceback
from pathlib import Path
from typing import Any, Dict, List

from qgis.core import Qgis, QgsProject, QgsRasterLayer, QgsVectorLayer
from qgis.PyQt.QtCore import QEventLoop, QTimer
from qgis.PyQt.QtWidgets import QTextEdit
from qgis.utils import iface

LIMIT_MS = 900_000
OUTPUTS = ("OUTPUT", "POLYGONS", "PROBABILITIES", "ENTROPY")


class Walk:
    """The steps, and what was seen on the way."""

    def __init__(self, request: Dict[str, str]) -> None:
        self.request = request
        self.folder = Path(request["folder"])
        self.seen: Dict[str, Any] = {"qgis": Qgis.QGIS_VERSION, "logs": {}}

    def go(self) -> None:
        QgsProject.instance().addMapLayers([
            QgsRasterLayer(self.request["image"], "ground"), QgsVectorLayer(self.request["labels"], "labels", "ogr"),
        ])  # fmt: skip
        iface.mainWindow().resize(1500, 950)
        model = str(self.folder / "walk.safetensors")
        inputs = {"INPUT": self.request["image"], "LABELS": self.request["labels"], "CLASS_FIELD": "class"}
        self.press("trainsegmentation", {**inputs, "MODEL": model, "REPORT": str(self.folder / "walk.html")})
        wanted = dict.fromkeys(OUTPUTS, "TEMPORARY_OUTPUT")
        self.press("segment", {"INPUT": self.request["unseen"], "MODEL": model, **wanted})
        self.seen["layers"] = self.layers()
        iface.mapCanvas().setExtent(iface.activeLayer().extent())
        self.settle(4000)
        self.picture("project")

    def press(self, name: str, parameters: Dict[str, Any]) -> None:
        """Opens the dialog, fills it, presses Run, waits for the end."""
        import processing
        from processing.tools.dataobjects import createContext

        dialog = processing.createAlgorithmDialog(f"satdifuser:{name}", parameters)
        dialog.resize(1000, 720)
        dialog.show()
        self.settle(1000)
        self.picture(name, dialog)
        fine, problem = dialog.algorithm().checkParameterValues(parameters, createContext())
        if not fine:  # a box with the problem would wait for a hand
            raise ValueError(problem)
        loop = QEventLoop()
        succeeded: List[bool] = []
        dialog.algorithmFinished.connect(lambda fine, results: (succeeded.append(fine), loop.quit()))
        QTimer.singleShot(LIMIT_MS, loop.quit)
        dialog.runButton().click()
        loop.exec_() if hasattr(loop, "exec_") else loop.exec()
        self.settle(500)
        self.seen["logs"][name] = dialog.findChild(QTextEdit, "txtLog").toPlainText()
        self.picture(f"{name}-done", dialog)
        dialog.close()
        if succeeded != [True]:
            raise ValueError(f"{name} did not succeed: {self.seen['logs'][name]}")

    def layers(self) -> List[Dict[str, Any]]:
        """What lies in the layer tree, from the top."""
        found = []
        for node in QgsProject.instance().layerTreeRoot().findLayers():
            renderer = node.layer().renderer().type()
            found.append({"name": node.name(), "visible": node.itemVisibilityChecked(), "renderer": renderer})
        return found

    def settle(self, milliseconds: int) -> None:
        loop = QEventLoop()
        QTimer.singleShot(milliseconds, loop.quit)
        loop.exec_() if hasattr(loop, "exec_") else loop.exec()

    def picture(self, name: str, widget: Any = None) -> None:
        (widget or iface.mainWindow()).grab().save(str(self.folder / f"{name}.png"))


def start() -> None:
    request = json.loads(Path(os.environ["WALK_REQUEST"]).read_text(encoding="utf-8"))
    walk = Walk(request)
    try:
        walk.go()
    except Exception:  # told outside: QGIS would only show it
        walk.seen["error"] = traceback.format_exc()
    text = json.dumps(walk.seen, indent=1, ensure_ascii=False)
    (walk.folder / "walk-result.json").write_text(text, encoding="utf-8")
    # Without QGIS's own farewell, which may ask in a box whether to save.
    os._exit(0)


QTimer.singleShot(3000, start)
