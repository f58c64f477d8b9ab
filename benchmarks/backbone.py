"""What the embedded backbone is worth: scenes and land cover, beside baselines on the same labels and test images.

    python benchmarks/backbone.py [--test FOLDER] [--labels N] [--json FILE] [--methods …] [--sets …] [--seeds 3]

Scenes: EuroSAT (fold 0 of its table is scored, or the class zips in the folder --test) and UC Merced (every fifth image
of a class is scored). What is scored is dropped from all label lists. Land cover: the rows of benchmarks/quality.py,
one seed. Statistics and features of a tile are computed once and used for all numbers of labels and all seeds: with
--cache they are kept for the next run too. Features are summed up in 2 × 2 cells a tile before anything learns from
them, so that fits on all 21,600 labels take minutes on one core. Everything together takes many hours, many of
them for fine-tuning ("tuned"): ten minutes a fit with 2,000 labels.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch
from sklearn.metrics import accuracy_score, f1_score

from benchmarks import quality
from benchmarks.denoising import losses, write_samples
from benchmarks.labelled_set import SCALINGS, TITLES, data_folder
from benchmarks.ours import DEFAULT_BACKBONE, Settings, random_backbone
from benchmarks.scene_inputs import SceneInputs, tell
from benchmarks.scene_methods import Task
from benchmarks.scene_rows import METHODS, Entry
from benchmarks.scene_sets import KINDS, SceneSet, open_scenes
from satdifuser_qgis.engine.backbones import load_backbone
from satdifuser_qgis.engine.training.finetune import check_compact
from satdifuser_qgis.protocol.errors import EngineError

SETS = (*KINDS, *SCALINGS)
ALL_METHODS = tuple(dict.fromkeys((*METHODS, *quality.METHODS)))
LIBRARIES = ("torch", "diffusers", "scikit-learn", "numpy", "scipy")


def run_scenes(
    scenes: SceneSet, arguments: argparse.Namespace, backbones: dict[str, str], left_out: dict[str, str]
) -> Iterator[dict[str, Any]]:
    """The rows of all chosen scene methods on all numbers of labels; ``left_out``: methods, and why."""
    inputs = SceneInputs(scenes, arguments.cache)
    for labels in sorted({labels for labels, _ in scenes.train}):
        for name in (name for name in arguments.methods if name in METHODS):
            if name in left_out:
                tell(f"{name} is left out: {left_out[name]}")
                continue
            row = scene_row(inputs, labels, name, arguments.seeds, backbones)
            tell(f"{scenes.key} {labels} {name}: macro F1 {row['macro_f1']:.4f} ± {row['macro_f1_sd']:.4f}")
            yield row


def impossible(reference: str) -> dict[str, str]:
    """Methods that this backbone cannot do, and why."""
    backbone = load_backbone(reference, torch.device("cpu"))
    found = {}
    if not backbone.has_clean:
        no_network = f"{reference} has no network for clean images"
        found = {name: no_network for name, entry in METHODS.items() if entry.extraction == "clean"}
    try:
        check_compact(backbone)
    except EngineError as error:
        found["tuned"] = error.message
    return found


def scene_row(
    inputs: SceneInputs, labels: int, name: str, seeds: Sequence[int], backbones: dict[str, str]
) -> dict[str, Any]:
    """One method on one number of labels: means over the seeds, and the sample deviation of macro F1."""
    scenes, entry = inputs.scenes, METHODS[name]
    truth = scenes.targets[scenes.test]
    outcomes, runs = [], []
    for seed in seeds:
        found = entry.run(Task(inputs, scenes.train[labels, seed], seed, backbones))
        outcomes.append(found)
        alone = found.details.pop("statistics_alone", None)
        extra = {} if alone is None else {"statistics_alone_macro_f1": macro_f1(truth, alone)}
        score = {"macro_f1": macro_f1(truth, found.predicted), "accuracy": accuracy_score(truth, found.predicted)}
        runs.append({"seed": seed, "labels_used": len(scenes.train[labels, seed]), **score, **extra, **found.details})
    scores = [run["macro_f1"] for run in runs]
    last = outcomes[-1]
    return {
        **identity(scenes.key, labels, name, entry, len(seeds)),
        "macro_f1": float(np.mean(scores)),
        "macro_f1_sd": float(np.std(scores, ddof=1)) if len(scores) > 1 else 0.0,
        "accuracy": float(np.mean([run["accuracy"] for run in runs])),
        "test_images": len(truth),
        "trained_parameters": int(np.mean([outcome.parameters for outcome in outcomes])),
        "gmac_per_256_tile": last.gmac,
        "seconds_per_megapixel": None if math.isnan(last.seconds_per_megapixel) else last.seconds_per_megapixel,
        "size_mb": last.size_bytes / 1e6,
        "runs": runs,
    }


def macro_f1(truth: Any, found: Any) -> float:
    """Mean F1 over the classes."""
    return float(f1_score(truth, found, average="macro"))


def identity(key: str, labels: int | None, name: str, entry: Entry, seeds: int) -> dict[str, Any]:
    """What a row is about. No backbone of this benchmark has seen a class name."""
    return {
        "set": key,
        "labels": labels,
        "method": name,
        "title": entry.title,
        "kind": entry.kind,
        "backbone_saw_labels": False,
        "extraction": entry.extraction,
        "seeds": seeds,
    }


def land_cover_rows(key: str, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """The rows of benchmarks/quality.py for one set."""
    methods = [name for name in arguments.methods if name in quality.METHODS]
    if not methods:
        return []
    shared = {"backbone": arguments.backbone, "threads": arguments.threads, "jobs": 1}
    chosen = argparse.Namespace(sets=[key], methods=methods, **shared)
    rows = []
    for row in quality.compare(chosen)["rows"]:
        ours = row["method"] not in ("forest", "forest-context", "unet", "random", "single")
        extraction = "none" if row["method"] in ("forest", "forest-context", "unet") else "noised"
        extraction = "clean" if "clean" in row["method"] else extraction
        entry = Entry(row["title"], "ours" if ours else "baseline", extraction, METHODS["forest"].run)
        rows.append({**identity(key, None, row["method"], entry, 1), **row})
    return rows


def scene_table(rows: Sequence[dict[str, Any]]) -> str:
    """Rows of one set as a markdown table: macro F1 ± its deviation (accuracy) in per cent; costs with most labels."""
    labels = list(dict.fromkeys(row["labels"] for row in rows))
    head = ["method", *(f"{count:,} labels" for count in labels), "trained", "GMAC/256²", "CPU s/Mpx", "MB"]
    lines = [quality.row_text(head), quality.row_text(["---"] + ["---:"] * (len(head) - 1))]
    for title in dict.fromkeys(row["title"] for row in rows):
        found = {row["labels"]: row for row in rows if row["title"] == title}
        last = found[max(found)]
        costs = [figure(last[key], ".2f") for key in ("gmac_per_256_tile", "seconds_per_megapixel")]
        scores = [scene_score(found[count]) if count in found else "" for count in labels]
        lines.append(
            quality.row_text([title, *scores, f"{last['trained_parameters']:,}", *costs, f"{last['size_mb']:.1f}"])
        )
    return "\n".join(lines)


def scene_score(row: dict[str, Any]) -> str:
    """A cell of `scene_table`."""
    mean, deviation, accuracy = (f"{row[key] * 100:.1f}" for key in ("macro_f1", "macro_f1_sd", "accuracy"))
    return f"{mean} ± {deviation} ({accuracy})"


def figure(value: float | None, form: str) -> str:
    """A number, or a dash where there is none."""
    return "–" if value is None else format(value, form)


def denoising(arguments: argparse.Namespace, scenes: SceneSet, backbones: dict[str, str]) -> dict[str, Any]:
    """Error by noise level of this, the untrained and, if one is named, the previous backbone, printed as a table."""
    named = {"this": backbones["trained"], "untrained": backbones["random"]}
    if arguments.previous:
        named["previous"] = arguments.previous
    found = {name: losses(reference, scenes.tiles[scenes.test]) for name, reference in named.items()}
    print(quality.row_text(["times", *found]), quality.row_text(["---"] + ["---:"] * len(found)), sep="\n")
    for times in found["this"]:
        print(quality.row_text([times, *(f"{values[times]:.4f}" for values in found.values())]))
    if arguments.samples:
        write_samples(backbones["trained"], scenes.kind.network_px, arguments.samples)
    return found


def compare(arguments: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Runs what was chosen, and prints the tables."""
    torch.set_num_threads(arguments.threads)
    backbones = {
        "trained": arguments.backbone,
        "random": random_backbone(Settings(work, arguments.threads, arguments.backbone)),
    }
    results: dict[str, Any] = {"made_by": "benchmarks/backbone.py", "conditions": conditions(arguments), "rows": []}
    left_out = impossible(arguments.backbone)
    for key in (key for key in arguments.sets if key in KINDS):
        labels = [n for n in KINDS[key].labels if arguments.labels in (None, n)]
        if not labels:
            continue
        scenes = open_scenes(key, data_folder(), labels, arguments.seeds, arguments.test)
        rows = []
        for row in run_scenes(scenes, arguments, backbones, left_out):
            rows.append(row)
            results["rows"].append(row)
            write(results, arguments.json)
        print(f"{KINDS[key].title}\n\n{scene_table(rows)}", end="\n\n", flush=True)
        if key == "eurosat" and not arguments.no_denoising:
            results["denoising"] = denoising(arguments, scenes, backbones)
    for key in (key for key in arguments.sets if key in SCALINGS and arguments.labels is None):
        tell(TITLES[key])
        results["rows"] += land_cover_rows(key, arguments)
        write(results, arguments.json)
    write(results, arguments.json)
    return results


