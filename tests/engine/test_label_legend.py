"""Label rasters: which values their legends call a class, and which stand for nothing known."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
import rasterio.shutil
from shapely.geometry import box

from satdifuser_qgis.engine.raster.read import open_raster
from satdifuser_qgis.engine.reporter import Silent
from satdifuser_qgis.engine.training.label_sources import read_label_sources
from satdifuser_qgis.engine.vector.label_raster import open_label_raster, read_labels
from satdifuser_qgis.engine.vector.no_class import is_no_class
from satdifuser_qgis.protocol.classes import StyledClass
from satdifuser_qgis.protocol.errors import EngineError
from satdifuser_qgis.protocol.trainsegmentation import TrainSegmentationRequest
from tests.data import PLACE, UTM, landscape, write_label_layer, write_raster

CODES = np.array([[0, 0, 0, 1], [2, 2, 3, 0]], np.uint8)
NAMES = ("field", "forest", "background")
CLASSES = [(1, "field"), (2, "forest"), (3, "background")]


def write_sides(path, body):
    Path(f"{path}.aux.xml").write_text(f'<PAMDataset><PAMRasterBand band="1">{body}</PAMRasterBand></PAMDataset>')


def with_categories(folder, names, codes=CODES, stem="a"):
    path = write_raster(folder / f"{stem}.tif", codes)
    listed = "".join(f"<Category>{name}</Category>" for name in names)
    write_sides(path, f"<CategoryNames>{listed}</CategoryNames>")
    return path


def with_table(folder, columns, rows, attributes="", codes=CODES):
    path = write_raster(folder / "a.tif", codes)
    fields = "".join(
        f'<FieldDefn index="{i}"><Name>{name}</Name><Type>{kind}</Type><Usage>{usage}</Usage></FieldDefn>'
        for i, (name, kind, usage) in enumerate(columns)
    )
    listed = "".join(
        f'<Row index="{i}">' + "".join(f"<F>{value}</F>" for value in row) + "</Row>" for i, row in enumerate(rows)
    )
    write_sides(path, f"<GDALRasterAttributeTable {attributes}>{fields}{listed}</GDALRasterAttributeTable>")
    return path


def with_colors(folder, colors, codes=CODES):
    path = write_raster(folder / "a.tif", codes)
    listed = "".join('<Entry c1="{}" c2="{}" c3="{}" c4="{}"/>'.format(*color) for color in colors)
    write_sides(path, f"<ColorInterp>Palette</ColorInterp><ColorTable>{listed}</ColorTable>")
    return path


def opened(path, styles=(), drawn=None):
    label = open_label_raster(path, styles, drawn)
    label.raster.close()
    return label


def coded(label):
    return [(entry.code, entry.name) for entry in label.classes]


def said(label):
    return [(item.what, item.pixels) for item in label.left_out]


@pytest.mark.parametrize(
    "name",
    ["Unclassified", "unclassified", "Not classified", "UNLABELED", "No Data", "NoData", "nodata", "no-data", "No_Data",
     "Masked", "Masked pixels", "Masked Pixels", "Mask", "Fill", "Fill value", "No data / masked", "0 - No Data", "N/A",
     "nicht klassifiziert", "Nicht  klassifiziert", "keine Daten", "no clasificado", "sin datos", "non classé",
     "non classe\u0301", "Não classificado", "нет данных", "未分类", "Un\u200bclassified", "unknown"],
)  # fmt: skip
def test_what_a_legend_calls_unclassified_is_no_class_and_that_is_told(tmp_path, name):
    label = opened(with_categories(tmp_path, (name, *NAMES)))
    assert coded(label) == CLASSES
    assert said(label) == [(f'0, "{name}" in the legend', 4)]


@pytest.mark.parametrize(
    "name",
    ["water", "Background", "background", "other", "Hintergrund", "rest", "Masked owl habitat", "unclassified road",
     "landfill", "bare", "water (no data on depth)"],
)  # fmt: skip
def test_a_real_name_makes_0_a_class(tmp_path, name):
    label = opened(with_categories(tmp_path, (name, *NAMES)))
    assert coded(label) == [(0, name), *CLASSES]
    assert said(label) == []
    assert not is_no_class(name)


@pytest.mark.parametrize("name", ["", " ", "0", "\u200b"])
def test_an_empty_name_and_one_that_repeats_the_number_are_no_name(tmp_path, name):
    label = opened(with_categories(tmp_path, (name, *NAMES)))
    assert coded(label) == CLASSES
    assert said(label) == []


def test_values_other_than_0_may_be_unclassified_too(tmp_path):
    codes = np.array([[1, 2, 3, 254], [254, 255, 0, 0]], np.uint8)
    rows = [(1, "field"), (2, "forest"), (3, "background"), (254, "Unclassified"), (255, "Fill Value")]
    label = opened(with_table(tmp_path, [("Value", 0, 5), ("Class", 2, 2)], rows, codes=codes))
    assert coded(label) == CLASSES
    assert said(label) == [('254, "Unclassified" in the legend', 2), ('255, "Fill Value" in the legend', 1)]


def test_envi_names_and_colours_0_without_making_it_a_class(tmp_path):
    path = write_raster(tmp_path / "a.dat", CODES)
    with rasterio.open(path) as file:
        rasterio.shutil.copy(file, tmp_path / "b.dat", driver="ENVI")
    head = (tmp_path / "b.hdr").read_text().replace("ENVI Standard", "ENVI Classification")
    names = "class names = {Unclassified, field, forest, background}"
    lookup = "class lookup = {0, 0, 0, 230, 160, 0, 17, 119, 51, 181, 181, 189}"
    (tmp_path / "b.hdr").write_text(f"{head}classes = 4\n{names}\n{lookup}\n")
    label = opened(str(tmp_path / "b.dat"))
    assert coded(label) == CLASSES
    assert [entry.color for entry in label.classes] == ["#e6a000", "#117733", "#b5b5bd"]
    assert said(label) == [('0, "Unclassified" in the legend', 4)]


def test_erdas_names_0_without_making_it_a_class(tmp_path):
    columns = [("Histogram", 1, 1), ("Class_Names", 2, 2)]
    columns += [("Red", 0, 6), ("Green", 0, 7), ("Blue", 0, 8), ("Opacity", 0, 9)]
    rows = [(4, "Unclassified", 0, 0, 0, 0), (1, "field", 230, 160, 0, 255)]
    rows += [(2, "forest", 17, 119, 51, 255), (1, "background", 181, 181, 189, 255)]
    with rasterio.open(with_table(tmp_path, columns, rows)) as file:
        rasterio.shutil.copy(file, tmp_path / "a.img", driver="HFA")
    (tmp_path / "a.img.aux.xml").unlink(missing_ok=True)  # names and colours are in the file itself
    label = opened(str(tmp_path / "a.img"))
    assert coded(label) == CLASSES
    assert [entry.color for entry in label.classes] == ["#e6a000", "#117733", "#b5b5bd"]
    assert said(label) == [('0, "Unclassified" in the legend', 4)]


def test_transparent_values_are_no_classes_unless_they_have_a_name(tmp_path):
    seen = [(255, 255, 255, 0), (230, 160, 0, 255), (17, 119, 51, 0), (1, 2, 3, 255)]
    label = opened(with_colors(tmp_path, seen))
    assert [code for code, _ in coded(label)] == [1, 3]
    assert said(label) == [("0, transparent in the colour table", 4), ("2, transparent in the colour table", 2)]
    named = opened(str(tmp_path / "a.tif"), (StyledClass("2", "forest", "#117733"), StyledClass("0", "0", "#ffffff")))
    assert coded(named)[0] == (2, "forest")
    assert said(named) == [("0, transparent in the colour table", 4)]


def test_opacity_of_0_throughout_says_nothing(tmp_path):
    label = opened(with_colors(tmp_path, [(0, 0, 0, 0), (230, 160, 0, 0), (17, 119, 51, 0), (1, 2, 3, 0)]))
    assert [code for code, _ in coded(label)] == [1, 2, 3]


def test_a_white_0_without_a_name_is_no_class(tmp_path):
    path = write_raster(tmp_path / "a.tif", CODES, colormap={0: (255, 255, 255, 0), 1: (230, 160, 0, 255)})
    label = opened(path)
    assert [code for code, _ in coded(label)] == [1, 2, 3]
    assert said(label) == [("0, white in the colour table and without a name", 4)]
    styled = opened(path, (StyledClass("0", "snow", "#ffffff"),))
    assert coded(styled)[0] == (0, "snow")


def test_a_style_that_names_it_makes_a_class_of_it(tmp_path):
    path = with_categories(tmp_path, ("Unclassified", *NAMES))
    assert coded(opened(path, (StyledClass("0", "other", "#aabbcc"),)))[0] == (0, "other")
    for name in ("", "0", "Unclassified"):
        assert coded(opened(path, (StyledClass("0", name, "#aabbcc"),))) == CLASSES
    left = opened(path, (StyledClass("3", "No data", "#aabbcc"),))
    assert coded(left) == CLASSES[:2]


COLUMNS = {
    "usages": ([("Value", 0, 5), ("Class", 2, 2)], [(2, "forest"), (1, "field"), (3, "other")]),
    "titles": (
        [("OID", 0, 0), ("Value", 0, 0), ("Count", 0, 1), ("Note", 2, 0), ("Class_Name", 2, 0)],
        [(0, 1, 5, "x", "field"), (1, 2, 5, "x", "forest"), (2, 3, 5, "x", "other")],
    ),
    "real numbers": ([("VALUE", 1, 0), ("LULC", 2, 0)], [(1.0, "field"), (2.0, "forest"), (3.0, "other")]),
    "rows alone": ([("final_landuse", 2, 2)], [("",), ("field",), ("forest",), ("other",)]),
    "no number": ([("Value", 2, 0), ("Class", 2, 2)], [("", "x"), ("1", "field"), ("2", "forest"), ("3", "other")]),
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_attribute_tables_of_all_kinds_give_names(tmp_path, kind):
    label = opened(with_table(tmp_path, *COLUMNS[kind]))
    assert coded(label) == [(1, "field"), (2, "forest"), (3, "other")]


def test_rows_that_are_bins_begin_where_the_table_says(tmp_path):
    path = with_table(tmp_path, [("Class", 2, 2)], [("field",), ("forest",), ("other",)], 'Row0Min="1" BinSize="1"')
    assert coded(opened(path)) == [(1, "field"), (2, "forest"), (3, "other")]


def test_the_table_that_arcgis_writes_beside_a_raster_gives_names(tmp_path):
    tmp_path = tmp_path / "odd!folder"
    tmp_path.mkdir()
    path = write_raster(tmp_path / "a.tif", CODES)
    columns = {"Value": [0, 1, 2, 3], "Count": [9.0] * 4, "Class_Name": ["Unclassified", "Äcker", "02", "3"]}
    geopandas.GeoDataFrame(columns).to_file(tmp_path.parent / "t.dbf", driver="ESRI Shapefile", encoding="UTF-8")
    for ending in ("dbf", "cpg"):
        (tmp_path.parent / f"t.{ending}").rename(tmp_path / f"a.tif.vat.{ending}")
    label = opened(path)
    assert coded(label) == [(1, "Äcker"), (2, "02"), (3, "3")]
    assert said(label) == [('0, "Unclassified" in the legend', 4)]
    (tmp_path / "a.tif.vat.dbf").write_bytes(b"broken")
    with pytest.raises(EngineError, match=r'attribute table "a\.tif\.vat\.dbf"'):
        opened(path)


FILLS = [
    ("float32", -9999.0, "-9999"), ("float32", -3.4028234663852886e38, "-3.40282e+38"), ("float32", 1e20, "1e+20"),
    ("float64", -1.7976931348623157e308, "-1.79769e+308"), ("float64", 2.0**64, "1.84467e+19"),
    ("int16", -32768, "-32768"), ("int16", -9999, "-9999"), ("int16", 32767, "32767"), ("int16", -1, "-1"),
    ("int32", -2147483648, "-2147483648"), ("int32", -32767, "-32767"), ("int32", 2147483647, "2147483647"),
    ("int64", -(2**63), "-9223372036854775808"), ("uint64", 2**64 - 1, "18446744073709551615"),
    ("uint32", 2**32 - 1, "4294967295"), ("uint16", 65535, "65535"), ("uint8", 255, "255"), ("int8", -128, "-128"),
]  # fmt: skip


@pytest.mark.parametrize(("dtype", "value", "shown"), FILLS)
def test_fill_is_named_and_changes_no_code(tmp_path, dtype, value, shown):
    codes = CODES.astype(dtype)
    codes[CODES == 0] = value
    label = open_label_raster(write_raster(tmp_path / "a.tif", codes))
    assert coded(label) == [(1, "1"), (2, "2"), (3, "3")]
    assert said(label) == [(f"{shown}, which looks like fill and is not declared as nodata", 4)]
    found = read_labels(label, label.grid, label.grid.whole)
    np.testing.assert_array_equal(found, CODES.astype(int) - 1)
    label.raster.close()


def test_fill_beside_nan_and_infinity_changes_no_code(tmp_path):
    codes = np.array([[1, 2, np.nan, -9999], [np.inf, -np.inf, -3.4e38, 2]], np.float32)
    label = open_label_raster(write_raster(tmp_path / "a.tif", codes))
    assert coded(label) == [(1, "1"), (2, "2")]
    found = read_labels(label, label.grid, label.grid.whole)
    np.testing.assert_array_equal(found, [[0, 1, -1, -1], [-1, -1, -1, 1]])
    label.raster.close()


@pytest.mark.parametrize("codes", [[0, 255], [1, 255]])
def test_a_mask_of_two_values_keeps_both(tmp_path, codes):
    label = opened(write_raster(tmp_path / "a.tif", np.array([codes], np.uint8)))
    assert [entry.code for entry in label.classes] == [code for code in codes if code]


def test_fill_that_is_named_or_coloured_is_a_class(tmp_path):
    codes = np.array([[1, 2, 255]], np.uint8)
    path = write_raster(tmp_path / "a.tif", codes, colormap={255: (1, 2, 3, 255)})
    assert [entry.code for entry in opened(path).classes] == [1, 2, 255]
    plain = write_raster(tmp_path / "b.tif", codes)
    assert [code for code, _ in coded(opened(plain))] == [1, 2]
    assert (255, "town") in coded(opened(plain, (StyledClass("255", "town", "#010203"),)))
    counted = write_raster(tmp_path / "c.tif", np.array([[-9999, 5]], np.int16))
    named = opened(counted, (StyledClass("-9999", "pit", "#010203"),))
    assert coded(named) == [(1, "pit"), (2, "5")]


def test_a_raster_of_nothing_but_fill_says_so(tmp_path):
    path = with_categories(tmp_path, ("Unclassified",), np.zeros((3, 4), np.uint8))
    with pytest.raises(EngineError, match='all is 0 or nodata, or 0, "Unclassified" in the legend') as caught:
        opened(path)
    assert caught.value.code == "too_few_labels"
    with pytest.raises(EngineError, match="-9999, which looks like fill"):
        opened(write_raster(tmp_path / "b.tif", np.full((3, 4), -9999, np.int16)))


def sources_of(folder, label_rasters, drawn=(), **more):
    """Label sources of a landscape, and the warnings; ``drawn`` are classes of squares."""
    image = write_raster(folder / "image.tif", landscape()[0])
    if drawn:
        squares = [box(*(PLACE @ (8 * i, 8)), *(PLACE @ (8 * i + 7, 0))) for i in range(len(drawn))]
        more |= {"labels": write_label_layer(folder / "drawn.gpkg", squares, drawn, crs=UTM), "class_field": "class"}
    request = TrainSegmentationRequest(input=image, model="", label_rasters=tuple(label_rasters), **more)
    warnings, reporter = [], Silent()
    reporter.log = lambda message, level="info": warnings.append(message) if level == "warning" else None
    with open_raster(image) as raster, ExitStack() as stack:
        return read_label_sources(request, [raster], stack, reporter), warnings


def test_the_log_tells_each_value_once_for_all_label_rasters(tmp_path):
    codes = landscape()[1] - 1
    paths = [with_categories(tmp_path, ("Unclassified", *NAMES), codes, stem) for stem in ("a", "b", "c")]
    sources, warnings = sources_of(tmp_path, paths)
    assert [(entry.code, entry.name) for entry in sources.classes] == CLASSES
    count = 3 * int((codes == 0).sum())
    (told,) = warnings
    assert told == (
        f'Taken as unlabelled: 0, "Unclassified" in the legend; {count:,} pixels of the label raster "a" and 2 more. '
        "Where it is a class, give it a name in the style of the layer."
    )
    assert told in sources.notes


@pytest.mark.parametrize("drawn", [("Unclassified", "field"), ("unclassified ", "field")])
def test_polygons_of_that_name_keep_it(tmp_path, drawn):
    path = with_categories(tmp_path, ("Unclassified", *NAMES), landscape()[1] - 1)
    sources, _ = sources_of(tmp_path, [path], drawn)
    assert 0 in [entry.code for entry in sources.classes]


def test_codes_that_change_are_told(tmp_path):
    codes = landscape()[1].astype(np.int32)
    codes[codes == 4] = 71001
    _, warnings = sources_of(tmp_path, [write_raster(tmp_path / "a.tif", codes)])
    (told,) = warnings
    assert 'The value 71001 of the label raster "a" is no code of a map (0 to 65535)' in told


def test_names_that_look_alike_are_one_class_across_sources_and_that_is_told(tmp_path):
    names = ("", "other\u200b", "Gewa\u0308sser", "bare\u00a0soil")
    path = with_categories(tmp_path, names, landscape()[1] - 1)
    sources, warnings = sources_of(tmp_path, [path], ("other", "Gewässer", "bare soil"))
    assert [(entry.code, entry.name) for entry in sources.classes] == [(1, "other"), (2, "Gewässer"), (3, "bare soil")]
    assert [told for told in warnings if "taken as one class" in told] == [
        '"Gewa<U+0308>sser" and "Gewässer" are taken as one class, "Gewässer".',
        '"bare soil" and "bare<U+00A0>soil" are taken as one class, "bare soil".',
        '"other" and "other<U+200B>" are taken as one class, "other".',
    ]


def test_text_codes_of_polygons_meet_the_codes_of_rasters_and_keep_their_text(tmp_path):
    path = write_raster(tmp_path / "a.tif", landscape()[1])
    sources, _ = sources_of(tmp_path, [path], ("01", "02"))
    assert [(entry.code, entry.name) for entry in sources.classes] == [(1, "01"), (2, "02"), (3, "3"), (4, "4")]
    named = with_categories(tmp_path, ("", "water", "forest"), landscape()[1], "named")
    sources, _ = sources_of(tmp_path, [named], ("01", "02"))
    assert [(entry.code, entry.name) for entry in sources.classes][:2] == [(1, "water"), (2, "forest")]
