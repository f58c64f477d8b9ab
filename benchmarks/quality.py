"""Quality of land-cover maps: our fusers against single streams, random weights, random forests and a small U-Net.

    python benchmarks/quality.py --json FILE [--sets korea,dubai] [--methods global,forest-context,...]

Every method learns from the same labelled images and maps the same unseen ones; nothing is chosen on those.
One run makes one table, from nothing but what was measured in it; started again after an interruption it goes on, as
long as code, backbone and settings are the same. Scores are pooled over all pixels of the unseen images; a class that
is absent has no IoU.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import platform
import shutil
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any, Callable, Protocol

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from numpy.typing import NDArray

from benchmarks.baselines.forest import Forest
from benchmarks.labelled_set import SCALING_NAMES, SCALINGS, TITLES, LabelledSet, Pair, open_set, read_codes
from benchmarks.ours import DEFAULT_BACKBONE, BestSingleStream, Ours, Settings, random_backbone
from satdifuser_qgis.engine.report.scores import (
    boundary_counts,
    boundary_iou,
    confusion_matrix,
    patch_count,
    score,
    to_indices,
)
from satdifuser_qgis.protocol.folders import HOME_VARIABLE, shipped_models

LIBRARIES = ("torch", "diffusers", "scikit-learn", "numpy", "rasterio")


class Method(Protocol):
    """Learns from a set's training images, then maps one image at a time to class codes."""

    def learn(self, labelled: LabelledSet) -> None:
        """Once, before any map."""

    def map(self, pair: Pair) -> NDArray[np.uint16]:
        """Class codes, (H, W)."""


def unet(settings: Settings, scaling: int) -> Method:
    """The small U-Net; torch is loaded only if it is asked for."""
    from benchmarks.baselines.unet import UNetMethod

    return UNetMethod(scaling, settings.threads)


@dataclass(frozen=True)
class Entry:
    """A row of the table: its title and how to make its method for a scaling."""

    title: str
    make: Callable[[Settings, int], Method]


METHODS = {
    "global": Entry("ours, global weighted", lambda s, scaling: Ours(s, "global", scaling)),
    "localized": Entry("ours, localized weighted", lambda s, scaling: Ours(s, "localized", scaling)),
    "mixture": Entry("ours, mixture of experts", lambda s, scaling: Ours(s, "mixture", scaling)),
    "single": Entry("best single stream (seconds with its search)", BestSingleStream),
    "random": Entry(
        "random-weights backbone, global weighted",
        lambda s, scaling: Ours(replace(s, backbone=random_backbone(s)), "global", scaling),
    ),
    "forest": Entry("random forest, pixel values", lambda s, scaling: Forest(False, False, scaling, s.threads)),
    "forest-context": Entry(
        "random forest, pixels + context, class-balanced", lambda s, scaling: Forest(True, True, scaling, s.threads)
    ),
    "unet": Entry("small U-Net from scratch", unet),
}


def measure(method: Method, labelled: LabelledSet) -> dict[str, Any]:
    """Learns, maps every test image, and scores all of them together."""
    # Of the processor, all threads together: what else runs on the machine does not count.
    started = time.process_time()
    method.learn(labelled)
    learnt = time.process_time()
    maps = [method.map(pair) for pair in labelled.test]
    mapped = time.process_time()
    row = score_maps(labelled, maps)
    row.update(seconds=mapped - started, learn_seconds=learnt - started, map_seconds=mapped - learnt)
    row["chosen"] = getattr(method, "values", {})
    return row


def score_maps(labelled: LabelledSet, maps: list[NDArray[np.uint16]]) -> dict[str, Any]:
    """Scores pooled over the test images. Patches are counted on the whole map, a megapixel is a million pixels."""
    classes = len(labelled.codes)
    matrix = np.zeros((classes, classes), np.int64)
    boundary, patches, pixels = np.zeros((classes, 2), np.int64), 0, 0
    for pair, found in zip(labelled.test, maps):
        truth, predicted = (to_indices(codes, labelled.codes) for codes in (read_codes(pair.label), found))
        matrix += confusion_matrix(truth, predicted, classes)
        boundary += boundary_counts(truth, predicted, classes)
        patches += patch_count(predicted)
        pixels += predicted.size
    found_scores = score(matrix)
    return {
        "miou": found_scores.miou,
        "iou": dict(zip([item.name for item in labelled.classes], found_scores.iou)),
        "overall_accuracy": found_scores.overall_accuracy,
        "boundary_iou": boundary_iou(boundary),
        "patches_per_megapixel": patches / pixels * 1e6,
        "pixels": pixels,
        "confusion": matrix.tolist(),
    }


def table(labelled: LabelledSet, rows: list[dict[str, Any]]) -> str:
    """The rows of one set as a markdown table; shares in per cent."""
    names = [item.name for item in labelled.classes]
    head = ["method", "scaling", "mIoU", *names, "OA", "boundary IoU", "patches/Mpx", "CPU seconds"]
    lines = [f"### {TITLES[labelled.key]}", "", row_text(head), row_text(["---"] * 2 + ["---:"] * (len(head) - 2))]
    for row in rows:
        shares = [row["miou"], *row["iou"].values(), row["overall_accuracy"], row["boundary_iou"]]
        figures = [f"{row['patches_per_megapixel']:.0f}", f"{row['seconds']:.0f}"]
        lines.append(row_text([row["title"], SCALING_NAMES[row["scaling"]], *map(percent, shares), *figures]))
    return "\n".join(lines)


