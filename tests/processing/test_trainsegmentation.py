"""Train: parameters to request, and refusals that name thing, value and way out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransformContext,
    QgsFeature,
    QgsFillSymbol,
    QgsGeometry,
    QgsProcessingFeatureSourceDefinition,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsRendererCategory,
    QgsSingleSymbolRenderer,
    QgsVectorFileWriter,
    QgsVectorLayer,
    QgsWkbTypes,
)
from qgis.PyQt.QtCore import QVariant

from satdifuser_qgis.processing.algorithms.trainsegmentation import TrainSegmentation
from satdifuser_qgis.protocol.classes import LandCoverClass, StyledClass
from satdifuser_qgis.styling.looks import ClassMap

from . import landscape


@pytest.fixture
def chosen(image, labels, tmp_path):
    return {"INPUT": image, "LABELS": labels, "CLASS_FIELD": "class", "MODEL": str(tmp_path / "crops.safetensors")}


def request_of(train, engine, **parameters):
    train.run(**parameters)
    return engine.requests[-1]


def test_image_labels_and_field_are_enough(train, engine, chosen, image, labels):
    request = request_of(train, engine, **chosen)
    assert (request.input, request.class_field, request.model) == (image, "class", chosen["MODEL"])
    assert request.labels.split("|layername=") == [labels, "labels"] or request.labels == labels
    assert (request.bands, request.scaling, request.timesteps, request.validation) == ((), 0, (), 0.2)
    assert (request.name, request.report, request.styles) == ("", "", ())


def test_relative_outputs_lie_in_the_current_folder(train, engine, chosen, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    request = request_of(train, engine, **{**chosen, "MODEL": "crops.safetensors", "REPORT": "crops.html"})
    assert request.model == str(tmp_path / "crops.safetensors")
    assert request.report == str(tmp_path / "crops.html")


@pytest.mark.parametrize("bands", ["3,2,1", "3;2;1", "3, 2, 1", [3, 2, 1], ["3", "2", "1"]])
def test_bands_keep_the_users_order_however_they_are_written(train, engine, chosen, bands):
    assert request_of(train, engine, BANDS=bands, **chosen).bands == (3, 2, 1)


@pytest.mark.parametrize(
    ("bands", "said"),
    [("3,2,9", "band 9 is chosen but"), ("1,2", "2 bands are chosen (1, 2)"), ("r,g,b", '"r" is no whole number')],
)
def test_bands_out_of_range_or_number_are_refused(train, chosen, bands, said):
    assert said in train.refusal(BANDS=bands, **chosen)


def test_advanced_settings_reach_the_request(train, engine, chosen):
    request = request_of(
        train, engine, SCALING=3, DIVISOR=3000, FUSION=2, HEAD=1, EXTRACTION=2, TIMESTEPS="1, 101, 201",
        SPECTRAL=False, EPOCHS=7, VALIDATION=0, SEED=3, DEVICE=1, **chosen,
    )  # fmt: skip
    assert (request.scaling, request.divisor, request.fusion, request.head, request.extraction) == (3, 3000, 2, 1, 2)
    assert (request.timesteps, request.spectral, request.epochs) == ((1, 101, 201), False, 7)
    assert (request.validation, request.seed, request.device) == (0, 3, 1)


def test_fine_tuning_is_a_wish_that_needs_validation(train, engine, chosen):
    assert request_of(train, engine, **chosen).finetune == 0
    assert request_of(train, engine, FINETUNE=1, **chosen).finetune == 1
    assert "tells whether it pays" in train.refusal(FINETUNE=1, VALIDATION=0, **chosen)
    said = train.refusal(FINETUNE=1, EXTRACTION=2, **chosen)
    assert "Training of the backbone is fine-tuned (1), but Extraction is inversion (2)" in said


def test_a_time_beyond_the_model_is_refused(train, chosen):
    assert "0 to 999" in train.refusal(TIMESTEPS="1, 1000", **chosen)


def test_clean_extraction_takes_no_times(train, engine, chosen):
    assert "Timesteps (1, 101) cannot be chosen with it" in train.refusal(EXTRACTION=3, TIMESTEPS="1, 101", **chosen)
    assert request_of(train, engine, EXTRACTION=3, **chosen).extraction == 3


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("FUSION", "Fusion"), ("HEAD", "Head"), ("SCALING", "Scaling of values"), ("EXTRACTION", "Extraction"),
        ("FINETUNE", "Training of the backbone"), ("DEVICE", "Device"),
    ],
)  # fmt: skip
def test_a_choice_that_does_not_exist_is_refused(train, chosen, name, label):
    assert train.refusal(**{name: 9}, **chosen) == f"{label}: 9 cannot be used. Choose another value."


def test_messages_name_what_the_dialog_shows_and_no_ids(train, chosen, image, labels, tmp_path):
    missing = str(tmp_path / "missing.tif")
    layer = QgsVectorLayer(labels, "labels", "ogr")
    QgsProject.instance().addMapLayer(layer)
    nothing_selected = QgsProcessingFeatureSourceDefinition(layer.id(), selectedFeaturesOnly=True)
    wrong = (
        ({"INPUT": missing}, "Image: "),
        ({"LABELS": missing}, "Labels: "),
        ({"LABELS": nothing_selected}, "Labels: "),
        ({"CLASS_FIELD": ""}, "Class field is empty"),
        ({"CLASS_FIELD": "clas"}, "Class field: "),
        ({"LABEL_RASTERS": [missing]}, "Label rasters: "),
        ({"LABEL_RASTERS": [image]}, "Label rasters: "),
        ({"LABELS": None}, "“Labels”"),
        ({"MORE_INPUTS": [missing]}, "More images: "),
        ({"BANDS": [9]}, "Bands (red, green, blue): "),
        ({"BACKBONE": "none"}, "Backbone: "),
        ({"TIMESTEPS": "a"}, "Timesteps: "),
        ({"TIMESTEPS": "1, 1"}, "Timesteps: 1, 1 "),
        ({"TIMESTEPS": "1000"}, "Timesteps: 1000 "),
        ({"SCALING": 3, "DIVISOR": 0}, "Divisor is 0"),
        ({"VALIDATION": 2}, "Share for validation is 2"),
        ({"EPOCHS": -1}, "Epochs is -1"),
        ({"SEED": -1}, "Seed is -1"),
        ({"FINETUNE": 1, "VALIDATION": 0}, "Share for validation is 0"),
        ({"MODEL": None}, "Model is empty"),
    )
    algorithm = TrainSegmentation().create()
    names = "|".join(definition.name() for definition in algorithm.parameterDefinitions())
    for values, begins in wrong:
        said = train.refusal(**{**chosen, **values})
        assert begins in said, (values, said)
        assert not re.search(rf"\b({names})\b|[a-z]_[a-z]", said.replace(str(tmp_path), "")), said


def test_without_labels_both_ways_out_are_told(train, image):
    said = train.refusal(INPUT=image, MODEL="m.safetensors")
    assert "a vector layer under “Labels” and the field with its classes under “Class field”" in said
    assert "rasters of class codes under “Label rasters”" in said


def test_labels_without_a_field_list_the_fields(train, chosen):
    said = train.refusal(**{**chosen, "CLASS_FIELD": ""})
    assert "Class field is empty" in said
    assert "note, class" in said


@pytest.mark.parametrize(("attribute", "taken"), [("class", True), ('"class"', True), ("upper(class)", False)])
def test_without_a_field_that_of_the_style_is_taken_and_told(train, engine, chosen, labels, attribute, taken):
    layer = QgsVectorLayer(labels, "mine", "ogr")
    categories = [QgsRendererCategory("wood", QgsFillSymbol.createSimple({"color": "#123456"}), "Forest")]
    layer.setRenderer(QgsCategorizedSymbolRenderer(attribute, categories))
    QgsProject.instance().addMapLayer(layer)
    chosen = {**chosen, "LABELS": layer.id(), "CLASS_FIELD": None}
    if not taken:
        assert train.refusal(**chosen).startswith("Class field is empty.")
        return
    train.run(**chosen)
    assert engine.requests[0].class_field == "class"
    assert [each.name for each in engine.requests[0].styles] == ["Forest"]
    assert 'Class field: "class", by which "mine" is drawn.' in train.feedback.textLog()


def test_the_key_of_a_geopackage_is_no_class_field(train, chosen):
    said = train.refusal(**{**chosen, "CLASS_FIELD": "fid"})
    assert 'has no field "fid"' in said
    assert "fid," not in said.replace('"fid"', "")


def test_a_misspelled_field_is_recognised(train, chosen):
    assert 'Did you mean "class"?' in train.refusal(**{**chosen, "CLASS_FIELD": "clas"})


def test_a_misspelled_parameter_is_recognised(train, chosen):
    assert train.refusal(EPOCH=3, **chosen) == 'There is no parameter "EPOCH". Did you mean "EPOCHS"?'


def test_an_image_is_not_its_own_labels(train, image):
    said = train.refusal(INPUT=image, LABEL_RASTERS=[image], MODEL="m.safetensors")
    assert image in said
    assert "cannot be its own labels" in said


def test_label_rasters_and_more_images_become_paths(train, engine, image, tmp_path):
    codes = str(landscape.write_raster(tmp_path / "codes.tif", bands=1, classes=True))
    other = str(landscape.write_raster(tmp_path / "other.tif"))
    request = request_of(
        train, engine, INPUT=image, MORE_INPUTS=[other], LABEL_RASTERS=[codes], MODEL=str(tmp_path / "m.safetensors")
    )
    assert (request.more_inputs, request.label_rasters, request.labels) == ((other,), (codes,), "")
    # The engine reads the file's own colour table.
    assert request.styles == request.raster_styles == ()


def test_one_raster_needs_no_list(train, engine, image, tmp_path):
    codes = str(landscape.write_raster(tmp_path / "codes.tif", bands=1, classes=True))
    other = str(landscape.write_raster(tmp_path / "other.tif"))
    for more, labels in ((QgsRasterLayer(other, "other"), QgsRasterLayer(codes, "codes")), (other, codes)):
        request = request_of(
            train, engine, INPUT=image, MORE_INPUTS=more, LABEL_RASTERS=labels, MODEL=str(tmp_path / "m.safetensors")
        )
        assert (request.more_inputs, request.label_rasters) == ((other,), (codes,))


def test_the_style_beside_a_label_raster_counts(train, engine, image, tmp_path):
    plain, codes = (str(landscape.write_raster(tmp_path / f"{name}.tif", bands=1)) for name in ("plain", "codes"))
    ClassMap([LandCoverClass(2, "wood", "#00ff00"), LandCoverClass(1, "1", "#0000ff")]).save(codes)
    request = request_of(
        train, engine, INPUT=image, LABEL_RASTERS=[plain, codes], MODEL=str(tmp_path / "m.safetensors")
    )
    assert request.styles == ()
    assert request.raster_styles == ((), (StyledClass("2", "wood", "#00ff00"), StyledClass("1", "", "#0000ff")))


def test_the_style_saved_for_a_label_file_counts(train, engine, chosen, labels):
    layer = QgsVectorLayer(labels, "labels", "ogr")
    green = QgsFillSymbol.createSimple({"color": "#00ff00"})
    layer.setRenderer(QgsCategorizedSymbolRenderer("class", [QgsRendererCategory("wood", green, "Woodland")]))
    layer.saveNamedStyle(str(Path(labels).with_suffix(".qml")))
    assert request_of(train, engine, **chosen).styles == (StyledClass("wood", "Woodland", "#00ff00"),)
    train.context.setProject(None)
    assert request_of(train, engine, **chosen).styles == (StyledClass("wood", "Woodland", "#00ff00"),)
    # A layer of the user's own keeps the look that he gave it.
    layer.setRenderer(QgsSingleSymbolRenderer(QgsFillSymbol()))
    assert request_of(train, engine, **{**chosen, "LABELS": layer}).styles == ()


def test_a_raster_in_a_list_that_cannot_be_opened_is_refused(train, chosen, tmp_path):
    missing = str(tmp_path / "missing.tif")
    assert f'no layer or file "{missing}"' in train.refusal(MORE_INPUTS=[missing], **chosen)


def test_a_web_map_is_refused_with_the_way_out(train, chosen):
    layer = QgsRasterLayer("type=xyz&url=http://localhost/%7Bz%7D/%7Bx%7D/%7By%7D.png", "street map", "wms")
    QgsProject.instance().addMapLayer(layer)
    said = train.refusal(**{**chosen, "INPUT": layer.id()})
    assert '"street map" is not a plain raster file' in said
    assert "GeoTIFF" in said


def test_labels_elsewhere_are_refused_before_work(train, chosen, tmp_path):
    far = str(landscape.write_raster(tmp_path / "far.tif", left=700_000.0))
    said = train.refusal(**{**chosen, "INPUT": far})
    assert '"labels' in said
    assert 'does not touch "far"' in said


def test_the_crs_in_the_file_decides_whether_labels_touch(train, engine, chosen, image):
    layer = QgsRasterLayer(image, "shown elsewhere")
    layer.setCrs(QgsCoordinateReferenceSystem("EPSG:32601"))
    QgsProject.instance().addMapLayer(layer)
    assert request_of(train, engine, **{**chosen, "INPUT": layer.id()}).input == image
    assert "its file says EPSG:32652" in train.feedback.textLog()


@pytest.fixture
def placeless():
    """A layer of the project without a CRS."""
    layer = landscape.memory_labels(["a", "b"])
    layer.setCrs(QgsCoordinateReferenceSystem())
    QgsProject.instance().addMapLayer(layer)
    return layer


def test_labels_without_crs_are_refused_where_the_image_has_one(train, chosen, placeless):
    said = train.refusal(**{**chosen, "LABELS": placeless.id()})
    assert '"labels" has no CRS but the image "image" has EPSG:32652' in said


@pytest.mark.parametrize("name", ["INPUT", "MORE_INPUTS"])
def test_labels_with_a_crs_serve_an_image_without(train, engine, chosen, tmp_path, name):
    bare = str(landscape.write_raster(tmp_path / "photo.tif", epsg=0))
    values = {**chosen, name: [bare] if name == "MORE_INPUTS" else bare}
    assert request_of(train, engine, **values).labels == request_of(train, engine, **chosen).labels


def test_labels_and_image_without_crs_belong_together(train, engine, chosen, placeless, tmp_path):
    bare = str(landscape.write_raster(tmp_path / "photo.tif", epsg=0))
    request = request_of(train, engine, **{**chosen, "INPUT": bare, "LABELS": placeless.id()})
    assert exported(request) == ["a", "b"]
    # QGIS shows the copy, as any GeoPackage without a CRS, in one that it calls undefined.
    copied = {**chosen, "INPUT": bare, "LABELS": request.labels}
    assert request_of(train, engine, **copied).labels.split("|")[0] == request.labels.split("|")[0]
    assert "has no CRS" in train.refusal(**{**copied, "INPUT": chosen["INPUT"]})


@pytest.fixture
def numbered(qgis_app):
    """A layer of twelve labels whose field "nr" numbers them."""
    layer = landscape.memory_labels(range(12), QVariant.Int, field="nr")
    layer.setName("my/edits")
    note = layer.fields().indexOf("note")
    notes = {feature.id(): {note: "ab"[feature["nr"] % 2]} for feature in layer.getFeatures()}
    layer.dataProvider().changeAttributeValues(notes)
    QgsProject.instance().addMapLayer(layer)
    yield layer
    QgsProject.instance().removeMapLayer(layer.id())


def test_a_field_that_numbers_the_labels_is_refused_before_the_engine_starts(train, chosen, numbered):
    wish = {**chosen, "LABELS": numbered.id(), "CLASS_FIELD": "nr"}
    said = train.refusal(**wish)
    assert said.startswith("Class field")
    assert '"nr" has another value in each of the 12 labels' in said
    assert said.endswith('Fields that look like one: "note".')
    note = numbered.fields().indexOf("note")
    numbered.dataProvider().changeAttributeValues({key: {note: "a"} for key in numbered.allFeatureIds()})
    assert train.refusal(**wish).endswith("Choose the field that holds the classes, or draw several labels a class.")


def test_a_layer_dissolved_by_class_may_have_another_value_in_each_feature(train, engine, chosen):
    layer = QgsVectorLayer("MultiPolygon?crs=EPSG:32652&field=class:string", "dissolved", "memory")
    for number in range(12):
        left, top = landscape.LEFT + 10 * number, landscape.TOP
        parts = [QgsGeometry.fromRect(QgsRectangle(left, y - 10, left + 10, y)) for y in (top, top - 50)]
        feature = QgsFeature(layer.fields())
        feature.setGeometry(QgsGeometry.collectGeometry(parts))
        feature.setAttributes([f"class {number}"])
        layer.dataProvider().addFeatures([feature])
    QgsProject.instance().addMapLayer(layer)
    assert len(exported(request_of(train, engine, **{**chosen, "LABELS": layer.id()}))) == 12


def test_a_copy_of_labels_has_the_name_of_their_layer(train, engine, chosen, numbered):
    request = request_of(train, engine, **{**chosen, "LABELS": numbered.id(), "CLASS_FIELD": "note"})
    assert Path(request.labels).name == "my_edits.gpkg"


def exported(request):
    layer = QgsVectorLayer(request.labels, "exported", "ogr")
    assert layer.isValid(), request.labels
    return [feature["class"] for feature in layer.getFeatures()]


def test_memory_layers_are_exported(train, engine, chosen):
    layer = landscape.memory_labels(["a", "b"])
    QgsProject.instance().addMapLayer(layer)
    request = request_of(train, engine, **{**chosen, "LABELS": layer.id()})
    assert exported(request) == ["a", "b"]


def test_a_label_field_called_fid_survives(train, engine, chosen):
    layer = landscape.memory_labels([7, 7], QVariant.Int, field="fid")
    QgsProject.instance().addMapLayer(layer)
    request = request_of(train, engine, **{**chosen, "LABELS": layer.id(), "CLASS_FIELD": "fid"})
    copy = QgsVectorLayer(request.labels, "exported", "ogr")
    assert [feature["fid"] for feature in copy.getFeatures()] == [7, 7]


def test_filters_count(train, engine, chosen, labels):
    layer = QgsVectorLayer(labels, "labels", "ogr")
    layer.setSubsetString("\"class\" <> 'wood'")
    QgsProject.instance().addMapLayer(layer)
    assert exported(request_of(train, engine, **{**chosen, "LABELS": layer.id()})) == ["water", "field"]


def test_a_filter_that_leaves_nothing_is_refused(train, chosen, labels):
    layer = QgsVectorLayer(labels, "labels", "ogr")
    layer.setSubsetString("\"class\" = 'snow'")
    QgsProject.instance().addMapLayer(layer)
    assert "leaves no features" in train.refusal(**{**chosen, "LABELS": layer.id()})


def test_only_selected_labels_count_where_that_is_wished(train, engine, chosen, labels):
    layer = QgsVectorLayer(labels, "labels", "ogr")
    QgsProject.instance().addMapLayer(layer)
    wish = QgsProcessingFeatureSourceDefinition(layer.id(), selectedFeaturesOnly=True)
    assert 'nothing is selected in "labels"' in train.refusal(**{**chosen, "LABELS": wish})
    layer.selectByExpression("\"class\" = 'wood'")
    assert exported(request_of(train, engine, **{**chosen, "LABELS": wish})) == ["wood"]


LON_LAT = "EPSG:4326"
# To UTM zone 52 north, and then 70 m too far east: no operation that PROJ would ever take by itself.
SHIFTED = (
    "+proj=pipeline +step +proj=unitconvert +xy_in=deg +xy_out=rad +step +proj=utm +zone=52 +ellps=WGS84 "
    "+step +proj=affine +xoff=70"
)
BACK = (
    "+proj=pipeline +step +proj=affine +xoff=-70 +step +inv +proj=utm +zone=52 +ellps=WGS84 "
    "+step +proj=unitconvert +xy_in=rad +xy_out=deg"
)


@pytest.fixture
def in_degrees(tmp_path):
    """The labels of the landscape in longitude and latitude, in a file that could be read as it is."""
    path = landscape.write_labels(tmp_path / "degrees.gpkg", crs=LON_LAT)
    return str(path)


def lefts(source):
    """CRS of a layer, and where its features begin in the west, in metres from the image's left edge."""
    layer = QgsVectorLayer(source, "copy", "ogr")
    edges = [feature.geometry().boundingBox().xMinimum() - landscape.LEFT for feature in layer.getFeatures()]
    return layer.crs().authid(), [round(edge, 2) for edge in edges]


