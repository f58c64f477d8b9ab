"""Labels from vector layers: classes, repairs, burning."""

from __future__ import annotations

import datetime
import json
import sqlite3
from contextlib import ExitStack, closing

import geopandas
import numpy as np
import pytest
import rasterio.features
import shapely
from affine import Affine
from pyproj import CRS
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, box

from satdifuser_qgis.engine.raster.grid import Grid, Window
from satdifuser_qgis.engine.raster.read import open_raster
from satdifuser_qgis.engine.reporter import Silent
from satdifuser_qgis.engine.training.label_sources import read_label_sources
from satdifuser_qgis.engine.vector.class_table import ClassTable, case_notes, merge_classes
from satdifuser_qgis.engine.vector.labels import burn, check_crs, contested, read_vector_labels, touching
from satdifuser_qgis.protocol.classes import LandCoverClass, StyledClass
from satdifuser_qgis.protocol.errors import EngineError
from satdifuser_qgis.protocol.trainsegmentation import TrainSegmentationRequest
from tests.data import UTM, landscape, write_label_layer, write_raster

WKT = CRS.from_string(UTM).to_wkt()
# One pixel is one unit; row 0 is at y = 10.
GRID = Grid(WKT, Affine(1, 0, 0, 0, -1, 10), 10, 10)
FIVE = [box(i, 0, i + 1, 1) for i in range(5)]


def labels_of(folder, values, geometries=None, styles=(), crs=UTM, name="labels.gpkg"):
    path = write_label_layer(folder / name, geometries or FIVE[: len(values)], values, crs=crs)
    return read_vector_labels(path, "class", styles)


def coded(labels):
    return [(entry.code, entry.name) for entry in labels.classes]


def test_whole_numbers_keep_their_values(tmp_path):
    labels = labels_of(tmp_path, [300, 10, 0, 10])
    assert coded(labels) == [(0, "0"), (10, "10"), (300, "300")]
    assert not labels.class_table.made_codes


def test_texts_get_codes_from_one_in_order_and_keep_their_names(tmp_path):
    labels = labels_of(tmp_path, ["water", "field", "10", "null", "水域"])
    assert coded(labels) == [(1, "10"), (2, "field"), (3, "null"), (4, "water"), (5, "水域")]
    assert labels.class_table.made_codes


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["100", "10", "30", "10 "], [(10, "10"), (30, "30"), (100, "100")]),
        (["01", "02", "10"], [(1, "01"), (2, "02"), (10, "10")]),
        (["01", "1"], [(1, "01"), (2, "1")]),
        (["1", "-2"], [(1, "-2"), (2, "1")]),
    ],
)
def test_texts_that_are_all_codes_are_read_as_these_unless_two_are_one(tmp_path, texts, expected):
    assert coded(labels_of(tmp_path, texts)) == expected


@pytest.mark.parametrize(("values", "names"), [([-3, 0, 255], ["-3", "0", "255"]), ([1, 70000], ["1", "70000"])])
def test_negative_and_large_codes_are_counted_anew(tmp_path, values, names):
    assert coded(labels_of(tmp_path, values)) == list(enumerate(names, start=1))


def test_codes_that_are_counted_anew_are_told(tmp_path):
    labels = labels_of(tmp_path, [1, -9999, 2, 1])
    assert labels.notes == (
        'The value -9999 of "labels" (field class) is no code of a map (0 to 65535), so that its classes get codes '
        "from 1; the values stay as their names.",
    )


def test_a_style_names_text_codes_by_their_text(tmp_path):
    styles = (StyledClass("02", "Forest", "#00ff00"), StyledClass("01", "01", "#0000ff"))
    assert coded(labels_of(tmp_path, ["01", "02"], styles=styles)) == [(2, "Forest"), (1, "01")]


def test_real_numbers_that_are_whole_are_codes(tmp_path):
    labels = labels_of(tmp_path, [1.0, 2.0, float("nan"), 2.0])
    assert coded(labels) == [(1, "1"), (2, "2")]
    assert labels.notes == ("1 of 4 features have no class and are left out.",)


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ([1.0, 2.5], "fractions such as 2.5"),
        ([1.0, float("inf")], "fractions such as inf"),
        ([True, False], "yes and no"),
        ([datetime.datetime(2020, 1, 1, 5, tzinfo=datetime.timezone.utc)] * 2, "dates"),
    ],
)
def test_what_is_no_class_is_refused_with_the_way_out(tmp_path, values, word):
    with pytest.raises(EngineError, match=word) as caught:
        labels_of(tmp_path, values)
    assert caught.value.code == "bad_input"
    assert "texts or whole numbers" in caught.value.remedy


