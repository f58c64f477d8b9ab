"""The row whose backbone learns too: fuser, head and network are trained on from the frozen fit.

The engine itself trains scene classifiers on frozen backbones only (docs/decisions/0011).
"""

from __future__ import annotations

import time
from dataclasses import replace

import torch
from torch import Tensor

from benchmarks.scene_inputs import network_input, read_cells
from benchmarks.scene_methods import NOISED, Outcome, Rows, Task, head_gmac, scene_config, tiles_per_256, trained
from satdifuser_qgis.engine.backbones import load_backbone
from satdifuser_qgis.engine.features import Extractor
from satdifuser_qgis.engine.reporter import Silent
from satdifuser_qgis.engine.scene import SceneDecoder
from satdifuser_qgis.engine.training.scene import (
    SceneSettings,
    SceneTiles,
    check_loss,
    draws,
    fit_scene,
    loss_on,
)
from satdifuser_qgis.engine.turns import reoriented

BATCH = 32
# The only ones that were tried, on fold 1.
NETWORK_RATE, HEAD_RATE = 5e-4, 2e-3
# A step more for every five labels.
LEAST_STEPS, MOST_STEPS, LABELS_A_STEP = 250, 600, 5


def tuned(task: Task) -> Outcome:
    """Global weighted fusion without statistics: ten minutes of one core for 2,000 labels of 64 px.

    The backbone must be one that `check_compact` accepts.
    """
    cells = task.inputs.cells(task.backbones["trained"], NOISED)
    rows = torch.from_numpy(task.train)
    frozen = SceneTiles([part[rows] for part in cells.parts], _nothing(rows), torch.from_numpy(task.targets))
    config = scene_config(cells, "global", 0, len(rows), task)
    model = fit_scene(config, frozen, SceneSettings(seed=task.seed), Silent(), "")
    extractor = Extractor(load_backbone(task.backbones["trained"], torch.device("cpu")), NOISED, torch.device("cpu"))
    network = extractor.backbone.network.to(memory_format=torch.channels_last)
    extractor.backbone.learn(True)
    _train(task, model, extractor, frozen.targets)
    extractor.backbone.learn(False)
    started = time.process_time()
    with torch.inference_mode():
        parts = [model(_read(task, extractor, part), _nothing(part)) for part in _batches(task.test)]
    weights = sum(value.numel() for value in network.parameters())
    return Outcome(
        torch.cat(parts).argmax(1).numpy(),
        trained(model) + weights,
        2 * (weights + sum(value.numel() for value in model.state_dict().values())),
        task.per_megapixel(time.process_time() - started),
        (cells.gmac_per_tile + head_gmac(model, frozen)) * tiles_per_256(task),
    )


def _train(task: Task, model: SceneDecoder, extractor: Extractor, targets: Tensor) -> None:
    steps = min(MOST_STEPS, LEAST_STEPS + len(targets) // LABELS_A_STEP)
    settings = SceneSettings(batch=BATCH, steps=steps, seed=task.seed)
    rates = [NETWORK_RATE, HEAD_RATE]
    parts = [list(part.parameters()) for part in (extractor.backbone.network, model)]
    groups = [{"params": part, "lr": rate} for part, rate in zip(parts, rates)]
    optimiser = torch.optim.AdamW(groups, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rates, total_steps=steps + 1, pct_start=0.15)
    model.train()
    for step, draw in enumerate(draws(len(targets), settings, steps), start=1):
        features = _read(task, extractor, task.train[draw.tiles.numpy()], draw.turn)
        batch = SceneTiles(features, _nothing(draw.tiles), targets[draw.tiles])
        # The images were turned, so their features need not be.
        loss = loss_on(model, batch, None, replace(draw, turn=0), settings.smoothing)
        check_loss(loss, step)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([value for part in parts for value in part], 1.0)
        optimiser.step()
        schedule.step()
    model.eval()


def _read(task: Task, extractor: Extractor, rows: Rows, turn: int = 0) -> list[Tensor]:
    scenes = task.inputs.scenes
    return read_cells(extractor, reoriented(network_input(scenes.tiles[rows], scenes.kind), turn))


def _nothing(rows: Rows | Tensor) -> Tensor:
    """In place of statistics."""
    return torch.zeros(len(rows), 0)


def _batches(rows: Rows) -> list[Rows]:
    return [rows[first : first + 4 * BATCH] for first in range(0, len(rows), 4 * BATCH)]
