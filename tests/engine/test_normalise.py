"""Scaling of values to model input."""

from __future__ import annotations

import numpy as np
import pytest

from satdifuser_qgis.engine.raster.normalise import Scaling, check_range, limits, measure, scale
from satdifuser_qgis.engine.raster.read import open_raster
from satdifuser_qgis.engine.raster.spots import look
from satdifuser_qgis.protocol.errors import EngineError
from tests.data import landscape, write_raster

BANDS = (1, 2, 3)


def test_percentiles_map_to_the_ends_and_invalid_to_zero(tmp_path):
    image, _ = landscape()
    image[:, :10] = 0
    with open_raster(write_raster(tmp_path / "a.tif", image, nodata=0)) as raster:
        scaling = measure("percentile", [(raster, BANDS)])
        values, valid = raster.read(BANDS, raster.grid.whole)
    expected = np.percentile(image[0][valid], [2, 98])
    assert (scaling.low[0], scaling.high[0]) == pytest.approx(tuple(expected))
    scaled = scale(values, valid, scaling)
    assert scaled.dtype == np.float32
    assert not scaled[:, ~valid].any()
    inner = (values[0] >= scaling.low[0]) & (values[0] <= scaling.high[0]) & valid
    assert np.abs(scaled[0][inner]).max() <= 1.0
    assert np.abs(scaled).max() <= 1.5


def test_bright_targets_keep_contrast_up_to_a_quarter_beyond_the_range():
    scaling = Scaling("constant", (0.0,), (100.0,))
    values = np.array([[[-1000.0, -25.0, 0.0, 50.0, 100.0, 120.0, 125.0, 9999.0]]], np.float32)
    scaled = scale(values, np.ones((1, 8), bool), scaling)
    np.testing.assert_allclose(scaled[0, 0], [-1.5, -1.5, -1, 0, 1, 1.4, 1.5, 1.5], atol=1e-6)


def test_constants_are_of_all_images_together(tmp_path):
    dark, bright = np.full((3, 20, 20), 10, np.uint8), np.full((3, 20, 20), 200, np.uint8)
    paths = [write_raster(tmp_path / f"{i}.tif", values) for i, values in enumerate((dark, bright))]
    with open_raster(paths[0]) as first, open_raster(paths[1]) as second:
        scaling = measure("constant", [(first, BANDS), (second, BANDS)])
    assert scaling.low == pytest.approx((0.5,) * 3)
    assert scaling.high == pytest.approx((209.5,) * 3)


def test_divisor_and_none_are_plain_arithmetic(tmp_path):
    with open_raster(write_raster(tmp_path / "a.tif", np.ones((3, 4, 4), np.uint16))) as raster:
        assert measure("divisor", [(raster, BANDS)], divisor=10000).high == (10000.0,) * 3
        assert measure("none", [(raster, BANDS)]) == Scaling("none", (0.0,) * 3, (1.0,) * 3)


@pytest.mark.parametrize(
    ("dtype", "values", "kind", "divisor", "said"),
    [
        (
            "uint8",
            (20, 200),
            "none",
            0,
            "20 and 200, but the scaling, values as they are, takes those from 0 to 1",
        ),
        ("uint16", (400, 3000), "none", 0, "division by 10000"),
        ("uint16", (400, 60000), "divisor", 255, "division by 65535"),
        ("int16", (-3000, -200), "none", 0, "Train with automatic scaling; or"),
        ("float32", (2, 90), "none", 0, "division by 255"),
    ],
)
def test_values_far_beyond_limits_that_were_given_are_refused(tmp_path, dtype, values, kind, divisor, said):
    ramp = np.linspace(*values, 3 * 90 * 700).reshape(3, 90, 700).astype(dtype)
    path = write_raster(tmp_path / "a.tif", ramp)
    with open_raster(path) as raster, pytest.raises(EngineError, match="The values of") as caught:
        measure(kind, [(raster, BANDS)], divisor=divisor)
    assert caught.value.code == "bad_input"
    assert said in str(caught.value)


@pytest.mark.parametrize(("high", "divisor", "kind"), [(1.0, 0, "none"), (1.3, 0, "none"), (12000, 10000, "divisor")])
def test_a_few_bright_values_beyond_limits_are_fine(tmp_path, high, divisor, kind):
    ramp = np.linspace(0, high, 3 * 90 * 700).reshape(3, 90, 700).astype(np.float32)
    with open_raster(write_raster(tmp_path / "a.tif", ramp)) as raster:
        assert measure(kind, [(raster, BANDS)], divisor=divisor).low == (0.0,) * 3


