"""Random forests on pixel values, alone or with their surroundings at several scales."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from sklearn.ensemble import RandomForestClassifier

from benchmarks.labelled_set import LabelledSet, Pair, limits, read_codes, read_image, stretch

TREES, LEAF, TRAIN_PIXELS, SEED = 100, 3, 80_000, 0
CONTEXT_SIGMAS = (1, 2, 4, 8)
ROWS_AT_ONCE = 128


def pixel_features(values: NDArray[np.float32], context: bool) -> NDArray[np.float32]:
    """(pixels, features): the bands, and with ``context`` Gaussian means and standard deviations around."""
    layers = [values]
    for sigma in CONTEXT_SIGMAS if context else ():
        mean = gaussian_filter(values, (0, sigma, sigma))
        square = gaussian_filter(values**2, (0, sigma, sigma))
        layers += [mean, np.sqrt(np.clip(square - mean**2, 0, None))]
    return np.concatenate(layers).reshape(sum(map(len, layers)), -1).T


class Forest:
    """A forest over pixels of the training images, equally many from each, drawn with a fixed seed."""

    def __init__(self, context: bool, balanced: bool, scaling: int, threads: int) -> None:
        self.context, self.scaling = context, scaling
        weight = "balanced" if balanced else None
        self.trees = RandomForestClassifier(
            TREES, min_samples_leaf=LEAF, class_weight=weight, n_jobs=threads, random_state=SEED
        )

    def learn(self, labelled: LabelledSet) -> None:
        """Fits the trees."""
        rng = np.random.default_rng(SEED)
        share = TRAIN_PIXELS // len(labelled.train)
        drawn = [self._draw(pair, share, rng) for pair in labelled.train]
        self.trees.fit(np.concatenate([x for x, _ in drawn]), np.concatenate([y for _, y in drawn]))

    def map(self, pair: Pair) -> NDArray[np.uint16]:
        """Class codes of an image."""
        values = self._values(pair)
        features = pixel_features(values, self.context)
        step = ROWS_AT_ONCE * values.shape[2]
        parts = [self.trees.predict(features[start : start + step]) for start in range(0, len(features), step)]
        return np.concatenate(parts).reshape(values.shape[1:])

    def _values(self, pair: Pair) -> NDArray[np.float32]:
        # a constant scaling does not change what a tree can split, so scaling 1 is the raw values
        values = read_image(pair.image)
        return stretch(values, *limits(values)) if self.scaling == 2 else values

    def _draw(self, pair: Pair, share: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.uint16]]:
        codes = read_codes(pair.label).ravel()
        candidates = np.flatnonzero(codes)
        chosen = rng.choice(candidates, min(share, len(candidates)), replace=False)
        return pixel_features(self._values(pair), self.context)[chosen], codes[chosen]
