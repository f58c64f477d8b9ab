"""A finished training as the data of its report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..listing import MOST_NAMED
from ..model_file import ModelHeader
from ..raster.bands import listed_bands
from ..report.streams import level_in_words, streams_in_words
from ..report.training_report import FusionWeight, InputImage, LabelCount, TrainingReport
from .finetune import Tuning
from .label_sources import LabelSources
from .landcover import SCALING_IN_WORDS, Ground
from .loop import FitResult
from .pixels import Weighing


def label_lines(ground: Ground) -> list[str]:
    """A line a class for the log: labelled pixels that are used, those of them for validation, and those ignored. Of
    many classes those with the fewest pixels have one, and the others one together."""
    lines = []
    held_back_pixels = ground.held_back_pixels
    fewest_first = np.argsort(ground.class_pixels, kind="stable")
    for index in sorted(fewest_first[:MOST_NAMED].tolist()):
        item, used, held_back = ground.classes[index], ground.class_pixels[index], held_back_pixels[index]
        ignored = "".join(
            f", {lost[index]:,} more ignored ({why})" for why, lost in ground.ignored.items() if lost[index]
        )
        lines.append(f'Class "{item.name}": {used:,} labelled pixels, {held_back:,} of them for validation{ignored}.')
    others = ground.class_pixels[fewest_first[MOST_NAMED:]]
    if len(others):
        lines.append(f"{len(others)} more class{'es' * (len(others) > 1)}: from {others.min():,} labelled pixels on.")
    return lines


def report_data(
    header: ModelHeader,
    ground: Ground,
    labels: LabelSources,
    result: FitResult,
    fusion: Sequence[dict[str, float | int | str]],
    weighing: Weighing | None,
    device: str,
    table: str,
    stored: str,
) -> TrainingReport:
    """A training as the data of its report; ``table`` is the name of the file beside it, ``stored`` that of the model
    in the model store, "" where it is not there."""
    words = _stream_words(header)
    return TrainingReport(
        model_name=header.name,
        task="Train a land-cover model",
        classes=ground.classes,
        label_counts=_label_counts(ground),
        curve=result.curve,
        best_step=result.best_step,
        blocks=tuple(matrix for matrix in result.matrices if matrix.sum()) if result.matrices is not None else (),
        split=_split(ground),
        settings=_settings(header),
        fusion=tuple(
            FusionWeight(int(f["time"]), words.get(str(f["stream"]), str(f["stream"])), float(f["weight"]))
            for f in fusion
        ),
        decided=weighing.sentence if weighing else "",
        warnings=labels.notes,
        inputs=tuple(
            InputImage(image.raster.name, image.raster.grid.width, image.raster.grid.height, _note(header, ground, i))
            for i, image in enumerate(ground.images)
        ),
        provenance=(
            ("Backbone", f"{header.backbone.name}, revision {header.backbone.revision}"),
            *((("Encoder", header.encoder.name),) if header.encoder else ()),
            *((name, version) for name, version in header.versions.items()),
            ("Computed on", device),
        ),
        table=table,
        stored_as=stored,
    )


def _stream_words(header: ModelHeader) -> dict[str, str]:
    """What the report calls the streams, and a mixture's experts, of the model."""
    strides = {name: scale["stride"] for scale in header.decoder["scales"] for name in scale["streams"]}
    levels = sorted(set(strides.values()))
    experts = range(1, header.decoder["experts"] + 1)
    return streams_in_words(strides) | {
        f"expert {number} of {len(experts)}, stride {stride}": ", ".join(
            part for part in (f"expert {number} of {len(experts)}", level_in_words(stride, levels)) if part
        )
        for number in experts
        for stride in levels
    }


def _label_counts(ground: Ground) -> tuple[LabelCount, ...]:
    held, total = ground.held_back_pixels, ground.class_pixels
    return tuple(
        LabelCount(
            item.code,
            int(total[index] - held[index]),
            int(held[index]),
            int(sum(lost[index] for lost in ground.ignored.values())),
            "; ".join(why for why, lost in ground.ignored.items() if lost[index]),
        )
        for index, item in enumerate(ground.classes)
    )


def _split(ground: Ground) -> str:
    if not ground.held_back:
        return ""
    total = len({block for tile in ground.tiles for block in tile.counts})
    if any(lattice.crs_wkt or lattice.size for lattice in ground.lattices):
        return (
            f"{len(ground.held_back)} of {total} blocks of ground, {ground.block_px} × {ground.block_px} pixels each, "
            "were kept out of training for validation, in all images that show them."
        )
    return f"{len(ground.held_back)} of {total} images were kept out of training for validation."


def _settings(header: ModelHeader) -> tuple[tuple[str, str], ...]:
    features, decoder, training = header.features, header.decoder, header.training
    tried = ", ".join(f"{SCALING_IN_WORDS[name]} {value:.2f}" for name, value in training["scaling_tried"].items())
    tuned = Tuning(**training["finetune"]).sentence if training["finetune"] else "no, the backbone is frozen"
    return (
        ("Bands", listed_bands(header.bands, header.band_names)),
        ("Scaling of values", SCALING_IN_WORDS[header.scaling.kind] + (f" (mean IoU tried: {tried})" if tried else "")),
        ("Pixel size", f"{header.gsd_m:.3g} m" if header.gsd_m else "unknown"),
        ("Tile", f"{header.tile_px} px"),
        ("Extraction", _extraction(features)),
        ("Fusion", str(decoder["fusion"])),
        ("Head", str(decoder["head"]) + (" with the pixels beside the features" if header.spectral else "")),
        ("Fine-tuned", tuned),
        ("Step that was kept", str(training["best_step"])),
        ("Seed", str(training["seed"])),
    )


def _extraction(features: dict[str, Any]) -> str:
    if features["mode"] == "clean":
        return "clean, one pass without noise"
    return f"{features['mode']}, timesteps {', '.join(str(time) for time in features['times'])}"


def _note(header: ModelHeader, ground: Ground, number: int) -> str:
    tiles = sum(tile.image == number for tile in ground.tiles)
    image = ground.images[number]
    gsd_m = image.raster.grid.gsd_m
    pixel = f"{gsd_m:.3g} m a pixel" if gsd_m else "pixel size unknown"
    return f"{pixel}, {tiles} labelled tile{'s' * (tiles != 1)}"