def test_more_values_than_classes_can_be_are_refused(tmp_path):
    with pytest.raises(EngineError, match="300 different values"):
        labels_of(tmp_path, [*range(300)] * 2, [Point(i, 0) for i in range(600)])


def with_other_fields(folder, values, **fields):
    """A layer of points with the class field and others."""
    frame = geopandas.GeoDataFrame(
        {"class": values, **fields}, geometry=[Point(i % 10, i // 10) for i in range(len(values))], crs=UTM
    )
    frame.to_file(folder / "labels.gpkg")
    return str(folder / "labels.gpkg")


@pytest.mark.parametrize("values", [[*range(12)], [f"plot {n}" for n in range(300)], [n / 2 for n in range(20)]])
@pytest.mark.parametrize("telling", [True, False])
def test_a_field_that_numbers_the_features_is_no_class_field_and_those_that_look_like_one_are_named(
    tmp_path, values, telling
):
    count = len(values)
    covers = {"cover": ["a", "b", None] * (count // 3) + ["a"] * (count % 3), "kind": [1, 2] * (count // 2)}
    others = {"area": [n * 1.5 for n in range(count)], "me": ["x"] * count, "name": [f"n{n}" for n in range(count)]}
    path = with_other_fields(tmp_path, values, **(covers if telling else {}), **others)
    with pytest.raises(EngineError, match=rf'"class" of "labels" has another value in each of its {count}') as caught:
        read_vector_labels(path, "class")
    assert caught.value.code == "bad_input"
    assert caught.value.remedy.startswith('"cover" and "kind" look like one.' if telling else "Choose the field")


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([*range(10)], False),  # few may well be of one class each
        ([*range(40), *range(40)], False),
        ([*range(40), 1, 2, 3], True),
    ],
)
def test_a_field_whose_values_mostly_occur_once_is_doubted(tmp_path, values, told):
    labels = read_vector_labels(
        with_other_fields(tmp_path, values, cover=["a"] * 4 + ["b"] * (len(values) - 4)), "class"
    )
    doubts = [note for note in labels.notes if 'Is it the class field? "cover" looks like one.' in note]
    assert len(doubts) == told


def test_a_layer_that_was_dissolved_by_class_has_one_feature_a_class(tmp_path):
    parts = [MultiPolygon([box(i, 0, i + 1, 1), box(i, 5, i + 1, 6)]) for i in range(12)]
    assert len(labels_of(tmp_path, [f"c{n}" for n in range(12)], parts).classes) == 12


def test_values_that_are_lists_are_refused_for_what_they_are(tmp_path):
    path = tmp_path / "labels.geojson"
    geometry = {"type": "Point", "coordinates": [15, 47]}
    features = [{"type": "Feature", "properties": {"class": ["a", str(n)]}, "geometry": geometry} for n in range(12)]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    with pytest.raises(EngineError, match="lists"):
        read_vector_labels(str(path), "class")


def test_a_field_with_one_value_is_told_with_those_that_look_like_the_class_field(tmp_path):
    image = write_raster(tmp_path / "image.tif", landscape()[0])
    path = with_other_fields(tmp_path, ["me"] * 12, cover=["a", "b"] * 6)
    request = TrainSegmentationRequest(input=image, labels=path, class_field="class", model="m.safetensors")
    with (
        open_raster(image) as raster,
        ExitStack() as stack,
        pytest.raises(EngineError, match='"class": "me"') as caught,
    ):
        read_label_sources(request, [raster], stack, Silent())
    assert caught.value.code == "too_few_labels"
    assert caught.value.remedy == '"cover" looks like one.'


def test_blanks_make_no_class_and_that_is_said(tmp_path):
    labels = labels_of(tmp_path, ["water", "dry  field", "water ", "dry field", " "])
    assert [name for _, name in coded(labels)] == ["dry field", "water"]
    assert labels.notes == (
        "1 of 5 features have no class and are left out.",
        '"dry  field" and "dry field" are taken as one class, "dry field".',
        '"water" and "water " are taken as one class, "water".',
    )


@pytest.mark.parametrize(
    ("twin", "name", "shown"),
    [
        ("other\u200b", "other", "other<U+200B>"),
        ("\ufeffother", "other", "<U+FEFF>other"),
        ("bare\u00a0soil", "bare soil", "bare<U+00A0>soil"),
        ("bare\u2003soil", "bare soil", "bare<U+2003>soil"),
        ("grass\u00adland", "grassland", "grass<U+00AD>land"),
        ("for\u200dest\u200c", "forest", "for<U+200D>est<U+200C>"),
        ("\u200e水域", "水域", "<U+200E>水域"),
        ("wa\u2060ter", "water", "wa<U+2060>ter"),
        ("Gewa\u0308sser", "Gewässer", "Gewa<U+0308>sser"),
        ("Gewa\u200b\u0308sser", "Gewässer", "Gewa<U+200B><U+0308>sser"),
    ],
)
def test_names_that_look_alike_are_one_class(tmp_path, twin, name, shown):
    labels = labels_of(tmp_path, [twin, name, "road"])
    assert sorted(known for _, known in coded(labels)) == sorted([name, "road"])
    (note,) = labels.notes
    assert f'"{shown}"' in note
    assert note.endswith(f' are taken as one class, "{name}".')


def test_joiners_that_shape_letters_stay(tmp_path):
    labels = labels_of(tmp_path, ["می\u200cخواهم", "میخواهم"])
    assert {name for _, name in coded(labels)} == {"می\u200cخواهم", "میخواهم"}
    assert labels.notes == ()


def test_names_that_differ_in_case_are_kept_apart_with_a_warning(tmp_path):
    drawn = [box(500_000 + 20 * i, 5_199_900, 500_010 + 20 * i, 5_199_950) for i in range(5)]
    path = write_label_layer(tmp_path / "a.gpkg", drawn, ["Water", "water", "wood", "WATER", "field"])
    image = write_raster(tmp_path / "image.tif", landscape()[0])
    said = []
    reporter = Silent()
    reporter.log = lambda message, level="info": said.append((level, message))
    request = TrainSegmentationRequest(input=image, model="", labels=path, class_field="class")
    with open_raster(image) as raster, ExitStack() as stack:
        sources = read_label_sources(request, [raster], stack, reporter)
    assert [entry.name for entry in sources.classes] == ["field", "WATER", "Water", "water", "wood"]
    ((_, warning),) = [entry for entry in said if entry[0] == "warning"]
    assert warning.startswith('"WATER", "Water" and "water" differ in letter case only and are kept apart')


def test_a_style_gives_order_names_and_colours(tmp_path):
    styles = (StyledClass("water", "Open water", "#0000FF"), StyledClass("gone", "", "#111111"))
    labels = labels_of(tmp_path, ["field", "water", "Wood"], styles=styles)
    assert coded(labels) == [(1, "Open water"), (2, "field"), (3, "Wood")]
    assert labels.classes[0].color == "#0000ff"
    assert len({entry.color for entry in labels.classes}) == 3
    numbered = labels_of(tmp_path, [10, 20], styles=(StyledClass("20", "wood", "#00ff00"),), name="n.gpkg")
    assert coded(numbered) == [(20, "wood"), (10, "10")]


def test_an_unknown_field_names_the_closest_one(tmp_path):
    path = write_label_layer(tmp_path / "a.gpkg", FIVE, ["a"] * 5, field="class_id")
    with pytest.raises(EngineError, match='Did you mean "class_id"') as caught:
        read_vector_labels(path, "clas_id")
    assert caught.value.code == "bad_request"


def test_layers_and_subsets_of_a_qgis_source_are_honoured(tmp_path):
    path = tmp_path / "two.gpkg"
    for layer, value in (("first", "a"), ("second", "b")):
        frame = geopandas.GeoDataFrame({"class": [value, "c"], "year": [1, 2]}, geometry=FIVE[:2], crs=UTM)
        frame.to_file(path, layer=layer)
    labels = read_vector_labels(f"{path}|layername=second|subset=year = 1", "class")
    assert coded(labels) == [(1, "b")]
    assert labels.name == "second"


def test_files_that_hold_no_labels_are_refused(tmp_path):
    (tmp_path / "table.csv").write_text("class\nwater\n")
    with pytest.raises(EngineError, match="no geometries"):
        read_vector_labels(str(tmp_path / "table.csv"), "class")
    with pytest.raises(EngineError, match="no feature with both"):
        labels_of(tmp_path, [None, None])


def test_broken_and_missing_geometries_are_counted_and_repaired(tmp_path):
    bow_tie = Polygon([(0, 0), (4, 4), (4, 0), (0, 4)])
    labels = labels_of(tmp_path, ["a", "b", "c", "a"], [bow_tie, None, Polygon(), box(5, 5, 7, 7)])
    assert labels.notes == (
        "2 features have no geometry and are left out.", "1 invalid geometry was repaired.",
    )  # fmt: skip
    assert shapely.is_valid(np.asarray(labels.table.geometry.values)).all()
    assert (burn(labels, GRID, GRID.whole) >= 0).sum() > 4


def test_rings_that_are_not_closed_are_closed_and_what_cannot_be_mended_is_counted(tmp_path):
    shapes_of = {
        "a": {"type": "Polygon", "coordinates": [[[1, 1], [5, 1], [5, 5], [1, 5]]]},
        "b": {"type": "LineString", "coordinates": [[1, 1]]},
        "c": {"type": "Polygon", "coordinates": [[[6, 6], [8, 6], [8, 8], [6, 6]]]},
    }
    features = [
        {"type": "Feature", "properties": {"class": name}, "geometry": shape} for name, shape in shapes_of.items()
    ]
    path = tmp_path / "broken.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    labels = read_vector_labels(str(path), "class")
    assert labels.table["index"].tolist() == [0, 2]
    assert labels.notes == ("1 feature has no geometry and is left out.",)


def test_polygons_take_pixel_centres_lines_what_they_touch_points_their_pixel(tmp_path):
    geometries = [box(0.4, 7.4, 2.4, 9.6), LineString([(0.1, 0.5), (4.9, 1.2)]), Point(9.99, 0.01)]
    burnt = burn(labels_of(tmp_path, ["a", "b", "c"], geometries), GRID, GRID.whole)
    assert np.argwhere(burnt == 0).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1], [2, 0], [2, 1]]
    assert np.argwhere(burnt == 2).tolist() == [[9, 9]]
    assert {tuple(at) for at in np.argwhere(burnt == 1).tolist()} == {
        (9, 0), (9, 1), (9, 2), (9, 3), (8, 3), (8, 4),
    }  # fmt: skip


