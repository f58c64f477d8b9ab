"""Segment: parameters to request, refusals, names and styles of what comes out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from qgis.core import QgsProcessingContext, QgsProcessingException, QgsProject, QgsRasterLayer, QgsVectorLayer

from satdifuser_qgis.processing.algorithms.segment import Segment
from satdifuser_qgis.protocol import folders
from satdifuser_qgis.protocol.errors import EngineError

from . import landscape


@pytest.fixture
def chosen(image, model, tmp_path):
    return {"INPUT": image, "MODEL": model, "OUTPUT": str(tmp_path / "map.tif")}


def request_of(segment, engine, **parameters):
    segment.run(**parameters)
    return engine.requests[-1]


def test_image_and_model_are_enough(segment, engine, chosen, image, model):
    request = request_of(segment, engine, **chosen)
    assert (request.input, request.model, request.output) == (image, model, chosen["OUTPUT"])
    assert (request.bands, request.extent, request.overlap, request.batch) == ((), None, 25, 0)
    assert (request.polygons, request.probabilities, request.entropy) == ("", "", "")


def test_settings_reach_the_request(segment, engine, chosen, tmp_path):
    request = request_of(
        segment, engine, BANDS="4,3,2", OVERLAP=50, SIEVE=900, MIN_AREA=400, SIMPLIFY=5, DEVICE=1, BATCH=3,
        POLYGONS=str(tmp_path / "p.gpkg"), PROBABILITIES=str(tmp_path / "s.tif"), ENTROPY="TEMPORARY_OUTPUT",
        REPORT=str(tmp_path / "r.html"), **chosen,
    )  # fmt: skip
    assert (request.bands, request.overlap, request.min_area, request.simplify) == ((4, 3, 2), 50, 400, 5)
    assert (request.sieve, request.report) == (900, str(tmp_path / "r.html"))
    assert (request.device, request.batch, request.polygons) == (1, 3, str(tmp_path / "p.gpkg"))
    assert request.probabilities == str(tmp_path / "s.tif")
    assert request.entropy.endswith(".tif")


def test_relative_outputs_lie_in_the_current_folder(segment, engine, chosen, tmp_path, monkeypatch):
    """The engine runs in the folder of the run, which later runs remove."""
    monkeypatch.chdir(tmp_path)
    wished = {"OUTPUT": "map.tif", "POLYGONS": "map.gpkg", "ENTROPY": "more/../entropy.tif"}
    results = segment.run(**{**chosen, "MODEL": "crops.safetensors", **wished})
    request = engine.requests[-1]
    assert request.model == str(tmp_path / "crops.safetensors")
    expected = [str(tmp_path / name) for name in ("map.tif", "map.gpkg", "entropy.tif")]
    assert [request.output, request.polygons, request.entropy] == expected
    assert [results[name] for name in wished] == expected


def test_a_layer_of_a_relative_path_is_dressed(segment, engine, chosen, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load(segment, {**chosen, "OUTPUT": "map.tif"}).name == "image – land cover"


@pytest.mark.parametrize("bands", ["3,2,1", "3; 2; 1", [3, 2, 1], ["3", "2", "1"]])
def test_bands_keep_the_users_order_however_they_are_written(segment, engine, chosen, bands):
    assert request_of(segment, engine, BANDS=bands, **chosen).bands == (3, 2, 1)


@pytest.mark.parametrize(
    ("bands", "said"),
    [
        ("3,2,9", "band 9 is chosen but"),
        ([0], "band 0 is chosen but"),
        ("1,2", "2 bands are chosen (1, 2) but 3 are needed"),
        ([4, 3, 2, 1], "4 bands are chosen"),
        ("r,g,b", '"r" is no whole number'),
    ],
)
def test_bands_out_of_range_or_number_are_refused(segment, chosen, bands, said):
    assert said in segment.refusal(BANDS=bands, **chosen)


@pytest.mark.parametrize("name", ["seen-before", "seen-before.safetensors"])
def test_a_bare_name_is_looked_up_in_the_model_store(segment, engine, chosen, name):
    stored = landscape.write_model(folders.model_store() / "seen-before.safetensors")
    assert request_of(segment, engine, **{**chosen, "MODEL": name}).model == str(stored)


def test_a_misspelled_model_is_recognised(segment, chosen):
    landscape.write_model(folders.model_store() / "seen-before.safetensors")
    assert 'Did you mean "seen-before"?' in segment.refusal(**{**chosen, "MODEL": "seen-befor"})


def test_a_file_that_is_no_model_is_refused(segment, chosen, tmp_path):
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"not a model at all")
    said = segment.refusal(**{**chosen, "MODEL": str(other)})
    assert str(other) in said
    assert "Train a land-cover model" in said


def test_a_scene_classifier_is_refused_before_the_engine_starts(segment, engine, chosen, tmp_path):
    landscape.write_model(folders.model_store() / "scenes.safetensors", task="scene")
    said = segment.refusal(**{**chosen, "MODEL": "scenes"})
    assert 'the model "scenes" names whole scenes and cannot map land cover' in said
    with pytest.raises(QgsProcessingException):
        segment.run(**{**chosen, "MODEL": "scenes"})
    assert engine.requests == []


def test_an_extent_is_converted_to_the_rasters_crs(segment, engine, chosen):
    # 10 pixels of the upper left corner, given in degrees.
    request = request_of(segment, engine, EXTENT="129.0,129.0011,36.143,36.144 [EPSG:4326]", **chosen)
    left, bottom, right, top = request.extent
    assert left == pytest.approx(500_000, abs=2)
    assert right == pytest.approx(500_099, abs=2)
    assert top - bottom == pytest.approx(111, abs=2)


def test_no_extent_is_not_an_empty_extent(segment, engine, chosen):
    assert request_of(segment, engine, EXTENT=None, **chosen).extent is None
    assert "is empty" in segment.refusal(EXTENT="500000,500000,4000000,4000000 [EPSG:32652]", **chosen)


def test_an_extent_beside_the_raster_tells_both(segment, chosen):
    said = segment.refusal(EXTENT="0,10,0,10 [EPSG:32652]", **chosen)
    assert "0, 0, 10, 10" in said
    assert "500000" in said.replace("5e+05", "500000")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("OVERLAP", 80, "Overlap of tiles [%] is 80 %"),
        ("MIN_AREA", -1, "Smallest polygon [m²] is -1.0"),
        ("BATCH", -1, "Tiles at once is -1"),
        ("DEVICE", 7, "Device: 7 cannot be used"),
        ("OUTPUT", None, "Land cover is empty"),
        ("BANDS", [9], "Bands: band 9"),
        ("EXTENT", "0,10,0,10 [EPSG:32652]", "Extent: "),
        ("MODEL", "nothing", 'Model: there is no model "nothing"'),
        ("INPUT", "nothing", 'Image: there is no layer or file "nothing"'),
    ],
)
def test_values_that_cannot_be_are_refused_by_the_labels_of_the_dialog(segment, chosen, name, value, said):
    assert segment.refusal(**{**chosen, name: value}).startswith(said)


@pytest.mark.parametrize("name", ["EXTENTS", "input", "WHATEVER"])
def test_unknown_parameters_are_refused(segment, chosen, name):
    assert f'There is no parameter "{name}".' in segment.refusal(**{name: 1}, **chosen)


def test_layers_outputs_and_figures_come_back(segment, engine, chosen, tmp_path):
    engine.values = {"seconds": 1.5, "megapixels_per_second": 0.1, "seams": 1.01, "device_used": "CPU"}
    results = segment.run(POLYGONS=str(tmp_path / "p.gpkg"), **chosen)
    assert results["SECONDS"] == 1.5
    assert results["SEAMS"] == 1.01
    assert results["DEVICE_USED"] == "CPU"
    assert Path(tmp_path / "p.gpkg").is_file()


def test_a_failure_of_the_engine_is_an_error_with_the_way_out(segment, engine, chosen):
    engine.error = EngineError("out_of_memory", "The memory ran out.", "Choose a smaller batch.")
    with pytest.raises(QgsProcessingException, match=r"The memory ran out\. Choose a smaller batch\."):
        segment.run(**chosen)


def test_without_an_engine_the_way_out_is_told(segment, chosen, monkeypatch):
    monkeypatch.setenv("SATDIFUSER_ENGINE_PYTHON", "/nowhere/python")
    assert "/nowhere/python, which does not exist. Correct it" in segment.refusal(**chosen)
    with pytest.raises(QgsProcessingException, match=r"/nowhere/python, which does not exist\. Correct it"):
        segment.run(**chosen)


def test_maps_are_styled_beside_the_file_and_in_the_database(segment, engine, chosen, tmp_path):
    segment.run(POLYGONS=str(tmp_path / "p.gpkg"), ENTROPY=str(tmp_path / "e.tif"), **chosen)
    # The layers are kept: a renderer does not outlive its layer.
    land_cover = QgsRasterLayer(chosen["OUTPUT"], "map")
    assert [(c.value, c.label, c.color.name()) for c in land_cover.renderer().classes()] == [
        (c["code"], c["name"], c["color"]) for c in landscape.CLASSES
    ]
    assert (tmp_path / "map.qml").is_file()
    polygons = QgsVectorLayer(str(tmp_path / "p.gpkg"), "polygons", "ogr")
    assert [(int(c.value()), c.label()) for c in polygons.renderer().categories()] == [
        (c["code"], c["name"]) for c in landscape.CLASSES
    ]
    entropy = QgsRasterLayer(str(tmp_path / "e.tif"), "entropy")
    assert entropy.renderer().type() == "singlebandpseudocolor"


def test_that_a_map_has_no_style_is_told(segment, engine, chosen, monkeypatch):
    """The engine has removed that of the map before."""

    def fail(self):
        raise ValueError("The model was removed.")

    monkeypatch.setattr(Segment, "looks", fail)
    segment.run(**chosen)
    assert "The model was removed." in segment.feedback.textLog()


def load(segment, parameters, name=""):
    """How the map will be loaded, after a run as the Toolbox starts it."""
    from qgis.core import QgsApplication, QgsProcessingFeedback, QgsProcessingOutputLayerDefinition

    algorithm = QgsApplication.processingRegistry().createAlgorithmById(segment.identifier)
    output = QgsProcessingOutputLayerDefinition(parameters["OUTPUT"], QgsProject.instance())
    output.destinationName = name
    _, fine = algorithm.run({**parameters, "OUTPUT": output}, segment.context, QgsProcessingFeedback())
    assert fine
    return segment.context.layerToLoadOnCompletionDetails(parameters["OUTPUT"])


def test_a_style_of_the_user_stays_where_polygons_have_none(segment, engine, chosen, tmp_path, monkeypatch):
    """A GeoPackage's own style lies inside."""
    (tmp_path / "roads.shp").touch()
    (tmp_path / "roads.qml").write_text("the user's")
    monkeypatch.setattr(Segment, "looks", lambda self: {})
    segment.run(POLYGONS=str(tmp_path / "roads.gpkg"), **chosen)
    assert (tmp_path / "roads.qml").read_text() == "the user's"


