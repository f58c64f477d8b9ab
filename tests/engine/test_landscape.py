"""The painted landscape is the same for the same seed, lies on real ground, and its labels tell the truth."""

from __future__ import annotations

import geopandas
import numpy as np
import pytest
import rasterio
from rasterio.features import rasterize

from benchmarks.landscape import CRS, NAMES, TILE_PX, paint, write


@pytest.fixture(scope="module")
def painted(tmp_path_factory):
    return write(tmp_path_factory.mktemp("landscape"))


def test_the_same_seed_paints_the_same_ground(painted):
    with rasterio.open(painted.unseen) as raster:
        unseen = raster.read()
    again = paint().image[:, TILE_PX // 2 :][:, :TILE_PX, 2 * TILE_PX :]
    assert (unseen == again).all()


def test_images_are_georeferenced_and_the_unseen_one_lies_apart(painted):
    bounds = []
    for path in (*painted.images, painted.unseen):
        with rasterio.open(path) as raster:
            assert (raster.crs.to_string(), raster.res, raster.shape) == (CRS, (10.0, 10.0), (TILE_PX, TILE_PX))
            assert raster.count == 3
            bounds.append(raster.bounds)
    assert all(bounds[-1].left >= seen.right for seen in bounds[:-1])


def test_every_class_is_labelled_in_part_and_occurs_on_the_unseen_image(painted):
    labels = geopandas.read_file(painted.labels)
    assert set(labels["class"]) == set(NAMES.values())
    with rasterio.open(painted.truth) as raster:
        assert set(np.unique(raster.read(1))) == set(NAMES)
    share = labels.area.sum() / (4 * (TILE_PX * 10.0) ** 2)
    assert 0.05 < share < 0.6


def test_labels_tell_the_truth(painted):
    labels, ground = geopandas.read_file(painted.labels), paint()
    with rasterio.open(painted.images[0]) as raster:
        codes = {name: code for code, name in NAMES.items()}
        numbered = zip(labels.geometry, labels["class"].map(codes))
        drawn = rasterize(numbered, raster.shape, transform=raster.transform)
    known = drawn > 0
    assert (drawn[known] == ground.truth[:TILE_PX, :TILE_PX][known]).mean() > 0.97
