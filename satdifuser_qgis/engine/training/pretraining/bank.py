"""All tiles of all sources in one array of bytes, so that a GPU holds them and draws from them without the CPU."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ....protocol.errors import EngineError
from ....protocol.pretrain import Source
from ...reporter import Reporter
from .tiles import Pixels, find_images, halved, left_out, read_images, read_places, squares

# A source with more pixels than all others together gives no more than this share of the views.
LARGEST_SHARE = 0.6
# An image is also shown at half resolutions down to this part of a tile's side.
SMALLEST_IMAGE = 0.75
KM_PER_DEGREE = 111.32
# Images without known place lie this far from one another.
ELSEWHERE_KM = 1e6


@dataclass(frozen=True)
class Contents:
    """What one source gave: images, squares of them, pixels at full resolution, images left out, share of the views."""

    source: Source
    images: int
    tiles: int
    pixels: int
    left_out: int
    share: float


@dataclass
class Bank:
    """Tiles of M squares. ``tiles``: bytes (M, 3, S, S). ``gsd_m``: (M,), pixel sizes in metres, 0 = unknown.
    ``places``: (M, 2) in km, to tell neighbours by. ``limits``: (M,) ascending to 1, where uniform draws fall.
    """

    tiles: Tensor
    gsd_m: Tensor
    places: Tensor
    limits: Tensor
    contents: tuple[Contents, ...]

    @property
    def side(self) -> int:
        """Side of a tile in px."""
        return int(self.tiles.shape[-1])

    def to(self, device: torch.device) -> Bank:
        """The same on another device."""
        places, limits = self.places.to(device), self.limits.to(device)
        return Bank(self.tiles.to(device), self.gsd_m.to(device), places, limits, self.contents)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Numbers (count,) of tiles, each source by its share."""
        at = torch.rand(count, generator=generator, device=self.limits.device)
        return torch.searchsorted(self.limits, at).clamp(max=len(self.limits) - 1)


@dataclass
class _Kind:
    """One source while it is read: squares, levels of halving, numbers of their images, and counts."""

    source: Source
    cut: list[Pixels]
    levels: list[int]
    image: list[int]
    ids: list[str]
    left_out: int = 0

    @property
    def pixels(self) -> int:
        return sum(cut[0].size // 3 * len(cut) for cut, level in zip(self.cut, self.levels) if level == 0)


def read_bank(sources: Sequence[Source], reporter: Reporter) -> Bank:
    """All tiles of the sources but those that they leave out. The first source's tiles say how large a tile is.

    Larger images are cut into tiles, at full and at half resolutions. Raises EngineError("bad_input") where a source
    is empty.
    """
    side = 0
    kinds = []
    for source in sources:
        kind, side = _read(source, side, reporter)
        kinds.append(kind)
    shares = _shares(kinds)
    tiles = [torch.from_numpy(cut) for kind in kinds for cut in kind.cut]
    gsd = [kind.source.gsd_m * 2**level for kind in kinds for level, cut in zip(kind.levels, kind.cut) for _ in cut]
    weights = np.concatenate([share * _weights(kind) for share, kind in zip(shares, kinds)])
    contents = tuple(
        Contents(kind.source, len(kind.ids), sum(map(len, kind.cut)), kind.pixels, kind.left_out, share)
        for share, kind in zip(shares, kinds)
    )
    limits = torch.from_numpy(np.cumsum(weights) / weights.sum()).float()
    return Bank(torch.cat(tiles), torch.tensor(gsd), _places(kinds), limits, contents)


def _read(source: Source, side: int, reporter: Reporter) -> tuple[_Kind, int]:
    """One source cut into tiles of ``side``, or of its own commonest side where that is 0; and the side."""
    entries = find_images(Path(source.path))
    refused = left_out(source, entries)
    kind = _Kind(source, [], [], [], [], left_out=len(refused & set(entries)))
    images = []
    for image in read_images(entries, leave_out=refused):
        images.append(image)
        reporter.progress(len(images), len(entries), "images", "reading")
    if not images:
        raise EngineError("bad_input", f'All images at "{source.path}" are left out.', "Leave out fewer.")
    side = side or Counter(min(pixels.shape[1:]) for _, pixels in images).most_common(1)[0][0]
    for name, pixels in images:
        level = 0
        while level == 0 or min(pixels.shape[1:]) >= SMALLEST_IMAGE * side:
            cut = squares(pixels, side)
            if len(cut):
                kind.cut.append(cut)
                kind.levels.append(level)
                kind.image.append(len(kind.ids))
            pixels, level = halved(pixels), level + 1
        kind.ids.append(name)
    return kind, side


def _weights(kind: _Kind) -> np.ndarray:
    """How often each tile of a source is shown, summing to 1: a level half as often as the next finer one."""
    sizes = Counter[int]()
    for level, cut in zip(kind.levels, kind.cut):
        sizes[level] += len(cut)
    each = {level: 0.5**level / size for level, size in sizes.items()}
    weights = np.concatenate([np.full(len(cut), each[level]) for level, cut in zip(kind.levels, kind.cut)])
    return weights / weights.sum()


def _shares(kinds: Sequence[_Kind]) -> list[float]:
    """Shares of the views: those that are given, else by pixels, the largest bounded. They sum to 1."""
    pixels = [0.0 if kind.source.share else float(kind.pixels) for kind in kinds]
    given = sum(kind.source.share for kind in kinds)
    if given > 1 or (given == 0 and sum(pixels) == 0):
        raise EngineError("bad_input", f"The shares of the sources sum to {given:g}.", "Give shares that sum to 1.")
    free = sum(pixels) or 1.0
    largest = max(pixels)
    if len(kinds) > 1 and largest > LARGEST_SHARE * free and largest < free:
        # bounded: the others grow in proportion to fill the rest
        rest = free - largest
        bounded = rest * LARGEST_SHARE / (1 - LARGEST_SHARE)
        pixels = [bounded if value == largest else value for value in pixels]
        free = bounded + rest
    shares = [kind.source.share or (1 - given) * value / free for kind, value in zip(kinds, pixels)]
    return [share / sum(shares) for share in shares]


def _places(kinds: Sequence[_Kind]) -> Tensor:
    """(M, 2): where tiles lie, in km; an image without coordinates lies far from all others."""
    places: list[tuple[float, float]] = []
    elsewhere = 0
    for kind in kinds:
        known = read_places(kind.source.leave_out)
        own: list[tuple[float, float]] = []
        for name in kind.ids:
            if name in known:
                own.append(_kilometres(*known[name]))
                continue
            elsewhere += not (kind.source.same_ground and own)
            own.append((0.0, elsewhere * ELSEWHERE_KM))
        places += [own[number] for number, cut in zip(kind.image, kind.cut) for _ in cut]
    return torch.tensor(places)


def _kilometres(longitude: float, latitude: float) -> tuple[float, float]:
    return longitude * KM_PER_DEGREE * math.cos(math.radians(latitude)), latitude * KM_PER_DEGREE