def row_text(cells: list[str]) -> str:
    """One line of a markdown table."""
    return f"| {' | '.join(cells)} |"


def percent(share: float | None) -> str:
    """A share as a percentage; a dash where there is none."""
    return "–" if share is None else f"{share * 100:.1f}"


def measure_row(key: str, name: str, scaling: int, arguments: argparse.Namespace, rows: Path | None) -> dict[str, Any]:
    """One row, in a folder of its own; or, from the folder ``rows``, as it was before the run was interrupted."""
    kept = rows / f"{key}-{name}-{scaling}.json" if rows else None
    if kept and kept.is_file():
        return dict(json.loads(kept.read_text(encoding="utf-8")))
    with tempfile.TemporaryDirectory(prefix="quality-") as work:
        os.environ[HOME_VARIABLE] = work  # trained models are no business of the user's model store
        settings = Settings(Path(work), arguments.threads, arguments.backbone)
        row = measure(METHODS[name].make(settings, scaling), open_set(key))
    print(f"{key} {name} scaling {scaling}: mIoU {percent(row['miou'])}", file=sys.stderr, flush=True)
    row = {"set": key, "method": name, "title": METHODS[name].title, "scaling": scaling, **row}
    if kept:
        write_json(kept, row)
    return row


def compare(arguments: argparse.Namespace, rows: Path | None = None) -> dict[str, Any]:
    """Runs every chosen method on every chosen set, and prints each set's table; finished rows are kept in ``rows``."""
    wanted = [(key, name, scaling) for key in arguments.sets for name in arguments.methods for scaling in SCALINGS[key]]
    # Fresh processes, not forks: torch has threads. The searches first: they take by far the longest.
    with ProcessPoolExecutor(arguments.jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        order = sorted(wanted, key=lambda row: row[1] != "single")
        jobs = {row: pool.submit(measure_row, *row, arguments, rows) for row in order}
        found = [jobs[row].result() for row in wanted]
    for key in arguments.sets:
        print(table(open_set(key), [row for row in found if row["set"] == key]), end="\n\n", flush=True)
    return {"made_by": "benchmarks/quality.py", "conditions": conditions(arguments), "rows": found}


def rows_folder(arguments: argparse.Namespace) -> Path:
    """Where finished rows wait for the others: a folder for each state of code, backbone, images and settings."""
    seen = hashlib.sha256(json.dumps(conditions(arguments)).encode())
    root, given = Path(__file__).resolve().parent.parent, Path(arguments.backbone)
    parts = [root / "benchmarks", root / "satdifuser_qgis" / "engine", root / "satdifuser_qgis" / "protocol"]
    parts.append(given if given.is_dir() else shipped_models() / arguments.backbone)
    for part in parts:
        for path in sorted(file for file in part.rglob("*") if file.is_file() and file.suffix != ".pyc"):
            seen.update(str(path.relative_to(part)).encode() + path.read_bytes())
    for key in arguments.sets:
        labelled = open_set(key)
        for pair in (*labelled.train, *labelled.test):
            seen.update("".join(f"{path}{path.stat().st_size}" for path in (pair.image, pair.label)).encode())
    return Path(f"{arguments.json}.rows") / seen.hexdigest()[:12]


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Whole or not at all."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
    part.replace(path)


def conditions(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the figures depend on."""
    versions = {name: metadata.version(name) for name in LIBRARIES}
    chosen = {"backbone": arguments.backbone, "threads": arguments.threads, "jobs": arguments.jobs}
    return {**chosen, "python": platform.python_version(), "machine": platform.machine(), **versions}


def listed(known: dict[str, Any]) -> Callable[[str], list[str]]:
    """An argument type: names of ``known``, separated by commas."""

    def read(text: str) -> list[str]:
        names = text.split(",")
        wrong = [name for name in names if name not in known]
        if wrong:
            raise argparse.ArgumentTypeError(f'there is no "{wrong[0]}"; choose from {", ".join(known)}')
        return names

    return read


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True, help="where the figures are written")
    parser.add_argument("--sets", type=listed(SCALINGS), default=list(SCALINGS), help=", ".join(SCALINGS))
    parser.add_argument("--methods", type=listed(METHODS), default=list(METHODS), help=", ".join(METHODS))
    parser.add_argument("--backbone", default=DEFAULT_BACKBONE, help="a folder or a shipped name")
    parser.add_argument("--threads", type=int, default=2, help="threads of every method (default 2)")
    parser.add_argument("--jobs", type=int, default=1, help="rows at a time (default 1)")
    arguments = parser.parse_args()
    rows = rows_folder(arguments)
    rows.mkdir(parents=True, exist_ok=True)
    write_json(arguments.json, compare(arguments, rows))
    shutil.rmtree(rows.parent)


if __name__ == "__main__":
    main()
