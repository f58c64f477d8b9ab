"""The provider in a running QGIS, and an engine that is only pretended."""

from __future__ import annotations

import gc
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, Iterator, List

import pytest
from qgis.core import QgsApplication, QgsProcessingContext, QgsProcessingFeedback, QgsProject

from satdifuser_qgis.processing import base
from satdifuser_qgis.processing.provider import SatDiFuserProvider
from satdifuser_qgis.runtime.environment.locate import Engine

from . import landscape


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Models and runs of a test lie in a folder of its own."""
    home = tmp_path / "home"
    monkeypatch.setenv("SATDIFUSER_HOME", str(home))
    return home


@pytest.fixture
def provider(qgis_app: Any, qgis_processing: Any) -> Any:
    """Our provider, registered for one test: the registry outlives it."""
    provider = SatDiFuserProvider()
    assert QgsApplication.processingRegistry().addProvider(provider)
    yield provider
    QgsApplication.processingRegistry().removeProvider(provider)
    QgsProject.instance().clear()


class PretendedEngine:
    """Stands in for the worker: keeps the requests, makes the outputs."""

    def __init__(self) -> None:
        self.requests: List[Any] = []
        self.values: Dict[str, Any] = {}
        self.error: Any = None

    def run(self, request: Any, feedback: Any, engine: Any) -> Any:
        self.requests.append(request)
        if self.error is not None:
            raise self.error
        makers = {
            "output": lambda path: landscape.write_raster(path, bands=1, classes=True),
            "polygons": landscape.write_polygons,
            "probabilities": lambda path: landscape.write_raster(path, bands=3),
            "entropy": lambda path: landscape.write_raster(path, bands=1),
            "model": landscape.write_model,
            "report": lambda path: path.write_text("<html></html>"),
        }
        outputs = {name: getattr(request, name) for name in request.OUTPUTS if getattr(request, name)}
        for name, path in outputs.items():
            makers[name](Path(path))
        return SimpleNamespace(outputs=outputs, values=self.values)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> PretendedEngine:
    """An engine that is there and works."""
    pretended = PretendedEngine()
    monkeypatch.setattr(base, "locate", lambda setting: Engine(Path("python"), "a test"))
    monkeypatch.setattr(base, "missing", lambda: None)
    monkeypatch.setattr(base, "run", pretended.run)
    return pretended


@pytest.fixture
def image(tmp_path: Path) -> str:
    return str(landscape.write_raster(tmp_path / "image.tif"))


@pytest.fixture
def labels(tmp_path: Path) -> str:
    return str(landscape.write_labels(tmp_path / "labels.gpkg"))


@pytest.fixture
def model(tmp_path: Path) -> str:
    return str(landscape.write_model(tmp_path / "crops.safetensors"))


@pytest.fixture
def interface(qgis_iface: Any, qtbot: Any) -> Any:
    """pytest-qgis' interface with what dialogs of Processing ask of it: a browser and a view of the layer tree."""
    from qgis.core import QgsLayerTreeModel
    from qgis.gui import QgsBrowserGuiModel, QgsLayerTreeView

    browser, view = QgsBrowserGuiModel(), QgsLayerTreeView()
    qtbot.addWidget(view)
    view.setModel(QgsLayerTreeModel(QgsProject.instance().layerTreeRoot(), view))
    qgis_iface.browserModel = lambda: browser
    qgis_iface.layerTreeView = lambda: view
    qgis_iface.setActiveLayer = view.setCurrentLayer
    return qgis_iface


@pytest.fixture
def dialog(provider: Any, interface: Any, qtbot: Any) -> Any:
    """Opens the dialog of an algorithm, or of one of ours by its name."""
    from processing.gui.AlgorithmDialog import AlgorithmDialog
    from qgis.core import QgsProcessingAlgorithm

    def opened(algorithm: Any) -> Any:
        asked = algorithm if isinstance(algorithm, QgsProcessingAlgorithm) else provider.algorithm(algorithm)
        made = AlgorithmDialog(asked.create(), parent=None)
        qtbot.addWidget(made)
        made.resize(1000, 720)
        made.show()
        return made

    yield opened
    # A dialog keeps its layers in circles of references: those that outlive QGIS end in a segmentation fault.
    gc.collect()


class Asked:
    """An algorithm of the registry, asked as QGIS asks it."""

    def __init__(self, identifier: str) -> None:
        self.identifier = identifier
        self.context = QgsProcessingContext()
        self.context.setProject(QgsProject.instance())

    def refusal(self, **parameters: Any) -> str:
        """The message of checkParameterValues, "" where it is content."""
        algorithm = QgsApplication.processingRegistry().createAlgorithmById(self.identifier)
        fine, message = algorithm.checkParameterValues(parameters, self.context)
        assert fine == (not message)
        return message

    def run(self, **parameters: Any) -> Dict[str, Any]:
        """Outputs after check, prepare, process and postProcess; raises what QGIS would show."""
        import processing

        self.feedback = QgsProcessingFeedback()
        return processing.run(self.identifier, parameters, context=self.context, feedback=self.feedback)


@pytest.fixture
def train(provider: Any) -> Any:
    yield from asked("satdifuser:trainsegmentation")


@pytest.fixture
def segment(provider: Any) -> Any:
    yield from asked("satdifuser:segment")


@pytest.fixture
def doctor(provider: Any) -> Any:
    yield from asked("satdifuser:doctor")


def asked(identifier: str) -> Iterator[Asked]:
    """Without its context afterwards: layers that outlive QGIS end in a segmentation fault."""
    algorithm = Asked(identifier)
    yield algorithm
    algorithm.context = None
