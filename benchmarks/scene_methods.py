"""Methods of the scene benchmark: each learns from some rows of a set and names classes for its test rows."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.baselines.scene import from_scratch
from benchmarks.scene_inputs import Cells, SceneInputs, multiplications
from satdifuser_qgis.engine.decoder import DecoderConfig
from satdifuser_qgis.engine.features import Recipe
from satdifuser_qgis.engine.reporter import Silent
from satdifuser_qgis.engine.scene import SceneDecoder, probabilities
from satdifuser_qgis.engine.training.kernel import landmarks_for
from satdifuser_qgis.engine.training.scene import SceneSettings, SceneTiles, fit_scene

WIDTH, HEAD_CHANNELS = 64, 64
# The search for the best single stream is on so many of the training tiles at most.
MOST_SEARCHED = 2_000
# The backbone's own times.
NOISED = Recipe()
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Outcome:
    """Numbers of classes of the test rows, and what they cost. gmac: per 256 × 256 px, None where nothing is known."""

    predicted: Rows
    parameters: int
    size_bytes: int
    seconds_per_megapixel: float
    gmac: float | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """One fit: rows to learn from and a seed. backbones: how "trained" and "random" weights are called."""

    inputs: SceneInputs
    train: Rows
    seed: int
    backbones: dict[str, str]

    @property
    def test(self) -> Rows:
        """Rows to name."""
        return self.inputs.scenes.test

    @property
    def targets(self) -> Rows:
        """Classes of the rows to learn from."""
        return self.inputs.scenes.targets[self.train]

    def per_megapixel(self, seconds: float) -> float:
        """Seconds spent on the test rows, by their pixels."""
        return seconds / (len(self.test) * self.inputs.scenes.kind.px**2) * 1e6


def on_statistics(learn: Callable[..., Any], columns: int) -> Callable[[Task], Outcome]:
    """A baseline on the first ``columns`` statistics."""

    def run(task: Task) -> Outcome:
        x = task.inputs.statistics[:, :columns].numpy()
        predicted, count, size = learn(x[task.train], task.targets, x[task.test], task.seed)
        return Outcome(predicted, count, size, task.inputs.statistics_seconds_per_megapixel)

    return run


def scratch(task: Task) -> Outcome:
    """The small network; aerial images come at the size that the backbone sees."""
    tiles = task.inputs.scenes.tiles
    step = task.inputs.scenes.kind.px // task.inputs.scenes.kind.network_px
    small = tiles.reshape(*tiles.shape[:2], -1, step, tiles.shape[3] // step, step).mean((3, 5)).astype(np.uint8)
    started = time.process_time()
    predicted, count, size = from_scratch(small[task.train], task.targets, small[task.test], task.seed)
    return Outcome(
        predicted, count, size, float("nan"), details={"learn_and_map_seconds": time.process_time() - started}
    )


def fused(fusion: str, side: bool, weights: str = "trained", recipe: Recipe = NOISED) -> Callable[[Task], Outcome]:
    """The engine's fuser and scene head on kept features."""

    def run(task: Task) -> Outcome:
        cells = task.inputs.cells(task.backbones[weights], recipe)
        statistics = task.inputs.statistics
        config = scene_config(cells, fusion, statistics.shape[1] if side else 0, len(task.train), task)
        rows = torch.from_numpy(task.train)
        tiles = SceneTiles([part[rows] for part in cells.parts], statistics[rows], torch.from_numpy(task.targets))
        model = fit_scene(config, tiles, SceneSettings(seed=task.seed), Silent(), "")
        unseen = torch.from_numpy(task.test)
        started = time.process_time()
        found = probabilities(model, [part[unseen] for part in cells.parts], statistics[unseen])
        seconds = task.per_megapixel(time.process_time() - started) + cells.seconds_per_megapixel
        details: dict[str, Any] = {}
        if side:
            seconds += task.inputs.statistics_seconds_per_megapixel
            alone = model.head.kernel(statistics[unseen]).argmax(1).numpy()
            details["statistics_alone"] = alone
        gmac = (cells.gmac_per_tile + head_gmac(model, tiles)) * tiles_per_256(task)
        size = cells.backbone_bytes + 2 * sum(value.numel() for value in model.state_dict().values())
        return Outcome(found.argmax(1).numpy(), trained(model), size, seconds, gmac, details)

    return run


