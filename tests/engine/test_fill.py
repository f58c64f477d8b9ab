"""Values that look like undeclared fill are told, and what is merely dark, bright or saturated is not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from satdifuser_qgis.engine.raster.fill import fill_note
from satdifuser_qgis.engine.raster.read import open_raster
from satdifuser_qgis.engine.raster.spots import look
from tests.data import landscape, write_raster

BANDS = (1, 2, 3)


def note(tmp_path, values, bands=BANDS, **options):
    with open_raster(write_raster(tmp_path / "image.tif", values, **options)) as raster:
        return fill_note(raster, bands, look(raster, bands))


def scene(dtype="float32", scale=1.0):
    """A landscape of 256 × 256 pixels with noise, 5 to 230 times ``scale``."""
    image, _ = landscape(256, 256)
    noise = np.random.default_rng(1).random(image.shape)
    return ((np.maximum(image, 5) + noise) * scale).astype(dtype)


def bordered(image, value, bands=slice(None)):
    filled = image.copy()
    filled[bands, :, :40] = value
    return filled


@pytest.mark.parametrize(
    ("dtype", "scale", "value", "said"),
    [
        ("float32", 0.002, -9999, "-9999"),
        ("float32", 0.002, np.float32(-3.4028235e38), "-3.40282347e+38"),
        ("float32", 0.002, 1e20, "1.00000002e+20"),
        ("float32", 0.002, -1, "-1"),
        ("uint16", 16, 65535, "65535"),
        ("int16", 10, -32768, "-32768"),
        ("int16", 10, 32767, "32767"),
        ("uint16", 16, 0, "0"),
        ("float32", 0.002, 0, "0"),
    ],
)
def test_fill_is_told_with_its_share_and_the_way_out(tmp_path, dtype, scale, value, said):
    told = note(tmp_path, bordered(scene(dtype, scale), value))
    assert f"% are {said} in bands 1, 2, 3, where most others lie between" in told
    assert "Additional no data value" in told
    assert "Translate" in told


def test_fill_of_one_band_names_that_band(tmp_path):
    assert "% are -9999 in band 2, where" in note(tmp_path, bordered(scene(scale=0.002), -9999, 1))


def test_two_fills_are_both_told(tmp_path):
    image = bordered(scene("int16", 10), -32768)
    image[:, 200:] = 32767
    told = note(tmp_path, image)
    assert "are -32768 in" in told
    assert "are 32767 in" in told


def test_declared_nodata_and_nan_are_no_fill(tmp_path):
    image = bordered(scene(scale=0.002), -9999)
    image[:, 200:] = np.nan
    assert not note(tmp_path, image, nodata=-9999)
    assert "-9999" in note(tmp_path, image)


def test_a_mosaic_with_nodata_in_one_band_only_is_judged_band_by_band(tmp_path):
    write_raster(tmp_path / "image.tif", bordered(scene(scale=0.002), -9999))
    source = (
        "<SimpleSource><SourceFilename relativeToVRT='1'>image.tif</SourceFilename><SourceBand>{}</SourceBand>"
        "</SimpleSource>"
    )
    bands = "".join(
        f"<VRTRasterBand dataType='Float32' band='{band}'>{nodata}{source.format(band)}</VRTRasterBand>"
        for band, nodata in ((1, "<NoDataValue>-9999</NoDataValue>"), (2, ""), (3, ""))
    )
    (tmp_path / "image.vrt").write_text(f"<VRTDataset rasterXSize='256' rasterYSize='256'>{bands}</VRTDataset>")
    with open_raster(str(tmp_path / "image.vrt")) as raster:
        # What is nodata in one chosen band is read in none.
        assert not fill_note(raster, BANDS, look(raster, BANDS))
        assert "in bands 2, 3," in fill_note(raster, (2, 3, 3), look(raster, (2, 3, 3)))


@pytest.mark.parametrize("share", [0.02, 0.3])
def test_saturated_clouds_and_cut_off_shadows_are_measurements(tmp_path, share):
    """Stretched to 8 bits, with clouds at 255 and dark ground at 0 over whole spots, but with soft edges."""
    rough = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(256, 256)), 12)
    low, high = np.quantile(rough, (share, 1 - share))
    bright = (rough - low) / (high - low) * 255
    image = np.stack([bright + offset for offset in (-3, 0, 3)]).clip(0, 255).astype(np.uint8)
    assert (image == 255).all(axis=0).mean() > share / 2
    assert not note(tmp_path, image)


@pytest.mark.parametrize("value", [0, 1])
def test_masks_and_images_of_one_value_are_quiet(tmp_path, value):
    mask = np.zeros((3, 256, 256), np.uint8)
    assert not note(tmp_path, mask + np.uint8(value))
    assert not note(tmp_path, bordered(mask, 255))
    assert not note(tmp_path, np.full((3, 3, 3), 5, np.uint8))


@pytest.mark.parametrize(
    "name",
    [
        "series/landsat7_mexico/l7_20020416.tif",
        "series/s2_slovenia/s2_20150830.tif",
        "change/new_cairo_s2/cairo_2018.tif",
        "multiband/enmap_potsdam/image.tif",
        "segmentation/dubai_mbrsc/train/images/dubai_t3_p6.tif",
        "segmentation/s2_korea_landcover/train/images/kr_202309_03.tif",
        "awkward/mosaic_gap.vrt",
    ],
)
def test_ordinary_imagery_is_quiet(shared_data, name):
    with open_raster(str(shared_data / name)) as raster:
        bands = raster.choose_bands()
        assert not fill_note(raster, bands, look(raster, bands))
