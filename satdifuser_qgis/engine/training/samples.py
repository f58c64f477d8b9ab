"""Labelled tiles with their diffusion features, computed once and kept in memory for all epochs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..encoders.encoding import Encoding
from ..features import Extractor
from ..inference.landcover_model import extract
from ..inference.tiles import TileGrid, read_tile, resize, tile_grid
from ..raster.grid import Window
from ..raster.normalise import Scaling
from ..raster.read import Raster
from ..reporter import Reporter
from ..vector.class_table import UNLABELLED as UNLABELLED
from .blocks import BlockId, BlockLattice

# What the features of all training tiles may take, in bytes; beyond it a class-balanced choice of tiles is used.
FEATURE_BUDGET = 2 * 2**30


@dataclass(frozen=True)
class LabelledImage:
    """One raster and what is known of its ground.

    ``labels(window)`` gives (h, w) int16 class indices, -1 where nothing is known, as it is outside of ``labelled``.
    ``side`` is a tile's side in pixels of this raster.
    """

    raster: Raster
    bands: tuple[int, ...]
    labels: Callable[[Window], NDArray[np.int16]]
    labelled: Window
    side: int


@dataclass(frozen=True)
class LabelledTile:
    """Where a tile with labels lies, and how many pixels of each class it holds, by block.

    ``fresh`` is its first row and column that no earlier tile covers: the last tiles of an image are moved back, and
    what they share with their neighbours is counted once.
    """

    image: int
    row: int
    column: int
    fresh: tuple[int, int]
    counts: dict[BlockId, NDArray[np.int64]]

    @property
    def class_pixels(self) -> NDArray[np.int64]:
        """(K,) labelled pixels."""
        return np.sum(list(self.counts.values()), axis=0)


@dataclass(frozen=True)
class Sample:
    """A tile ready for training: float16 features per scale (T, C, h, w), scaled pixels (3, n, n), two label maps
    (n, n) of class indices, one for training and one for validation, -1 elsewhere, and for each pixel (n, n) which
    of the blocks held back it lies in (their place in sorted order), else -1. ``position``: the tile's row and column
    in its image. ``encoded``: float16 maps of the companion encoder (C, h, w), finest first, if it is read."""

    pyramid: list[Tensor]
    pixels: Tensor
    target: Tensor
    held_back: Tensor
    block: Tensor
    position: tuple[int, int]
    encoded: tuple[Tensor, ...] = ()


def find_tiles(
    images: Sequence[LabelledImage], lattices: Sequence[BlockLattice], classes: int, tile_px: int, reporter: Reporter
) -> tuple[list[LabelledTile], NDArray[np.int64]]:
    """Every tile of every image that holds a labelled, valid pixel; and (K,) how many labelled pixels hold no data."""
    found, without_data = [], np.zeros(classes, np.int64)
    for number, (image, lattice) in enumerate(zip(images, lattices, strict=True)):
        if image.labelled.empty:
            continue
        grid = _grid(image, tile_px).touching(image.labelled)
        for row, fresh_row in _fresh(grid.rows, grid.side):
            reporter.check()
            for column, fresh_column in _fresh(grid.columns, grid.side):
                height, width = grid.side - fresh_row, grid.side - fresh_column
                window = Window(row + fresh_row, column + fresh_column, height, width)
                counts, lost = _count(image, lattice, window, classes)
                without_data += lost
                if counts:
                    found.append(LabelledTile(number, row, column, (fresh_row, fresh_column), counts))
    return found, without_data


def choose_tiles(tiles: Sequence[LabelledTile], limit: int, seed: int) -> list[LabelledTile]:
    """At most ``limit`` tiles, taken in turns for the class that has the fewest chosen pixels so far."""
    if len(tiles) <= limit:
        return list(tiles)
    rng = np.random.default_rng(seed)
    table = np.stack([tile.class_pixels for tile in tiles])
    order = rng.permutation(len(tiles))
    waiting = {k: [i for i in order if table[i, k] > 0] for k in range(table.shape[1])}
    chosen: dict[int, None] = {}
    pixels = np.zeros(table.shape[1])
    while len(chosen) < limit:
        open_classes = [k for k, queue in waiting.items() if queue]
        rarest = min(open_classes, key=lambda k: (pixels[k], k))
        index = waiting[rarest].pop(0)
        if index not in chosen:
            chosen[index] = None
            pixels += table[index]
    return [tiles[i] for i in sorted(chosen)]


def bytes_per_tile(extractor: Extractor, encoding: Encoding | None, tile_px: int) -> int:
    """What one tile's float16 features take."""
    times = len(extractor.recipe.times)
    read = [(times, scale) for scale in extractor.scales] + [
        (1, scale) for scale in (encoding.scales if encoding else ())
    ]
    return sum(2 * each * sum(scale.channels) * math.ceil(tile_px / scale.stride) ** 2 for each, scale in read)