def test_labels_in_another_crs_are_transformed_to_that_of_the_image(train, engine, chosen, in_degrees):
    request = request_of(train, engine, **{**chosen, "LABELS": in_degrees})
    assert lefts(request.labels) == ("EPSG:32652", [0, 50, 100])
    assert request.label_copies == ()
    assert "transformed from EPSG:4326 - WGS 84 to EPSG:32652 - WGS 84 / UTM zone 52N" in train.feedback.textLog()


@pytest.mark.parametrize("reverse", [False, True])
def test_labels_are_transformed_by_the_operation_that_the_project_chose(train, engine, chosen, in_degrees, reverse):
    transforms = QgsCoordinateTransformContext()
    shown, file = QgsCoordinateReferenceSystem(LON_LAT), QgsCoordinateReferenceSystem("EPSG:32652")
    if reverse:  # chosen for the other direction, and taken backwards
        transforms.addCoordinateOperation(file, shown, BACK)
    else:
        transforms.addCoordinateOperation(shown, file, SHIFTED)
    train.context.setTransformContext(transforms)
    request = request_of(train, engine, **{**chosen, "LABELS": in_degrees})
    assert lefts(request.labels) == ("EPSG:32652", [70, 120, 170])


def test_images_in_several_crss_get_labels_in_each(train, engine, chosen, labels, tmp_path):
    degrees = landscape.write_raster(tmp_path / "west.tif", epsg=32651, left=1_045_000)
    request = request_of(train, engine, **{**chosen, "MORE_INPUTS": [str(degrees)]})
    assert request.labels.startswith(labels)
    assert [lefts(copy)[0] for copy in request.label_copies] == ["EPSG:32651"]


