"""All labels of a request as one: their classes, and for each image a function from windows to class indices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...protocol.classes import LandCoverClass
from ...protocol.errors import EngineError
from ...protocol.nodata import AS_DECLARED
from ...protocol.trainsegmentation import TrainSegmentationRequest
from ..listing import listing
from ..raster.grid import Grid, Window
from ..raster.read import Raster
from ..reporter import Reporter
from ..vector.class_field import other_choice
from ..vector.class_table import UNLABELLED, case_notes, joined_notes, merge_classes
from ..vector.label_raster import LabelRaster, class_notes, open_label_raster, pair, read_labels
from ..vector.labels import VectorLabels, around, burn, check_crs, contested, read_vector_labels, touching

_BLOCK = 2048
Reader = Callable[[Window], NDArray[np.int16]]


@dataclass(frozen=True)
class LabelSources:
    """``readers`` has one entry an image; a window of it gives (h, w) class indices, -1 where nothing is known.
    ``windows``: the pixels of each image that labels can reach. ``description`` is "412 polygons, 3 label rasters";
    ``notes`` say what was left out or repaired, and why."""

    classes: tuple[LandCoverClass, ...]
    readers: tuple[Reader, ...]
    windows: tuple[Window, ...]
    description: str
    notes: tuple[str, ...]


def read_label_sources(
    request: TrainSegmentationRequest, rasters: Sequence[Raster], stack: ExitStack, reporter: Reporter
) -> LabelSources:
    """Reads the vector layer and the label rasters and pairs them with the images.

    Where both know a pixel, what was drawn wins over the label raster. ``stack`` closes the label rasters.
    Raises EngineError bad_input, bad_request, no_overlap, too_few_labels.
    """
    vector = None
    if request.labels:
        vector = read_vector_labels(request.labels, request.class_field, request.styles, request.label_copies)
        if len(vector.classes) == 1 and not request.label_rasters:
            raise _one_value(vector, request)
    styles = request.raster_styles or [()] * len(request.label_rasters)
    drawn = vector.class_table if vector else None
    nodata = request.label_nodata or [AS_DECLARED] * len(request.label_rasters)
    label_rasters = [
        open_label_raster(path, style, drawn, own)
        for path, style, own in zip(request.label_rasters, styles, nodata, strict=True)
    ]
    for label in label_rasters:
        stack.callback(label.raster.close)
    tables = ([vector.class_table] if vector else []) + [label.class_table for label in label_rasters]
    classes, lookups = merge_classes(tables)
    notes = [*(vector.notes if vector else ()), *class_notes(label_rasters)]
    notes += [*joined_notes(tables), *case_notes(classes)]
    served: list[list[tuple[LabelRaster | VectorLabels, NDArray[np.int16]]]] = [[] for _ in rasters]
    if label_rasters:
        raster_lookups = lookups[1:] if vector else lookups
        pairs, left_out = pair(label_rasters, rasters)
        notes += left_out
        for found in pairs:
            label = label_rasters[found.label]
            served[found.image].append((label, raster_lookups[found.label]))
            reporter.log(f'The labels "{label.name}" are for the image "{rasters[found.image].name}" ({found.how}).')
    if vector:
        notes += _serve_vector(vector, lookups[0], rasters, served, reporter)
    for raster, sources in zip(rasters, served, strict=True):
        if not sources:
            notes.append(f'No labels lie on the image "{raster.name}"; it is not used.')
    for note in notes:
        reporter.log(note, "warning")
    readers = tuple(_reader(sources, raster.grid) for sources, raster in zip(served, rasters, strict=True))
    windows = tuple(_window(sources, raster.grid) for sources, raster in zip(served, rasters, strict=True))
    return LabelSources(classes, readers, windows, _description(vector, label_rasters), tuple(notes))


def _one_value(vector: VectorLabels, request: TrainSegmentationRequest) -> EngineError:
    return EngineError(
        "too_few_labels",
        f'All labels of "{vector.name}" have the same class in the field "{request.class_field}": '
        f'"{vector.classes[0].name}". At least two classes are needed. Is it the class field?',
        other_choice(
            request.labels, request.class_field, "Label some ground of another class, or choose another field."
        ),
    )


def _serve_vector(
    vector: VectorLabels,
    lookup: NDArray[np.int16],
    rasters: Sequence[Raster],
    served: list[list[tuple[LabelRaster | VectorLabels, NDArray[np.int16]]]],
    reporter: Reporter,
) -> list[str]:
    notes, met = [], np.zeros(len(vector.table), np.bool_)
    crs_notes = [check_crs(vector, raster.name, raster.grid) for raster in rasters]
    for number, raster in enumerate(rasters):
        touched = touching(vector, raster.grid)
        if touched.any():
            met |= touched
            served[number].append((vector, lookup))
            reporter.log(f'The labels "{vector.name}" lie on the image "{raster.name}".')
            notes += [crs_notes[number], _contested_note(vector, raster)]
    if not met.any() and not any(served):
        listed = ", ".join(f'"{raster.name}"' for raster in rasters)
        raise EngineError(
            "no_overlap",
            f'No label of "{vector.name}" lies on the image{"s" * (len(rasters) > 1)} {listed}.',
            "Check that labels and image show the same ground, and their coordinate reference systems.",
        )
    return sorted({note for note in (*notes, _missed_note(vector, ~met)) if note})


def _missed_note(vector: VectorLabels, missed: NDArray[np.bool_]) -> str:
    if not missed.any():
        return ""
    counts = np.bincount(vector.table["index"].to_numpy()[missed], minlength=len(vector.classes))
    listed = [f'{count} of "{item.name}"' for item, count in zip(vector.classes, counts, strict=True) if count]
    return f'Labels of "{vector.name}" that lie on no image are ignored: {listing(listed)}.'


def _contested_note(vector: VectorLabels, raster: Raster) -> str:
    labelled = around(vector, raster.grid)
    pixels = sum(contested(vector, raster.grid, window) for window in labelled.blocks(_BLOCK))
    if not pixels:
        return ""
    return (
        f'On "{raster.name}" {pixels} pixels are claimed by labels of different classes: the smaller polygon wins, '
        "lines win over polygons and points over both."
    )


def _reader(sources: Sequence[tuple[LabelRaster | VectorLabels, NDArray[np.int16]]], grid: Grid) -> Reader:
    def read(window: Window) -> NDArray[np.int16]:
        labels = np.full((window.height, window.width), UNLABELLED, np.int16)
        for source, lookup in sources:
            if isinstance(source, VectorLabels):
                burnt = burn(source, grid, window)
            else:
                burnt = read_labels(source, grid, window)
            labels = np.where(burnt == UNLABELLED, labels, lookup[burnt])
        return labels

    return read


def _window(sources: Sequence[tuple[LabelRaster | VectorLabels, NDArray[np.int16]]], grid: Grid) -> Window:
    """The pixels that labels can reach: of label rasters, all of them."""
    if len(sources) == 1 and isinstance(sources[0][0], VectorLabels):
        return around(sources[0][0], grid)
    return grid.whole if sources else Window(0, 0, 0, 0)


def _description(vector: VectorLabels | None, label_rasters: Sequence[LabelRaster]) -> str:
    parts = [vector.description] if vector else []
    if label_rasters:
        parts.append(f"{len(label_rasters)} label raster{'s' * (len(label_rasters) > 1)}")
    return ", ".join(parts)
