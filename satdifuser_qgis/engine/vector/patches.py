"""Patches: connected pixels of one class, and small ones absorbed by their neighbours. Arrays only.

A raster is read strip by strip, twice. What is held of it meanwhile is a graph of patches; the number of each pixel's
patch goes into an array of the caller's, which may lie on disk.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

Labels = NDArray[np.int32]
Codes = NDArray[Any]
# Pixels of a strip: 20 bytes each are held while patches are sought, and at worst, where each is a patch of its own, a
# kilobyte while outlines are drawn.
STRIP_PX = 2**20


class ClassSource(Protocol):
    """A class raster that can be read by rows."""

    height: int
    width: int

    def read(self, row: int, rows: int) -> tuple[Codes, NDArray[np.bool_]]:
        """Codes and valid pixels, (rows, width) each."""


@dataclass(frozen=True)
class Patches:
    """``numbers``: (h,w) patch of each pixel, from 1 in reading order, 0 where not valid. Of patch n, at n - 1:
    ``codes`` and ``sizes`` in pixels."""

    numbers: Labels
    codes: Codes
    sizes: NDArray[np.int64]


def strips_of(height: int, width: int) -> Iterator[tuple[int, int]]:
    """First row and number of rows of each strip."""
    rows = max(1, STRIP_PX // max(1, width))
    for row in range(0, height, rows):
        yield row, min(rows, height - row)


def find_patches(
    source: ClassSource, smallest_px: int, numbers: Labels, check: Callable[[], None] = lambda: None
) -> Patches:
    """The patches of a class raster; their numbers are written into ``numbers``, (h,w).

    ``check`` is called between strips, and while patches are absorbed; what it raises ends the work.

    Pixels belong together that have the same code and share an edge. Patches below ``smallest_px`` are absorbed: the
    smallest goes first, to the neighbour with which it shares the longest border (then the larger one, then the first
    in reading order). Patches of one class that meet by this are one patch from then on. A patch that has no
    neighbour, since only nodata surrounds it, stays.
    """
    graph = _scan(source, numbers, check)
    if smallest_px > 1:
        graph = _absorbed(graph, smallest_px, check)
    for row, rows in strips_of(*numbers.shape):
        check()
        part = numbers[row : row + rows]
        part[...] = graph.patch_of[part]
    return Patches(numbers, graph.codes[1:], graph.sizes[1:])


@dataclass
class _Graph:
    """Patches and their borders; index 0 is no patch.

    ``patch_of``: the patch of each piece, as pieces were numbered while reading. ``low``, ``high``, ``length``: pairs
    of neighbours and how many pixel edges they share.
    """

    patch_of: Labels
    codes: Codes
    sizes: NDArray[np.int64]
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    length: NDArray[np.int64]

    def gathered(self, group: NDArray[np.integer[Any]]) -> _Graph:
        """The graph in which the patches of each group are one, numbered by the first of their members.

        The members of a group have the same code.
        """
        _, first, group = np.unique(group, return_index=True, return_inverse=True)
        place = np.empty(len(first), np.int64)
        place[np.argsort(first)] = np.arange(len(first))
        to = place[group]
        codes = np.empty(len(first), self.codes.dtype)
        codes[to] = self.codes
        sizes = np.bincount(to, self.sizes, len(first)).astype(np.int64)
        low, high = to[self.low], to[self.high]
        low, high, length = _summed(np.minimum(low, high), np.maximum(low, high), self.length, len(first))
        return _Graph(to[self.patch_of].astype(np.int32), codes, sizes, low, high, length)


def _scan(source: ClassSource, numbers: Labels, check: Callable[[], None]) -> _Graph:
    """Numbers the pieces of each strip, and joins those of one class that touch across the strips' edges."""
    codes, sizes = [np.zeros(1, np.int64)], [np.zeros(1, np.int64)]
    borders: list[tuple[NDArray[np.int64], ...]] = []
    joins: list[NDArray[np.int64]] = [np.zeros((0, 2), np.int64)]
    count, last_codes = 0, np.zeros(source.width, np.int64)
    for row, rows in strips_of(source.height, source.width):
        check()
        read, valid = source.read(row, rows)
        pieces, own_codes = _pieces(read, valid, count)
        numbers[row : row + rows] = pieces
        codes.append(own_codes)
        sizes.append(np.bincount(pieces[pieces > 0] - count, minlength=len(own_codes) + 1)[1:])
        count += len(own_codes)
        borders.append(_borders(pieces))
        if row:
            before = numbers[row - 1]
            meet = (before > 0) & (pieces[0] > 0)
            same = meet & (last_codes == read[0])
            joins.append(np.stack([before[same], pieces[0][same]], axis=1).astype(np.int64))
            borders.append(_counted(before[meet & ~same], pieces[0][meet & ~same]))
        last_codes = read[-1]
    low, high, length = (np.concatenate(parts) for parts in zip(*borders, strict=True))
    graph = _Graph(
        np.arange(count + 1, dtype=np.int32), np.concatenate(codes), np.concatenate(sizes), low, high, length
    )
    pairs = np.concatenate(joins)
    links = sparse.coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(count + 1, count + 1))
    return graph.gathered(sparse.csgraph.connected_components(links, directed=False)[1])


