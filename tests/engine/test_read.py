"""Reading rasters: bands, valid pixels, windows, refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp
from scipy.io import netcdf_file

from satdifuser_qgis.engine.raster import read
from satdifuser_qgis.engine.raster.bands import role_of
from satdifuser_qgis.engine.raster.grid import Window
from satdifuser_qgis.engine.raster.read import CACHE_BYTES, open_raster
from satdifuser_qgis.protocol.errors import EngineError
from tests.data import landscape, write_raster

S2 = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
RGB = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)


def stack(count: int, dtype: str = "uint8") -> np.ndarray:
    return np.arange(count * 6 * 8).reshape(count, 6, 8).astype(dtype)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (S2, (4, 3, 2)),
        (("Blue", "Green", "Red", "NIR"), (3, 2, 1)),
        (("Blue", "Green", "Red edge", "Red"), (4, 2, 1)),
        (("SR_B2", "SR_B3", "SR_B4"), (3, 2, 1)),
        (("Near infra-red", "red_mean", "green_mean", "blue_mean"), (2, 3, 4)),
        (("Band 1", "Band 2", "Band 3"), (1, 2, 3)),
        (("VV",), (1, 1, 1)),
        (("VV", "VH"), (1, 2, 2)),
    ],
)
def test_red_green_blue_are_found_by_description(tmp_path, names, expected):
    path = write_raster(tmp_path / "a.tif", stack(len(names)), names=names)
    with open_raster(path) as raster:
        assert raster.choose_bands() == expected


def test_colour_tags_decide_where_nothing_is_described(tmp_path):
    path = write_raster(tmp_path / "a.tif", stack(4), colors=(ColorInterp.undefined, *RGB[::-1]))
    with open_raster(path) as raster:
        assert raster.choose_bands() == (4, 3, 2)
        assert raster.names_of((4, 3, 2)) == ("red", "green", "blue")


def test_repeated_bands_are_said(tmp_path):
    with open_raster(write_raster(tmp_path / "a.tif", stack(1))) as raster:
        assert "repeated" in raster.describe_bands(raster.choose_bands())


@pytest.mark.parametrize(("bands", "word"), [((4, 3, 9), "Band 9"), ((0, 1, 2), "Band 0"), ((1, 2), "2 bands")])
def test_the_users_bands_are_checked(tmp_path, bands, word):
    with open_raster(write_raster(tmp_path / "a.tif", stack(4))) as raster:
        with pytest.raises(EngineError, match=word) as caught:
            raster.choose_bands(bands)
        assert caught.value.code == "bad_request"
        assert raster.choose_bands((3, 2, 1)) == (3, 2, 1)


def test_a_models_bands_are_found_by_name_code_or_colour(tmp_path):
    with open_raster(write_raster(tmp_path / "a.tif", stack(13), names=S2)) as raster:
        assert raster.choose_bands((), ("B08", "B04", "B03")) == (8, 4, 3)
        assert raster.choose_bands((), ("Red (B4, stretched)", "Green (B3)", "Blue (B2)")) == (4, 3, 2)
        assert raster.choose_bands((), ("red", "green", "blue")) == (4, 3, 2)


def test_bands_whose_names_disagree_are_never_taken_by_position(tmp_path):
    with open_raster(write_raster(tmp_path / "a.tif", stack(3), names=("VV", "VH", "ratio"))) as raster:
        with pytest.raises(EngineError, match='no band "B08"') as caught:
            raster.choose_bands((), ("B08", "B04", "B03"), (1, 2, 3))
        assert caught.value.code == "bad_input"
        assert '"Bands"' in caught.value.remedy
        assert raster.choose_bands((3, 2, 1), ("B08", "B04", "B03")) == (3, 2, 1)


def test_positions_serve_where_there_are_no_names(tmp_path):
    with open_raster(write_raster(tmp_path / "a.tif", stack(5))) as raster:
        assert raster.choose_bands((), ("B08", "B04", "B03"), (5, 3, 2)) == (5, 3, 2)


def test_red_in_other_words_is_not_red():
    assert [role_of(text) for text in ("Red", "Red Edge 1", "infrared", "rededge", "Reduced", "Red/Green")] == [
        "red", "", "", "", "", "",
    ]  # fmt: skip


def test_values_are_as_stored_and_beyond_the_edge_is_invalid(tmp_path):
    values = stack(3)
    with open_raster(write_raster(tmp_path / "a.tif", values)) as raster:
        read, valid = raster.read((3, 1), Window(-2, 5, 6, 6))
    assert read.dtype == np.float32
    assert read.shape == (2, 6, 6)
    np.testing.assert_array_equal(read[:, 2:, :3], values[[2, 0], :4, 5:])
    assert valid[2:, :3].all()
    assert valid.sum() == 12
    assert not read[:, ~valid].any()


def test_nodata_nan_and_infinity_of_any_band_make_a_pixel_invalid(tmp_path):
    values = stack(3, "float32")
    values[0, 0, 0], values[1, 1, 1], values[2, 2, 2] = -9999, np.nan, np.inf
    with open_raster(write_raster(tmp_path / "a.tif", values, nodata=-9999)) as raster:
        read, valid = raster.read((1, 2, 3), raster.grid.whole)
        _, of_first = raster.read((1,), raster.grid.whole)
    assert [tuple(at) for at in np.argwhere(~valid).tolist()] == [(0, 0), (1, 1), (2, 2)]
    assert (~of_first).sum() == 1
    assert not read[:, ~valid].any()


def test_alpha_and_masks_are_masks_and_no_bands(tmp_path):
    values = stack(4)
    values[3] = 255
    values[3, 2, 2] = 0
    alpha = write_raster(tmp_path / "alpha.tif", values, colors=(*RGB, ColorInterp.alpha))
    mask = np.ones((6, 8), bool)
    mask[2, 2] = False
    masked = write_raster(tmp_path / "mask.tif", values[:3], mask=mask)
    for path in (alpha, masked):
        with open_raster(path) as raster:
            assert raster.choose_bands() == (1, 2, 3)
            assert np.argwhere(~raster.read((1, 2, 3), raster.grid.whole)[1]).tolist() == [[2, 2]]
            note = raster.mask_note((1, 2, 3))
            assert ("band 4" in note) == (path == alpha)
            assert ("mask of the file" in note) == (path == masked)


def test_the_note_on_masks_says_each_thing_once_and_what_counts(tmp_path):
    empty = write_raster(tmp_path / "empty.tif", stack(3).astype(np.float32), nodata=np.nan)
    both = write_raster(tmp_path / "both.tif", stack(3), nodata=0, mask=np.ones((6, 8), bool))
    with open_raster(empty) as raster:
        assert raster.mask_note((1, 2, 3)) == 'Pixels of "empty" are left out where a value is nan (nodata).'
    with open_raster(both) as raster:
        assert raster.mask_note((1, 2, 3)) == 'Pixels of "both" are left out where the mask of the file says so.'


def test_a_band_that_is_chosen_is_no_mask(tmp_path):
    values = stack(4)
    values[3, 2, 2] = 0
    path = write_raster(tmp_path / "a.tif", values)
    with open_raster(path) as raster:
        assert raster.alpha == (4,)  # GDAL declares it in every file of four 8-bit bands that it writes
        assert raster.mask_note((4, 3, 2)) == ""
        read, valid = raster.read((4, 3, 2), raster.grid.whole)
    assert valid.all()
    assert read[0, 2, 2] == 0


@pytest.mark.parametrize("options", [{"photometric": "MINISBLACK"}, {"photometric": "RGB", "alpha": "NO"}])
def test_a_fourth_band_that_is_not_declared_as_opacity_is_a_band(tmp_path, options):
    path = write_raster(tmp_path / "a.tif", stack(4))
    with rasterio.open(path) as file:
        profile = {**file.profile, **options}
    with rasterio.open(tmp_path / "b.tif", "w", **profile) as file:
        file.write(stack(4) * 0)
    with open_raster(str(tmp_path / "b.tif")) as raster:
        assert raster.alpha == ()
        assert raster.mask_note((1, 2, 3)) == ""
        assert raster.read((1, 2, 3), raster.grid.whole)[1].all()


def test_the_log_names_nodata(tmp_path):
    path = write_raster(tmp_path / "a.tif", stack(3, "float32"), nodata=-9999)
    with open_raster(path) as raster:
        assert raster.mask_note((1, 2, 3)) == 'Pixels of "a" are left out where a value is -9999 (nodata).'


def test_a_fourth_band_with_a_name_of_its_own_is_no_mask(tmp_path):
    path = write_raster(tmp_path / "a.tif", stack(4) * 0, names=("Red", "Green", "Blue", "NIR"))
    with rasterio.open(path) as file:
        assert file.colorinterp[3] == ColorInterp.alpha  # so GDAL tags it by itself
    with open_raster(path) as raster:
        assert raster.alpha == ()
        assert raster.read((4, 1, 2), raster.grid.whole)[1].all()


def test_the_whole_raster_is_thinned_evenly(tmp_path):
    image, _ = landscape(100, 200)
    with open_raster(write_raster(tmp_path / "a.tif", image)) as raster:
        values, valid = raster.read_thinned((1, 2, 3), 1250)
    assert values.shape == (3, 25, 50)
    assert valid.all()


@pytest.mark.parametrize("layout", [{"tiled": True, "blockxsize": 32, "blockysize": 16}, {"blockysize": 8}])
def test_thinning_reads_by_whole_blocks_and_sees_the_same_pixels(tmp_path, monkeypatch, layout):
    image = np.random.default_rng(0).integers(1, 60_000, (3, 120, 200)).astype("uint16")
    path = write_raster(tmp_path / "a.tif", image)
    with rasterio.open(path) as file:
        profile = {**file.profile, **layout, "interleave": "pixel"}
    with rasterio.open(tmp_path / "blocks.tif", "w", **profile) as file:
        file.write(image)
    with open_raster(str(tmp_path / "blocks.tif")) as raster:
        for most in (1500, 5000, 10**6):
            monkeypatch.setattr(read, "CACHE_BYTES", 2**26)
            whole, _ = raster.read_thinned((1, 2, 3), most)
            monkeypatch.setattr(read, "CACHE_BYTES", 2**14)
            rows, columns = raster.piece()
            assert (rows % layout["blockysize"], columns % layout.get("blockxsize", 200)) == (0, 0)
            assert (raster.read_thinned((1, 2, 3), most)[0] == whole).all()


@pytest.fixture
def rows(tmp_path):
    """A raster in rows of pixels, 200 wide, and its values."""
    values = np.random.default_rng(0).integers(1, 60_000, (3, 90, 200)).astype("uint16")
    values[1, 20:30, 50:70] = 0
    path = write_raster(tmp_path / "rows.tif", values, nodata=0, blockysize=2, interleave="pixel", compress="deflate")
    return path, values


def test_rows_that_do_not_fit_into_the_cache_are_read_in_pieces(rows, monkeypatch):
    path, values = rows
    with open_raster(path) as raster:
        whole, valid = raster.read((3, 1, 2), Window(-5, 30, 60, 100))
        monkeypatch.setattr(read, "CACHE_BYTES", 2 * 200 * 3 * 2 * 8)  # eight rows, twice
        raster.dataset = _Spy(raster.dataset)
        again, same = raster.read((3, 1, 2), Window(-5, 30, 60, 100))
        assert len(raster.dataset.limits) == 7  # rows 0 to 55 by eight
    np.testing.assert_array_equal(whole, again)
    np.testing.assert_array_equal(valid, same)
    np.testing.assert_array_equal(whole[:, 5:][:, valid[5:]], values[[2, 0, 1], :55, 30:130][:, valid[5:]])


def test_squares_of_a_raster_in_rows_are_cut_from_one_read(rows, tmp_path):
    path, values = rows
    tiled = write_raster(tmp_path / "tiles.tif", values, nodata=0, tiled=True, blockxsize=32, blockysize=32)
    wide, side = Window(70, 0, 40, 230), 40
    with open_raster(path) as raster, open_raster(tiled) as other:
        assert other.across((1, 2, 3), wide, side) is other
        raster.dataset = _Spy(raster.dataset)
        source = raster.across((1, 2, 3), wide, side)
        for column in range(0, 191, 10):
            window = Window(70, column, side, side)
            for found, expected in zip(source.read((1, 2, 3), window), other.read((1, 2, 3), window), strict=True):
                np.testing.assert_array_equal(found, expected)
        assert len(raster.dataset.limits) == 1


@pytest.mark.parametrize(
    ("dtype", "kept"),
    [("uint8", "float32"), ("int16", "float32"), ("float32", "float32"), ("int32", "float64"), ("float64", "float64")],
)
def test_numbers_are_no_coarser_than_in_the_file(tmp_path, dtype, kept):
    with open_raster(write_raster(tmp_path / "a.tif", stack(3, dtype))) as raster:
        assert raster.read((1, 2, 3), raster.grid.whole)[0].dtype == kept
        assert raster.read_thinned((1, 2, 3), 10)[0].dtype == kept


def test_values_beyond_float32_are_invalid(tmp_path):
    values = stack(3, "float64")
    values[0, 1, 2] = 1e300
    with open_raster(write_raster(tmp_path / "a.tif", values)) as raster:
        assert np.argwhere(~raster.read((1, 2, 3), raster.grid.whole)[1]).tolist() == [[1, 2]]


def test_a_raster_without_place_lies_where_qgis_draws_it(tmp_path):
    with open_raster(write_raster(tmp_path / "a.tif", stack(3), crs=None, transform=None)) as raster:
        assert raster.grid.extent == (0, -6, 8, 0)
        assert not raster.grid.placed


def test_what_is_no_image_on_the_ground_is_refused(tmp_path):
    (tmp_path / "text.tif").write_text("no raster")
    points = [GroundControlPoint(r, c, c * 10.0, -r * 10.0) for r, c in ((0, 0), (0, 8), (6, 0), (6, 8))]
    with rasterio.open(
        tmp_path / "gcp.tif", "w", driver="GTiff", width=8, height=6, count=3, dtype="uint8", crs="EPSG:32633",
        gcps=points,
    ) as file:  # fmt: skip
        file.write(stack(3))
    write_raster(tmp_path / "complex.tif", stack(1, "complex64"))
    cases = {"missing.tif": "does not exist", "text.tif": "no raster", "gcp.tif": "Warp", "complex.tif": "complex"}
    for name, words in cases.items():
        with pytest.raises(EngineError, match=words) as caught:
            open_raster(str(tmp_path / name))
        assert caught.value.code == "bad_input"


def test_a_file_with_several_rasters_names_them_as_they_are_to_be_given(tmp_path):
    path = tmp_path / "months.nc"
    with netcdf_file(path, "w") as file:
        for name, size in (("y", 6), ("x", 8)):
            file.createDimension(name, size)
            file.createVariable(name, "f8", (name,))[:] = 1000 - 10 * np.arange(size) if name == "y" else range(size)
        for name in ("red", "nir"):
            file.createVariable(name, "f4", ("y", "x"))[:] = 7
    with pytest.raises(EngineError, match="holds several rasters") as caught:
        open_raster(str(path))
    assert "Build Virtual Raster" in caught.value.remedy
    for name in ("red", "nir"):
        named = f'NETCDF:"{path}":{name}'
        assert named in caught.value.message
        with open_raster(named) as raster:
            assert (raster.band_count, raster.name) == (1, f"months {name}")


def test_a_folder_an_empty_file_and_what_gdal_says_are_told(tmp_path):
    (tmp_path / "empty.tif").write_bytes(b"")
    good = Path(write_raster(tmp_path / "good.tif", stack(3)))
    (tmp_path / "cut.tif").write_bytes(good.read_bytes()[:40])
    cases = {"": "is a folder", "empty.tif": "is empty", "cut.tif": "(GDAL: "}
    for name, words in cases.items():
        with pytest.raises(EngineError) as caught:
            open_raster(str(tmp_path / name))
        assert words in caught.value.message
    with pytest.raises(EngineError, match="No such file"):
        open_raster(f'NETCDF:"{tmp_path}/nowhere.nc":red')


def test_a_map_with_colours_is_no_image(tmp_path):
    path = write_raster(tmp_path / "a.tif", stack(1), colormap={1: (1, 2, 3, 255)})
    with open_raster(path) as raster, pytest.raises(EngineError, match="colour table"):
        raster.choose_bands()


def test_a_file_that_ends_early_is_named(tmp_path):
    path = tmp_path / "a.tif"
    write_raster(path, np.random.default_rng(0).integers(0, 255, (3, 200, 200)).astype("uint8"))
    path.write_bytes(path.read_bytes()[:60_000])
    with open_raster(str(path)) as raster, pytest.raises(EngineError, match=r"a\.tif") as caught:
        raster.read((1, 2, 3), raster.grid.whole)
    assert caught.value.code == "bad_input"
    assert caught.value.detail


def test_a_fingerprint_tells_content_not_place(tmp_path):
    (tmp_path / "sub").mkdir()
    same = write_raster(tmp_path / "a.tif", stack(3)), write_raster(tmp_path / "sub" / "b.tif", stack(3))
    other = write_raster(tmp_path / "c.tif", stack(3) + 1)
    moved = write_raster(tmp_path / "d.tif", stack(3), transform=Affine(10, 0, 0, 0, -10, 0))
    prints = []
    for path in (*same, other, moved):
        with open_raster(path) as raster:
            prints.append(raster.fingerprint())
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3


class _Spy:
    """Notes GDAL's cache limit whenever the file is read."""

    def __init__(self, dataset) -> None:
        self.dataset, self.limits = dataset, []

    def __getattr__(self, name):
        return getattr(self.dataset, name)

    def read(self, *arguments, **options):
        self.limits.append(rasterio.env.get_gdal_config("GDAL_CACHEMAX"))
        return self.dataset.read(*arguments, **options)


def test_gdals_cache_is_limited_while_reading(tmp_path):
    with open_raster(write_raster(tmp_path / "a.tif", stack(3))) as raster:
        raster.dataset = _Spy(raster.dataset)
        raster.read((1, 2, 3), raster.grid.whole)
        assert raster.dataset.limits == [CACHE_BYTES]


def test_real_files_give_their_natural_colours(shared_data):
    cases = {
        "series/s2_slovenia/s2_20150711.tif": (4, 3, 2),
        "series/landsat7_mexico/l7_19991118.tif": (3, 2, 1),
        "change/new_cairo_s2/cairo_2020.tif": (1, 2, 3),
        "awkward/bands_13.tif": (4, 3, 2),
    }
    for name, bands in cases.items():
        with open_raster(str(shared_data / name)) as raster:
            assert raster.choose_bands() == bands