def test_labels_that_have_no_place_in_the_crs_of_the_image_are_counted(train, engine, chosen, in_degrees):
    layer = QgsVectorLayer(in_degrees, "labels", "ogr")
    beyond = QgsFeature(layer.fields())
    beyond.setGeometry(QgsGeometry.fromWkt("POLYGON((129 100, 130 100, 130 101, 129 100))"))
    beyond.setAttribute("class", "ice")
    layer.dataProvider().addFeatures([beyond])
    request = request_of(train, engine, **{**chosen, "LABELS": in_degrees})
    assert exported(request) == ["water", "wood", "field", "ice"]
    assert (
        "cannot be transformed to EPSG:32652 - WGS 84 / UTM zone 52N are left out there: 1." in train.feedback.textLog()
    )


def test_arcs_become_short_lines(train, engine, chosen, tmp_path):
    layer = QgsVectorLayer("CurvePolygonZ?crs=EPSG:32652&field=class:string", "parcels", "memory")
    x, y = landscape.LEFT + 100, landscape.TOP - 100
    circle = f"CURVEPOLYGON Z (CIRCULARSTRING Z ({x} {y} 5, {x + 40} {y} 5, {x} {y} 5))"
    feature = QgsFeature(layer.fields())
    feature.setGeometry(QgsGeometry.fromWkt(circle))
    feature.setAttributes(["water"])
    layer.dataProvider().addFeatures([feature])
    path = str(tmp_path / "parcels.gpkg")
    QgsVectorFileWriter.writeAsVectorFormatV3(
        layer, path, QgsCoordinateTransformContext(), QgsVectorFileWriter.SaveVectorOptions()
    )
    request = request_of(train, engine, **{**chosen, "LABELS": path})
    copy = QgsVectorLayer(request.labels, "copy", "ogr")
    (geometry,) = [each.geometry() for each in copy.getFeatures()]
    assert not QgsWkbTypes.isCurvedType(geometry.wkbType())
    assert geometry.area() == pytest.approx(3.14159 * 20**2, rel=0.01)