def test_the_smaller_polygon_wins_whatever_the_order_and_is_counted(tmp_path):
    large, small = box(0, 0, 10, 10), MultiPolygon([box(1, 1, 3, 3), box(5, 5, 6, 6)])
    for order in (1, -1):
        labels = labels_of(tmp_path, ["l", "s"][::order], [large, small][::order], name=f"order{order + 1}.gpkg")
        burnt = burn(labels, GRID, GRID.whole)
        assert [(burnt == k).sum() for k in range(2)] == [95, 5]
        assert contested(labels, GRID, GRID.whole) == 5


def test_pixels_claimed_twice_are_counted_without_a_pass_a_class(tmp_path, monkeypatch):
    rng = np.random.default_rng(1)
    points = [Point(*rng.uniform(0, 10, 2)) for _ in range(40)]
    shapes = [[at.buffer(rng.uniform(0.5, 3)) for at in points[:20]], points[20:30]]
    lines = [LineString([points[i], points[i + 1]]) for i in range(30, 39)]
    geometries = [*shapes[0], *shapes[1], *lines]
    labels = labels_of(tmp_path, [f"c{i % 6}" for i in range(len(geometries))], geometries)
    alone = [
        labels_of(tmp_path, ["c"] * len(geometries[k::6]), geometries[k::6], name=f"{k}.gpkg") for k in range(6)
    ]  # fmt: skip
    claims = sum((burn(one, GRID, GRID.whole) >= 0).astype(int) for one in alone)
    passes, rasterize = [], rasterio.features.rasterize
    monkeypatch.setattr(rasterio.features, "rasterize", lambda *a, **k: passes.append(1) or rasterize(*a, **k))
    assert contested(labels, GRID, GRID.whole) == (claims > 1).sum()
    assert len(passes) == 4


