"""Training end to end: labels of every kind in, a model, a report and honest figures out."""

from __future__ import annotations

import csv
import dataclasses
import errno
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine

from satdifuser_qgis.engine.model_file import read_header
from satdifuser_qgis.engine.outputs import Outputs
from satdifuser_qgis.engine.reporter import Silent
from satdifuser_qgis.engine.result import Result
from satdifuser_qgis.engine.tasks import trainsegmentation
from satdifuser_qgis.protocol import folders
from satdifuser_qgis.protocol.classes import StyledClass
from satdifuser_qgis.protocol.errors import EngineError
from satdifuser_qgis.protocol.trainsegmentation import TrainSegmentationRequest
from tests.data import PLACE, UTM, landscape, write_label_layer, write_landscape, write_raster
from tests.engine.notes import Notes
from tests.engine.tiny import pixel_backbone


def train(request: TrainSegmentationRequest, reporter: Silent | None = None) -> Result:
    with Outputs("test") as outputs:
        result = trainsegmentation.run(request, reporter or Silent(), outputs)
        outputs.commit()
    return result


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(pixel_backbone(tmp_path_factory.mktemp("backbone") / "tiny"))


@pytest.fixture
def request_(tmp_path: Path, backbone: str) -> TrainSegmentationRequest:
    image, labels = write_landscape(tmp_path, height=200, width=260)
    return TrainSegmentationRequest(
        input=image,
        label_rasters=(labels,),
        model=str(tmp_path / "out" / "fields.safetensors"),
        report=str(tmp_path / "out" / "fields.html"),
        backbone=backbone,
        epochs=3,
    )


def test_a_model_a_report_and_figures_come_out(request_):
    result = train(request_)
    header = read_header(request_.model)
    assert [item.code for item in header.classes] == [1, 2, 3, 4]
    assert header.gsd_m == pytest.approx(10)
    assert header.name == "fields"
    assert 0 < result.values["miou"] <= 1
    assert result.values["class_count"] == 4
    assert "<script" not in Path(request_.report).read_text(encoding="utf-8")
    stored = folders.model_store() / f"{result.values['model_name']}.safetensors"
    assert stored.read_bytes() == Path(request_.model).read_bytes()


def test_the_report_says_where_the_list_of_models_has_another_name_for_it(request_):
    said = 'in the list of models it is "fields-2"'
    train(dataclasses.replace(request_, epochs=1))
    assert said not in Path(request_.report).read_text(encoding="utf-8")
    train(dataclasses.replace(request_, epochs=1))
    assert said in Path(request_.report).read_text(encoding="utf-8")


@pytest.mark.parametrize("full", [False, True])
def test_a_store_that_cannot_be_written_costs_no_training(request_, monkeypatch, tmp_path, full):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setattr(folders, "model_store", lambda: tmp_path / "store" if full else tmp_path / "file" / "store")
    write = Path.write_bytes

    def write_bytes(self, data):
        if self.parent == tmp_path / "store":
            write(self, data[:100])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    notes = Notes()
    result = train(dataclasses.replace(request_, epochs=1), notes)
    assert read_header(request_.model).name == "fields"
    assert result.values["model_name"] == ""
    (said,) = (line for line in notes.lines if "in the model store" in line)
    assert ("no space left to write" if full else "cannot be used: not a directory") in said
    assert not (tmp_path / "store").exists()


def test_a_table_of_the_reports_figures_lies_beside_it_and_is_replaced_with_it(request_):
    table = Path(request_.report).with_name("fields.scores.csv")
    table.parent.mkdir()
    table.write_text("of another training")
    Path(request_.report).write_text("its report")
    with pytest.raises(EngineError):
        train(dataclasses.replace(request_, backbone="no-such-model"))
    assert table.read_text() == "of another training"
    train(dataclasses.replace(request_, epochs=1))
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    header = read_header(request_.model)
    assert [int(row["code"]) for row in rows] == [1, 2, 3, 4]
    assert [float(row["iou"]) for row in rows] == pytest.approx(list(header.scores["iou"].values()), abs=1e-4)
    mapped = [int(count) for row in rows for name, count in row.items() if name.startswith("mapped as")]
    assert sum(mapped) == header.scores["pixels"]
    assert "fields.scores.csv" in Path(request_.report).read_text(encoding="utf-8")
    before = table.read_bytes()
    train(dataclasses.replace(request_, epochs=1, report=""))
    assert table.read_bytes() == before
    train(dataclasses.replace(request_, epochs=1, validation=0.0))
    assert ",not checked," in table.read_text(encoding="utf-8")
    assert sorted(path.name for path in table.parent.iterdir()) == ["fields.html", "fields.safetensors", table.name]


