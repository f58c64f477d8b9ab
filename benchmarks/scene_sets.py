"""Labelled scenes that classifiers are compared on: which tiles are learnt from, and which are only scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from satdifuser_qgis.engine.training.pretraining.tiles import class_of, find_images, left_out, read_ids, read_images
from satdifuser_qgis.protocol.pretrain import Source


@dataclass(frozen=True)
class Kind:
    """A set on disk. labels: sizes of its lists, the last being all. px: side of an image; network_px: of what the
    network is shown. every: one image of so many a class is scored, 0 where a table of folds decides."""

    title: str
    labels: tuple[int, ...]
    px: int
    network_px: int
    every: int = 0


# The network sees aerial images at half their size: that is a quarter of the cost, at still only 0.6 m a pixel.
KINDS = {
    "eurosat": Kind("EuroSAT", (200, 2_000, 21_600), 64, 64),
    "ucmerced": Kind("UC Merced", (105, 420), 256, 128, every=5),
}
FOLDS = "train_lonlat.csv"


@dataclass(frozen=True)
class SceneSet:
    """``tiles`` (N,3,S,S) bytes with ``ids`` and ``targets`` (numbers into ``classes``).

    ``test`` are rows that are only scored; ``train`` the rows of each (labels, seed). The two share no tile.
    """

    key: str
    kind: Kind
    ids: tuple[str, ...]
    tiles: NDArray[np.uint8]
    classes: tuple[str, ...]
    targets: NDArray[np.int64]
    test: NDArray[np.int64]
    train: dict[tuple[int, int], NDArray[np.int64]]


def open_scenes(key: str, data: Path, labels: Sequence[int], seeds: Sequence[int], test: Path | None) -> SceneSet:
    """The set below ``data``, with the lists of these sizes and seeds; only what they name is decoded.

    test: a folder of class zips, scored in place of the set's own test part. Raises FileNotFoundError where a list is
    missing and ValueError where no training tile is left.
    """
    kind, folder = KINDS[key], data / key
    if not (folder / "train").is_dir():
        raise FileNotFoundError(f"{folder} holds no labelled scenes; set SATDIFUSER_DATA to the folder of shared data")
    entries = find_images(folder / "train")
    scored = find_images(test) if test else {}
    own = frozenset(scored) if test else left_out(_source(folder, kind), list(entries))
    lists = {(n, seed): read_ids(str(_list(folder, n, seed, kind))) - own for n in labels for seed in seeds}
    for (n, seed), ids in lists.items():
        if not ids:
            raise ValueError(f"of the {n} labels of seed {seed} in {folder} none is left beside the test images")
    images = dict(read_images(entries, only=frozenset().union(*lists.values(), () if test else own)))
    images.update(read_images(scored))
    names = sorted(images)
    rows = {name: row for row, name in enumerate(names)}
    classes = tuple(sorted({class_of(name) for name in names}))
    return SceneSet(
        key,
        kind,
        tuple(names),
        np.stack([fitted(images[name], kind.px) for name in names]),
        classes,
        np.array([classes.index(class_of(name)) for name in names]),
        np.array(sorted(rows[name] for name in own)),
        {which: np.array(sorted(rows[name] for name in ids)) for which, ids in lists.items()},
    )


def fitted(pixels: NDArray[np.uint8], px: int) -> NDArray[np.uint8]:
    """The middle ``px`` × ``px`` of an image (3, H, W); where it is smaller it is mirrored out."""
    for axis in (1, 2):
        start = max(0, (pixels.shape[axis] - px) // 2)
        pixels = pixels.take(range(start, min(pixels.shape[axis], start + px)), axis)
    missing = [(0, 0), *((0, px - side) for side in pixels.shape[1:])]
    return np.ascontiguousarray(np.pad(pixels, missing, mode="reflect"))


def _source(folder: Path, kind: Kind) -> Source:
    table = "" if kind.every else str(folder / FOLDS)
    return Source(str(folder / "train"), leave_out=table, leave_out_every=kind.every)


def _list(folder: Path, labels: int, seed: int, kind: Kind) -> Path:
    everything = labels == kind.labels[-1] and not (folder / f"train_{labels}_seed0.txt").is_file()
    return folder / ("train.txt" if everything else f"train_{labels}_seed{seed}.txt")
