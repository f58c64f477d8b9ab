"""Colour, texture and shape statistics of whole tiles: what normalised features of a network lose.

They are the side input of scene classification, and all that the baselines of the benchmark read.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

Values = NDArray[np.float32]

BATCH = 128
LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)
PERCENTILES = (5, 25, 50, 75, 95)
ORIENTATIONS = 8
# Radius and neighbours of the local binary patterns.
PATTERNS = ((1, 8), (2, 8), (3, 16))
BLUR_SIGMAS = (1.0, 2.0, 4.0, 8.0)
RIDGE_SIGMAS = (1.0, 2.0)
COHERENCE_SIGMAS = (1.5, 4.0)
ANGLES = 16
RINGS = 8
# The first columns are colour and texture as everybody measures them; after them come lines, corners and regions.
TEXTURE_COLUMNS = 140
# A value of 8 bit; keeps ratios of black pixels finite.
SMALL = 1 / 255


def scene_statistics(tiles: Values) -> Values:
    """(N, S) statistics of tiles (N,3,H,W), red, green and blue between 0 and 1, square, of 16 px and more.

    The number S does not depend on the size. Each row depends on its tile alone.
    """
    parts = [_statistics(np.ascontiguousarray(tiles[i : i + BATCH], np.float32)) for i in range(0, len(tiles), BATCH)]
    return np.concatenate(parts)


def _statistics(rgb: Values) -> Values:
    grey = np.einsum("ncyx,c->nyx", rgb, LUMINANCE)
    groups = (
        _colour(rgb),
        _gradients(rgb),
        _orientation(grey),
        *(_patterns(grey, radius, count) for radius, count in PATTERNS),
        _contrast(rgb),
        _correlations(rgb),
        _ridges(grey),
        _structure(grey),
        _lines(grey),
        _spectrum(grey),
        _regions(rgb, grey),
    )
    return np.nan_to_num(np.concatenate(groups, axis=1).astype(np.float32))


def _spread(values: Values, percentiles: tuple[int, ...]) -> Values:
    """Mean, deviation and percentiles of (N, …): (N, 2 + percentiles)."""
    flat = values.reshape(len(values), -1)
    found = np.percentile(flat, percentiles, axis=1)
    return np.column_stack([flat.mean(1), flat.std(1), *found])


def _colour(rgb: Values) -> Values:
    """Bands, saturation, direction of the hue, shares of the bands and their normalised differences."""
    red, green, blue = rgb[:, 0], rgb[:, 1], rgb[:, 2]
    high, low = rgb.max(1), rgb.min(1)
    total = rgb.sum(1) + SMALL
    parts = [_spread(band, PERCENTILES) for band in (red, green, blue, (high - low) / (high + SMALL))]
    parts += [_spread(difference(green, red), PERCENTILES), _spread(difference(blue, red), PERCENTILES)]
    parts += [_spread(band / total, ()) for band in (red, green, blue)]
    # The hue is a circle: its two components, not the angle, have means and deviations.
    parts += [_spread(part, ()) for part in ((2 * red - green - blue) / total, (green - blue) / total)]
    return np.concatenate(parts, axis=1)


def difference(one: Values, other: Values) -> Values:
    """The normalised difference, -1 to 1."""
    return (one - other) / (one + other + SMALL)


def _slopes(values: Values) -> tuple[Values, Values]:
    """Central differences along rows and columns of (N, H, W)."""
    down, across = (np.asarray(slope, np.float32) for slope in np.gradient(values, axis=(1, 2)))
    return down, across


def _gradients(rgb: Values) -> Values:
    """Size of the gradient of each band and of green against red."""
    layers = [rgb[:, 0], rgb[:, 1], rgb[:, 2], difference(rgb[:, 1], rgb[:, 0])]
    return np.concatenate([_spread(np.hypot(*_slopes(layer)), (50, 90, 99)) for layer in layers], axis=1)


def _orientation(grey: Values) -> Values:
    """Shares of the gradient's directions, the strongest first, and their entropy."""
    down, across = _slopes(grey)
    angle = np.mod(np.arctan2(down, across), np.pi)
    which = np.minimum((angle * (ORIENTATIONS / np.pi)).astype(np.int64), ORIENTATIONS - 1)
    shares = _histogram(which, ORIENTATIONS, np.hypot(down, across))
    entropy = -(shares * np.log(shares + 1e-9)).sum(1, keepdims=True)
    return np.concatenate([np.sort(shares, axis=1)[:, ::-1], entropy], axis=1)


def _histogram(codes: NDArray[np.int64], bins: int, weights: Values | None = None) -> Values:
    """Shares (N, bins) of codes 0 to bins - 1 in (N, …), each counted with its weight."""
    count = len(codes)
    shifted = codes.reshape(count, -1) + bins * np.arange(count)[:, None]
    flat = None if weights is None else weights.ravel()
    found = np.bincount(shifted.ravel(), flat, count * bins).reshape(count, bins)
    return (found / (found.sum(1, keepdims=True) + 1e-9)).astype(np.float32)