def test_points_win_over_lines_and_lines_over_polygons(tmp_path):
    geometries = [Point(5.5, 5.5), LineString([(0, 5.5), (10, 5.5)]), box(0, 0, 10, 10)]
    burnt = burn(labels_of(tmp_path, ["p", "l", "a"], geometries), GRID, GRID.whole)
    assert burnt[4, 5] == 2
    assert (burnt[4] == 1).sum() == 9
    assert (burnt == 0).sum() == 90


def test_a_pixel_has_one_label_whatever_the_window(tmp_path):
    rng = np.random.default_rng(0)
    geometries = [Point(*rng.uniform(0, 10, 2)).buffer(rng.uniform(0.5, 3)) for _ in range(12)]
    labels = labels_of(tmp_path, [f"c{i % 3}" for i in range(12)], geometries)
    whole = burn(labels, GRID, GRID.whole)
    for window in GRID.whole.blocks(3):
        part = burn(labels, GRID, window)
        rows, cols = slice(window.row, window.row + window.height), slice(window.col, window.col + window.width)
        np.testing.assert_array_equal(part, whole[rows, cols])
    beyond = burn(labels, GRID, Window(-2, -2, 14, 14))
    np.testing.assert_array_equal(beyond[2:12, 2:12], whole)


def test_labels_in_another_crs_land_on_the_same_pixels(tmp_path):
    grid = Grid(WKT, Affine(10, 0, 5e5, 0, -10, 5.2e6), 50, 50)
    geometries = [box(5e5 + 103, 5.2e6 - 203, 5e5 + 203, 5.2e6 - 103), Point(5e5 + 5, 5.2e6 - 5)]
    labels = labels_of(tmp_path, ["a", "b"], geometries)
    path = tmp_path / "lonlat.gpkg"
    labels.table.assign(**{"class": ["a", "b"]}).to_crs(4326).to_file(path)
    there = read_vector_labels(str(path), "class")
    np.testing.assert_array_equal(burn(there, grid, grid.whole), burn(labels, grid, grid.whole))
    assert touching(there, grid).all()
    assert not touching(there, Grid(WKT, Affine(10, 0, 6e5, 0, -10, 5.2e6), 50, 50)).any()


