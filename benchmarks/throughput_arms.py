"""The arms of the throughput benchmark: the same tiles of one image, computed in four ways and timed in turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

from benchmarks.throughput_inputs import TIMES, write_image
from satdifuser_qgis.engine.backbones import Backbone
from satdifuser_qgis.engine.backbones.taps import tap
from satdifuser_qgis.engine.features import Extractor, Recipe, position_noise
from satdifuser_qgis.engine.inference.landcover_model import LandCoverModel
from satdifuser_qgis.engine.inference.mapping import MapPlan, Strip, map_strips
from satdifuser_qgis.engine.inference.pipeline import behind
from satdifuser_qgis.engine.inference.products import ProductMaker
from satdifuser_qgis.engine.inference.tiles import read_tile
from satdifuser_qgis.engine.model_file import read_header
from satdifuser_qgis.engine.raster.read import Raster, open_raster
from satdifuser_qgis.engine.raster.write import BandWriter
from satdifuser_qgis.engine.reporter import Silent
from satdifuser_qgis.engine.tasks.segment import make_plan
from satdifuser_qgis.protocol.segment import SegmentRequest

TITLES = {
    "loop": "(a) straightforward loop: a tile and a call at a time, published inversion",
    "noised": "(b) ours, noised",
    "inversion": "(c) ours, inversion",
    "bare": "(d) limit: the calls of (b) on preloaded tensors",
}
# The share of a tile that neighbours share, in per cent: what the Toolbox does by itself.
OVERLAP = SegmentRequest.overlap
# Tiles beside one another: whole batches.
COLUMNS = 8
Arms = dict[str, Callable[[], None]]


@dataclass(frozen=True)
class Sample:
    """An image of ``rows`` rows of `COLUMNS` tiles, and the model that maps it as (b) does."""

    raster: Raster
    plan: MapPlan
    model: LandCoverModel
    target: Path

    @property
    def megapixels(self) -> float:
        """Of the map."""
        return self.plan.window.height * self.plan.window.width / 1e6

    def first_row(self) -> Sample:
        """Only what the first row of tiles covers, to warm up on."""
        window = replace(self.plan.window, height=step(self.plan.grid.side))
        return replace(self, plan=replace(self.plan, window=window, grid=self.plan.grid.touching(window)))


def step(side: int) -> int:
    """Pixels from one tile to the next."""
    return side - side * OVERLAP // 100


def open_sample(model_file: Path, folder: Path, rows: int, device: torch.device) -> Sample:
    """Writes the image and loads the model."""
    side = read_header(model_file).tile_px
    height, width = (side + (count - 1) * step(side) for count in (rows, COLUMNS))
    path = write_image(folder / "sample.tif", height, width)
    raster, model = open_raster(path), LandCoverModel.load(model_file, device)
    request = SegmentRequest(path, str(model_file), str(folder / "sample-map.tif"))
    return Sample(raster, make_plan(request, model.header, raster, device, Silent()), model, folder / "sample-map.tif")


def make_arms(sample: Sample) -> Arms:
    """The four arms. (a) to (c) map from the file to the file, and differ only in features and batch."""
    backbone = sample.model.extractor.backbone
    chain = Recipe(nearest_published(backbone), mode="inversion", published=True)
    single = replace(sample, plan=replace(sample.plan, batch=1))
    return {
        "loop": mapping(with_recipe(single, chain)),
        "noised": mapping(sample),
        "inversion": mapping(with_recipe(sample, Recipe(TIMES, mode="inversion"))),
        "bare": bare(sample),
    }


def nearest_published(backbone: Backbone) -> tuple[int, ...]:
    """The published chain passes its own grid of times only; it is walked as far and read as often."""
    grid = backbone.schedule.leading_times(Recipe.steps)
    return tuple(min(grid, key=lambda known: abs(known - wanted)) for wanted in TIMES)


def with_recipe(sample: Sample, recipe: Recipe) -> Sample:
    """The same with other features for the same decoder."""
    model = sample.model
    extractor = Extractor(model.extractor.backbone, recipe, model.device)
    return replace(sample, model=LandCoverModel(model.header, extractor, model.decoder, model.device))


def mapping(sample: Sample) -> Callable[[], None]:
    """Reads, computes, blends and writes the classes, as the engine's task does."""

    def run() -> None:
        plan, raster, classes = sample.plan, sample.raster, sample.model.header.classes
        make = ProductMaker(classes, ())
        writer = BandWriter(sample.target, raster.grid, plan.window, 1, make.dtype, make.nodata, classes=classes)

        def write(strip: Strip) -> None:
            writer.write(strip.window.row, make(strip, plan.grid)["classes"], strip.window.col)

        with writer, closing(map_strips(plan, sample.model, raster, Silent())) as strips:
            behind(strips, write)

    return run


