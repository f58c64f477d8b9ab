"""Scale and offset that files declare: applied where they differ, refused where only one declares them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import rasterio

from satdifuser_qgis.engine.model_file import read_header, read_model, write_model
from satdifuser_qgis.engine.outputs import Outputs
from satdifuser_qgis.engine.raster.normalise import Scaling, in_units, measure, units_of
from satdifuser_qgis.engine.raster.read import open_raster
from satdifuser_qgis.engine.raster.units import Units
from satdifuser_qgis.engine.tasks import segment, trainsegmentation
from satdifuser_qgis.protocol.errors import EngineError
from satdifuser_qgis.protocol.segment import SegmentRequest
from satdifuser_qgis.protocol.trainsegmentation import TrainSegmentationRequest
from tests.data import landscape, write_raster
from tests.engine.notes import Notes
from tests.engine.tiny import pixel_backbone

BANDS = (1, 2, 3)
BEFORE, AFTER = (0.0001, 0.0), (0.0001, -0.1)
HEIGHT, WIDTH = 120, 160


def ground(path, declared=None, add=0, seed=0, dtype="uint16"):
    """A landscape of 10 to 2550, plus ``add``; ``declared`` is scale and offset of all bands, or one pair a band."""
    values = landscape(HEIGHT, WIDTH, seed)[0].astype("float64") * 10 + add
    write_raster(path, values.astype(dtype))
    if declared is not None:
        pairs = declared if isinstance(declared[0], tuple) else (declared,) * 3
        with rasterio.open(path, "r+") as file:
            file.scales, file.offsets = zip(*pairs, strict=True)
    return str(path)


def test_stored_numbers_become_those_of_the_other_file():
    assert Units(*AFTER).to(Units(*BEFORE)) == pytest.approx((1, -1000))
    assert Units(0.01, 5).to(Units(0.02, 1)) == pytest.approx((0.5, 200))
    assert str(Units()) == "no scale and offset"


@pytest.mark.parametrize("broken", [(0.0, 5.0), (float("nan"), 0.0), (-1.0, 0.0), (1.0, float("inf"))])
def test_scales_that_are_none_say_nothing(tmp_path, broken):
    with open_raster(ground(tmp_path / "a.tif", broken)) as raster:
        assert units_of(raster, BANDS) == (Units(),) * 3


def test_limits_are_measured_in_numbers_of_the_first_image(tmp_path):
    """The same ground before and after Sentinel-2's baseline 04.00, and with another offset for each band."""
    per_band = ((0.0001, -0.1), (0.0002, 0.0), (0.0001, 0.05))
    paths = [ground(tmp_path / f"{i}.tif", *item) for i, item in enumerate(((BEFORE,), (AFTER, 1000), (per_band, 0)))]
    with open_raster(paths[0]) as first, open_raster(paths[1]) as second, open_raster(paths[2]) as third:
        alone = measure("constant", [(first, BANDS)])
        both = measure("constant", [(first, BANDS), (second, BANDS)])
        # pooled from half as many pixels each
        np.testing.assert_allclose([both.low, both.high], [alone.low, alone.high], atol=5)
        fitted = in_units(alone, units_of(first, BANDS), "x", second, BANDS)
        np.testing.assert_allclose(np.subtract(fitted.low, alone.low), 1000)
        odd = in_units(alone, units_of(first, BANDS), "x", third, BANDS)
        np.testing.assert_allclose(odd.high, (alone.high[0] + 1000, alone.high[1] / 2, alone.high[2] - 500))
        assert in_units(alone, units_of(first, BANDS), "x", first, BANDS) is alone
        assert in_units(Scaling("percentile"), units_of(first, BANDS), "x", second, BANDS) == Scaling("percentile")
        assert in_units(alone, (), "x", second, BANDS) is alone


