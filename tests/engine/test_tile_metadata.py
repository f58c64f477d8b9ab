"""What a DiffusionSat network is told of a tile: place, pixel size and date, as the raster says them."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from pyproj import Transformer

from satdifuser_qgis.engine.backbones import METADATA_NAMES
from satdifuser_qgis.engine.inference.landcover_model import extract
from satdifuser_qgis.engine.inference.tile_metadata import acquisition_date, tile_metadata
from satdifuser_qgis.engine.raster.read import open_raster
from satdifuser_qgis.protocol.errors import EngineError
from tests.data import PLACE, UTM, write_raster


def image(folder: Path, *tags: dict[str, str], **options: Any) -> str:
    """64 × 64 pixels of 10 m at 15° east, with tags of its own and of the domain IMAGERY."""
    path = write_raster(folder / "image.tif", np.ones((3, 64, 64), np.uint8), **options)
    with rasterio.open(path, "r+") as file:
        for domain, values in zip((None, "IMAGERY"), tags, strict=False):
            file.update_tags(ns=domain, **values)
    return path


def test_a_tile_has_its_own_centre_the_networks_pixel_size_and_the_rasters_date(tmp_path):
    with open_raster(image(tmp_path, {"ACQUISITION_DATE": "2023-09-14"})) as raster:
        found = tile_metadata(raster, [(0, -16), (40, -16), (0, 48)], side=32, tile_px=16)
    rows = [dict(zip(METADATA_NAMES, row, strict=True)) for row in found.tolist()]
    # In metres right of and below the raster's corner.
    centres = [PLACE.c + np.array([0, 0, 640]), PLACE.f - np.array([160, 560, 160])]
    expected = Transformer.from_crs(UTM, 4326, always_xy=True).transform(*centres)
    for name, values in zip(("longitude", "latitude"), expected, strict=True):
        assert [row[name] for row in rows] == pytest.approx(list(values), abs=1e-7)
    for row in rows:
        assert row["gsd_m"] == pytest.approx(20, rel=1e-3)
        assert math.isnan(row["cloud"])
        assert (row["year"], row["month"], row["day"]) == (2023, 9, 14)


@pytest.mark.parametrize(
    ("own", "imagery", "date"),
    [
        ({"acquisition_date": "20241203T021101"}, {}, (2024, 12, 3)),
        ({"ACQUISITION_DATE": "2020-01-02"}, {"ACQUISITIONDATETIME": "2024-06-30 10:11:12"}, (2024, 6, 30)),
        ({"TIFFTAG_DATETIME": "2022:01:01 00:00:00"}, {}, None),
        ({"ACQUISITION_DATE": "last summer"}, {}, None),
        ({}, {}, None),
    ],
)
def test_the_date_is_when_the_image_was_taken_and_not_when_the_file_was_written(tmp_path, own, imagery, date):
    with open_raster(image(tmp_path, own, imagery)) as raster:
        found = acquisition_date(raster)
    assert found == date if date else all(math.isnan(part) for part in found)


def test_a_raster_without_a_place_is_refused_with_the_way_out(tmp_path):
    with (
        open_raster(image(tmp_path, crs=None)) as raster,
        pytest.raises(EngineError, match='"image" has no CRS') as caught,
    ):
        tile_metadata(raster, [(0, 0)], 16, 16)
    assert caught.value.code == "bad_input"
    assert "metadata zeros" in caught.value.remedy


@pytest.mark.parametrize(
    ("metadata", "knows", "told"),
    [("raster", True, True), ("raster", False, False), ("zeros", True, False), ("none", True, False)],
)
def test_only_a_network_that_knows_metadata_is_told_the_rasters_and_only_where_they_are_asked_for(
    tmp_path, metadata, knows, told
):
    class Extracting:
        recipe, backbone = SimpleNamespace(metadata=metadata), SimpleNamespace(has_metadata=knows)

        def __call__(self, tiles, positions, metadata):
            return [metadata]

    with open_raster(image(tmp_path)) as raster:
        (given,) = extract(Extracting(), torch.zeros(2, 3, 16, 16), raster, [(0, 0), (16, 0)], 32)
        expected = tile_metadata(raster, [(0, 0), (16, 0)], 32, 16)
    assert torch.equal(given.nan_to_num(), expected.nan_to_num()) if told else given is None
