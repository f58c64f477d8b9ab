"""Label rasters: classes, pairing, reading on an image's pixels."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine

from satdifuser_qgis.engine.raster.grid import Window
from satdifuser_qgis.engine.raster.read import open_raster
from satdifuser_qgis.engine.vector.class_table import merge_classes
from satdifuser_qgis.engine.vector.label_raster import open_label_raster, pair, read_labels
from satdifuser_qgis.protocol.classes import StyledClass
from satdifuser_qgis.protocol.errors import EngineError
from satdifuser_qgis.protocol.nodata import AS_DECLARED, NoData
from tests.data import PLACE, landscape, write_landscape, write_raster

CODES = np.array([[0, 1, 1], [2, 2, 7]], np.uint8)


@pytest.fixture
def opened():
    """Opens rasters and label rasters that are closed at the end."""
    rasters = []

    def image(path):
        rasters.append(open_raster(path))
        return rasters[-1]

    def label(path, styles=()):
        found = open_label_raster(path, styles)
        rasters.append(found.raster)
        return found

    yield image, label
    for raster in rasters:
        raster.close()


def codes_of(label):
    return [entry.code for entry in label.classes]


def test_zero_and_nodata_are_unlabelled(tmp_path, opened):
    plain = opened[1](write_raster(tmp_path / "a.tif", CODES))
    assert codes_of(plain) == [1, 2, 7]
    declared = opened[1](write_raster(tmp_path / "b.tif", CODES, nodata=7))
    assert codes_of(declared) == [1, 2]
    np.testing.assert_array_equal(read_labels(declared, declared.grid, declared.grid.whole), [[-1, 0, 0], [1, 1, -1]])


def test_zero_is_a_class_where_colour_or_category_names_it(tmp_path, opened):
    named = write_raster(tmp_path / "named.tif", CODES)
    (tmp_path / "named.tif.aux.xml").write_text(
        '<PAMDataset><PAMRasterBand band="1"><CategoryNames><Category>bare &amp; open</Category>'
        "<Category>wet</Category></CategoryNames></PAMRasterBand></PAMDataset>"
    )
    label = opened[1](named)
    assert [entry.name for entry in label.classes] == ["bare & open", "wet", "2", "7"]
    coloured = write_raster(tmp_path / "c.tif", CODES, colormap={0: (0, 90, 0, 255), 1: (1, 2, 3, 255)})
    assert codes_of(opened[1](coloured)) == [0, 1, 2, 7]
    black = write_raster(tmp_path / "d.tif", CODES, colormap={1: (1, 2, 3, 255)})
    assert codes_of(opened[1](black)) == [1, 2, 7]
    declared = write_raster(tmp_path / "e.tif", CODES, colormap={0: (155, 155, 155, 255)}, nodata=0)
    assert codes_of(opened[1](declared)) == [1, 2, 7]


def test_names_of_an_attribute_table_are_read(tmp_path, opened):
    path = write_raster(tmp_path / "a.tif", CODES)
    columns = "".join(
        f'<FieldDefn index="{i}"><Name>{name}</Name><Type>{kind}</Type><Usage>{usage}</Usage></FieldDefn>'
        for i, (name, kind, usage) in enumerate([("Value", 0, 5), ("Class", 2, 2)])
    )
    (tmp_path / "a.tif.aux.xml").write_text(
        f'<PAMDataset><PAMRasterBand band="1"><GDALRasterAttributeTable>{columns}'
        '<Row index="0"><F>7</F><F>town</F></Row></GDALRasterAttributeTable></PAMRasterBand></PAMDataset>'
    )
    assert [entry.name for entry in opened[1](path).classes] == ["1", "2", "town"]


def test_colours_of_present_classes_are_kept_and_a_style_goes_before(tmp_path, opened):
    path = write_raster(tmp_path / "a.tif", CODES, colormap={1: (1, 2, 3, 255), 2: (4, 5, 6, 255), 7: (0, 0, 0, 255)})
    label = opened[1](path)
    assert [entry.color for entry in label.classes] == ["#010203", "#040506", "#000000"]
    styled = opened[1](path, (StyledClass("7", "town", "#aabbcc"),))
    assert [(entry.code, entry.name, entry.color) for entry in styled.classes][:2] == [
        (7, "town", "#aabbcc"), (1, "1", "#010203"),
    ]  # fmt: skip
    assert styled.values == (7, 1, 2)
    np.testing.assert_array_equal(read_labels(styled, styled.grid, styled.grid.whole), [[-1, 1, 1], [2, 2, 0]])


def test_negative_codes_are_counted_anew_and_found_again(tmp_path, opened):
    label = opened[1](write_raster(tmp_path / "a.tif", np.array([[-3, 5], [5, -9999]], np.int16), nodata=-9999))
    assert [(entry.code, entry.name) for entry in label.classes] == [(1, "-3"), (2, "5")]
    np.testing.assert_array_equal(read_labels(label, label.grid, label.grid.whole), [[0, 1], [1, -1]])


def test_whole_numbers_stored_as_real_ones_are_codes(tmp_path, opened):
    label = opened[1](write_raster(tmp_path / "a.tif", np.array([[1, 2], [np.nan, 2]], np.float32)))
    assert codes_of(label) == [1, 2]
    np.testing.assert_array_equal(read_labels(label, label.grid, label.grid.whole), [[0, 1], [-1, 1]])


def test_what_is_no_label_raster_is_refused(tmp_path):
    image, _ = landscape()
    cases = {
        "3 bands": image,
        "fractions such as 1.5": np.array([[1.0, 1.5]], np.float32),
        "different values": np.arange(600, dtype=np.uint16).reshape(20, 30),
        "holds no label": np.zeros((4, 4), np.uint8),
    }
    for word, values in cases.items():
        with pytest.raises(EngineError, match=word):
            open_label_raster(write_raster(tmp_path / "a.tif", values))


def test_a_label_raster_serves_every_image_on_its_grid_and_no_other(tmp_path, opened):
    image, labels = write_landscape(tmp_path)
    other_date, _ = write_landscape(tmp_path, "second", seed=1)
    shifted = write_raster(tmp_path / "s.tif", landscape()[0], transform=PLACE @ Affine.translation(40, 40))
    images = [opened[0](path) for path in (shifted, image, other_date)]
    pairs, notes = pair([opened[1](labels)], images)
    assert [(found.label, found.image, found.how) for found in pairs] == [(0, 1, "equal grid"), (0, 2, "equal grid")]
    assert notes == []


def test_otherwise_it_is_warped_to_each_image_that_it_overlaps(tmp_path, opened):
    _, labels = write_landscape(tmp_path)
    image = landscape()[0]
    fine = write_raster(tmp_path / "fine.tif", image, transform=PLACE @ Affine.translation(20, 10) @ Affine.scale(0.5))
    beside = write_raster(tmp_path / "beside.tif", image, transform=PLACE @ Affine.translation(128, 0))
    images = [opened[0](fine), opened[0](beside)]
    label = opened[1](labels)
    pairs, _ = pair([label], images)
    assert [(found.image, found.how) for found in pairs] == [(0, "warped, nearest pixel")]
    codes = landscape()[1]
    expected = np.repeat(np.repeat(codes[10:58, 20:84], 2, axis=0), 2, axis=1)
    read = read_labels(label, images[0].grid, images[0].grid.whole)
    np.testing.assert_array_equal(np.array(codes_of(label))[read], expected)


def test_warped_labels_do_not_depend_on_the_window(tmp_path, opened):
    _, labels = write_landscape(tmp_path)
    turned = PLACE @ Affine.translation(30, 20) @ Affine.rotation(20) @ Affine.scale(0.7)
    image = opened[0](write_raster(tmp_path / "turned.tif", landscape(90, 90)[0], crs="EPSG:32633", transform=turned))
    label = opened[1](labels)
    whole = read_labels(label, image.grid, image.grid.whole)
    assert (whole >= 0).mean() > 0.8
    for window in image.grid.whole.blocks(37):
        rows, cols = slice(window.row, window.row + window.height), slice(window.col, window.col + window.width)
        np.testing.assert_array_equal(read_labels(label, image.grid, window), whole[rows, cols])


def test_beyond_the_edge_nothing_is_labelled(tmp_path, opened):
    image, labels = write_landscape(tmp_path)
    label, raster = opened[1](labels), opened[0](image)
    read = read_labels(label, raster.grid, Window(-3, 120, 6, 20))
    assert (read[:3] == -1).all()
    assert (read[:, 8:] == -1).all()
    assert (read[3:, :8] >= 0).all()


PIXELS = Affine(1, 0, 0, 0, -1, 0)


def bare(folder, stem, values, transform=PIXELS):
    folder.mkdir(exist_ok=True)
    return write_raster(folder / f"{stem}.tif", values, crs=None, transform=transform)


def test_without_crs_equal_pixels_and_then_equal_names_decide(tmp_path, opened):
    image, codes = landscape(32, 32)
    images = [opened[0](bare(tmp_path / "images", stem, image)) for stem in ("a", "b")]
    labels = [opened[1](bare(tmp_path / "labels", stem, codes)) for stem in ("b", "a")]
    pairs, _ = pair(labels, images)
    assert [(found.label, found.image) for found in pairs] == [(0, 1), (1, 0)]
    lone, _ = pair(labels[:1], images[:1])
    assert [(found.label, found.image) for found in lone] == [(0, 0)]


def test_without_crs_ambiguity_is_refused_with_the_candidates(tmp_path, opened):
    image, codes = landscape(32, 32)
    images = [opened[0](bare(tmp_path / "images", stem, image)) for stem in ("a", "b")]
    label = opened[1](bare(tmp_path / "labels", "c", codes))
    with pytest.raises(EngineError, match='"a", "b"') as caught:
        pair([label], images)
    assert caught.value.code == "bad_input"


def test_without_crs_other_pixels_do_not_serve(tmp_path, opened):
    image, codes = landscape(32, 32)
    images = [opened[0](bare(tmp_path / "images", "a", image))]
    label = opened[1](bare(tmp_path / "labels", "a", codes, Affine(1, 0, 5, 0, -1, 0)))
    with pytest.raises(EngineError) as caught:
        pair([label], images)
    assert caught.value.code == "no_overlap"


def test_labels_without_place_serve_the_image_of_their_size_and_name(tmp_path, opened):
    image, codes = landscape(32, 32)
    placed = opened[0](write_raster(tmp_path / "a.tif", image))
    label = opened[1](bare(tmp_path / "labels", "a", codes, None))
    pairs, _ = pair([label], [placed])
    assert [(found.label, found.image) for found in pairs] == [(0, 0)]
    read = read_labels(label, placed.grid, placed.grid.whole)
    np.testing.assert_array_equal(np.array(codes_of(label))[read], codes)


@pytest.mark.parametrize(
    ("values", "said"),
    [(CODES * 0, "holds no label"), (np.stack([CODES] * 3), "has 3 bands"), (CODES / 2, "holds fractions")],
)
def test_messages_name_the_file_as_it_is_written(tmp_path, opened, values, said):
    with pytest.raises(EngineError, match=f'^The label raster "Korea_LC" {said}'):
        opened[1](write_raster(tmp_path / "Korea_LC.tif", values))


def test_an_image_as_its_own_labels_is_refused(tmp_path, opened):
    path = write_raster(tmp_path / "a.tif", CODES)
    with pytest.raises(EngineError, match="both as an image and as labels"):
        pair([opened[1](path)], [opened[0](str(tmp_path / "." / "a.tif"))])


def test_labels_that_lie_elsewhere_are_named(tmp_path, opened):
    image, labels = write_landscape(tmp_path)
    far = write_raster(tmp_path / "far.tif", CODES, transform=PLACE @ Affine.translation(9999, 0))
    pairs, notes = pair([opened[1](labels), opened[1](far)], [opened[0](image)])
    assert len(pairs) == 1
    assert notes == ['The label raster "far" lies on none of the images and is left out.']


@pytest.mark.parametrize("name", ["dubai_mbrsc", "s2_korea_landcover"])
def test_real_label_rasters_find_their_images(shared_data, opened, name):
    folder = shared_data / "segmentation" / name / "train"
    images = [opened[0](str(path)) for path in sorted((folder / "images").glob("*.tif"))]
    labels = [opened[1](str(path)) for path in sorted((folder / "labels").glob("*.tif"))]
    pairs, notes = pair(labels, images)
    assert notes == []
    assert [labels[found.label].name for found in pairs] == [images[found.image].name for found in pairs]
    assert len(pairs) == len(images)
    classes, _ = merge_classes([label.class_table for label in labels])
    expected = [1, 2, 3, 4, 5] if name == "dubai_mbrsc" else [10, 30, 50, 70, 100]
    assert [entry.code for entry in classes] == expected


@pytest.mark.parametrize(
    ("nodata", "codes"),
    [
        (AS_DECLARED, [1, 2, 9]),
        (NoData(((1, 2, 2),)), [1, 9]),
        (NoData(((0, 2, 9),)), [1]),
        (NoData(((2, 1, 1),)), [1, 2, 9]),
        (NoData(measured=(1,)), [1, 2, 7, 9]),
        (NoData(((1, 1, 1),), measured=(1,)), [2, 7, 9]),
    ],
)
@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32"])
def test_nodata_of_the_layer_is_unlabelled_and_that_of_the_file_may_be_a_class(tmp_path, nodata, codes, dtype):
    path = write_raster(tmp_path / "a.tif", np.array([[1, 2, 7, 9]], dtype), nodata=7)
    label = open_label_raster(path, nodata=nodata)
    try:
        assert codes_of(label) == codes
        found = read_labels(label, label.grid, label.grid.whole)[0].tolist()
        assert found == [codes.index(code) if code in codes else -1 for code in (1, 2, 7, 9)]
    finally:
        label.raster.close()