def compute_samples(
    images: Sequence[LabelledImage],
    lattices: Sequence[BlockLattice],
    tiles: Sequence[LabelledTile],
    held_back: frozenset[BlockId],
    extractor: Extractor,
    encoding: Encoding | None,
    scalings: Sequence[Scaling],
    tile_px: int,
    batch: int,
    reporter: Reporter,
    message: str,
) -> list[Sample]:
    """Features of the chosen tiles, in their order. ``scalings`` has one entry an image."""
    samples: list[Sample] = []
    numbers = {block: number for number, block in enumerate(sorted(held_back))}
    for part in _batches(tiles, batch):
        image = images[part[0].image]
        pixels = torch.stack([_read(image, scalings[tile.image], tile, tile_px) for tile in part])
        positions = [(tile.row, tile.column) for tile in part]
        with torch.inference_mode():
            pyramid = extract(extractor, pixels, image.raster, positions, image.side)
            encoded = encoding(pixels) if encoding else []
        for index, tile in enumerate(part):
            maps = _targets(image, lattices[tile.image], tile, numbers, tile_px)
            features, beside = (
                [level[index].to("cpu", torch.float16).clone() for level in read] for read in (pyramid, encoded)
            )
            samples.append(Sample(features, pixels[index], *maps, (tile.row, tile.column), tuple(beside)))
        reporter.progress(len(samples), len(tiles), "tiles", message)
    return samples


def _batches(tiles: Sequence[LabelledTile], size: int) -> Iterator[list[LabelledTile]]:
    """Up to ``size`` tiles of one image at a time, in their order."""
    for _, of_image in groupby(tiles, key=lambda tile: tile.image):
        rest = list(of_image)
        while rest:
            yield rest[:size]
            rest = rest[size:]


def _fresh(origins: tuple[int, ...], side: int) -> list[tuple[int, int]]:
    """Each origin with how many of its pixels the tile before it covers."""
    before = (origins[0] - side, *origins[:-1])
    return [(origin, max(0, earlier + side - origin)) for earlier, origin in zip(before, origins, strict=True)]


def _grid(image: LabelledImage, tile_px: int) -> TileGrid:
    return tile_grid(image.raster.grid.height, image.raster.grid.width, image.side, tile_px, 0)


def _read(image: LabelledImage, scaling: Scaling, tile: LabelledTile, tile_px: int) -> Tensor:
    pixels, _ = read_tile(image.raster, image.bands, scaling, tile.row, tile.column, image.side)
    return resize(pixels[None], tile_px)[0]


def on_data(image: LabelledImage, window: Window, labels: NDArray[np.int16]) -> NDArray[np.int16]:
    """The labels of a window without those on pixels that hold no data."""
    if (labels < 0).all():
        return labels
    valid = image.raster.read(image.bands, window)[1]
    return np.where(valid, labels, UNLABELLED).astype(np.int16)


def _count(
    image: LabelledImage, lattice: BlockLattice, window: Window, classes: int
) -> tuple[dict[BlockId, NDArray[np.int64]], NDArray[np.int64]]:
    """Labelled pixels of each class, by block, and those inside the image that hold no data."""
    drawn = image.labels(window)
    labels = on_data(image, window, drawn)
    known = labels >= 0
    inside = window.intersection(image.raster.grid.whole)
    lost = ((drawn >= 0) & ~known)[: inside.height, : inside.width]
    without_data = np.bincount(drawn[: inside.height, : inside.width][lost], minlength=classes)
    if not known.any():
        return {}, without_data
    index, blocks = lattice.ids(window)
    joint = np.bincount(index[known] * classes + labels[known], minlength=len(blocks) * classes)
    table = joint.reshape(len(blocks), classes)
    return {block: table[i].astype(np.int64) for i, block in enumerate(blocks) if table[i].any()}, without_data


def _targets(
    image: LabelledImage, lattice: BlockLattice, tile: LabelledTile, numbers: dict[BlockId, int], tile_px: int
) -> tuple[Tensor, Tensor, Tensor]:
    window = Window(tile.row, tile.column, image.side, image.side)
    index, blocks = lattice.ids(window)
    block = np.array([numbers.get(item, UNLABELLED) for item in blocks])[index]
    labels = on_data(image, window, image.labels(window))
    target, held_back = np.where(block < 0, labels, UNLABELLED), np.where(block < 0, UNLABELLED, labels)
    held_back[: tile.fresh[0]] = UNLABELLED
    held_back[:, : tile.fresh[1]] = UNLABELLED
    sources = _sources((target != UNLABELLED) | (held_back != UNLABELLED), tile_px)
    tensors = [torch.from_numpy(part.ravel()[sources].astype(np.int64)) for part in (target, held_back, block)]
    return tensors[0], tensors[1], tensors[2]


def _sources(known: NDArray[np.bool_], tile_px: int) -> NDArray[np.intp]:
    """(tile_px, tile_px) which of a tile's (side, side) pixels, counted by rows, each pixel of the network stands for.

    The nearest to its centre; where nothing is known of that, the first known one of those that it covers, so that
    points and lines of images finer than the model's are not lost.
    """
    side = len(known)
    nearest = ((np.arange(tile_px) + 0.5) * side / tile_px).astype(int)
    sources = (nearest[:, None] * side + nearest).ravel()
    if side > tile_px:
        # By centres, as above: the nearest pixel is one of those that are covered.
        over = (2 * np.arange(side) + 1) * tile_px // (2 * side)
        lost = ~known.ravel()[sources].reshape(tile_px, tile_px)
        pixels = np.flatnonzero(known & lost[np.ix_(over, over)])
        covering, first = np.unique(over[pixels // side] * tile_px + over[pixels % side], return_index=True)
        sources[covering] = pixels[first]
    return sources.reshape(tile_px, tile_px)
