"""Nodata that the user sets beside what a file declares is left out in reading, training and mapping."""

from __future__ import annotations

import dataclasses
import sys
from contextlib import ExitStack

import numpy as np
import pytest
import rasterio
import torch

from satdifuser_qgis.engine.inference.landcover_model import LandCoverModel
from satdifuser_qgis.engine.model_file import find_model
from satdifuser_qgis.engine.outputs import Outputs
from satdifuser_qgis.engine.raster.grid import Window
from satdifuser_qgis.engine.raster.read import open_raster
from satdifuser_qgis.engine.reporter import Silent
from satdifuser_qgis.engine.tasks import segment
from satdifuser_qgis.engine.training.label_sources import read_label_sources
from satdifuser_qgis.engine.worker import execute
from satdifuser_qgis.protocol.codec import dump_request, load_request
from satdifuser_qgis.protocol.nodata import AS_DECLARED, NoData
from satdifuser_qgis.protocol.requests import REQUESTS
from satdifuser_qgis.protocol.segment import SegmentRequest
from satdifuser_qgis.protocol.trainsegmentation import TrainSegmentationRequest
from tests.data import landscape, write_huge_mosaic, write_raster
from tests.engine.notes import Notes

MOST = sys.float_info.max


def invalid(path, nodata, bands=(1, 2, 3)):
    with open_raster(path, nodata) as raster:
        return ~raster.read(bands, raster.grid.whole)[1]


def image(dtype="float32"):
    values = np.full((3, 4, 6), 100, dtype)
    values[:, 0] = -9999 if np.issubdtype(dtype, np.signedinteger) or dtype.startswith("f") else 0
    values[1, 1] = 7
    values[2, 2] = 9
    return values


@pytest.mark.parametrize(
    ("ranges", "rows"),
    [
        ((), []),
        (((0, -9999, -9999),), [0]),
        (((1, -9999, -9999),), [0]),
        (((1, 7, 7),), []),
        (((2, 7, 7), (3, 9, 9)), [1, 2]),
        (((0, 7, 9),), [1, 2]),
        (((0, -MOST, 8),), [0, 1]),
        (((0, 8, MOST),), [1, 2, 3]),
        (((4, 7, 7),), []),
    ],
)
def test_values_and_ranges_of_any_band_make_a_pixel_invalid(tmp_path, ranges, rows):
    found = invalid(write_raster(tmp_path / "a.tif", image()), NoData(ranges))
    assert np.flatnonzero(found.all(axis=1)).tolist() == rows
    assert found.sum() == len(rows) * 6


@pytest.mark.parametrize("value", [-9999.9, 0.1, float(np.float32(-3.4028235e38)), -3.40282347e38])
def test_a_value_is_met_in_the_precision_of_the_file(tmp_path, value):
    values = np.full((3, 2, 2), 5, "float32")
    values[:, 0] = value
    assert invalid(write_raster(tmp_path / "a.tif", values), NoData(((0, value, value),)))[0].all()


def test_neighbours_of_large_whole_numbers_stay(tmp_path):
    values = np.array([[2**30, 2**30 + 1]], "int32")
    found = invalid(write_raster(tmp_path / "a.tif", values), NoData(((0, 2**30, 2**30),)), (1, 1, 1))
    assert found.tolist() == [[True, False]]


def test_with_scale_and_offset_the_value_is_the_one_that_qgis_shows(tmp_path):
    """0.1081 is what QGIS shows for 2081; it computes it as float32."""
    path = write_raster(tmp_path / "a.tif", np.array([[2081, 2082]], "uint16"))
    with rasterio.open(path, "r+") as file:
        file.scales, file.offsets = (0.0001,), (-0.1,)
    for value in (0.1081, float(np.float32(0.1081))):
        assert invalid(path, NoData(((1, value, value),)), (1, 1, 1)).tolist() == [[True, False]]
    assert not invalid(path, NoData(((1, 2081, 2081),)), (1, 1, 1)).any()


def test_declared_nodata_counts_beside_it_or_is_a_measurement(tmp_path):
    path = write_raster(tmp_path / "a.tif", image("int16"), nodata=-9999)
    assert invalid(path, NoData(((2, 7, 7),)))[:2].all()
    assert invalid(path, NoData(measured=(2, 3)))[0].all()
    assert not invalid(path, NoData(measured=(1, 2, 3))).any()
    assert not invalid(path, NoData(measured=(0,))).any()


def test_a_mask_in_the_file_stays_where_nodata_is_a_measurement(tmp_path):
    mask = np.ones((4, 6), bool)
    mask[3] = False
    assert invalid(write_raster(tmp_path / "a.tif", image(), mask=mask), NoData(measured=(0,)))[3].all()