def test_labels_without_a_crs_are_refused_where_the_image_has_one_and_fit_one_that_has_none(tmp_path):
    bare = Grid("", GRID.transform, 10, 10)
    without, having = labels_of(tmp_path, ["a", "b"], crs=None), labels_of(tmp_path, ["a", "b"], name="c.gpkg")
    assert check_crs(without, "photo", bare) == check_crs(having, "photo", GRID) == ""
    assert touching(without, bare).any()
    with pytest.raises(EngineError, match='labels "labels" have no CRS but the image "photo" has WGS') as found:
        check_crs(without, "photo", GRID)
    assert found.value.code == "bad_input"
    assert "Define projection" in found.value.remedy
    assert check_crs(having, "photo", bare).startswith('The image "photo" has no CRS; labels of "c" (WGS 84 / UTM')
    assert touching(having, bare).any()


@pytest.mark.parametrize("number", [0, -1])
def test_what_qgis_writes_into_a_geopackage_for_no_crs_is_none(tmp_path, number):
    path = write_label_layer(tmp_path / "labels.gpkg", FIVE[:2], ["a", "b"])
    with closing(sqlite3.connect(path)) as file, file:
        for table, column in (("gpkg_contents", "srs_id"), ("gpkg_geometry_columns", "srs_id")):
            file.execute(f"UPDATE {table} SET {column} = {number}")
    labels = read_vector_labels(path, "class")
    assert labels.crs_wkt == ""
    assert labels.table.crs is None


def table(*classes, made=False, source="s"):
    return ClassTable(source, tuple(LandCoverClass(*entry) for entry in classes), made)