def _patterns(grey: Values, radius: int, count: int) -> Values:
    """Histogram of rotation-invariant uniform local binary patterns (Ojala et al. 2002, section 2.3)."""
    levels = np.round(grey * 255)
    pad = radius + 1
    around = np.pad(levels, ((0, 0), (pad, pad), (pad, pad)), mode="reflect")
    bits = np.stack([_shifted(around, *_neighbour(radius, k, count), pad) >= levels for k in range(count)])
    ones = bits.sum(0)
    changes = (bits != np.roll(bits, 1, axis=0)).sum(0)
    return _histogram(np.where(changes <= 2, ones, count + 1), count + 2)


def _neighbour(radius: int, k: int, count: int) -> tuple[float, float]:
    angle = 2 * np.pi * k / count
    return round(-radius * np.sin(angle), 6), round(radius * np.cos(angle), 6)


def _shifted(around: Values, down: float, across: float, pad: int) -> Values:
    """The padded image moved by parts of a pixel, bilinear, cut back to the image."""
    height, width = (side - 2 * pad for side in around.shape[1:])
    top, left = int(np.floor(down)), int(np.floor(across))
    total = np.zeros((len(around), height, width), np.float32)
    for row, row_share in ((top, 1 - (down - top)), (top + 1, down - top)):
        for column, column_share in ((left, 1 - (across - left)), (left + 1, across - left)):
            if row_share * column_share:
                window = around[:, pad + row : pad + row + height, pad + column : pad + column + width]
                total += np.float32(row_share * column_share) * window
    # Rounded, since sums of shares must not decide whether a flat surface lies above itself.
    return np.round(total, 3).astype(np.float32)


def _contrast(rgb: Values) -> Values:
    """Deviations of each band between one Gaussian and the next, and of the last; and of 8 × 8 blocks of grey."""
    layers, parts = rgb, []
    for sigma in BLUR_SIGMAS:
        smooth = ndimage.gaussian_filter(rgb, (0, 0, sigma, sigma), mode="reflect", truncate=3)
        parts.append((layers - smooth).std((2, 3)))
        layers = smooth
    parts.append(layers.std((2, 3)))
    return np.concatenate(parts, axis=1)


def _correlations(rgb: Values) -> Values:
    """Correlations of the bands with one another, of the values and of their detail."""
    detail = rgb - ndimage.uniform_filter(rgb, (0, 0, 5, 5))
    parts = []
    for values in (rgb, detail):
        flat = values.reshape(*values.shape[:2], -1)
        flat = flat - flat.mean(2, keepdims=True)
        # One grey level of noise: without it flat water has no correlation at all.
        size = np.sqrt((flat**2).mean(2) + 1e-3 * SMALL**2)
        for one, other in ((0, 1), (0, 2), (1, 2)):
            parts.append((flat[:, one] * flat[:, other]).mean(1) / (size[:, one] * size[:, other]))
    return np.column_stack(parts)


def _ridges(grey: Values) -> Values:
    """Bright and dark lines: the eigenvalues of the second derivatives at two widths."""
    parts = []
    for sigma in RIDGE_SIGMAS:
        yy, xx, xy = (
            ndimage.gaussian_filter(grey, (0, sigma, sigma), (0, *order)) for order in ((2, 0), (0, 2), (1, 1))
        )
        middle, apart = (yy + xx) / 2, np.sqrt(((yy - xx) / 2) ** 2 + xy**2)
        parts += [_spread(np.maximum(side, 0), (90, 99)) for side in (middle + apart, apart - middle)]
    return np.concatenate(parts, axis=1)


def _structure(grey: Values) -> Values:
    """Structure tensor: how far one direction rules, locally and over the whole tile; corners after Harris."""
    down, across = _slopes(ndimage.gaussian_filter(grey, (0, 1, 1)))
    products = down * down, across * across, down * across
    parts = []
    for sigma in COHERENCE_SIGMAS:
        yy, xx, xy = (ndimage.gaussian_filter(product, (0, sigma, sigma), truncate=3) for product in products)
        energy = yy + xx
        coherence = np.hypot(yy - xx, 2 * xy) / (energy + SMALL**2)
        corners = (yy * xx - xy**2) / (energy + SMALL**2)
        weighted = (coherence * energy).mean((1, 2)) / (energy.mean((1, 2)) + SMALL**2)
        parts += [_spread(coherence, (50, 90)), weighted[:, None], _spread(np.sqrt(np.maximum(corners, 0)), (90, 99))]
    yy, xx, xy = (product.mean((1, 2)) for product in products)
    parts.append((np.hypot(yy - xx, 2 * xy) / (yy + xx + SMALL**2))[:, None])
    return np.concatenate(parts, axis=1)


