"""The row whose backbone learns too: fuser, head and network are trained on from the frozen fit."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from benchmarks.scene_inputs import network_input
from benchmarks.scene_methods import NOISED, Outcome, Rows, Task, head_gmac, scene_config, tiles_per_256, trained
from satdifuser_qgis.engine.backbones import load_backbone
from satdifuser_qgis.engine.features import Extractor
from satdifuser_qgis.engine.features.cells import summarise
from satdifuser_qgis.engine.reporter import Silent
from satdifuser_qgis.engine.scene import SceneDecoder
from satdifuser_qgis.engine.training.scene import SceneSettings, SceneTiles, draws, fit_scene, loss_on

BATCH = 32
# Tried once, on fold 1 of EuroSAT with 2,000 labels: 0.76 frozen, 0.82 tuned.
NETWORK_RATE, HEAD_RATE = 5e-4, 2e-3
MOST_STEPS, LEAST_STEPS, LABELS_A_STEP = 600, 250, 5


def tuned(task: Task) -> Outcome:
    """Global weighted fusion without statistics: ten minutes of one core for 2,000 labels of 64 px."""
    cells = task.inputs.cells(task.backbones["trained"], NOISED)
    rows, nothing = torch.from_numpy(task.train), torch.zeros(len(task.train), 0)
    frozen = SceneTiles([part[rows] for part in cells.parts], nothing, torch.from_numpy(task.targets))
    config = scene_config(cells, "global", 0, len(rows), task)
    model = fit_scene(config, frozen, SceneSettings(seed=task.seed), Silent(), "")
    extractor = Extractor(load_backbone(task.backbones["trained"], torch.device("cpu")), NOISED, torch.device("cpu"))
    network = extractor.backbone.network.to(memory_format=torch.channels_last)
    extractor.backbone.learn(True)
    _train(task, model, extractor, frozen)
    extractor.backbone.learn(False)
    with torch.inference_mode():
        parts = [model(_read(task, extractor, part), torch.zeros(len(part), 0)) for part in _batches(task.test)]
    weights = sum(value.numel() for value in network.parameters())
    return Outcome(
        torch.cat(parts).argmax(1).numpy(),
        trained(model) + weights,
        2 * (weights + sum(value.numel() for value in model.state_dict().values())),
        cells.seconds_per_megapixel,
        (cells.gmac_per_tile + head_gmac(model, frozen)) * tiles_per_256(task),
    )


def _train(task: Task, model: SceneDecoder, extractor: Extractor, frozen: SceneTiles) -> None:
    settings = SceneSettings(
        batch=BATCH, steps=min(MOST_STEPS, LEAST_STEPS + len(frozen) // LABELS_A_STEP), seed=task.seed
    )
    rates = [NETWORK_RATE, HEAD_RATE]
    parts = [list(part.parameters()) for part in (extractor.backbone.network, model)]
    optimiser = torch.optim.AdamW(
        [{"params": part, "lr": rate} for part, rate in zip(parts, rates)], weight_decay=settings.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rates, total_steps=settings.steps + 1, pct_start=0.15)
    model.train()
    for draw in draws(len(frozen), settings, settings.steps):
        batch = frozen.rows(draw.tiles)
        fresh = replace(batch, cells=_read(task, extractor, task.train[draw.tiles.numpy()], draw.turn))
        # The images were turned, so their features need not be.
        loss = loss_on(model, fresh, None, replace(draw, turn=0), settings.smoothing)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([value for part in parts for value in part], 1.0)
        optimiser.step()
        schedule.step()
    model.eval()


def _read(task: Task, extractor: Extractor, rows: Rows, turn: int = 0) -> list[Tensor]:
    """Cells of some tiles in one of eight ways to turn them."""
    images = network_input(task.inputs.scenes.tiles[rows], task.inputs.scenes.kind)
    images = torch.rot90(images, turn % 4, (2, 3))
    images = images.flip(3) if turn >= 4 else images
    return summarise(extractor(images, [(0, 0)] * len(images)), extractor.scales)


def _batches(rows: Rows) -> list[Rows]:
    return [rows[first : first + 4 * BATCH] for first in range(0, len(rows), 4 * BATCH)]
