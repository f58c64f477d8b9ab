"""Model files: what is written is read, and anything else is refused in words."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from safetensors.torch import save_file

from satdifuser_qgis.engine.model_file import (
    BackboneReference,
    ModelHeader,
    find_model,
    place_in_store,
    read_header,
    read_model,
    write_model,
)
from satdifuser_qgis.engine.raster.normalise import Scaling
from satdifuser_qgis.protocol import folders
from satdifuser_qgis.protocol.classes import LandCoverClass
from satdifuser_qgis.protocol.errors import EngineError

HEADER = ModelHeader(
    name="fields",
    classes=(LandCoverClass(10, "Wald & Wiese", "#009e73"), LandCoverClass(30, "road", "#d55e00")),
    bands=(4, 3, 2),
    band_names=("B04", "B03", "B02"),
    scaling=Scaling("constant", (0.0, 0.0, 0.0), (255.0, 255.0, 255.0)),
    gsd_m=10.0,
    tile_px=128,
    backbone=BackboneReference("compact-s2-rgb", "compact-s2-rgb", "1", "ab"),
    features={"times": [1, 101]},
    decoder={"width": 64, "classes": 2, "side_channels": 3},
    scores={"miou": 0.5},
    band_centres_nm=(665.0, 560.0, 490.0),
)
TENSORS = {"head.weight": torch.arange(6.0).reshape(2, 3), "fuser.mixing_weights": torch.ones(4)}


def test_a_model_reads_back_as_it_was_written(tmp_path):
    write_model(tmp_path / "m.safetensors", HEADER, TENSORS)
    header, tensors = read_model(tmp_path / "m.safetensors")
    assert header == HEADER
    assert all(torch.equal(tensors[key], TENSORS[key]) for key in TENSORS)


def test_the_same_model_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_model(tmp_path / name, HEADER, dict(reversed(TENSORS.items())) if name == "b" else TENSORS)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_foreign_and_damaged_files_are_refused(tmp_path):
    foreign, damaged = tmp_path / "foreign.safetensors", tmp_path / "damaged.safetensors"
    save_file(TENSORS, foreign)
    write_model(damaged, HEADER, TENSORS)
    damaged.write_bytes(damaged.read_bytes()[:100])
    for path in (foreign, damaged):
        with pytest.raises(EngineError) as caught:
            read_header(path)
        assert caught.value.code == "bad_model"
        assert path.name in caught.value.message


def test_a_bare_name_is_looked_up_in_the_store():
    stored = place_in_store("fields")
    stored.parent.mkdir(parents=True)
    write_model(stored, HEADER, TENSORS)
    assert stored.parent == folders.model_store()
    assert find_model("fields") == stored
    assert place_in_store("fields").name == "fields-2.safetensors"
    with pytest.raises(EngineError, match=r"Known by name: .*fields"):
        find_model("meadows")


@pytest.mark.parametrize(
    ("name", "stem"),
    [("../../x", "_.._x"), ("a/b", "a_b"), ("C:\\x", "C__x"), (" . ", "model"), ("\u68ee" * 99, "\u68ee" * 50)],
)
def test_no_name_leads_out_of_the_store(name, stem):
    assert place_in_store(name) == folders.model_store() / f"{stem}.safetensors"


def test_a_header_that_is_no_json_is_told(tmp_path):
    path = tmp_path / "odd.safetensors"
    save_file(TENSORS, path, {"satdifuser": "{"})
    with pytest.raises(EngineError, match="is damaged") as caught:
        read_header(path)
    assert caught.value.code == "bad_model"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"classes": ()}, "no classes"),
        ({"classes": HEADER.classes[:1]}, "differ in number"),
        ({"spectral": False}, "spectral and decoder"),
        ({"bands": (1,)}, "three bands"),
        ({"scaling": Scaling("constant", (0.0,), (1.0,))}, "scaling is not of three"),
        ({"scaling": Scaling("constant", (5.0,) * 3, (5.0,) * 3)}, "no range"),
        ({"gsd_m": -1.0}, "negative"),
        ({"gsd_m": "ten"}, "header.gsd_m must be a number"),
        ({"tile_px": 0}, "tiles have 0 px"),
    ],
)
def test_a_header_that_contradicts_itself_is_refused(tmp_path, change, said):
    path = tmp_path / "odd.safetensors"
    write_model(path, dataclasses.replace(HEADER, **change), TENSORS)
    with pytest.raises(EngineError, match=said) as caught:
        read_header(path)
    assert caught.value.code == "bad_model"


def test_tensors_that_are_no_numbers_are_refused(tmp_path):
    path = tmp_path / "odd.safetensors"
    write_model(path, HEADER, {**TENSORS, "bias": torch.tensor([float("nan")])})
    with pytest.raises(EngineError, match="bias holds values") as caught:
        read_model(path)
    assert caught.value.code == "bad_model"
