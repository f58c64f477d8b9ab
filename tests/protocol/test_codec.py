"""Requests as JSON, read strictly."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar, Dict, Optional, Tuple

import pytest

from satdifuser_qgis.protocol.classes import StyledClass
from satdifuser_qgis.protocol.codec import PROTOCOL, dump_request, from_plain, load_request, to_plain
from satdifuser_qgis.protocol.doctor import DoctorRequest
from satdifuser_qgis.protocol.errors import FieldError
from satdifuser_qgis.protocol.requests import REQUESTS
from satdifuser_qgis.protocol.segment import SegmentRequest
from satdifuser_qgis.protocol.trainsegmentation import TrainSegmentationRequest


@dataclass(frozen=True)
class Everything:
    TASK: ClassVar[str] = "everything"

    flag: bool
    count: int
    share: float
    name: str
    maybe: Optional[int] = None
    many: Tuple[int, ...] = ()
    pair: Tuple[str, float] = ("", 0.0)
    table: Optional[Dict[str, float]] = None
    styles: Tuple[StyledClass, ...] = ()


FULL = Everything(True, 3, 0.5, "Wald", 7, (1, 2), ("a", 1.5), {"x": 1.0}, (StyledClass("1", "wood", "#00ff00"),))
KINDS = {"everything": Everything}


@pytest.mark.parametrize("request_", [FULL, Everything(False, 0, 0.0, "")])
def test_what_is_written_is_read(request_):
    assert load_request(dump_request(request_), KINDS) == request_


def test_text_stays_readable():
    assert "Wald" in dump_request(FULL)
    assert json.loads(dump_request(FULL))["protocol"] == PROTOCOL


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("flag", 1, "request.flag must be true or false"),
        ("count", True, "request.count must be a whole number"),
        ("count", 1.0, "request.count must be a whole number"),
        ("count", None, "request.count"),
        ("share", "0.5", "request.share must be a number"),
        ("share", True, "request.share must be a number"),
        ("name", 5, "request.name must be a text"),
        ("name", "a\0b", "request.name holds a character"),
        ("name", "\udcff.tif", "request.name holds a character"),
        ("share", float("nan"), "request.share must be a finite number, not nan"),
        ("share", float("-inf"), "request.share must be a finite number"),
        ("share", 10**400, "request.share must be a finite number"),
        ("maybe", "7", "request.maybe"),
        ("many", 1, "request.many must be a list"),
        ("many", [1, "2"], r"request\.many\[1\]"),
        ("pair", ["a"], "request.pair must have 2 items"),
        ("table", [1], "request.table must be an object"),
        ("table", {"x": "1"}, "request.table.x"),
        ("styles", [{"value": "1", "name": "wood"}], r"request\.styles\[0\] lacks the key 'color'"),
        ("styles", ["wood"], r"request\.styles\[0\] must be an object"),
        ("spelling", 1, "request has no key 'spelling'"),
    ],
)
def test_what_does_not_fit_is_told_by_its_key(key, value, said):
    with pytest.raises(ValueError, match=said):
        from_plain(Everything, {**to_plain(FULL), key: value})


def test_whole_numbers_will_do_where_a_number_is_asked_for():
    share = from_plain(Everything, {**to_plain(FULL), "share": 1}).share
    assert (share, type(share)) == (1.0, float)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no JSON"),
        ("[]", "exactly the keys"),
        ('{"protocol": 1, "task": "everything"}', "exactly the keys"),
        ('{"protocol": 1, "task": "everything", "request": {}, "more": 1}', "exactly the keys"),
        ('{"protocol": 2, "task": "everything", "request": {}}', "protocol 2"),
        ('{"protocol": 1, "task": "nothing", "request": {}}', "no task 'nothing'"),
        ('{"protocol": 1, "task": [], "request": {}}', "no task"),
        ("[" * 100_000, "no JSON"),
        ('{"protocol": 1, "task": "everything", "request": 3}', "must be an object"),
        ('{"protocol": 1, "task": "everything", "request": {"flag": true}}', "lacks the key 'count'"),
    ],
)
def test_files_that_are_no_request_are_refused(text, said):
    with pytest.raises(ValueError, match=said):
        load_request(text, KINDS)


def test_every_task_is_known_by_its_name_and_names_its_outputs():
    for task, kind in REQUESTS.items():
        assert task == kind.TASK
        assert set(kind.OUTPUTS) <= set(kind.__dataclass_fields__)
        assert "threads" in kind.__dataclass_fields__


SEGMENT = {"input": "a.tif", "model": "m", "output": "o.tif"}
TRAIN = {"input": "a.tif", "model": "m.safetensors", "labels": "l.gpkg", "class_field": "class"}


@pytest.mark.parametrize("bands", [(3, 2, 1), ()])
def test_extent_and_bands_keep_their_order(bands):
    request = SegmentRequest(**SEGMENT, bands=bands, extent=(0.0, 1.0, 2.0, 3.0))
    assert load_request(dump_request(request), REQUESTS) == request


@pytest.mark.parametrize(
    ("kind", "base", "change", "said"),
    [
        (SegmentRequest, SEGMENT, {"overlap": 80}, "overlap is 80 %"),
        (SegmentRequest, SEGMENT, {"overlap": -1}, "overlap is -1 %"),
        (SegmentRequest, SEGMENT, {"min_area": -1.0}, "min_area is -1.0"),
        (SegmentRequest, SEGMENT, {"min_area": float("inf")}, "min_area is inf"),
        (SegmentRequest, SEGMENT, {"simplify": float("nan")}, "simplify is nan"),
        (SegmentRequest, SEGMENT, {"batch": -1}, "batch is -1"),
        (SegmentRequest, SEGMENT, {"bands": (0, 1, 2)}, "counted from 1"),
        (SegmentRequest, SEGMENT, {"extent": (1.0, 0.0, 1.0, 2.0)}, "is empty"),
        (SegmentRequest, SEGMENT, {"device": 4}, "0 automatic, 1 cpu, 2 cuda, 3 mps"),
        (SegmentRequest, SEGMENT, {"threads": -1}, "threads is -1"),
        (DoctorRequest, {}, {"threads": 100_000}, "threads is 100000"),
        (TrainSegmentationRequest, TRAIN, {"seed": -1}, "seed is -1"),
        (TrainSegmentationRequest, TRAIN, {"labels": ""}, "no labels"),
        (TrainSegmentationRequest, TRAIN, {"class_field": ""}, "class_field is empty"),
        (TrainSegmentationRequest, TRAIN, {"validation": 1.0}, "validation is 1.0"),
        (TrainSegmentationRequest, TRAIN, {"epochs": -1}, "epochs is -1"),
        (TrainSegmentationRequest, TRAIN, {"timesteps": (1000,)}, "0 to 999"),
        (TrainSegmentationRequest, TRAIN, {"timesteps": (1, 1)}, "counts once"),
        (TrainSegmentationRequest, TRAIN, {"metadata": "some"}, "none, zeros, raster"),
        (TrainSegmentationRequest, TRAIN, {"scaling": 3, "divisor": 0.0}, "divisor"),
        (TrainSegmentationRequest, TRAIN, {"scaling": 9}, "scaling is 9"),
        (TrainSegmentationRequest, TRAIN, {"fusion": 4}, "fusion is 4"),
        (TrainSegmentationRequest, TRAIN, {"head": -1}, "head is -1"),
        (TrainSegmentationRequest, TRAIN, {"extraction": 4}, "extraction is 4"),
        (TrainSegmentationRequest, TRAIN, {"extraction": 3, "timesteps": (1,)}, r"timesteps \(1\) cannot be chosen"),
    ],
)
def test_values_out_of_range_are_told_with_their_limit(kind, base, change, said):
    kind(**base)
    with pytest.raises(ValueError, match=said):
        kind(**{**base, **change})


def test_a_dialog_names_fields_by_its_labels():
    with pytest.raises(FieldError) as caught:
        SegmentRequest(**SEGMENT, min_area=-1.0)
    assert str(caught.value) == "min_area is -1.0 but must be 0 (off) or more"
    named = caught.value.named({"min_area": "Smallest polygon"}.__getitem__)
    assert named == "Smallest polygon is -1.0 but must be 0 (off) or more"
