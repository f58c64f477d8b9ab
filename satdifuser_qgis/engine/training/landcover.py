"""Training a land-cover model on labelled images: tiles, blocks, features, scaling, decoder, scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from ...protocol.choices import SCALING
from ...protocol.classes import LandCoverClass
from ...protocol.errors import EngineError
from ..decoder import Decoder, DecoderConfig
from ..encoders.encoding import Encoding
from ..features import Extractor
from ..listing import listing
from ..raster.grid import Window
from ..raster.normalise import Scaling, in_units, measure, units_of
from ..reporter import Reporter, Whole
from .blocks import BlockId, BlockLattice, choose_validation, lattices, merged, sharing_ground
from .estimate import Costs
from .learners import OnFeatures
from .loop import BATCH, FitResult, FitSettings, fit, new_decoder
from .samples import (
    FEATURE_BUDGET,
    UNLABELLED,
    LabelledImage,
    LabelledTile,
    Sample,
    bytes_per_tile,
    choose_tiles,
    compute_samples,
    find_tiles,
)

# About this many blocks over the labelled ground: enough to hold back every class, large enough to be apart.
BLOCKS = 30
AUTOMATIC_EPOCHS = 36
STEPS = (300, 1000)
# A trial of one scaling: a share of the tiles and of the steps.
TRIAL_TILES, TRIAL_STEPS = 96, 120
# Why labelled pixels are ignored.
NO_DATA = "the image has no data there"
NO_ROOM = "features of more tiles do not fit the memory kept for them"

# As the dialog calls the kinds of scaling.
SCALING_IN_WORDS = {
    "constant": "constants of the training images",
    "percentile": "percentiles of each image",
    "divisor": "divided by a number",
    "none": "as is",
}


@dataclass(frozen=True)
class Ground:
    """What training sees: tiles with labels, and the blocks of ground that are held back.

    ``ignored``: for each reason, (K,) labelled pixels that are not used.
    """

    images: Sequence[LabelledImage]
    lattices: Sequence[BlockLattice]
    tiles: Sequence[LabelledTile]
    held_back: frozenset[BlockId]
    block_px: int
    classes: tuple[LandCoverClass, ...]
    tile_px: int
    ignored: Mapping[str, NDArray[np.int64]]

    @property
    def class_pixels(self) -> NDArray[np.int64]:
        """(K,) labelled pixels, all tiles together."""
        return np.sum([tile.class_pixels for tile in self.tiles], axis=0)

    @property
    def held_back_pixels(self) -> NDArray[np.int64]:
        """(K,) labelled pixels in the blocks that are held back."""
        zero = np.zeros(len(self.classes), np.int64)
        return zero + sum(
            (pixels for tile in self.tiles for block, pixels in tile.counts.items() if block in self.held_back), zero
        )


def survey(
    images: Sequence[LabelledImage],
    classes: tuple[LandCoverClass, ...],
    tile_px: int,
    validation: float,
    seed: int,
    reporter: Reporter,
) -> Ground:
    """Finds the labelled tiles and divides the ground into training and validation blocks.

    Classes without a labelled, valid pixel are none of the ground's: nothing can be learnt of them. Raises
    EngineError("too_few_labels") where fewer than two classes are left.
    """
    # Labels are read once, by small squares; how many tiles there are says how many squares make one of about
    # thirty blocks. Ground counts once, so that more images of it do not make the blocks larger.
    square_px = max(8, images[0].side // 4)
    squares = lattices([image.raster.grid for image in images], square_px)
    tiles, without_data = find_tiles(images, squares, len(classes), tile_px, reporter)
    present = _present(tiles, classes)
    if len(present) < len(classes):
        _tell_left_out([item for index, item in enumerate(classes) if index not in present], reporter)
        images = _renumbered(images, present, len(classes))
        tiles = [replace(tile, counts={b: pixels[present] for b, pixels in tile.counts.items()}) for tile in tiles]
        classes, without_data = tuple(classes[index] for index in present), without_data[present]
    merge = max(1, round(images[0].side * float(np.sqrt(_different(images, tiles) / BLOCKS)) / square_px))
    tiles = [replace(tile, counts=merged(tile.counts, merge)) for tile in tiles]
    counts: dict[BlockId, NDArray[np.int64]] = {}
    for tile in tiles:
        for block, pixels in tile.counts.items():
            counts[block] = counts.get(block, np.zeros(len(classes), np.int64)) + pixels
    held_back = choose_validation(counts, validation, seed)
    larger = [replace(lattice, merge=merge) for lattice in squares]
    return Ground(images, larger, tiles, held_back, square_px * merge, classes, tile_px, {NO_DATA: without_data})


def within_budget(ground: Ground, extractor: Extractor, encoding: Encoding | None, reporter: Reporter) -> Ground:
    """The ground with as many tiles as the memory kept for their features holds, all classes well represented."""
    limit = max(BATCH, FEATURE_BUDGET // bytes_per_tile(extractor, encoding, ground.tile_px))
    tiles = choose_tiles(ground.tiles, limit, extractor.recipe.seed)
    if len(tiles) == len(ground.tiles):
        return ground
    reporter.log(
        f"Of the labelled tiles {len(tiles) / len(ground.tiles):.0%} is used, as much as fits into the memory kept "
        "for it. It is chosen so that every class is well represented."
    )
    chosen = replace(ground, tiles=tiles)
    return replace(chosen, ignored={**ground.ignored, NO_ROOM: ground.class_pixels - chosen.class_pixels})


def _different(images: Sequence[LabelledImage], tiles: Sequence[LabelledTile]) -> int:
    """How many tiles there are, without those whose labelled squares all lie in earlier images of the same ground."""
    sharing = sharing_ground([image.raster.grid for image in images])
    squares: list[set[BlockId]] = [set() for _ in images]
    different = 0
    for tile in tiles:
        seen = set().union(*(squares[place] for place in sharing[tile.image]))
        different += not tile.counts.keys() <= seen
        squares[tile.image].update(tile.counts)
    return different


def _renumbered(images: Sequence[LabelledImage], present: NDArray[np.intp], classes: int) -> list[LabelledImage]:
    """The images with labels that count the classes that are ``present``; others of the ``classes`` do not occur."""
    # The last item keeps -1.
    lookup = np.full(classes + 1, UNLABELLED, np.int16)
    lookup[present] = np.arange(len(present))

    def renumbered(labels: Callable[[Window], NDArray[np.int16]]) -> Callable[[Window], NDArray[np.int16]]:
        return lambda window: lookup[labels(window)]

    return [replace(image, labels=renumbered(image.labels)) for image in images]


def _tell_left_out(absent: Sequence[LandCoverClass], reporter: Reporter) -> None:
    listed = listing([f'"{item.name}"' for item in absent])
    one = len(absent) == 1
    reporter.log(
        f"{len(absent)} {'class has' if one else 'classes have'} no labelled pixel with data on the images and "
        f"{'is' if one else 'are'} left out: {listed}."
    )


def choose_scaling(
    ground: Ground,
    kind: int,
    divisor: float,
    extractor: Extractor,
    config: DecoderConfig,
    settings: FitSettings,
    spectral: bool,
    costs: Costs,
    whole: Whole,
) -> tuple[str, dict[str, float]]:
    """The kind of scaling, and the mean IoU of each kind that was tried.

    Automatic tries constants of the training data and each image's own percentiles on part of the tiles and
    keeps the better one on the blocks held back. Without such blocks, or with one image, constants are taken.
    """
    if kind:
        return SCALING[kind], {}
    if not trial_rounds(ground, kind):
        reason = (
            "there is only one image"
            if len(ground.images) == 1
            else "no validation blocks are there to judge others by"
        )
        whole.reporter.log(f"Scaling of values: {SCALING_IN_WORDS['constant']}, since {reason}.")
        return "constant", {}
    tried = {}
    for name in ("constant", "percentile"):
        scalings = measure_scalings(ground.images, name, divisor, whole.reporter)
        part = replace(ground, tiles=choose_tiles(ground.tiles, TRIAL_TILES, settings.seed))
        message = f"Trying scaling by {SCALING_IN_WORDS[name]}"
        samples = samples_of(part, extractor, None, scalings, whole.part(costs.seconds(len(part.tiles), 0)), message)
        learner = OnFeatures(new_decoder(config, settings.seed), extractor.device, spectral)
        trial = replace(settings, steps=min(settings.steps, TRIAL_STEPS), patience=0)
        result = fit(
            learner, samples, len(ground.classes), trial, whole.part(costs.seconds(0, trial.steps)), message
        )  # fmt: skip
        tried[name] = max((point.miou or 0.0 for point in result.curve), default=0.0)
    best = max(tried, key=lambda name: tried[name])
    listed = ", ".join(f"{SCALING_IN_WORDS[name]} {value:.2f}" for name, value in tried.items())
    whole.reporter.log(f"Scaling of values: {SCALING_IN_WORDS[best]} (mean IoU in the validation blocks: {listed}).")
    return best, tried


def trial_rounds(ground: Ground, kind: int) -> int:
    """How many scalings are tried before training: two where it is automatic and can be judged, else none."""
    return 2 if kind == 0 and ground.held_back and len(ground.images) > 1 else 0


def expected_seconds(ground: Ground, kind: int, settings: FitSettings, costs: Costs) -> float:
    """Seconds for trials, features and training."""
    trial = costs.seconds(min(TRIAL_TILES, len(ground.tiles)), min(TRIAL_STEPS, settings.steps))
    return trial_rounds(ground, kind) * trial + costs.seconds(len(ground.tiles), settings.steps)


def weighing_seconds(ground: Ground, costs: Costs) -> float:
    """One look at the tiles with ground held back; a whole tile without its slopes takes about half a step's time."""
    return sum(any(block in ground.held_back for block in tile.counts) for tile in ground.tiles) * costs.step_s / 2