def test_an_image_of_quite_other_values_than_the_training_images_is_refused(tmp_path):
    constants = Scaling("constant", (-10.0, 20.0, -10.0), (260.0, 240.0, 260.0))
    ramp = np.linspace(0, 6900, 3 * 90 * 700).reshape(3, 90, 700).astype(np.uint16)
    with open_raster(write_raster(tmp_path / "sixteen.tif", ramp)) as raster:
        with pytest.raises(
            EngineError, match="constants of the training images, takes those from -10 to 260"
        ) as caught:
            check_range(constants, raster, look(raster, BANDS))
        assert "percentiles of each image (Scaling of values: Percentiles of each image)" in caught.value.remedy
        check_range(Scaling("percentile"), raster, look(raster, BANDS))
    with open_raster(write_raster(tmp_path / "bright.tif", np.full((3, 64, 64), 300, np.uint16))) as raster:
        check_range(constants, raster, look(raster, BANDS))


def test_shares_are_refused_where_thousands_are_wanted_and_dark_ground_is_not(tmp_path):
    """QGIS saves a file with a declared scale as real numbers of 0 to 1."""
    constants = Scaling("constant", (300.0,) * 3, (1100.0,) * 3)
    for name, dtype, high, refused in (("shares", "float32", 0.4, True), ("dark", "uint16", 6, False)):
        ramp = np.linspace(0, high, 3 * 90 * 700).reshape(3, 90, 700)
        with open_raster(write_raster(tmp_path / f"{name}.tif", (ramp + 300 * (not refused)).astype(dtype))) as raster:
            spots = look(raster, BANDS)
            if not refused:
                check_range(constants, raster, spots)
                continue
            with pytest.raises(EngineError, match=r"lie between 0 and 0\.4.*takes those from 300 to 1100"):
                check_range(constants, raster, spots)


def test_limits_are_judged_by_valid_pixels_only(tmp_path):
    values = np.full((3, 64, 64), 30000, np.uint16)
    with open_raster(write_raster(tmp_path / "a.tif", values, nodata=30000)) as raster:
        check_range(Scaling("none", (0.0,) * 3, (1.0,) * 3), raster, look(raster, BANDS))


def test_one_value_only_lands_in_the_middle():
    scaling = limits("percentile", np.full((3, 50), 7, np.float32))
    assert not scale(np.full((3, 2, 2), 7, np.float32), np.ones((2, 2), bool), scaling).any()


def test_an_image_without_valid_pixels_is_refused_by_name(tmp_path):
    path = write_raster(tmp_path / "empty.tif", np.zeros((3, 4, 4), np.uint8), nodata=0)
    with open_raster(path) as raster, pytest.raises(EngineError, match='"empty" has no valid pixel'):
        measure("percentile", [(raster, BANDS)])


def test_thinning_does_not_lose_what_little_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr("satdifuser_qgis.engine.raster.normalise._MOST_PIXELS", 16)
    image = np.zeros((3, 64, 64), np.uint8)
    image[:, 33, 1:3] = 50, 60
    with open_raster(write_raster(tmp_path / "a.tif", image, nodata=0)) as raster:
        assert measure("percentile", [(raster, BANDS)]).high[0] > 59


def test_a_scaling_for_other_bands_is_refused():
    with pytest.raises(ValueError, match="for 2 bands but there are 3"):
        scale(np.zeros((3, 2, 2), np.float32), np.ones((2, 2), bool), Scaling("none", (0.0, 0.0), (1.0, 1.0)))


def test_measuring_twice_gives_the_same_limits(shared_data):
    path = str(shared_data / "series/s2_slovenia/s2_20150711.tif")
    with open_raster(path) as raster:
        first, again = (measure("percentile", [(raster, (4, 3, 2))]) for _ in range(2))
    assert first == again
    assert 300 < first.low[0] < first.high[0] < 1000


@pytest.mark.parametrize("dtype", ["int32", "uint32", "float64"])
def test_small_differences_of_large_values_survive(tmp_path, dtype):
    """At 2^30 float32 steps by 64."""
    image = np.random.default_rng(0).integers(0, 50, (3, 40, 40))
    scaled = []
    for name, values in (("small", image.astype("uint8")), ("large", (image + 2**30).astype(dtype))):
        with open_raster(write_raster(tmp_path / f"{name}.tif", values)) as raster:
            scaling = measure("constant", [(raster, (1, 2, 3))])
            scaled.append(scale(*raster.read((1, 2, 3), raster.grid.whole), scaling))
    np.testing.assert_allclose(scaled[1], scaled[0], atol=1e-6)
    assert scaled[1].dtype == np.float32
    assert len(np.unique(scaled[1])) > 40