def test_layers_in_the_project_are_named_after_the_image(segment, engine, chosen):
    """QGIS prefers the names of files, but for those in the folder of temporary ones, where this map lies."""
    details = load(segment, chosen)
    layer = QgsRasterLayer("/where/files/stay/map.tif", "map")
    assert not layer.isTemporary()
    details.setOutputLayerName(layer)
    assert layer.name() == "image – land cover"


def test_layers_in_the_project_are_dressed(segment, engine, chosen):
    from qgis.core import QgsProcessingFeedback

    details = load(segment, chosen)
    layer = QgsRasterLayer(chosen["OUTPUT"], "map")
    details.postProcessor().postProcessLayer(layer, segment.context, QgsProcessingFeedback())
    assert [c.label for c in layer.renderer().classes()] == ["water", "wood", "field"]


def test_a_name_that_the_caller_chose_stays(segment, engine, chosen):
    assert load(segment, chosen, name="my fields").name == "my fields"


def test_a_model_graph_may_hold_it(segment, engine, chosen, tmp_path):
    from qgis.core import (
        QgsProcessingFeedback,
        QgsProcessingModelAlgorithm,
        QgsProcessingModelChildAlgorithm,
        QgsProcessingModelChildParameterSource,
        QgsProcessingModelOutput,
        QgsProcessingModelParameter,
        QgsProcessingParameterRasterLayer,
    )

    graph = QgsProcessingModelAlgorithm("graph", "tests")
    graph.addModelParameter(QgsProcessingParameterRasterLayer("picture"), QgsProcessingModelParameter("picture"))
    child = QgsProcessingModelChildAlgorithm(segment.identifier)
    child.setChildId("map")
    child.addParameterSources("INPUT", [QgsProcessingModelChildParameterSource.fromModelParameter("picture")])
    child.addParameterSources("MODEL", [QgsProcessingModelChildParameterSource.fromStaticValue(chosen["MODEL"])])
    output = QgsProcessingModelOutput("result")
    output.setChildOutputName("OUTPUT")
    child.setModelOutputs({"result": output})
    graph.addChildAlgorithm(child)
    parameters = {"picture": chosen["INPUT"], "map:result": chosen["OUTPUT"]}
    graph.initAlgorithm()
    results, fine = graph.run(parameters, segment.context, QgsProcessingFeedback())
    assert fine, json.dumps(results, default=str)
    assert Path(results["map:result"]).is_file()
    assert engine.requests[0].input == chosen["INPUT"]


def test_no_layer_leaves_the_context_while_checking(segment, chosen):
    context: QgsProcessingContext = segment.context
    assert segment.refusal(**{**chosen, "OUTPUT": "TEMPORARY_OUTPUT"}) == ""
    assert not context.layersToLoadOnCompletion()