def bare(sample: Sample) -> Callable[[], None]:
    """The network's own time for the batches of (b): codec, U-Net up to its last stream, fuser and head.

    Tiles and noise are drawn beforehand; what comes out is brought to the processor and dropped.
    """
    batches = list(preloaded(sample))

    def run() -> None:
        for tiles, noise in batches:
            bare_logits(sample.model, tiles, noise)

    return run


def preloaded(sample: Sample) -> list[tuple[Tensor, Tensor]]:
    """Per batch of (b): tiles (B,3,n,n) and the noise of their places (B·T,c,h,w), on the device."""
    plan, backbone, device = sample.plan, sample.model.extractor.backbone, sample.model.device
    grid, seed = plan.grid, sample.model.extractor.recipe.seed
    shape = (backbone.channels, grid.tile_px // backbone.factor, grid.tile_px // backbone.factor)
    found = []
    for row in grid.rows:
        for first in range(0, len(grid.columns), plan.batch):
            columns = grid.columns[first : first + plan.batch]
            read = [read_tile(sample.raster, plan.bands, plan.scaling, row, column, grid.side)[0] for column in columns]
            noise = [position_noise(shape, seed, row, column, time) for column, time in product(columns, TIMES)]
            found.append((torch.stack(read).to(device), torch.stack(noise).to(device)))
    return found


@torch.inference_mode()
def bare_logits(model: LandCoverModel, tiles: Tensor, noise: Tensor) -> Tensor:
    """(B,K,n,n): what (b) computes for one batch, without the engine around it."""
    backbone, scales = model.extractor.backbone, model.extractor.scales
    names = [name for scale in scales for name in scale.streams]
    last = [stream.name for stream in backbone.streams() if stream.name in names][-1]
    moments = torch.tensor(TIMES).repeat(len(tiles))
    alphas = backbone.schedule.alpha_bars(moments)
    signal, spread = (v.sqrt().float().view(-1, 1, 1, 1).to(model.device) for v in (alphas, 1 - alphas))
    x = signal * backbone.encode(tiles).repeat_interleave(len(TIMES), 0) + spread * noise
    _, maps = tap(backbone.network, names, lambda: backbone.denoise(x, moments), last)
    together = [torch.cat([maps[name] for name in scale.streams], 1) for scale in scales]
    pyramid = [features.view(len(tiles), len(TIMES), *features.shape[1:]) for features in together]
    logits: Tensor = model.decoder(pyramid, (tiles.shape[-2], tiles.shape[-1]), tiles)
    return logits.cpu()


def time_arms(sample: Sample, repeats: int) -> list[dict[str, float]]:
    """Seconds of every arm, in rounds of all four; what is slow only once is done before."""
    for run in make_arms(sample.first_row()).values():
        run()
    arms = make_arms(sample)
    return [{name: seconds(run) for name, run in arms.items()} for _ in range(repeats)]


def seconds(run: Callable[[], None]) -> float:
    """How long it takes."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def faster(rounds: Sequence[dict[str, float]], one: str, other: str) -> float:
    """How many times as fast one arm is as another, the median of the rounds."""
    return median(taken[other] / taken[one] for taken in rounds)


def speed_ratios(rounds: Sequence[dict[str, float]]) -> dict[str, float]:
    """The ratios that there are aims for."""
    return {
        "noised_vs_loop": faster(rounds, "noised", "loop"),
        "inversion_vs_loop": faster(rounds, "inversion", "loop"),
        "noised_vs_bare": faster(rounds, "noised", "bare"),
    }


def speed_rows(sample: Sample, rounds: Sequence[dict[str, float]]) -> list[dict[str, Any]]:
    """One row an arm."""
    return [
        {
            "backbone": sample.model.header.backbone.name,
            "arm": name,
            "title": title,
            "tiles": sample.plan.tiles,
            "batch": sample.plan.batch,
            "megapixels": sample.megapixels,
            "seconds": [taken[name] for taken in rounds],
            "megapixels_per_second": sample.megapixels / median(taken[name] for taken in rounds),
            "times_the_loop": faster(rounds, name, "loop"),
        }
        for name, title in TITLES.items()
    ]
