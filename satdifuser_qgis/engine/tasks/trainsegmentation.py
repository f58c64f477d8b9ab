"""Task of "Train a land-cover model": labelled rasters in; a model file, a report and scores out."""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import torch

from ...protocol.choices import ENCODER, EXTRACTION, FUSION, HEAD, SCALING
from ...protocol.classes import LandCoverClass
from ...protocol.codec import to_plain
from ...protocol.errors import EngineError
from ...protocol.folders import plugin_version
from ...protocol.nodata import AS_DECLARED
from ...protocol.trainsegmentation import TrainSegmentationRequest
from ..backbones import Backbone, load_backbone
from ..decoder import Decoder, DecoderConfig
from ..encoders.encoder import load_encoder
from ..encoders.encoding import Encoding, enlargement
from ..encoders.weights import NotInstalled
from ..failures import explain
from ..features import Extractor, Recipe
from ..inference.device import choose_device, device_title
from ..inference.tiles import side_in_raster
from ..model_file import BackboneReference, EncoderReference, ModelHeader, backbone_tensors, place_in_store, write_model
from ..outputs import Outputs
from ..raster.fill import fill_note
from ..raster.grid import no_crs
from ..raster.normalise import Scaling, units_of
from ..raster.read import Raster, open_raster
from ..raster.spots import look
from ..raster.units import check_units, units_note
from ..report.scores import score
from ..report.table import training_table
from ..report.training_report import training_report
from ..reporter import Reporter, Whole, in_words, took
from ..result import Result
from ..training.estimate import measure_costs
from ..training.finetune import Tuning, check_compact, tune, tuning_seconds, tuning_settings, without_features
from ..training.label_sources import LabelSources, read_label_sources
from ..training.landcover import (
    Ground,
    choose_scaling,
    expected_seconds,
    fit_settings,
    measure_scalings,
    samples_of,
    survey,
    train,
    weighing_seconds,
    within_budget,
)
from ..training.learners import Learner, OnFeatures, WithBackbone
from ..training.loop import FitResult, FitSettings
from ..training.pixels import Weighing, add_pixels
from ..training.repeats import labelled_once, without_copies
from ..training.samples import LabelledImage
from ..training.summary import label_lines, report_data

# Sides of a tile in pixels of the network: what the compact model reads at a glance, and the smaller size
# that latent models of the Stable Diffusion family were trained at.
TILE_PX = {"pixel": 128, "latent": 256}
# With the encoder, whose coarse maps feel a tile's edge some 50 pixels deep.
ENCODED_TILE_PX = 256
# Tiles over which the report's weights of a fuser are taken, where they differ from tile to tile.
SHOWN_TILES = 16
# What the table beside a report ends in, so that it replaces no other table of that name.
TABLE_SUFFIX = ".scores.csv"
# A pixel size further than this factor from those of a backbone's training is told to the user.
FOREIGN_SIZE = 2.0
# Widths that train in minutes on two cores; the published UPerNet has 512.
HEAD_CHANNELS = {"light": 32, "upernet": 64}


