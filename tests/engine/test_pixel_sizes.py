"""Rasters whose pixels have another size than those of the model."""

from __future__ import annotations

import pytest

from satdifuser_qgis.engine.inference.tiles import side_in_raster
from satdifuser_qgis.engine.raster.grid import in_metres
from satdifuser_qgis.protocol.errors import EngineError


@pytest.mark.parametrize(
    ("model_gsd", "gsd", "said", "way_out"),
    [
        (10.0, 1000.0, "The raster has 1 km a pixel, the model 10 m: they differ by a factor of 100", "at most 160 m"),
        (0.3, 30.0, "The raster has 30 m a pixel, the model 0.3 m", "train a model on images of about 30 m"),
        (10.0, 0.05, "The raster has 0.05 m a pixel, the model 10 m", "pixels of 0.625 m to 10 m"),
    ],
)
def test_pixel_sizes_that_no_resampling_bridges_are_refused(
    model_gsd: float, gsd: float, said: str, way_out: str
) -> None:
    with pytest.raises(EngineError, match=said) as caught:
        side_in_raster(128, model_gsd, gsd)
    assert caught.value.code == "bad_input"
    assert way_out in caught.value.remedy


@pytest.mark.parametrize(("gsd", "side"), [(160.0, 8), (0.625, 2048)])
def test_the_largest_factor_itself_is_fine(gsd: float, side: int) -> None:
    assert side_in_raster(128, 10.0, gsd) == side


@pytest.mark.parametrize(("size", "text"), [(0.05, "0.05 m"), (10.0, "10 m"), (999.0, "999 m"), (1234.0, "1.23 km")])
def test_sizes_are_told_without_powers_of_ten(size: float, text: str) -> None:
    assert in_metres(size) == text
