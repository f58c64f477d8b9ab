"""Run is pressed in real dialogs: what was made is in the project by itself, named, styled and in order.

The engine is pretended; everything from the button to the layer tree is QGIS's own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest
from qgis.core import (
    QgsApplication,
    QgsLayerTreeGroup,
    QgsLayerTreeRegistryBridge,
    QgsProcessingContext,
    QgsProcessingModelAlgorithm,
    QgsProcessingModelChildAlgorithm,
    QgsProcessingModelChildParameterSource,
    QgsProcessingModelOutput,
    QgsProcessingModelParameter,
    QgsProcessingParameterFile,
    QgsProcessingParameterRasterLayer,
    QgsProject,
    QgsRasterLayer,
)
from qgis.PyQt.QtWidgets import QCheckBox, QMessageBox, QTextEdit

from satdifuser_qgis.processing.provider import ALGORITHMS
from satdifuser_qgis.protocol.errors import EngineError
from satdifuser_qgis.runtime.environment import create
from satdifuser_qgis.runtime.environment.locate import Engine

from . import landscape

ALL_FOUR = ("OUTPUT", "POLYGONS", "PROBABILITIES", "ENTROPY")
LIMIT_MS = 30_000
# From the top, with whether it is switched on.
IN_ORDER = [
    ("image – land cover", True),
    ("image – land cover polygons", True),
    ("image – entropy", False),
    ("image – class probabilities", False),
]


@pytest.fixture
def press_run(dialog: Any, qtbot: Any) -> Any:
    """Fills a dialog, presses Run and waits for the end. Returns results and what the log says."""

    def pressed(
        algorithm: Any, parameters: Dict[str, Any], succeeds: bool = True, unticked: str = ""
    ) -> Tuple[Dict[str, Any], str]:
        made = dialog(algorithm)
        made.setParameters(parameters)
        if unticked:
            made.mainWidget().wrappers[unticked].wrappedWidget().findChild(QCheckBox).setChecked(False)
        with qtbot.waitSignal(made.algorithmFinished, timeout=LIMIT_MS) as finished:
            made.runButton().click()
        log = made.findChild(QTextEdit, "txtLog").toPlainText()
        assert finished.args[0] == succeeds, log
        return dict(finished.args[1]), log

    return pressed


@pytest.fixture
def press_run_in_batch(provider: Any, interface: Any, qtbot: Any) -> Any:
    """Fills the rows of a batch dialog, presses Run, waits for the end and returns the log."""
    from processing.gui.BatchAlgorithmDialog import BatchAlgorithmDialog

    def pressed(name: str, rows: List[Dict[str, str]]) -> str:
        made = BatchAlgorithmDialog(provider.algorithm(name).create(), parent=None)
        qtbot.addWidget(made)
        made.show()
        panel = made.mainWidget()
        panel.checkLoadLayersOnCompletion.setChecked(True)
        panel.addRow(len(rows) - panel.batchRowCount())
        for number, values in enumerate(rows):
            for parameter, value in values.items():
                column = panel.parameter_to_column[parameter]
                if made.algorithm().parameterDefinition(parameter).isDestination():
                    # The first row of the table is the one that fills the others.
                    panel.tblParameters.cellWidget(number + 1, column).setValue(value)
                else:
                    panel.wrappers[number][column].setParameterValue(value, QgsProcessingContext())
        log = made.findChild(QTextEdit, "txtLog")
        made.runButton().click()
        qtbot.waitUntil(lambda: "Batch execution completed" in log.toPlainText(), timeout=LIMIT_MS)
        return str(log.toPlainText())

    return pressed


@pytest.fixture
def results_group() -> Any:
    from processing.core.ProcessingConfig import ProcessingConfig

    ProcessingConfig.setSettingValue(ProcessingConfig.RESULTS_GROUP_NAME, "My results")
    yield "My results"
    ProcessingConfig.setSettingValue(ProcessingConfig.RESULTS_GROUP_NAME, "")


@pytest.fixture
def saved_graph(provider: Any, tmp_path: Path) -> QgsProcessingModelAlgorithm:
    """A graph of the Model Designer that maps land cover, saved and opened again."""
    graph = QgsProcessingModelAlgorithm("graph", "tests")
    for name, definition in (("picture", QgsProcessingParameterRasterLayer), ("weights", QgsProcessingParameterFile)):
        graph.addModelParameter(definition(name), QgsProcessingModelParameter(name))
    child = QgsProcessingModelChildAlgorithm("satdifuser:segment")
    child.setChildId("map")
    for name, source in (("INPUT", "picture"), ("MODEL", "weights")):
        child.addParameterSources(name, [QgsProcessingModelChildParameterSource.fromModelParameter(source)])
    output = QgsProcessingModelOutput("my fields")
    output.setChildOutputName("OUTPUT")
    child.setModelOutputs({"my fields": output})
    graph.addChildAlgorithm(child)
    assert graph.toFile(str(tmp_path / "graph.model3"))
    opened = QgsProcessingModelAlgorithm()
    assert opened.fromFile(str(tmp_path / "graph.model3"))
    opened.setProvider(QgsApplication.processingRegistry().providerById("model"))
    return opened


def tree(parent: Any = None) -> List[Tuple[str, bool]]:
    parent = parent or QgsProject.instance().layerTreeRoot()
    return [(node.name(), node.itemVisibilityChecked()) for node in parent.children()]


def layer(name: str) -> Any:
    (found,) = QgsProject.instance().mapLayersByName(name)
    return found


def assert_styled() -> None:
    classes = layer("image – land cover").renderer().classes()
    assert [entry.label for entry in classes] == ["water", "wood", "field"]
    assert [each.label() for each in layer("image – land cover polygons").renderer().categories()] == [
        "water", "wood", "field",
    ]  # fmt: skip
    for name in ("image – entropy", "image – class probabilities"):
        assert layer(name).renderer().type() == "singlebandpseudocolor"


@pytest.mark.parametrize("name", [each.NAME for each in ALGORITHMS])
def test_every_algorithm_runs_when_run_is_pressed(press_run, engine, image, labels, model, tmp_path, monkeypatch, name):
    """With all of its outputs, each in a place of its own. A new algorithm needs a line here."""
    inputs = {
        "trainsegmentation": {"INPUT": image, "LABELS": labels, "CLASS_FIELD": "class"},
        "segment": {"INPUT": image, "MODEL": model},
        "doctor": {},
        "setupenvironment": {},
    }[name]
    made = Engine(Path("python"), "a test")
    monkeypatch.setattr(create, "create", lambda *_, **__: made)
    algorithm = QgsApplication.processingRegistry().algorithmById(f"satdifuser:{name}")
    targets = {
        each.name(): str(tmp_path / f"{each.name()}.{each.defaultFileExtension()}")
        for each in algorithm.destinationParameterDefinitions()
    }
    results, log = press_run(name, {**inputs, **targets})
    assert {output: results[output] for output in targets} == targets
    assert all(Path(path).is_file() for path in targets.values())
    assert len(tree()) == sum(1 for path in targets.values() if path.endswith((".tif", ".gpkg")))
    assert "not correctly generated" not in log


@pytest.mark.parametrize("place", ["TEMPORARY_OUTPUT", "files"])
def test_the_layers_come_by_themselves_named_styled_and_in_order(press_run, engine, image, model, tmp_path, place):
    files = {"OUTPUT": "z.tif", "POLYGONS": "a.gpkg", "PROBABILITIES": "b.tif", "ENTROPY": "y.tif"}
    wanted = {name: str(tmp_path / files[name]) if place == "files" else place for name in ALL_FOUR}
    results, log = press_run("segment", {"INPUT": image, "MODEL": model, **wanted})
    assert set(ALL_FOUR) <= set(results)
    if place == "files":
        # QGIS names layers of files that stay after the file only where its settings say so.
        assert {results[name] for name in ALL_FOUR} == {str(tmp_path / name) for name in files.values()}
    assert tree() == IN_ORDER
    assert_styled()
    assert "not correctly generated" not in log


@pytest.mark.parametrize(("unticked", "loaded"), [("POLYGONS", IN_ORDER[:1]), ("OUTPUT", IN_ORDER[1:2])])
def test_only_what_is_ticked_is_loaded(press_run, engine, image, model, unticked, loaded):
    wanted = dict.fromkeys(("OUTPUT", "POLYGONS"), "TEMPORARY_OUTPUT")
    results, _ = press_run("segment", {"INPUT": image, "MODEL": model, **wanted}, unticked=unticked)
    assert Path(results[unticked]).is_file()
    assert tree() == loaded


def test_layers_go_into_the_group_that_qgis_is_told(press_run, engine, image, model, results_group):
    wanted = dict.fromkeys(ALL_FOUR, "TEMPORARY_OUTPUT")
    press_run("segment", {"INPUT": image, "MODEL": model, **wanted})
    (group,) = QgsProject.instance().layerTreeRoot().children()
    assert isinstance(group, QgsLayerTreeGroup)
    assert group.name() == results_group
    assert sorted(tree(group)) == sorted(IN_ORDER)
    assert tree(group) == IN_ORDER


def test_a_second_run_lies_above_the_first_and_leaves_it_as_it_is(press_run, engine, image, model):
    wanted = dict.fromkeys(("OUTPUT", "ENTROPY"), "TEMPORARY_OUTPUT")
    for _ in range(2):
        press_run("segment", {"INPUT": image, "MODEL": model, **wanted})
        QgsProject.instance().layerTreeRoot().children()[0].setName("renamed")
    entropy = ("image – entropy", False)
    assert tree() == [("renamed", True), entropy, ("renamed", True), entropy]


def test_what_the_user_has_open_stays_where_it_is(press_run, engine, image, model, tmp_path):
    QgsProject.instance().addMapLayer(QgsRasterLayer(str(landscape.write_raster(tmp_path / "other.tif")), "mine"))
    wanted = dict.fromkeys(ALL_FOUR, "TEMPORARY_OUTPUT")
    press_run("segment", {"INPUT": image, "MODEL": model, **wanted})
    assert tree() == [*IN_ORDER, ("mine", True)]


def test_a_failed_run_loads_nothing_and_tells_its_reason_alone(press_run, engine, image, model):
    engine.error = EngineError("out_of_memory", "The memory ran out.", "Choose a smaller batch.")
    wanted = {"OUTPUT": "TEMPORARY_OUTPUT"}
    _, log = press_run("segment", {"INPUT": image, "MODEL": model, **wanted}, succeeds=False)
    assert "The memory ran out. Choose a smaller batch." in log
    assert "not correctly generated" not in log
    assert tree() == []


@pytest.fixture
def boxes(monkeypatch) -> List[str]:
    """What warning boxes say, which nobody needs to close."""
    told: List[str] = []
    monkeypatch.setattr(QMessageBox, "warning", lambda parent, title, text: told.append(text))
    return told


def refused(dialog, boxes, parameters) -> str:
    made = dialog("segment")
    made.setParameters(parameters)
    made.runButton().click()
    made.close()
    (told,) = boxes
    return told


def test_a_target_that_is_open_is_refused_before_the_start(press_run, dialog, boxes, engine, image, model, tmp_path):
    chosen = {"INPUT": image, "MODEL": model, "OUTPUT": str(tmp_path / "map.tif")}
    press_run("segment", chosen)
    assert 'is open in the project as "image – land cover"' in refused(dialog, boxes, chosen)
    assert tree() == IN_ORDER[:1]


@pytest.mark.parametrize("of_project", [True, False])
def test_a_map_is_no_image_and_refused_before_the_start(dialog, boxes, engine, model, tmp_path, of_project):
    path = str(landscape.write_raster(tmp_path / "map.tif", bands=1, classes=True))
    shown = QgsRasterLayer(path, "map")
    QgsProject.instance().addMapLayer(shown)
    told = refused(dialog, boxes, {"INPUT": shown.id() if of_project else path, "MODEL": model})
    assert told.startswith('Image: "map" is a map with a colour table, not an image.')


def test_without_an_engine_the_start_is_refused(dialog, boxes, image, model, monkeypatch):
    monkeypatch.setenv("SATDIFUSER_ENGINE_PYTHON", "/nowhere/python")
    assert "/nowhere/python, which does not exist" in refused(dialog, boxes, {"INPUT": image, "MODEL": model})


@pytest.fixture
def current(interface, monkeypatch) -> Any:
    """The view of the layer tree, where new layers come above the current one and become it, as in QGIS's window."""
    view, root = interface.layerTreeView(), QgsProject.instance().layerTreeRoot()
    bridge = QgsProject.instance().layerTreeRegistryBridge()

    def point(layer: Any) -> None:
        node = root.findLayer(layer.id()) if layer is not None else None
        place = root.children().index(node) if node is not None else 0
        bridge.setLayerInsertionPoint(QgsLayerTreeRegistryBridge.InsertionPoint(root, place))

    def choose(layers: List[Any]) -> None:
        view.setCurrentLayer(layers[0])

    monkeypatch.setattr(interface, "activeLayer", view.currentLayer)
    view.currentLayerChanged.connect(point)
    bridge.addedLayersToLayerTree.connect(choose)
    yield view
    view.currentLayerChanged.disconnect(point)
    bridge.addedLayersToLayerTree.disconnect(choose)
    bridge.setLayerInsertionPoint(QgsLayerTreeRegistryBridge.InsertionPoint(root, 0))


