"""Patches: connected pixels of one class, and small ones absorbed by their neighbours. Arrays only."""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Labels = NDArray[np.int32]


def find_patches(codes: NDArray[Any], valid: NDArray[np.bool_]) -> Labels:
    """(h,w) number of the patch of each pixel, from 1 in reading order; 0 where not valid.

    Pixels belong together that have the same code and share an edge.
    """
    patches = np.zeros(codes.shape, np.int32)
    count = 0
    for code in np.unique(codes[valid]):
        found, number = ndimage.label((codes == code) & valid)
        patches[found > 0] = found[found > 0] + count
        count += number
    return _in_reading_order(patches)


def absorb_small(codes: NDArray[Any], patches: Labels, smallest_px: int) -> tuple[NDArray[Any], Labels]:
    """Codes and patches (h,w) after every patch below ``smallest_px`` pixels has gone to a neighbour.

    The smallest goes first, to the neighbour with which it shares the longest border (then the larger one, then
    the first in reading order). Patches of one class that meet by this are one patch from then on. A patch
    that has no neighbour, since only nodata surrounds it, stays.
    """
    if smallest_px <= 1 or not patches.any():
        return codes, patches
    sizes = np.bincount(patches.ravel()).tolist()
    first = np.zeros(len(sizes), codes.dtype)
    first[patches.ravel()] = codes.ravel()
    owners = _Merger(sizes, first.tolist(), _borders(patches)).run(smallest_px)
    merged = np.array(owners, np.int32)[patches]
    return np.where(patches > 0, first[merged], codes), _in_reading_order(merged)


class _Merger:
    """Sizes, codes and shared borders of patches while small ones are absorbed."""

    def __init__(self, sizes: list[int], codes: list[int], borders: list[dict[int, int]]) -> None:
        self.sizes, self.codes, self.borders = sizes, codes, borders
        self.owner = list(range(len(sizes)))

    def run(self, smallest_px: int) -> list[int]:
        """The patch that each patch ends in."""
        queue = [(size, patch) for patch, size in enumerate(self.sizes) if patch and size < smallest_px]
        heapq.heapify(queue)
        while queue:
            size, patch = heapq.heappop(queue)
            # Entries of patches that were absorbed or have grown since are stale.
            if self.owner[patch] != patch or self.sizes[patch] != size or not self.borders[patch]:
                continue
            taker = self._longest_border(patch)
            self._join(patch, taker)
            for neighbour in [n for n in self.borders[taker] if self.codes[n] == self.codes[taker]]:
                self._join(neighbour, taker)
            if self.sizes[taker] < smallest_px:
                heapq.heappush(queue, (self.sizes[taker], taker))
        return [self._end(patch) for patch in range(len(self.owner))]

    def _longest_border(self, patch: int) -> int:
        borders = self.borders[patch]
        return max(borders, key=lambda other: (borders[other], self.sizes[other], -other))

    def _join(self, patch: int, taker: int) -> None:
        self.owner[patch] = taker
        self.sizes[taker] += self.sizes[patch]
        for other, length in self.borders[patch].items():
            del self.borders[other][patch]
            if other != taker:
                self.borders[taker][other] = self.borders[taker].get(other, 0) + length
                self.borders[other][taker] = self.borders[taker][other]
        self.borders[patch] = {}

    def _end(self, patch: int) -> int:
        while self.owner[patch] != patch:
            self.owner[patch] = self.owner[self.owner[patch]]
            patch = self.owner[patch]
        return patch


def _borders(patches: Labels) -> list[dict[int, int]]:
    """For each patch its neighbours and the length of the common border in pixel edges; 0 has none."""
    count = int(patches.max()) + 1
    keys = []
    for first, second in ((patches[:, :-1], patches[:, 1:]), (patches[:-1], patches[1:])):
        meet = (first != second) & (first > 0) & (second > 0)
        low = np.minimum(first[meet], second[meet]).astype(np.int64)
        keys.append(low * count + np.maximum(first[meet], second[meet]))
    pairs, lengths = np.unique(np.concatenate(keys), return_counts=True)
    borders: list[dict[int, int]] = [{} for _ in range(count)]
    for key, length in zip(pairs.tolist(), lengths.tolist(), strict=True):
        low_patch, high_patch = divmod(key, count)
        borders[low_patch][high_patch] = length
        borders[high_patch][low_patch] = length
    return borders


def _in_reading_order(patches: Labels) -> Labels:
    """The same patches numbered from 1 by their first pixel, row by row; 0 stays."""
    numbers, first = np.unique(patches, return_index=True)
    first, numbers = first[numbers > 0], numbers[numbers > 0]
    lookup = np.zeros(int(patches.max(initial=0)) + 1, np.int32)
    lookup[numbers[np.argsort(first)]] = np.arange(1, len(numbers) + 1)
    return lookup[patches]
