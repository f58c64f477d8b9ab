"""Pretraining of the embedded backbone: tiles in, checkpoints, diffusers folder, model card and samples out."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from torch.utils.flop_counter import FlopCounterMode

from ...protocol.choices import DEVICE
from ...protocol.errors import EngineError
from ...protocol.pretrain import PretrainRequest
from ..outputs import Outputs
from ..reporter import Reporter
from ..result import Result
from ..training.pretraining.bank import Bank, read_bank
from ..training.pretraining.card import Facts
from ..training.pretraining.denoising import Denoising
from ..training.pretraining.export import Identity, export
from ..training.pretraining.loop import Settings, Sitting, new_state
from ..training.pretraining.network import READ_TIME, UNSHUFFLE, Pretrainer, build_scheduler, build_unet, read_streams
from ..training.pretraining.one_pass import Distillation, OnePass
from ..training.pretraining.probe import Trial, pixel_statistics, probe, probe_network, read_trial, score
from ..training.pretraining.samples import sample_grid
from ..training.pretraining.state import CLEAN, NOISED, State, averaged_unet, read_clean
from ..training.pretraining.tried import add_tried

SAMPLES = "samples.png"
CPU_BATCH, GPU_BATCH, SMALL_GPU_BATCH = 128, 2048, 1024
SMALL_GPU_BYTES = 12 * 2**30
# Pixel sizes of less than this share of the views are not said to be known.
RARE = 0.02
# The student begins near its goal, and its maps as identities.
DISTIL_RATE, DISTIL_FINISH = 3e-4, 0.3


def run(request: PretrainRequest, reporter: Reporter, outputs: Outputs) -> Result:
    """Trains for one sitting, distils, then writes the backbone's folder from the averaged weights.

    With 0 minutes it only writes the folder from the checkpoint that is there.
    """
    folder = Path(request.run)
    if request.labels and importlib.util.find_spec("sklearn") is None:
        raise EngineError("bad_request", "Probes need scikit-learn, which is not there.", "Give no labels.")
    accelerator = _accelerator(request.device)
    bank = read_bank(request.sources, reporter)
    for part in bank.contents:
        reporter.log(f"{part.images} images of {part.source.path}: {part.tiles} tiles, {part.share:.0%} of the views.")
    trial = read_trial(request.sources[0], request.labels) if accelerator.is_main_process else None
    settings = _settings(request, accelerator.device)
    if request.minutes > 0:
        _train(request, settings, bank, trial, accelerator, reporter)
    if request.distil_minutes > 0:
        accelerator.wait_for_everyone()
        _distil(request, settings, bank, accelerator, reporter)
    accelerator.wait_for_everyone()
    _, progress = averaged_unet(folder, Path(request.backbone))
    if accelerator.is_main_process:
        _write(request, bank, trial, reporter, outputs)
    values: dict[str, float | int | str] = {"step": progress.step, "views": progress.views, "seconds": progress.seconds}
    return Result({"backbone": request.backbone}, values)


def _train(
    request: PretrainRequest,
    settings: Settings,
    bank: Bank,
    trial: Trial | None,
    accelerator: Accelerator,
    reporter: Reporter,
) -> None:
    """The first part: from the last checkpoint, else from the weights that are written, else from nothing."""
    torch.manual_seed(request.seed)
    model = Pretrainer(build_unet(bank.side, request.widths))
    state = new_state(NOISED, model, settings, accelerator.device)
    _take_up(state, request, reporter)

    def look(average: Any) -> None:
        if trial is None or trial.fitting is None:
            return
        network = build_unet(bank.side, request.widths).to(accelerator.device)
        network.load_state_dict(average.unet.state_dict())
        probes = probe_network(network, trial, reporter)
        _tell(probes, reporter)
        reporter.log(f"{state.progress.views} views: probe macro F1 {probes[0]:.3f} linear, {probes[1]:.3f} SVM.")

    Sitting(settings, Denoising(settings, bank, accelerator.device), state, Path(request.run), accelerator, look).run(
        reporter
    )


def _distil(
    request: PretrainRequest, settings: Settings, bank: Bank, accelerator: Accelerator, reporter: Reporter
) -> None:
    """The second part: from its last checkpoint, or anew where the first part has gone on since."""
    weights, progress = averaged_unet(Path(request.run), Path(request.backbone))
    teacher = build_unet(bank.side, request.widths)
    teacher.load_state_dict(weights, strict=False)
    settings = replace(
        settings,
        minutes=request.distil_minutes,
        steps=request.distil_steps,
        learning_rate=DISTIL_RATE,
        finish=DISTIL_FINISH,
        look_minutes=0.0,
    )
    student = build_unet(bank.side, request.widths)
    student.load_state_dict(teacher.state_dict())
    state = new_state(CLEAN, OnePass(student), settings, accelerator.device)
    if read_clean(Path(request.run), progress.step) is not None:
        _take_up(state, request, reporter)
    state.progress.settings["teacher_step"] = progress.step
    objective = Distillation(settings, bank, teacher, accelerator.device)
    Sitting(settings, objective, state, Path(request.run), accelerator).run(reporter)


def _take_up(state: State, request: PretrainRequest, reporter: Reporter) -> None:
    if state.load(Path(request.run)) or (state.name == NOISED and state.adopt(Path(request.backbone))):
        reporter.log(f"Training goes on from step {state.progress.step}.")


def _write(request: PretrainRequest, bank: Bank, trial: Trial | None, reporter: Reporter, outputs: Outputs) -> None:
    """Scores the averaged weights, draws samples, writes the folder."""
    folder, target = Path(request.run), Path(request.backbone)
    weights, progress = averaged_unet(folder, target)
    trained, untrained = build_unet(bank.side, request.widths), _untrained(bank.side, request)
    trained.load_state_dict(weights, strict=False)
    second = read_clean(folder, progress.step, target)
    clean = None
    if second is not None:
        clean = build_unet(bank.side, request.widths)
        clean.load_state_dict(second[0], strict=False)
    elif (target / "clean").exists():
        reporter.log(
            f'"{target / "clean"}" belongs to older weights and is no longer read; distil it again, or delete it.',
            "warning",
        )
    facts = Facts(
        progress=progress,
        contents=bank.contents,
        tile_px=bank.side,
        parameters=sum(parameter.numel() for parameter in trained.parameters()),
        gmac=_gmac(trained, bank.side),
        widths=request.widths,
        unshuffle=UNSHUFFLE,
        streams=read_streams(trained),
        distillation=None if second is None else second[1],
    )
    if trial is not None:
        _score(request, facts, trained.eval(), untrained.eval(), clean, trial, reporter, outputs)
    sample_grid(trained.eval(), build_scheduler(), bank.side, outputs.part(folder / SAMPLES), reporter)
    identity = Identity(target.name, str(progress.step), _sizes(bank, request.crop_px), (READ_TIME,), facts.streams)
    export(trained, clean, build_scheduler(), identity, facts, target, outputs.part)
    reporter.log(f"{target} holds the backbone after {progress.views} views.")


def _score(
    request: PretrainRequest,
    facts: Facts,
    trained: Any,
    untrained: Any,
    clean: Any | None,
    trial: Trial,
    reporter: Reporter,
    outputs: Outputs,
) -> None:
    """Fills in the scores, and adds them to the table of what was tried."""
    facts.unseen = len(trial.unseen.classes)
    facts.trained = score(trained, trial, reporter)
    facts.untrained = score(untrained, trial, reporter)
    if trial.fitting is None:
        return
    facts.labels, facts.labels_list = len(trial.fitting.classes), Path(request.labels).name
    pixels = [pixel_statistics(part.tiles) for part in (trial.fitting, trial.unseen)]
    facts.pixels = probe(pixels[0], trial.fitting.classes, pixels[1], trial.unseen.classes)
    facts.clean = probe_network((clean or trained).eval(), trial, reporter, clean=True)
    _tell(facts.trained.probes, reporter)
    facts.tried = add_tried(request.tried, _row(request, facts), outputs.part)


def _row(request: PretrainRequest, facts: Facts) -> dict[str, Any]:
    """This training in the table of what was tried."""
    settings = facts.progress.settings
    clean = facts.clean or (None, None)
    return {
        "run": Path(request.run).name,
        "step": facts.progress.step,
        "views": facts.progress.views,
        "minutes": round(facts.progress.seconds / 60),
        "widths": " ".join(map(str, facts.widths)),
        "GMAC a tile": facts.gmac,
        "sources": len(facts.contents),
        "contrast": settings.get("contrast", 0.0),
        "alignment": settings.get("alignment", 0.0),
        "finish": settings.get("finish", 0.0),
        "linear": facts.trained.probes[0],
        "SVM": facts.trained.probes[1],
        "distilled minutes": None if facts.distillation is None else round(facts.distillation.seconds / 60),
        "clean linear": clean[0],
        "clean SVM": clean[1],
    }


def _tell(probes: tuple[float, float], reporter: Reporter) -> None:
    for name, figure in zip(("linear", "SVM"), probes):
        reporter.metric(f"probe macro F1, {name}", figure)


def _settings(request: PretrainRequest, device: torch.device) -> Settings:
    names = ("minutes", "steps", "crop_px", "finish", "learning_rate", "contrast", "alignment", "unknown_gsd", "seed")
    given = {name: getattr(request, name) for name in (*names, "checkpoint_minutes", "part_mb")}
    return Settings(batch=request.batch or _batch(device), look_minutes=request.probe_minutes, **given)


def _batch(device: torch.device) -> int:
    """Crops a step that suit a device."""
    if device.type != "cuda":
        return CPU_BATCH
    return GPU_BATCH if torch.cuda.get_device_properties(device).total_memory > SMALL_GPU_BYTES else SMALL_GPU_BATCH


def _accelerator(choice: int) -> Accelerator:
    """Accelerate on the chosen device."""
    wanted = DEVICE[choice]
    if wanted == "cuda" and not torch.cuda.is_available():
        raise EngineError("device", "CUDA was chosen, but no CUDA device is there.", "Choose automatic or CPU.")
    cuda = torch.cuda.is_available() and wanted in ("automatic", "cuda")
    # the student's last convolution, for one, has no part in the second loss
    several = DistributedDataParallelKwargs(find_unused_parameters=True)
    return Accelerator(cpu=not cuda and wanted != "mps", mixed_precision="no", kwargs_handlers=[several])


def _untrained(tile_px: int, request: PretrainRequest) -> Any:
    """The same network with the random weights that training began with."""
    torch.manual_seed(request.seed)
    return build_unet(tile_px, request.widths)


def _sizes(bank: Bank, crop_px: int) -> tuple[float, float]:
    """Least and largest pixel size shown, in metres, without the rarest at either end; 0 where none is known."""
    shares = torch.diff(bank.limits, prepend=torch.zeros(1))[bank.gsd_m > 0]
    if not len(shares):
        return (0.0, 0.0)
    known, order = bank.gsd_m[bank.gsd_m > 0].sort()
    reached = shares[order].cumsum(0) / shares.sum()
    low, high = (round(float(known[int(torch.searchsorted(reached, share))]), 6) for share in (RARE, 1 - RARE))
    return (low, high * bank.side / crop_px)


def _gmac(unet: Any, tile_px: int) -> float:
    """Thousand million multiply-adds of one pass over one tile."""
    side = tile_px // UNSHUFFLE
    at = torch.zeros(1, dtype=torch.long)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        unet(torch.zeros(1, 3 * UNSHUFFLE**2, side, side), at, at)
    return float(counter.get_total_flops()) / 2e9