def measure_scalings(images: Sequence[LabelledImage], kind: str, divisor: float, reporter: Reporter) -> list[Scaling]:
    """One scaling an image: its own percentiles, or one measured on all images together, in the image's numbers."""
    sources = [(image.raster, image.bands) for image in images]
    with reporter.phase("Measuring the values of the images"):
        if kind == "percentile":
            return [measure(kind, [source]) for source in sources]
        scaling, first = measure(kind, sources, divisor=divisor), images[0]
        units = units_of(first.raster, first.bands)
        return [in_units(scaling, units, f'"{first.raster.name}"', *source) for source in sources]


def samples_of(
    ground: Ground,
    extractor: Extractor,
    encoding: Encoding | None,
    scalings: Sequence[Scaling],
    reporter: Reporter,
    message: str,
) -> list[Sample]:
    """Features of the ground's tiles."""
    return compute_samples(
        ground.images, ground.lattices, ground.tiles, ground.held_back, extractor, encoding, scalings,
        ground.tile_px, BATCH, reporter, message,
    )  # fmt: skip


def fit_settings(tiles: int, epochs: int, seed: int) -> FitSettings:
    """Steps from counts: ``epochs`` over the tiles, or by itself 36 within 300 to 1,000 steps, ended early."""
    per_epoch = max(1, -(-tiles // BATCH))
    if epochs:
        steps = epochs * per_epoch
        return FitSettings(steps, BATCH, look_every=max(1, min(50, steps)), patience=0, seed=seed)
    steps = int(np.clip(AUTOMATIC_EPOCHS * per_epoch, *STEPS))
    return FitSettings(steps, BATCH, look_every=max(50, steps // 6), patience=3, seed=seed)


def train(
    ground: Ground,
    samples: Sequence[Sample],
    config: DecoderConfig,
    settings: FitSettings,
    device: torch.device,
    spectral: bool,
    reporter: Reporter,
) -> tuple[Decoder, FitResult]:
    """A decoder trained on the samples, and how it went."""
    learner = OnFeatures(new_decoder(config, settings.seed), device, spectral)
    return learner.module, fit(learner, samples, len(ground.classes), settings, reporter, "Training")


def _present(tiles: Sequence[LabelledTile], classes: Sequence[LandCoverClass]) -> NDArray[np.intp]:
    """The indices of the classes that have a labelled, valid pixel."""
    present = np.flatnonzero(np.sum([tile.class_pixels for tile in tiles], axis=0)) if tiles else np.empty(0, np.intp)
    if not len(present):
        raise EngineError(
            "no_overlap",
            "No label lies on a valid pixel of the rasters.",
            "Check that labels and rasters show the same ground, and their coordinate reference systems. An area must "
            "hold the middle of a pixel.",
        )
    if len(present) < 2:
        only = classes[present[0]].name
        raise EngineError(
            "too_few_labels",
            f'Only the class "{only}" has labelled pixels on the rasters; at least two classes are needed.',
            "Label some ground of another class.",
        )
    return present