def run(request: TrainSegmentationRequest, reporter: Reporter, outputs: Outputs) -> Result:
    """Trains a model. Raises EngineError bad_input, bad_request, bad_model, no_overlap, too_few_labels, device."""
    started = time.monotonic()
    device = choose_device(request.device)
    _check_table(request.report)
    with ExitStack() as stack:
        paths = (request.input, *request.more_inputs)
        nodata = request.nodata or (AS_DECLARED,) * len(paths)
        rasters = [stack.enter_context(open_raster(*item)) for item in zip(paths, nodata, strict=True)]
        bands = _bands(request, rasters, reporter)
        with reporter.phase("Comparing the images"):
            chosen, copies = without_copies(list(zip(rasters, bands, strict=True)), reporter)
        rasters, bands = [raster for raster, _ in chosen], [own for _, own in chosen]
        with reporter.phase("Reading labels"):
            labels = read_label_sources(request, rasters, stack, reporter)
        reporter.log("Loading the backbone.")
        backbone = load_backbone(request.backbone, device)
        if request.finetune:
            check_compact(backbone)
        extractor = Extractor(backbone, _recipe(request, backbone), device)
        first = next(raster for raster, window in zip(rasters, labels.windows, strict=True) if not window.empty)
        _tell_pixel_size(backbone, first, reporter)
        gsd = first.grid.gsd_m or 0.0
        encoding = _encoding(request, device, gsd, reporter)
        tile_px = max(TILE_PX[backbone.space], ENCODED_TILE_PX if encoding else 0)
        images = [
            LabelledImage(raster, chosen, reader, window, side_in_raster(tile_px, gsd, raster.grid.gsd_m))
            for raster, chosen, reader, window in zip(rasters, bands, labels.readers, labels.windows, strict=True)
            if not window.empty
        ]
        _check_values(images, request.scaling, reporter)
        with reporter.phase("Looking for labelled pixels"):
            images, repeats = labelled_once(images, reporter)
            labels = replace(labels, notes=(*copies, *labels.notes, *repeats))
            ground = survey(images, labels.classes, tile_px, request.validation, request.seed, reporter)
        ground = within_budget(ground, extractor, encoding, reporter)
        config = _decoder_config(request, extractor, encoding, len(ground.classes))
        settings = fit_settings(len(ground.tiles), request.epochs, request.seed)
        costs = measure_costs(extractor, encoding, config, tile_px, bool(request.finetune))
        tuning = _tuning(request, ground)
        tuning_s = tuning_seconds(ground, tuning, costs) if tuning else 0.0
        weighing_s = weighing_seconds(ground, costs) if config.pixels else 0.0
        whole = Whole(reporter, expected_seconds(ground, request.scaling, settings, costs) + weighing_s + tuning_s)
        _tell(request, ground, labels, extractor.device, whole)
        scaling, tried = choose_scaling(
            ground, request.scaling, request.divisor, extractor, config, settings, request.spectral, costs, whole
        )
        scalings = measure_scalings(images, scaling, request.divisor, reporter)
        part = whole.part(costs.seconds(len(ground.tiles), 0))
        samples = samples_of(ground, extractor, encoding, scalings, part, "Computing features")
        part = whole.part(costs.seconds(0, settings.steps))
        decoder, result = train(ground, samples, config, settings, device, request.spectral, part)
        fusion = decoder.fusion_table([sample.pyramid for sample in samples[:: max(1, len(samples) // SHOWN_TILES)]])
        weighing = None
        if decoder.pixels is not None:
            part = whole.part(weighing_s)
            learner: Learner = OnFeatures(decoder, device, request.spectral)
            weighing = add_pixels(learner, decoder, samples, len(ground.classes), request.seed, part)
        tuned = None
        if tuning:
            samples, part = without_features(samples), whole.part(tuning_s)
            result, tuned = tune(ground, samples, extractor, decoder, result, tuning, request.spectral, part)
            if tuned.kept and weighing:
                learner = WithBackbone(extractor, decoder, request.spectral)
                weighing = add_pixels(learner, decoder, samples, len(ground.classes), request.seed, reporter)
        if weighing:
            result = replace(result, matrices=weighing.matrices)
            reporter.log(weighing.sentence)
        header = _header(
            request, ground, extractor, encoding, decoder, scalings[0], gsd, result, tried, tuned, weighing
        )
    tensors = decoder.state_dict()
    if header.backbone.tuned:
        tensors |= backbone_tensors(extractor.backbone.network.state_dict())
    write_model(outputs.part(request.model), header, tensors)
    stored = _keep(header, tensors, outputs, reporter)
    if request.report:
        fusion = fusion if decoder.uses_features else []
        table = Path(request.report).with_suffix(TABLE_SUFFIX).name
        data = report_data(header, ground, labels, result, fusion, weighing, device_title(device), table, stored)
        page = outputs.part(request.report)
        page.write_text(training_report(data), encoding="utf-8")
        # A side file of the report: it gets its name, and replaces the one before, together with it.
        page.with_suffix(TABLE_SUFFIX).write_text(training_table(data), encoding="utf-8", newline="")
    reporter.log(f"Trained in {took(time.monotonic() - started)}.")
    return Result(_written(request), _values(header, result, stored, device))


def _check_table(report: str) -> None:
    """Raises EngineError where the report's table would replace a file that no report made."""
    if not report or Path(report).exists():
        return
    table = Path(report).with_suffix(TABLE_SUFFIX)
    if table.exists():
        raise EngineError(
            "bad_request",
            f'The report\'s table "{table}" would replace a file that is no table of a report.',
            "Choose another name for the report.",
        )


def _keep(header: ModelHeader, tensors: dict[str, torch.Tensor], outputs: Outputs, reporter: Reporter) -> str:
    """Keeps the model in the model store too. Returns its name there, "" where the store cannot be written: no reason
    to lose a training."""
    stored = place_in_store(header.name)
    try:
        write_model(outputs.part(stored), header, tensors)
    except OSError as error:
        outputs.drop(stored)
        reporter.log(f"The model could not be kept in the model store too: {explain(error).message}", "warning")
        return ""
    reporter.log(f'The model is also kept in the model store as "{stored.stem}".')
    return stored.stem


def _bands(request: TrainSegmentationRequest, rasters: list[Raster], reporter: Reporter) -> list[tuple[int, ...]]:
    image, *others = rasters
    first = image.choose_bands(request.bands, reporter=reporter)
    known = (image.names_of(first), first, image.name, image.centres_of(first), reporter)
    return [first, *(raster.choose_bands((), *known) for raster in others)]


def _check_values(images: Sequence[LabelledImage], scaling: int, reporter: Reporter) -> None:
    """Warns of what looks like fill, and says where numbers are converted.

    Raises EngineError("bad_input") where images cannot be scaled alike, since only some declare scale and offset.
    """
    first = images[0]
    name, units = f'"{first.raster.name}"', units_of(first.raster, first.bands)
    for image in images:
        reporter.check()
        note = fill_note(image.raster, image.bands, look(image.raster, image.bands))
        if note:
            reporter.log(note, "warning")
        if SCALING[scaling] == "percentile":
            continue
        compared = f'"{image.raster.name}"', units_of(image.raster, image.bands), name, units
        check_units(*compared)
        note = units_note(*compared)
        if note:
            reporter.log(note)


def _recipe(request: TrainSegmentationRequest, backbone: Backbone) -> Recipe:
    return Recipe(
        times=tuple(sorted(request.timesteps)),
        streams=request.streams,
        mode=_mode(request, backbone),
        published=request.published,
        metadata=request.metadata,
        seed=request.seed,
    )


def _mode(request: TrainSegmentationRequest, backbone: Backbone) -> str:
    if request.extraction:
        return EXTRACTION[request.extraction]
    # Times are levels of noise: who names some does not want the clean image.
    noise = backbone.default_extraction == "clean" and (request.timesteps or request.published)
    return "noised" if noise else backbone.default_extraction


def _tuning(request: TrainSegmentationRequest, ground: Ground) -> FitSettings | None:
    """How the backbone is trained; None where it is not, or where no ground tells whether it pays."""
    if not request.finetune or not ground.held_back:
        return None
    return tuning_settings(len(ground.tiles), request.epochs, request.seed)


def _encoding(
    request: TrainSegmentationRequest, device: torch.device, gsd_m: float, reporter: Reporter
) -> Encoding | None:
    """The companion encoder, if it is to be read. Raises EngineError where it was chosen and is not installed."""
    if ENCODER[request.encoder] == "none" or not request.spectral:
        return None
    encoder = load_encoder(device)
    if not isinstance(encoder, NotInstalled):
        return Encoding(encoder, enlargement(gsd_m))
    if request.encoder:
        raise EngineError("engine_broken", encoder.message, encoder.remedy)
    reporter.log(str(encoder), "warning")
    return None


def _decoder_config(
    request: TrainSegmentationRequest, extractor: Extractor, encoding: Encoding | None, classes: int
) -> DecoderConfig:
    head = HEAD[request.head or 1]
    return DecoderConfig(
        fusion=FUSION[request.fusion or 1],
        head=head,
        scales=tuple(extractor.scales),
        times=extractor.recipe.times,
        classes=classes,
        side_channels=3 if request.spectral else 0,
        pixels=request.spectral,
        head_channels=HEAD_CHANNELS[head],
        encoded=encoding.scales if encoding else (),
    )


def _tell(
    request: TrainSegmentationRequest,
    ground: Ground,
    labels: LabelSources,
    device: torch.device,
    whole: Whole,
) -> None:
    """One line that says what was understood, before the work starts."""
    count = len(ground.images)
    first = ground.images[0]
    whole.reporter.log(
        f"{labels.description}, {len(ground.classes)} classes, {count} image{'s' * (count > 1)}, "
        f"bands {first.raster.describe_bands(first.bands)}; "
        f"{in_words(whole.seconds)} on {device_title(device)}."
    )
    notes = [image.raster.mask_note(image.bands) for image in ground.images]
    for line in (*filter(None, notes), *label_lines(ground)):
        whole.reporter.log(line)
    if not ground.held_back and request.validation > 0:
        whole.reporter.log(
            "No validation blocks could be set aside: classes need labels in more than one place. There will be no "
            + f"scores{', and the backbone stays frozen' * bool(request.finetune)}.",
            "warning",
        )


def _tell_pixel_size(backbone: Backbone, raster: Raster, reporter: Reporter) -> None:
    """Says where the backbone is used at pixel sizes that it has not seen."""
    if not raster.grid.gsd_m:
        reporter.log(
            f"{raster.name} has {no_crs(raster.grid.nowhere_wkt)}, so its pixel size in metres is unknown. All images "
            "are used as they are, whatever their pixel sizes.",
            "warning",
        )
    if backbone.gsd_m is None or not raster.grid.gsd_m:
        return
    low, high = backbone.gsd_m
    if not low / FOREIGN_SIZE <= raster.grid.gsd_m <= high * FOREIGN_SIZE:
        seen = f"{low:.3g} m" if low == high else f"{low:.3g} to {high:.3g} m"
        reporter.log(
            f'The backbone "{backbone.name}" was trained on pixels of {seen}, "{raster.name}" has '
            f"{raster.grid.gsd_m:.3g} m. It is used as it is; expect less of its features.",
            "warning",
        )


def _header(
    request: TrainSegmentationRequest,
    ground: Ground,
    extractor: Extractor,
    encoding: Encoding | None,
    decoder: Decoder,
    scaling: Scaling,
    gsd_m: float,
    result: FitResult,
    tried: dict[str, float],
    tuned: Tuning | None,
    weighing: Weighing | None,
) -> ModelHeader:
    first, backbone = ground.images[0], extractor.backbone
    return ModelHeader(
        name=request.name or Path(request.model).stem,
        classes=ground.classes,
        bands=first.bands,
        band_names=first.raster.names_of(first.bands),
        band_centres_nm=first.raster.centres_of(first.bands),
        scaling=Scaling("percentile") if scaling.kind == "percentile" else scaling,
        gsd_m=gsd_m,
        tile_px=ground.tile_px,
        backbone=_reference(request, backbone, tuned is not None and tuned.kept and decoder.uses_features),
        features=to_plain(extractor.recipe),
        decoder=to_plain(decoder.config),
        spectral=request.spectral,
        training={
            "seed": request.seed,
            "best_step": result.best_step,
            "tiles": len(ground.tiles),
            "images": len(ground.images),
            "block_px": ground.block_px,
            "blocks_held_back": len(ground.held_back),
            "validation": request.validation,
            "scaling_tried": tried,
            "weighing": {} if weighing is None else weighing.figures,
            "finetune": {} if tuned is None else to_plain(tuned),
            "label_pixels": dict(zip(_keys(ground.classes), ground.class_pixels.tolist(), strict=True)),
        },
        scores=_scores(ground, result),
        versions=_versions(),
        units=units_of(first.raster, first.bands),
        encoder=_encoder_reference(encoding),
        format=2 if encoding else 1,
    )


def _encoder_reference(encoding: Encoding | None) -> EncoderReference | None:
    if encoding is None:
        return None
    return EncoderReference(encoding.encoder.name, encoding.encoder.digest, encoding.enlarged)


def _versions() -> dict[str, str]:
    libraries = {name: importlib.metadata.version(name) for name in ("torch", "diffusers", "rasterio")}
    return {"satdifuser_qgis": plugin_version(), **libraries}


def _reference(request: TrainSegmentationRequest, backbone: Backbone, tuned: bool) -> BackboneReference:
    folder = Path(request.backbone).expanduser()
    reference = str(folder.resolve()) if request.backbone and folder.is_dir() else backbone.name
    return BackboneReference(reference, backbone.name, backbone.revision, backbone.digest, tuned)


def _scores(ground: Ground, result: FitResult) -> dict[str, object]:
    if result.matrix is None or not result.matrix.sum():
        return {}
    scores = score(result.matrix)
    return {
        "split": "spatial blocks held back from training",
        "miou": scores.miou,
        "macro_f1": scores.macro_f1,
        "overall_accuracy": scores.overall_accuracy,
        "iou": dict(zip(_keys(ground.classes), scores.iou, strict=True)),
        "pixels": int(result.matrix.sum()),
    }


def _keys(classes: Sequence[LandCoverClass]) -> list[str]:
    """The classes' names, with the code where several have the same."""
    names = [item.name for item in classes]
    return [f"{item.name} ({item.code})" if names.count(item.name) > 1 else item.name for item in classes]


def _written(request: TrainSegmentationRequest) -> dict[str, str]:
    return {name: getattr(request, name) for name in request.OUTPUTS if getattr(request, name)}


def _values(header: ModelHeader, result: FitResult, stored: str, device: torch.device) -> dict[str, float | int | str]:
    values: dict[str, float | int | str] = {
        "class_count": len(header.classes),
        "model_name": stored,
        "device_used": device_title(device),
    }
    for key in ("miou", "macro_f1", "overall_accuracy"):
        figure = header.scores.get(key)
        if figure is not None:
            values[key] = round(float(figure), 6)
    return values