def scene_config(cells: Cells, fusion: str, statistics: int, tiles: int, task: Task) -> DecoderConfig:
    """The classifier that is compared."""
    return DecoderConfig(
        fusion=fusion,
        head="scene",
        scales=cells.scales,
        times=cells.times,
        classes=len(task.inputs.scenes.classes),
        width=WIDTH,
        side_channels=statistics,
        head_channels=HEAD_CHANNELS,
        landmarks=landmarks_for(tiles) if statistics else 0,
    )


def trained(model: SceneDecoder) -> int:
    """Numbers that were fitted to labels: parameters, and the weights of the kernel machine."""
    kernel = sum(value.numel() for name, value in model.named_buffers() if name.endswith("kernel.weights"))
    return kernel + sum(value.numel() for value in model.parameters())


def tiles_per_256(task: Task) -> float:
    """Tiles of the set on the ground that 256 × 256 of its pixels show."""
    return (256 / task.inputs.scenes.kind.px) ** 2


def head_gmac(model: SceneDecoder, tiles: SceneTiles) -> float:
    """Thousand million multiply-adds of fuser and head for one tile."""
    one = tiles.rows(torch.tensor([0]))

    def work() -> None:
        with torch.inference_mode():
            model(one.cells, one.statistics)

    return multiplications(work) / 1e9


def best_single(task: Task) -> Outcome:
    """One stream at one time by a linear probe on its pooled map, both chosen on the training tiles."""
    cells = task.inputs.cells(task.backbones["trained"], NOISED)
    rng = np.random.default_rng(task.seed)
    part = rng.permutation(len(task.train))[:MOST_SEARCHED]
    folds = StratifiedKFold(3, shuffle=True, random_state=task.seed)
    tried: dict[tuple[int, str], float] = {}
    for time_at, scale_at, first, name in _streams(cells):
        x = _pooled(cells, task.train[part], time_at, scale_at, first)
        found = cross_val_score(_probe(x.shape[1]), x, task.targets[part], cv=folds, scoring="f1_macro")
        tried[time_at, name] = float(found.mean())
    best_time, best_name = max(tried, key=lambda which: tried[which])
    place = next(p for p in _streams(cells) if (p[0], p[3]) == (best_time, best_name))[:3]
    x = _pooled(cells, task.train, *place)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = _probe(x.shape[1]).fit(x, task.targets)
    count = model[-1].coef_.size + model[-1].intercept_.size
    times = len(cells.times)
    return Outcome(
        model.predict(_pooled(cells, task.test, *place)),
        count,
        cells.backbone_bytes + 4 * count,
        cells.seconds_per_megapixel / times,
        cells.gmac_per_tile / times * tiles_per_256(task),
        {"time": cells.times[best_time], "stream": best_name, "validation_macro_f1": tried[best_time, best_name]},
    )


def _probe(columns: int) -> Any:
    # Standardised columns: this keeps the expected size of the decision the same for few and for many of them.
    return make_pipeline(StandardScaler(), LogisticRegression(C=10 / columns, max_iter=300))


def _streams(cells: Cells) -> list[tuple[int, int, int, str]]:
    """(time's place, scale's place, first channel, name) of each stream at each time."""
    found = []
    for number, scale in enumerate(cells.scales):
        starts = np.cumsum([0, *scale.channels])
        found += [(number, int(first), name) for first, name in zip(starts, scale.streams)]
    return [(time_at, *place) for time_at in range(len(cells.times)) for place in found]


def _pooled(cells: Cells, rows: Rows, time_at: int, scale_at: int, first: int) -> NDArray[np.float32]:
    """Mean and deviation over the whole map of each channel of one stream, from those of its quarters."""
    scale = cells.scales[scale_at]
    count = scale.channels[int(np.searchsorted(np.cumsum([0, *scale.channels]), first))]
    values = cells.parts[scale_at][:, time_at, first : first + count][torch.from_numpy(rows)].float()
    mean, deviation = values[:, : count // 2], values[:, count // 2 :]
    spread = (deviation.square().mean((2, 3)) + mean.var((2, 3), correction=0)).sqrt()
    return torch.cat([mean.mean((2, 3)), spread], dim=1).numpy()
