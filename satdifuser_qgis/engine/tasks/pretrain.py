"""Pretraining of the embedded backbone: tiles in, checkpoint, diffusers folder, model card and samples out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch.utils.flop_counter import FlopCounterMode

from ...protocol.choices import DEVICE
from ...protocol.errors import EngineError
from ...protocol.pretrain import PretrainRequest
from ..outputs import Outputs
from ..reporter import Reporter
from ..result import Result
from ..training.pretraining.card import Facts
from ..training.pretraining.export import Identity, export
from ..training.pretraining.loop import Settings, Sitting
from ..training.pretraining.network import UNSHUFFLE, build_scheduler, build_unet
from ..training.pretraining.probe import Labelled, class_of, pixel_statistics, probe, score
from ..training.pretraining.samples import sample_grid
from ..training.pretraining.state import Progress, averaged_unet, read_checkpoint
from ..training.pretraining.tiles import read_ids, read_tiles

SAMPLES = "samples.png"


def run(request: PretrainRequest, reporter: Reporter, outputs: Outputs) -> Result:
    """Trains for one sitting, then writes the backbone's folder from the averaged weights.

    With 0 minutes it only writes the folder from the checkpoint that is there.
    """
    data, folder = Path(request.data), Path(request.run)
    left_out = read_ids(request.leave_out, request.leave_out_fold)
    accelerator = _accelerator(request.device)
    tiles, ids = read_tiles(data, leave_out=left_out)
    reporter.log(f"{len(ids)} tiles are read; {len(left_out)} are left out and stay unread.")
    if request.minutes > 0:
        sitting = Sitting(_settings(request), tiles, folder, accelerator, Path(request.backbone))
        if sitting.resumed:
            reporter.log(f"Training goes on from step {sitting.state.progress.step}.")
        sitting.run(reporter)
    accelerator.wait_for_everyone()
    _, progress = read_checkpoint(folder)
    if accelerator.is_main_process:
        _write(request, progress, ids, left_out, tiles.shape[-1], reporter, outputs)
    values: dict[str, float | int | str] = {"step": progress.step, "views": progress.views, "seconds": progress.seconds}
    return Result({"backbone": request.backbone}, values)


def _write(
    request: PretrainRequest,
    progress: Progress,
    ids: list[str],
    left_out: frozenset[str],
    tile_px: int,
    reporter: Reporter,
    outputs: Outputs,
) -> None:
    """Scores the averaged weights, draws samples, writes the folder."""
    weights, _ = averaged_unet(Path(request.run))
    trained, untrained = build_unet(tile_px, request.widths), _untrained(tile_px, request)
    trained.load_state_dict(weights)
    scheduler = build_scheduler()
    facts = Facts(
        progress=progress,
        about=request.about,
        tiles=len(ids),
        tile_px=tile_px,
        left_out=len(left_out),
        labels=0,
        unseen=0,
        parameters=sum(parameter.numel() for parameter in trained.parameters()),
        gmac=_gmac(trained, tile_px),
        widths=request.widths,
        unshuffle=UNSHUFFLE,
        gsd_m=(request.gsd_m / 2, request.gsd_m * 2),
    )
    if left_out:
        _score(request, facts, trained.eval(), untrained.eval(), left_out, reporter)
    sample_grid(trained.eval(), scheduler, tile_px, outputs.part(Path(request.run) / SAMPLES))
    target = Path(request.backbone)
    identity = Identity(target.name, str(progress.step), facts.gsd_m, tuple(sorted(request.times)))
    export(trained, scheduler, identity, facts, target, outputs.part)
    reporter.log(f"{target} holds the backbone after {progress.views} views.")


def _score(
    request: PretrainRequest, facts: Facts, trained: Any, untrained: Any, left_out: frozenset[str], reporter: Reporter
) -> None:
    """Fills in the scores. The tiles left out are read here for the first time, after the training."""
    unseen, unseen_ids = read_tiles(Path(request.data), only=left_out)
    there = Labelled(unseen, tuple(class_of(tile) for tile in unseen_ids))
    training = None
    if request.labels:
        chosen, chosen_ids = read_tiles(Path(request.data), leave_out=left_out, only=read_ids(request.labels))
        training = Labelled(chosen, tuple(class_of(tile) for tile in chosen_ids))
        facts.labels = len(chosen_ids)
        pixels = [pixel_statistics(part.tiles) for part in (training, there)]
        facts.pixels = probe(pixels[0], training.classes, pixels[1], there.classes)
    facts.unseen = len(unseen_ids)
    scheduler = build_scheduler()
    facts.trained = score(trained, scheduler, training, there)
    facts.untrained = score(untrained, scheduler, training, there)
    for name, macro_f1 in facts.trained.macro_f1.items():
        reporter.metric(f"probe macro F1, {name}", macro_f1)
        reporter.metric(f"probe macro F1, {name}, random weights", facts.untrained.macro_f1[name])


def _settings(request: PretrainRequest) -> Settings:
    return Settings(
        minutes=request.minutes,
        steps=request.steps,
        batch=request.batch,
        crop_px=request.crop_px,
        finish=request.finish,
        learning_rate=request.learning_rate,
        contrast=request.contrast,
        seed=request.seed,
        checkpoint_minutes=request.checkpoint_minutes,
        widths=request.widths,
    )


def _accelerator(choice: int) -> Accelerator:
    """Accelerate on the chosen device; bf16 on CUDA, where tensor cores make it pay."""
    wanted = DEVICE[choice]
    if wanted == "cuda" and not torch.cuda.is_available():
        raise EngineError("device", "CUDA was chosen, but no CUDA device is there.", "Choose automatic or CPU.")
    cuda = torch.cuda.is_available() and wanted in ("automatic", "cuda")
    return Accelerator(cpu=not cuda and wanted != "mps", mixed_precision="bf16" if cuda else "no")


def _untrained(tile_px: int, request: PretrainRequest) -> Any:
    """The same network with the random weights that training began with."""
    torch.manual_seed(request.seed)
    return build_unet(tile_px, request.widths)


def _gmac(unet: Any, tile_px: int) -> float:
    """Thousand million multiply-adds of one pass over one tile."""
    side = tile_px // UNSHUFFLE
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        unet(torch.zeros(1, 3 * UNSHUFFLE**2, side, side), torch.zeros(1, dtype=torch.long))
    return float(counter.get_total_flops()) / 2e9