def test_limits_that_the_user_gives_are_in_numbers_of_the_first_image_too(tmp_path):
    first, second = ground(tmp_path / "a.tif", BEFORE), ground(tmp_path / "b.tif", (1e-8, -0.1), 1, dtype="uint32")
    with (
        open_raster(first) as one,
        open_raster(second) as other,
        pytest.raises(EngineError, match=r"takes those from 1e\+07"),
    ):
        measure("divisor", [(one, BANDS), (other, BANDS)], divisor=2550)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with a model of an image that declares scale and offset, its labels and its backbone."""
    folder = tmp_path_factory.mktemp("units")
    write_raster(folder / "labels.tif", landscape(HEIGHT, WIDTH)[1], nodata=0)
    pixel_backbone(folder / "tiny")
    train(folder, ground(folder / "before.tif", BEFORE), folder)
    return folder


def train(world, image, folder, **more):
    request = TrainSegmentationRequest(
        input=image,
        label_rasters=(str(world / "labels.tif"),),
        model=str(folder / "model.safetensors"),
        backbone=str(world / "tiny"),
        **{"epochs": 1, "scaling": 1, "threads": 1, **more},
    )
    notes = Notes()
    with pytest.MonkeyPatch.context() as patch, Outputs("made") as outputs:
        patch.setenv("SATDIFUSER_HOME", str(folder / "home"))
        trainsegmentation.run(request, notes, outputs)
        outputs.commit()
    return notes


def mapped(world, image, folder, model=None):
    output = str(folder / "map.tif")
    notes = Notes()
    with Outputs("test") as outputs:
        segment.run(SegmentRequest(image, str(model or world / "model.safetensors"), output, threads=1), notes, outputs)
        outputs.commit()
    with rasterio.open(output) as file:
        return file.read(1), notes


def test_a_model_knows_the_units_of_its_training_image(world):
    header = read_header(world / "model.safetensors")
    assert header.units == (Units(*BEFORE),) * 3


def test_the_map_of_the_same_ground_in_other_units_is_the_same(world, tmp_path):
    want, notes = mapped(world, str(world / "before.tif"), tmp_path)
    assert not [line for line in notes.lines if "converted" in line]
    got, notes = mapped(world, ground(tmp_path / "after.tif", AFTER, 1000), tmp_path)
    np.testing.assert_array_equal(got, want)
    assert [line for line in notes.lines if '"after" declares scale 0.0001 and offset -0.1' in line]


def test_a_map_of_a_file_that_says_nothing_is_refused_and_the_other_way_round(world, tmp_path):
    with pytest.raises(EngineError, match=r'"plain" declares no scale and offset.*scale 0\.0001') as caught:
        mapped(world, ground(tmp_path / "plain.tif"), tmp_path)
    assert '"-a_scale 0.0001 -a_offset 0", or "-a_scale 1 -a_offset 0" for nothing' in caught.value.remedy
    train(world, ground(tmp_path / "trained.tif"), tmp_path)
    with pytest.raises(EngineError, match=r'"told" declares scale 0\.0001 and offset -0\.1') as caught:
        mapped(world, ground(tmp_path / "told.tif", AFTER, 1000), tmp_path, tmp_path / "model.safetensors")
    assert caught.value.code == "bad_input"


def test_an_older_model_takes_numbers_as_they_are_and_says_so(world, tmp_path):
    header, tensors = read_model(world / "model.safetensors")
    old = tmp_path / "old.safetensors"
    write_model(old, dataclasses.replace(header, units=()), tensors)
    want, _ = mapped(world, str(world / "before.tif"), tmp_path)
    got, notes = mapped(world, str(world / "before.tif"), tmp_path, old)
    np.testing.assert_array_equal(got, want)
    assert [line for line in notes.warnings if "the model does not say what its training image declared" in line]
    got, notes = mapped(world, ground(tmp_path / "plain.tif"), tmp_path, old)
    np.testing.assert_array_equal(got, want)
    assert not notes.warnings


def test_training_images_in_other_units_are_converted_and_mixtures_refused(world, tmp_path):
    before, after = str(world / "before.tif"), ground(tmp_path / "after.tif", AFTER, 1002)
    notes = train(world, before, tmp_path, more_inputs=(after,))
    assert [line for line in notes.lines if '"after" declares' in line and "they are converted" in line]
    one = read_header(world / "model.safetensors").scaling
    both = read_header(tmp_path / "model.safetensors").scaling
    np.testing.assert_allclose([both.low, both.high], [one.low, one.high], atol=5)
    plain = ground(tmp_path / "plain.tif", add=1000)
    for scaling in (0, 1):
        with pytest.raises(
            EngineError, match='"plain" declares no scale and offset for its values, but "before" declares scale'
        ):
            train(world, before, tmp_path, more_inputs=(plain,), scaling=scaling)
    train(world, before, tmp_path, more_inputs=(plain,), scaling=2)


@pytest.mark.parametrize("units", [({"scale": 1.0, "offset": 0.0},), ({"scale": 0.0, "offset": 0.0},) * 3])
def test_a_header_with_broken_units_is_refused(world, tmp_path, units):
    header, tensors = read_model(world / "model.safetensors")
    broken = tuple(Units(**each) for each in units)
    write_model(tmp_path / "m.safetensors", dataclasses.replace(header, units=broken), tensors)
    with pytest.raises(EngineError, match="units"):
        read_header(tmp_path / "m.safetensors")


def test_real_numbers_of_per_cent_and_whole_ones_give_the_same_map(world, tmp_path):
    want, _ = mapped(world, str(world / "before.tif"), tmp_path)
    path = ground(tmp_path / "per_cent.tif", (0.01, 0.0), dtype="float32")
    with rasterio.open(path, "r+") as file:
        file.write((file.read() / 100).astype("float32"))
    got, _ = mapped(world, path, tmp_path)
    assert (got == want).mean() > 0.999