def test_the_same_request_gives_the_same_model(request_):
    train(request_)
    first = Path(request_.model).read_bytes()
    train(request_)
    assert Path(request_.model).read_bytes() == first


def test_the_log_says_which_labels_are_used_held_back_and_ignored(tmp_path, request_):
    image, codes = landscape(128, 128)
    image[:, 40:60, 40:60] = 0
    codes[:] = 1
    codes[:, 64:] = 2
    notes = Notes()
    rasters = {
        "input": write_raster(tmp_path / "holes.tif", image, nodata=0),
        "label_rasters": (write_raster(tmp_path / "classes.tif", codes),),
    }
    train(dataclasses.replace(request_, **rasters, epochs=1), notes)
    said = "\n".join(notes.lines)
    assert 'Class "1": 7,792 labelled pixels, ' in said
    assert "400 more ignored (the image has no data there)." in said
    assert "tile" not in said
    assert "the image has no data there" in Path(request_.report).read_text(encoding="utf-8")


def test_every_labelled_pixel_counts_once(request_):
    """200 × 260 pixels are no whole number of tiles, so that the last ones are moved back over their neighbours."""
    train(dataclasses.replace(request_, epochs=1))
    assert sum(read_header(request_.model).training["label_pixels"].values()) == 200 * 260


def test_codes_with_one_name_in_the_legend_stay_classes_with_figures_of_their_own(request_):
    styles = tuple(StyledClass(str(code), "wood" if code < 3 else f"c{code}", f"#00000{code}") for code in (1, 2, 3, 4))
    train(dataclasses.replace(request_, raster_styles=(styles,), epochs=1))
    header = read_header(request_.model)
    assert [(item.code, item.name) for item in header.classes] == [(1, "wood"), (2, "wood"), (3, "c3"), (4, "c4")]
    assert set(header.training["label_pixels"]) == set(header.scores["iou"]) == {"wood (1)", "wood (2)", "c3", "c4"}


def test_large_codes_and_a_named_zero_are_classes(request_, tmp_path):
    codes = np.array([0, 300, 0, 255, 7], np.uint16)[landscape(height=200, width=260)[1]]
    labels = write_raster(tmp_path / "codes.tif", codes, colormap={0: (0, 90, 0, 255)})
    train(dataclasses.replace(request_, label_rasters=(labels,), epochs=1))
    header = read_header(request_.model)
    assert [item.code for item in header.classes] == [0, 7, 255, 300]
    assert header.classes[0].color == "#005a00"


@pytest.mark.parametrize("fusion", [2, 3])
def test_other_fusers_train_too(request_, fusion):
    train(dataclasses.replace(request_, fusion=fusion, head=2, epochs=1))
    header = read_header(request_.model)
    assert header.decoder["fusion"] == ("", "", "localized", "mixture")[fusion]
    assert header.decoder["head"] == "upernet"


def test_without_validation_figures_are_left_out(request_):
    result = train(dataclasses.replace(request_, validation=0.0, epochs=1))
    assert not {"miou", "macro_f1", "overall_accuracy"} & set(result.values)
    assert read_header(request_.model).scores == {}