def test_merged_sources_share_classes_by_name_and_by_code():
    drawn = table((1, "forest", "#00ff00"), (2, "road", "#ff0000"), made=True)
    raster = table((10, "10", "#111111"), (70, "forest", "#222222"), (100, "sea", "#00ff00"))
    other = table((10, "building", "#333333"), (100, "100", "#444444"))
    merged, lookups = merge_classes([drawn, raster, other])
    assert [(entry.code, entry.name) for entry in merged] == [
        (2, "road"), (10, "building"), (70, "forest"), (100, "sea"),
    ]  # fmt: skip
    assert [lookup.tolist() for lookup in lookups] == [[2, 0, -1], [1, 2, 3, -1], [1, 3, -1]]
    assert len({entry.color for entry in merged}) == 4


def test_sources_that_differ_in_case_meet_by_code_only():
    drawn = table((1, "Forest", "#00ff00"), made=True)
    first, second = table((70, "forest", "#222222")), table((70, "FOREST", "#333333"))
    assert [(entry.code, entry.name) for entry in merge_classes([first, second])[0]] == [(70, "forest")]
    apart, _ = merge_classes([drawn, first])
    assert [(entry.code, entry.name) for entry in apart] == [(1, "Forest"), (70, "forest")]
    assert case_notes(apart)[0].startswith('"Forest" and "forest" differ in letter case only')
    assert not case_notes(apart[1:])


def test_codes_of_one_source_stay_apart_whatever_their_names():
    forests = (11, "Forest", "#00ff00"), (12, "Forest", "#008800")
    merged, lookups = merge_classes([table(*forests)])
    assert [(entry.code, entry.name) for entry in merged] == [(11, "Forest"), (12, "Forest")]
    assert lookups[0].tolist() == [0, 1, -1]
    # Of one legend a tile may show less than another, and a single forest elsewhere may be either.
    drawn = table((1, "Forest", "#00aa00"), made=True)
    merged, lookups = merge_classes([table(forests[1]), table(*forests), table((13, "Forest", "#000000")), drawn])
    assert [entry.code for entry in merged] == [1, 11, 12, 13]
    assert [lookup.tolist() for lookup in lookups] == [[2, -1], [1, 2, -1], [3, -1], [0, -1]]


def test_a_name_that_repeats_its_code_gives_way_and_keeps_its_zeros():
    texts, plain = table((1, "01", "#000001"), (2, "02", "#000002")), table((1, "1", "#000003"), (2, "wood", "#000004"))
    for sources in ([texts, plain], [plain, texts]):
        assert [(entry.code, entry.name) for entry in merge_classes(sources)[0]] == [(1, "01"), (2, "wood")]


def test_one_code_with_two_names_is_refused():
    with pytest.raises(EngineError, match=r'Code 1 is "water" .* and "wood" in b'):
        merge_classes([table((1, "water", "#000001")), table((1, "wood", "#000002"), source="b")])


def test_a_single_source_stays_as_it_is():
    styled = table((5, "b", "#000001"), (3, "a", "#000002"))
    merged, lookups = merge_classes([styled])
    assert merged == styled.classes
    assert lookups[0].tolist() == [0, 1, -1]


def test_real_polygons_agree_with_the_raster_they_were_made_from(shared_data):
    folder = shared_data / "segmentation" / "s2_korea_landcover" / "train"
    labels = read_vector_labels(str(shared_data / "vectors" / "korea_202309_12_polygons.gpkg"), "class_id")
    assert labels.description == "444 polygons"
    with open_raster(str(folder / "labels" / "kr_202309_12.tif")) as raster:
        burnt = burn(labels, raster.grid, raster.grid.whole)
        stored, _ = raster.read_codes(raster.grid.whole)
    codes = np.array([entry.code for entry in labels.classes])
    labelled = burnt >= 0
    assert labelled.mean() > 0.9
    np.testing.assert_array_equal(codes[burnt[labelled]], stored[labelled])


def test_real_problem_layers_are_read_with_notes(shared_data):
    folder = shared_data / "awkward"
    expected = {
        "labels_invalid_geometry.gpkg": 2, "labels_null_classes.gpkg": 1, "labels_mixed_case.gpkg": 0,
        "labels_ok.gpkg": 0, "labels_mixed_types.gpkg": 0,
    }  # fmt: skip
    for name, notes in expected.items():
        labels = read_vector_labels(str(folder / name), "class")
        assert len(labels.notes) == notes, name
        assert len(labels.classes) == {"labels_null_classes.gpkg": 2, "labels_mixed_case.gpkg": 6}.get(name, 3)
    mixed = read_vector_labels(str(folder / "labels_mixed_case.gpkg"), "class")
    assert len(case_notes(mixed.classes)) == 3