def test_the_log_says_what_is_left_out(tmp_path):
    nodata = NoData(((1, -9999, -9999), (2, 7, 9), (3, -MOST, -1)))
    with open_raster(write_raster(tmp_path / "a.tif", image(), nodata=5), nodata) as raster:
        said = raster.mask_note((1, 2, 3))
    for part in ("5 (nodata)", "-9999 (nodata of the layer)", "from 7 to 9 (nodata", "-1 or less (nodata"):
        assert part in said


def test_gaps_of_a_mosaic_are_known_where_the_user_says_what_they_hold(tmp_path):
    path, inside, beside = write_huge_mosaic(tmp_path, 2000, nodata=""), Window(700, 500, 9, 9), Window(0, 0, 9, 9)
    for nodata, known in ((AS_DECLARED, False), (NoData(((0, 0, 0),)), True), (NoData(((0, 3, 3),)), False)):
        with open_raster(path, nodata) as raster:
            assert raster.filled.known == known
            assert raster.filled.meets(inside)
            assert raster.filled.meets(beside) != known


def test_gaps_are_measurements_where_their_nodata_is_one(tmp_path):
    with open_raster(write_huge_mosaic(tmp_path, 2000), NoData(measured=(1,))) as raster:
        assert not raster.filled.known
        assert raster.read((1, 1, 1), Window(0, 0, 4, 4))[1].all()


@pytest.fixture
def filled(tmp_path, model):
    """Two requests for one map: an image whose file declares its fill, and one where the user says it."""
    values, _ = landscape(170, 200, seed=4)
    values = values.astype("int16")
    values[:, 40:90, 100:] = -9999
    told = write_raster(tmp_path / "told.tif", values, nodata=-9999)
    untold = write_raster(tmp_path / "untold.tif", values)
    first = SegmentRequest(input=told, model=str(model), output=str(tmp_path / "told_map.tif"), threads=1)
    output = str(tmp_path / "untold_map.tif")
    return first, dataclasses.replace(first, input=untold, output=output, nodata=NoData(((0, -9999, -9999),)))


def test_a_map_is_the_same_whoever_says_what_is_nodata(filled):
    maps = []
    for request in filled:
        notes = Notes()
        execute(request, notes, Outputs("test"))
        assert not [line for line in notes.warnings if "fill" in line]
        with rasterio.open(request.output) as file:
            maps.append(file.read(1))
            assert (maps[-1][40:90, 100:] == file.nodata).all()
    np.testing.assert_array_equal(*maps)


def test_fill_that_nobody_declares_is_told_before_the_map(filled):
    notes = Notes()
    execute(dataclasses.replace(filled[1], nodata=AS_DECLARED), notes, Outputs("test"))
    assert [line for line in notes.warnings if '"untold" seems to hold fill' in line and "-9999" in line]


def test_unfinished_parts_go_by_it(filled):
    device = torch.device("cpu")
    model_file = find_model(filled[1].model)
    header = LandCoverModel.load(model_file, device).header
    keys = []
    for request in (filled[1], dataclasses.replace(filled[1], nodata=AS_DECLARED)):
        with open_raster(request.input, request.nodata) as raster:
            plan = segment.make_plan(request, header, raster, device, Silent())
            keys.append(segment._key(request, plan, model_file, raster, device))
    assert keys[0] != keys[1]


def test_requests_travel_with_it_and_do_without():
    request = SegmentRequest("a.tif", "m", "o.tif", nodata=NoData(((0, -9999.0, -9999.0),), (2,)))
    kinds = {kind.TASK: kind for kind in (SegmentRequest, TrainSegmentationRequest)}
    assert load_request(dump_request(request), kinds) == request
    old = '{"protocol": 1, "task": "segment", "request": {"input": "a.tif", "model": "m", "output": "o.tif"}}'
    assert load_request(old, kinds).nodata == AS_DECLARED


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="from 5 to 1 in band 2"):
        NoData(((2, 5, 1),))
    with pytest.raises(ValueError, match="band -1"):
        NoData(measured=(-1,))
    with pytest.raises(ValueError, match="1 items, but there are 2 images"):
        TrainSegmentationRequest("a", "m", "l", class_field="c", more_inputs=("b",), nodata=(AS_DECLARED,))


def test_nodata_of_label_rasters_reaches_the_training(tmp_path, monkeypatch):
    values, codes = landscape()
    image = write_raster(tmp_path / "image.tif", values)
    labels = write_raster(tmp_path / "labels.tif", codes)
    request = TrainSegmentationRequest(
        image, "m.safetensors", label_rasters=(labels,), label_nodata=(NoData(((1, 4, 4),)),)
    )
    request = load_request(dump_request(request), REQUESTS)
    with ExitStack() as stack:
        rasters = [stack.enter_context(open_raster(image))]
        found = read_label_sources(request, rasters, stack, Silent())
    assert [item.code for item in found.classes] == [1, 2, 3]
    with pytest.raises(ValueError, match="label_nodata has 1 items, but there are 2 label rasters"):
        dataclasses.replace(request, label_rasters=(labels, labels))