def test_polygons_lines_and_points_with_text_classes_and_the_users_colours(tmp_path, request_):
    geometries = [
        shapely.box(500_100, 5_198_600, 500_900, 5_199_400),
        shapely.LineString([(501_000, 5_199_000), (502_400, 5_199_000)]),
        shapely.Point(502_000, 5_198_500),
    ]
    labels = write_label_layer(tmp_path / "labels.gpkg", geometries, ["meadow", "road", "house"], "kind")
    notes = Notes()
    styles = (StyledClass("road", "Road", "#112233"), StyledClass("house", "House", "#445566"))
    train(
        dataclasses.replace(request_, labels=labels, class_field="kind", label_rasters=(), styles=styles, epochs=1),
        notes,
    )
    header = read_header(request_.model)
    assert [(item.code, item.name) for item in header.classes] == [(1, "Road"), (2, "House"), (3, "meadow")]
    assert [item.color for item in header.classes[:2]] == ["#112233", "#445566"]
    assert any("1 polygon, 1 line, 1 point, 3 classes, 1 image" in line for line in notes.lines)


def test_automatic_scaling_says_what_it_tried(tmp_path, request_):
    more = tmp_path / "more"
    more.mkdir()
    image, labels = write_landscape(more, "second", seed=1, height=200, width=260)
    with rasterio.open(image) as file:
        values = file.read()
    place = PLACE @ PLACE.translation(400, 0)
    image = write_raster(more / "moved.tif", (values * 0.6).astype(np.uint8), transform=place)
    with rasterio.open(labels) as file:
        labels = write_raster(more / "moved_labels.tif", file.read(1), transform=place, nodata=0)
    notes = Notes()
    train(
        dataclasses.replace(
            request_, more_inputs=(image,), label_rasters=(*request_.label_rasters, labels), epochs=1, scaling=0
        ),
        notes,
    )
    assert set(read_header(request_.model).training["scaling_tried"]) == {"constant", "percentile"}
    assert any(line.startswith("Scaling of values: ") for line in notes.lines)


@pytest.mark.parametrize(
    ("change", "code", "word"),
    [
        ({"bands": (1, 2, 9)}, "bad_request", "9"),
        ({"input": "nowhere.tif"}, "bad_input", "nowhere.tif"),
        ({"backbone": "no-such-model"}, "bad_model", "no-such-model"),
        ({"device": 2}, "device", "CUDA"),
    ],
)
def test_what_cannot_be_done_is_told_and_leaves_nothing(request_, change, code, word):
    if code == "device" and trainsegmentation.torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(EngineError) as caught:
        train(dataclasses.replace(request_, **change))
    assert caught.value.code == code
    assert word in caught.value.message
    assert not Path(request_.model).parent.exists()


def test_another_image_without_the_bands_is_told_as_such(tmp_path, request_):
    """There is no model yet, and the bands are those of the first image alone."""
    other = write_raster(tmp_path / "radar.tif", landscape()[0], names=("VV", "VH", "ratio"))
    with pytest.raises(EngineError) as caught:
        train(dataclasses.replace(request_, more_inputs=(other,)))
    assert caught.value.message.startswith('The bands of "landscape" are "red", "green", "blue", but "radar" has no')
    assert '"Bands" of "landscape" that every image has' in caught.value.remedy


def test_a_model_knows_its_bands_by_wavelength(tmp_path, request_):
    """Band 4 is near infrared on Landsat 7, red on Landsat 8: the number alone must not be what a model keeps."""
    values = landscape(height=200, width=260)[0][[2, 1, 0, 0, 0, 0]]
    names = tuple(f"SR_B{band}" for band in (1, 2, 3, 4, 5, 7))
    image = write_raster(tmp_path / "landsat.tif", values.astype(np.uint16), names=names)
    later = write_raster(tmp_path / "later.tif", values[:4], names=("SR_B2", "SR_B3", "SR_B4", "SR_B5"))
    notes = Notes()
    train(dataclasses.replace(request_, input=image, more_inputs=(later,), epochs=1), notes)
    header = read_header(request_.model)
    assert (header.bands, header.band_names) == ((3, 2, 1), ("SR_B3", "SR_B2", "SR_B1"))
    assert header.band_centres_nm == (660, 560, 485)
    assert any("bands 3 (SR_B3), 2 (SR_B2), 1 (SR_B1) of Landsat 4 to 7" in line for line in notes.lines)
    assert any(line.startswith('The band names of "later" do not tell its sensor') for line in notes.warnings)