def write(results: dict[str, Any], path: Path | None) -> None:
    """The figures so far: a row may take an hour, and a run that is broken off keeps those that it had."""
    if path:
        path.write_text(json.dumps(results, indent=1, ensure_ascii=False), encoding="utf-8")


def conditions(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the figures depend on."""
    versions = {name: metadata.version(name) for name in LIBRARIES}
    chosen = {"backbone": arguments.backbone, "threads": arguments.threads, "test": str(arguments.test or "")}
    return {**chosen, "python": platform.python_version(), "machine": platform.machine(), **versions}


def listed(known: Sequence[str]) -> Callable[[str], list[str]]:
    """An argument type: names out of ``known``, separated by commas."""
    return quality.listed(dict.fromkeys(known))


def read_seeds(text: str) -> list[int]:
    """An argument type: "3" is 0, 1 and 2; "1,2" and "0," are those. The label lists have 0, 1 and 2."""
    seeds = list(range(int(text))) if text.isdigit() else [int(part) for part in text.split(",") if part]
    if not seeds or not set(seeds) <= {0, 1, 2}:
        raise argparse.ArgumentTypeError(f'seeds are "{text}"; there are label lists for 0, 1 and 2')
    return seeds


def read_arguments(texts: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line; a folder of test images leaves EuroSAT alone."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--test", type=Path, help="folder of class zips that is scored instead of fold 0 of EuroSAT")
    parser.add_argument("--labels", type=int, help="only lists of this length (200, 2000, 21600; 105, 420)")
    parser.add_argument("--json", type=Path, help="where the figures are written")
    parser.add_argument("--sets", type=listed(SETS), default=list(SETS), help=", ".join(SETS))
    parser.add_argument("--methods", type=listed(ALL_METHODS), default=list(ALL_METHODS), help=", ".join(ALL_METHODS))
    parser.add_argument("--seeds", type=read_seeds, default=[0, 1, 2], help='how many, or which: "3", "0," (default 3)')
    parser.add_argument("--backbone", default=DEFAULT_BACKBONE, help="a folder or a shipped name")
    parser.add_argument("--previous", default="", help="a backbone whose denoising loss is shown beside")
    parser.add_argument("--samples", type=Path, help="where a picture of samples is written")
    parser.add_argument("--no-denoising", action="store_true", help="leave out the loss by noise level")
    parser.add_argument("--cache", type=Path, help="where statistics and features are kept between runs")
    parser.add_argument("--threads", type=int, default=2, help="threads of torch and of land-cover rows (default 2)")
    arguments = parser.parse_args(texts)
    if arguments.test:
        arguments.sets = ["eurosat"]
    if arguments.labels is not None and not any(arguments.labels in kind.labels for kind in KINDS.values()):
        parser.error(f"there are no lists of {arguments.labels} labels")
    return arguments


def main() -> None:
    """The command line."""
    arguments = read_arguments()
    with tempfile.TemporaryDirectory(prefix="backbone-") as work:
        arguments.cache = arguments.cache or Path(work) / "cache"
        compare(arguments, Path(work))


if __name__ == "__main__":
    main()