def test_an_image_is_labelled_from_the_copy_in_its_own_crs(tmp_path):
    other = Grid(CRS.from_epsg(32632).to_wkt(), GRID.transform, 10, 10)
    own = write_label_layer(tmp_path / "own.gpkg", [box(0, 9, 1, 10)], ["wood"])
    # The copy lies where no transformation of ours would put it.
    copy = write_label_layer(tmp_path / "copy.gpkg", [box(4, 5, 5, 6)], ["wood"], crs="EPSG:32632")
    labels = read_vector_labels(own, "class", copies=[copy])
    assert np.argwhere(burn(labels, GRID, GRID.whole) == 0).tolist() == [[0, 0]]
    assert np.argwhere(burn(labels, other, other.whole) == 0).tolist() == [[4, 4]]
    assert touching(labels, other).tolist() == [True]


def test_features_that_a_copy_lacks_are_told_from_those_that_it_has(tmp_path):
    other = Grid(CRS.from_epsg(32632).to_wkt(), GRID.transform, 10, 10)
    own = write_label_layer(tmp_path / "own.gpkg", [box(0, 0, 3, 3), box(5, 5, 6, 6)], ["wood", "field"])
    copy = write_label_layer(tmp_path / "copy.gpkg", [None, box(0, 0, 9, 9)], ["wood", "field"], crs="EPSG:32632")
    labels = read_vector_labels(own, "class", copies=[copy])
    # in burning order, the large one first
    assert touching(labels, GRID).tolist() == [True, True]
    assert touching(labels, other).tolist() == [False, True]


def test_labels_that_have_no_place_in_one_crs_serve_the_images_in_the_other(tmp_path):
    other = Grid(CRS.from_epsg(32632).to_wkt(), GRID.transform, 10, 10)
    own = write_label_layer(tmp_path / "own.gpkg", FIVE[:2], ["wood", "field"])
    copy = write_label_layer(tmp_path / "copy.gpkg", [None, None], ["wood", "field"], crs="EPSG:32632")
    labels = read_vector_labels(own, "class", copies=[copy])
    assert touching(labels, GRID).all()
    assert not touching(labels, other).any()
    with pytest.raises(EngineError, match="both a class and a geometry") as caught:
        read_vector_labels(copy, "class")
    assert "CRS of the images" in caught.value.remedy


def test_a_copy_of_other_features_is_refused(tmp_path):
    own = write_label_layer(tmp_path / "own.gpkg", FIVE[:1], ["wood"])
    copy = write_label_layer(tmp_path / "copy.gpkg", FIVE[:1], ["water"], crs="EPSG:32632")
    with pytest.raises(EngineError, match="different classes") as caught:
        read_vector_labels(own, "class", copies=[copy])
    assert caught.value.code == "bad_request"


def test_heights_and_measures_are_dropped(tmp_path):
    path = tmp_path / "heights.geojson"
    ring = [[0, 9, 7], [1, 9, 7], [1, 10, 8], [0, 10, 8], [0, 9, 7]]
    shapes = [{"type": "Polygon", "coordinates": [ring]}, {"type": "Point", "coordinates": [5.5, 5.5, 3]}]
    features = [{"type": "Feature", "properties": {"class": "a"}, "geometry": shape} for shape in shapes]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    labels = read_vector_labels(str(path), "class")
    flat = Grid("", GRID.transform, 10, 10)
    assert np.argwhere(burn(labels, flat, flat.whole) == 0).tolist() == [[0, 0], [4, 5]]


@pytest.mark.parametrize("kind", ["CURVEPOLYGON(CIRCULARSTRING(2 5, 8 5, 2 5))", "POINT ZM (5.5 4.5 1 2)"])
def test_curves_and_measures_are_read_too(tmp_path, kind):
    path = tmp_path / "curves.csv"
    path.write_text(f'class,WKT\na,"{kind}"\n')
    labels = read_vector_labels(str(path), "class")
    flat = Grid("", GRID.transform, 10, 10)
    assert burn(labels, flat, flat.whole)[5, 5] == 0