@pytest.mark.parametrize(("of_image", "of_labels"), [(None, None), (UTM, None), (None, UTM)])
def test_labels_without_a_crs_belong_to_images_without(tmp_path, request_, of_image, of_labels):
    values, _ = landscape(height=128, width=128)
    image = write_raster(tmp_path / "photo.tif", values, crs=of_image)
    boxes = [shapely.box(500_000 + left, 5_199_000, 500_400 + left, 5_199_900) for left in (100, 600)]
    labels = write_label_layer(tmp_path / "drawn.gpkg", boxes, ["a", "b"], crs=of_labels)
    wanted = dataclasses.replace(
        request_, input=image, labels=labels, class_field="class", label_rasters=(), epochs=1, threads=1
    )
    if of_image is None:
        assert train(wanted).values["class_count"] == 2
        return
    with pytest.raises(EngineError, match='"drawn" have no CRS but the image "photo" has') as caught:
        train(wanted)
    assert caught.value.code == "bad_input"
    assert not Path(request_.model).parent.exists()


def test_labels_elsewhere_and_a_single_class_are_refused(tmp_path, request_):
    far = write_label_layer(tmp_path / "far.gpkg", [shapely.box(0, 0, 10, 10)] * 2, ["a", "b"])
    one = write_label_layer(tmp_path / "one.gpkg", [shapely.box(500_100, 5_198_600, 500_900, 5_199_400)], ["a"])
    for path, code in ((far, "no_overlap"), (one, "too_few_labels")):
        with pytest.raises(EngineError) as caught:
            train(dataclasses.replace(request_, labels=path, class_field="class", label_rasters=()))
        assert caught.value.code == code


def test_a_smooth_landscape_is_learnt(request_):
    """A model that learns nothing stays near 0.2; features of an untrained network are worth more."""
    _, codes = landscape(height=200, width=260)
    result = train(dataclasses.replace(request_, epochs=25, spectral=False))
    assert result.values["miou"] > 0.5
    assert set(np.unique(codes)) == {1, 2, 3, 4}


def test_the_style_of_one_source_does_not_rename_the_codes_of_another(request_, tmp_path):
    """A field's 1 is maize; the label raster's 1 has no name of its own, so that both are one class, named once."""
    box = shapely.box(500_100, 5_198_600, 500_900, 5_199_400)
    labels = write_label_layer(tmp_path / "drawn.gpkg", [box], [7])
    styles = (StyledClass("7", "maize", "#112233"), StyledClass("1", "never seen here", "#445566"))
    train(dataclasses.replace(request_, labels=labels, class_field="class", styles=styles, epochs=1))
    names = [item.name for item in read_header(request_.model).classes]
    assert "maize" in names
    assert "never seen here" not in names


def test_labels_beside_all_images_are_counted(request_, tmp_path):
    inside, outside = shapely.box(500_100, 5_198_600, 500_900, 5_199_400), shapely.box(0, 0, 10, 10)
    labels = write_label_layer(tmp_path / "some.gpkg", [inside, outside, outside], ["wood", "wood", "field"])
    notes = Notes()
    train(dataclasses.replace(request_, labels=labels, class_field="class", epochs=1), notes)
    assert 'Labels of "some" that lie on no image are ignored: 1 of "field" and 1 of "wood".' in notes.lines


def test_an_image_without_labels_does_not_set_the_scaling(request_, tmp_path):
    values, _ = landscape(height=60, width=60, seed=9)
    bright = write_raster(
        tmp_path / "bright.tif", (values.astype(np.uint16) + 1) * 200, transform=PLACE @ Affine.translation(5000, 0)
    )
    train(dataclasses.replace(request_, epochs=1))
    alone = read_header(request_.model).scaling
    train(dataclasses.replace(request_, more_inputs=(bright,), epochs=1))
    header = read_header(request_.model)
    assert header.scaling == alone
    assert header.training["images"] == 1


def test_a_table_of_the_users_beside_a_new_report_is_not_replaced(tmp_path, request_):
    mine = tmp_path / "rep.scores.csv"
    mine.write_text("mine")
    with pytest.raises(EngineError, match="would replace a file that is no table of a report"):
        train(dataclasses.replace(request_, report=str(tmp_path / "rep.html")))
    assert mine.read_text() == "mine"