def test_the_image_stays_the_current_layer_and_the_next_map_lies_on_top(
    press_run, engine, current, image, model, tmp_path
):
    project, picture = QgsProject.instance(), QgsRasterLayer(image, "image")
    project.addMapLayers([picture, QgsRasterLayer(str(landscape.write_raster(tmp_path / "roads.tif")), "roads")])
    current.setCurrentLayer(picture)
    wanted = dict.fromkeys(("OUTPUT", "POLYGONS"), "TEMPORARY_OUTPUT")
    first = [name for name, _ in tree()]
    above = first[: first.index("image")]
    made = ["image – land cover", "image – land cover polygons"]
    seen = set()
    for number in (1, 2):
        press_run("segment", {"INPUT": image, "MODEL": model, **wanted})
        assert current.currentLayer() == picture
        assert [name for name, _ in tree()] == [*above, *(made * number), *first[first.index("image") :]]
        newest = project.layerTreeRoot().children()[len(above)].layerId()
        assert newest not in seen
        seen.add(newest)


def test_in_batch_each_row_is_loaded_and_none_says_that_something_is_wrong(
    press_run_in_batch, engine, image, model, tmp_path
):
    """3.22 hands an output that is left empty over as a destination without a name."""
    targets = [str(tmp_path / f"map{number}.tif") for number in range(2)]
    log = press_run_in_batch("segment", [{"INPUT": image, "MODEL": model, "OUTPUT": each} for each in targets])
    assert [(request.output, request.polygons) for request in engine.requests] == [(each, "") for each in targets]
    assert "not correctly generated" not in log
    assert tree() == [("image – land cover", True)] * 2


def test_a_saved_model_loads_its_map(press_run, saved_graph, engine, image, model):
    (output,) = [each.name() for each in saved_graph.destinationParameterDefinitions()]
    press_run(saved_graph, {"picture": image, "weights": model, output: "TEMPORARY_OUTPUT"})
    (only,) = QgsProject.instance().mapLayers().values()
    assert only.name() == "my fields"
    assert [entry.label for entry in only.renderer().classes()] == ["water", "wood", "field"]
