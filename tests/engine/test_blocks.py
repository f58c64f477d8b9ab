"""Validation blocks: same ground, same part."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from affine import Affine

from satdifuser_qgis.engine.raster.grid import Grid, Window
from satdifuser_qgis.engine.training.blocks import choose_validation, lattices, merged
from tests.data import UTM_WKT


def _grid(left: float, top: float, wkt: str = UTM_WKT) -> Grid:
    return Grid(wkt, Affine.translation(left, top) @ Affine.scale(10, -10), 100, 80)


def test_overlapping_images_put_the_same_ground_into_the_same_block():
    first, second = lattices([_grid(500000, 5000000), _grid(500300, 4999800)], block_px=17)
    # Row 20, column 30 of the first image is the second image's origin.
    index_a, blocks_a = first.ids(Window(20, 30, 40, 40))
    index_b, blocks_b = second.ids(Window(0, 0, 40, 40))
    assert blocks_a == blocks_b
    assert (index_a == index_b).all()


def test_images_without_a_crs_are_blocks_as_a_whole():
    images = lattices([_grid(0, 0, ""), _grid(0, 0, "")], block_px=10)
    assert [lattice.ids(Window(0, 0, 50, 50))[1] for lattice in images] == [[(0, 0, 0)], [(1, 0, 0)]]


def test_a_single_image_without_a_crs_is_cut_into_blocks_of_pixels():
    (lattice,) = lattices([_grid(0, 0, "")], block_px=10)
    assert len(lattice.ids(Window(0, 0, 20, 30))[1]) == 6


def test_merged_blocks_hold_what_their_squares_hold():
    (lattice,) = lattices([_grid(500000, 5000000)], block_px=7)
    larger = dataclasses.replace(lattice, merge=3)
    window = Window(5, 9, 60, 70)
    index, squares = lattice.ids(window)
    counts = {block: np.array([int((index == i).sum())]) for i, block in enumerate(squares)}
    index, blocks = larger.ids(window)
    assert merged(counts, 3) == {block: int((index == i).sum()) for i, block in enumerate(blocks)}


@pytest.mark.parametrize("share", [0.1, 0.2, 0.4])
def test_about_the_wanted_share_of_every_class_is_held_back(share):
    rng = np.random.default_rng(3)
    counts = {(0, i, 0): rng.integers(0, 1000, 4) for i in range(40)}
    held = choose_validation(counts, share, seed=0)
    total, part = sum(counts.values()), sum(counts[block] for block in held)
    assert np.abs(part / total - share).max() < 0.05


def test_no_class_loses_its_last_block():
    counts = {(0, 0, 0): np.array([500, 0]), (0, 1, 0): np.array([500, 0]), (0, 2, 0): np.array([0, 10])}
    assert (0, 2, 0) not in choose_validation(counts, 0.5, seed=1)


def test_nothing_is_held_back_where_one_block_holds_all():
    assert choose_validation({(0, 0, 0): np.array([10, 10])}, 0.2, seed=0) == frozenset()


def test_the_choice_follows_the_seed_alone():
    counts = {(0, i, 0): np.array([i + 1, 40 - i]) for i in range(20)}
    shuffled = dict(reversed(counts.items()))
    assert choose_validation(counts, 0.2, seed=5) == choose_validation(shuffled, 0.2, seed=5)