@lru_cache(maxsize=4)
def _projection(side: int) -> sparse.csr_matrix:
    """Means along parallel lines of a square, (angles · offsets, pixels); lines shorter than half a side are left out.

    Each line is a pixel wide.
    """
    rows, columns = np.mgrid[:side, :side] - (side - 1) / 2
    blocks = []
    for k in range(ANGLES):
        angle = np.pi * k / ANGLES
        offset = np.round(rows * np.cos(angle) + columns * np.sin(angle) + side).astype(np.int64).ravel()
        block = sparse.csr_matrix((np.ones(side**2, np.float32), (offset, np.arange(side**2))), (2 * side + 1, side**2))
        length = np.asarray(block.sum(1)).ravel()
        shares = sparse.diags_array(np.where(length >= side / 2, 1 / np.maximum(length, 1), 0).astype(np.float32))
        blocks.append((shares @ block).tocsr())
    return sparse.vstack(blocks).tocsr()


def _lines(grey: Values) -> Values:
    """Long straight lines: the largest mean of detail along a line, bright and dark, against all lines (Radon)."""
    side = min(grey.shape[1:])
    detail = grey[:, :side, :side] - ndimage.gaussian_filter(grey, (0, 4, 4), truncate=3)[:, :side, :side]
    size = detail.std((1, 2)) + SMALL
    sums = (_projection(side) @ detail.reshape(len(grey), -1).T).T.reshape(len(grey), ANGLES, -1)
    bright, dark, strength = sums.max(2), -sums.min(2), sums.std(2)
    parts = [np.sort(peaks / size[:, None], axis=1)[:, [-1, -2, ANGLES // 2]] for peaks in (bright, dark, strength)]
    parts.append(np.column_stack([strength.max(1) / (strength.mean(1) + 1e-6), bright.max(1), dark.max(1)]))
    return np.concatenate(parts, axis=1)


@lru_cache(maxsize=4)
def _rings(height: int, width: int) -> NDArray[np.int64]:
    """The ring of each frequency, logarithmic from one wave a tile to half a wave a pixel; RINGS for none."""
    size = np.hypot(np.fft.fftfreq(height)[:, None] * height, np.fft.fftfreq(width)[None, :] * width)
    place = np.log(np.maximum(size, 1)) / np.log(min(height, width) / 2) * RINGS
    return np.where(size < 1, RINGS, np.minimum(place.astype(np.int64), RINGS - 1))


def _spectrum(grey: Values) -> Values:
    """Share of the power on each ring of frequencies, and how much of it its strongest frequency holds."""
    window = np.outer(np.hanning(grey.shape[1]), np.hanning(grey.shape[2])).astype(np.float32)
    power = np.abs(np.fft.fft2((grey - grey.mean((1, 2), keepdims=True)) * window)) ** 2
    rings = _rings(*grey.shape[1:])
    sums = np.stack([power[:, rings == k].sum(1) for k in range(RINGS)], axis=1)
    peaks = np.stack([power[:, rings == k].max(1) for k in range(2, RINGS)], axis=1)
    floor = 1e-3 * SMALL**2 * grey[0].size
    return np.concatenate([np.log(sums + floor), peaks / (sums[:, 2:] + floor)], axis=1)


def _regions(rgb: Values, grey: Values) -> Values:
    """Two parts of a tile by its mean, of grey and of blue's share: size, border, how far apart, and how long."""
    parts = []
    for layer in (grey, rgb[:, 2] / (rgb.sum(1) + SMALL)):
        smooth = ndimage.gaussian_filter(layer, (0, 1, 1))
        above = smooth > (smooth.max((1, 2), keepdims=True) + smooth.min((1, 2), keepdims=True)) / 2
        share = above.mean((1, 2))
        border = (above[:, 1:] != above[:, :-1]).mean((1, 2)) + (above[:, :, 1:] != above[:, :, :-1]).mean((1, 2))
        inside = (smooth * above).sum((1, 2)) / np.maximum(above.sum((1, 2)), 1)
        outside = (smooth * ~above).sum((1, 2)) / np.maximum((~above).sum((1, 2)), 1)
        parts += [share, border, inside - outside, (inside - outside) / (smooth.std((1, 2)) + 1e-4), _length(above)]
    return np.column_stack(parts)


def _length(inside: NDArray[np.bool_]) -> Values:
    """1 for a region that lies along one straight line, 0 for a round one; (N,) of (N, H, W)."""
    height, width = inside.shape[1:]
    weight = inside / np.maximum(inside.sum((1, 2), keepdims=True), 1)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    down = rows - (weight * rows).sum((1, 2))[:, None, None]
    across = columns - (weight * columns).sum((1, 2))[:, None, None]
    yy, xx, xy = ((weight * product).sum((1, 2)) for product in (down * down, across * across, down * across))
    return np.hypot(yy - xx, 2 * xy) / (yy + xx + 1e-6)