def _pieces(codes: Codes, valid: NDArray[np.bool_], offset: int) -> tuple[Labels, NDArray[np.int64]]:
    """(h,w) connected pixels of one code, numbered from ``offset`` + 1 in reading order, and each piece's code."""
    pieces, own, count = np.zeros(codes.shape, np.int32), [], 0
    for code in np.unique(codes[valid]):
        found, number = ndimage.label((codes == code) & valid)
        np.copyto(pieces, found + count, where=found > 0)
        own += [int(code)] * number
        count += number
    if not count:
        return pieces, np.zeros(0, np.int64)
    flat = pieces.ravel()
    first = np.full(count + 1, flat.size, np.int64)
    places = np.flatnonzero(flat)
    # the last write stays, so the first place of each piece is written last
    first[flat[places[::-1]]] = places[::-1]
    order = np.argsort(first[1:], kind="stable")
    lookup = np.zeros(count + 1, np.int32)
    lookup[1 + order] = np.arange(1, count + 1) + offset
    return lookup[pieces], np.array(own, np.int64)[order]


def _borders(pieces: Labels) -> tuple[NDArray[np.int64], ...]:
    """Pairs of neighbouring pieces within a strip, and the length of their border in pixel edges."""
    firsts, seconds = [], []
    for first, second in ((pieces[:, :-1], pieces[:, 1:]), (pieces[:-1], pieces[1:])):
        meet = (first != second) & (first > 0) & (second > 0)
        firsts.append(first[meet])
        seconds.append(second[meet])
    return _counted(np.concatenate(firsts), np.concatenate(seconds))


def _counted(first: Labels, second: Labels) -> tuple[NDArray[np.int64], ...]:
    low, high = np.minimum(first, second).astype(np.int64), np.maximum(first, second).astype(np.int64)
    return _summed(low, high, np.ones(len(low), np.int64), int(high.max(initial=0)) + 1)


def _summed(
    low: NDArray[np.int64], high: NDArray[np.int64], length: NDArray[np.int64], count: int
) -> tuple[NDArray[np.int64], ...]:
    """Each pair once, with the sum of its lengths; a patch is no neighbour of itself."""
    apart = low != high
    keys, place = np.unique(low[apart] * count + high[apart], return_inverse=True)
    sums = np.bincount(place, length[apart], len(keys)).astype(np.int64)
    return keys // count, keys % count, sums


def _absorbed(graph: _Graph, smallest_px: int, check: Callable[[], None]) -> _Graph:
    owners = np.array(_Merger(graph).run(smallest_px, check), np.int64)
    graph.codes = graph.codes[owners]
    return graph.gathered(owners)


class _Merger:
    """Groups of patches that grow while small ones are absorbed. A group is named by the patch that took the others.

    Borders stay those between the patches at the start; those of a group are added up when it is its turn. So only
    small groups' borders are ever looked at: large ones may have millions.
    """

    def __init__(self, graph: _Graph) -> None:
        count = len(graph.sizes)
        pairs = sparse.coo_array((graph.length, (graph.low, graph.high)), shape=(count, count))
        borders = (pairs + pairs.T).tocsr()
        # views of arrays: eight bytes a number where a list has forty
        self.starts, self.others, self.lengths = borders.indptr.data, borders.indices.data, borders.data.data
        self.sizes, self.codes, self.owner = graph.sizes.copy().data, graph.codes.data, np.arange(count).data
        # members of a group are a chain that ends with 0
        self.after, self.last = np.zeros(count, np.int64).data, np.arange(count).data

    def run(self, smallest_px: int, check: Callable[[], None]) -> memoryview:
        """The patch that each patch ends in."""
        queue = [(size, patch) for patch, size in enumerate(self.sizes) if patch and size < smallest_px]
        heapq.heapify(queue)
        while queue:
            check()
            size, patch = heapq.heappop(queue)
            # Entries of patches that were absorbed or have grown since are stale.
            if self.owner[patch] != patch or self.sizes[patch] != size:
                continue
            borders = self._borders(patch)
            if not borders:
                continue
            taker = max(borders, key=lambda other: (borders[other], self.sizes[other], -other))
            self._join(patch, taker)
            # neighbours of the taker itself have other codes than it has
            for other in borders:
                if other != taker and self.codes[other] == self.codes[taker]:
                    self._join(other, taker)
            if self.sizes[taker] < smallest_px:
                heapq.heappush(queue, (self.sizes[taker], taker))
        for patch in range(len(self.owner)):
            self.owner[patch] = self._end(patch)
        return self.owner

    def _borders(self, patch: int) -> dict[int, int]:
        """Neighbours of a group, and how many pixel edges they share."""
        borders: dict[int, int] = {}
        member = patch
        while member:
            for at in range(self.starts[member], self.starts[member + 1]):
                other = self._end(self.others[at])
                if other != patch:
                    borders[other] = borders.get(other, 0) + self.lengths[at]
            member = self.after[member]
        return borders

    def _join(self, patch: int, taker: int) -> None:
        self.owner[patch] = taker
        self.sizes[taker] += self.sizes[patch]
        self.after[self.last[taker]], self.last[taker] = patch, self.last[patch]

    def _end(self, patch: int) -> int:
        while self.owner[patch] != patch:
            self.owner[patch] = self.owner[self.owner[patch]]
            patch = self.owner[patch]
        return patch