def test_unsaved_edits_count(train, engine, chosen, labels):
    layer = QgsVectorLayer(labels, "labels", "ogr")
    QgsProject.instance().addMapLayer(layer)
    layer.startEditing()
    first = next(layer.getFeatures())
    layer.changeAttributeValue(first.id(), layer.fields().indexOf("class"), "snow")
    assert exported(request_of(train, engine, **{**chosen, "LABELS": layer.id()})) == ["snow", "wood", "field"]
    layer.rollBack()


def test_checking_writes_nothing(train, chosen, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    assert train.refusal(**chosen) == ""
    assert sorted(tmp_path.rglob("*")) == before


def test_nothing_is_written_beside_the_inputs(train, engine, tmp_path):
    folder = tmp_path / "inputs"
    folder.mkdir()
    image, codes = landscape.write_raster(folder / "a.tif"), landscape.write_raster(folder / "b.tif", bands=1)
    before = sorted(folder.iterdir())
    train.run(INPUT=str(image), LABEL_RASTERS=[str(codes)], MODEL=str(tmp_path / "m.safetensors"))
    assert sorted(folder.iterdir()) == before


def test_a_model_in_a_temporary_file_is_named_after_the_image(train, engine, chosen):
    request = request_of(train, engine, **{**chosen, "MODEL": "TEMPORARY_OUTPUT"})
    assert request.name == "image"
    assert request.model.endswith(".safetensors")


def test_an_unknown_backbone_names_the_shipped_ones(train, chosen):
    said = train.refusal(BACKBONE="nothing-like-it", **chosen)
    assert 'no folder "nothing-like-it"' in said
    assert "Shipped:" in said


def test_a_backbone_may_be_a_folder(train, engine, chosen, tmp_path):
    folder = tmp_path / "backbone"
    folder.mkdir()
    assert request_of(train, engine, BACKBONE=str(folder), **chosen).backbone == str(folder)


def test_figures_come_back_under_their_names(train, engine, chosen):
    engine.values = {"miou": 0.5, "class_count": 3, "model_name": "crops", "device_used": "CPU", "inner": 1}
    results = train.run(REPORT="TEMPORARY_OUTPUT", **chosen)
    assert {name: results[name] for name in ("MIOU", "CLASS_COUNT", "MODEL_NAME")} == {
        "MIOU": 0.5, "CLASS_COUNT": 3, "MODEL_NAME": "crops",
    }  # fmt: skip
    assert "MACRO_F1" not in results
    assert "INNER" not in results
    assert Path(results["REPORT"]).suffix == ".html"
