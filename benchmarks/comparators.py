"""Comparators on one image and the same labels: random forests on pixels, remotior-sensus', and this project.

    python benchmarks/comparators.py --json FILE [--remotior-python PATH] [--image TIF --labels TIF/GPKG]

Of an image, the left 60 % give the labels to learn from (for each class its pixels within 15 squares of 7 px, drawn
with --seed) and the right 40 % are tested, on all their labels; nothing is chosen on those. Without --image: area t2
of the Dubai set (nine parts put together, placed at 1 m) and one test tile of the Korean set, those of their test
parts that have all classes on both sides most evenly.

Every method runs in processes of its own, from reading to the written map of the whole image, on the CPU with the
same number of threads. Memory is the most that any one of its processes held; processes beside it are not added, so
it flatters methods that use several at a time (remotior-sensus does with --threads above 1, this project does not).
Ours are a training and a mapping request to the engine with nothing chosen; it reads three bands, the others read all.
Where --remotior-python names no interpreter that has remotior-sensus, its row is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import split_image
from benchmarks.labelled_set import ROOT, read_codes
from benchmarks.measured import Cost, run
from benchmarks.quality import listed, percent, row_text
from benchmarks.split_image import SplitImage, TrainingLabels, draw
from satdifuser_qgis.engine.model_file import read_header
from satdifuser_qgis.engine.report.scores import confusion_matrix, patch_count, score, to_indices
from satdifuser_qgis.engine.threads import VARIABLES
from satdifuser_qgis.protocol.choices import DEVICE
from satdifuser_qgis.protocol.codec import dump_request
from satdifuser_qgis.protocol.folders import HOME_VARIABLE
from satdifuser_qgis.protocol.segment import SegmentRequest
from satdifuser_qgis.protocol.trainsegmentation import TrainSegmentationRequest

BASELINES = ROOT / "benchmarks" / "baselines"
SCENES = {"dubai": split_image.dubai, "korea": split_image.korea}
LIBRARIES = ("torch", "diffusers", "scikit-learn", "numpy", "rasterio")
REMOTIOR_TREES = 200
NO_REMOTIOR = "remotior-sensus is left out: --remotior-python names no interpreter that has it."
LEADS = {"overall_accuracy": max, "miou": max, "patches_per_megapixel": min}


@dataclass(frozen=True)
class Case:
    """What a method gets: an image, labels, where its map belongs, and what it runs with."""

    image: Path
    labels: TrainingLabels
    folder: Path
    threads: int
    backbone: str
    remotior_python: str

    @property
    def map(self) -> Path:
        """The class raster that a method writes."""
        return self.folder / "map.tif"

    @property
    def model(self) -> Path:
        """The model file that ours writes."""
        return self.folder / "model.safetensors"


@dataclass(frozen=True)
class Method:
    """A row of the table: its title, and the commands that make a map, one after the other."""

    title: str
    commands: Callable[[Case], list[list[str]]]


def forest(trees: int, max_features: str | None) -> Callable[[Case], list[list[str]]]:
    """The commands of a scikit-learn forest."""

    def commands(case: Case) -> list[list[str]]:
        job = _job(case, labels=str(case.labels.raster), trees=trees, max_features=max_features)
        return [[sys.executable, str(BASELINES / "plain_forest.py"), job]]

    return commands


def remotior(case: Case) -> list[list[str]]:
    """The command of remotior-sensus' forest."""
    job = _job(case, polygons=str(case.labels.polygons), trees=REMOTIOR_TREES)
    return [[case.remotior_python, str(BASELINES / "remotior.py"), job]]


def ours(case: Case) -> list[list[str]]:
    """The commands of this project's engine: train, then map."""
    files = {"input": str(case.image), "model": str(case.model)}
    shared = {**files, "threads": case.threads, "device": DEVICE.index("cpu")}
    train = TrainSegmentationRequest(label_rasters=(str(case.labels.raster),), backbone=case.backbone, **shared)
    requests = {"train": train, "map": SegmentRequest(output=str(case.map), **shared)}
    engine = [sys.executable, "-m", "satdifuser_qgis.engine", "run"]
    return [[*engine, _write(case.folder / f"{name}.json", dump_request(made))] for name, made in requests.items()]


METHODS = {
    "forest": Method("random forest, scikit-learn's defaults", forest(100, "sqrt")),
    "forest-remotior": Method("random forest, remotior-sensus' settings", forest(REMOTIOR_TREES, None)),
    "remotior": Method("remotior-sensus, random forest", remotior),
    "ours": Method("ours", ours),
}


def measure(method: Method, scene: SplitImage, case: Case) -> dict[str, Any]:
    """What its map costs and how good it is."""
    case.folder.mkdir(parents=True)
    cost = Cost(0.0, 0.0, 0.0)
    environment = _environment(case)
    for number, command in enumerate(method.commands(case)):
        cost += run(command, case.folder / str(number), environment)
    weighing = {"weighing": read_header(case.model).training["weighing"]} if case.model.is_file() else {}
    return {**asdict(cost), **score_map(scene, case.map), **weighing}


def score_map(scene: SplitImage, path: Path) -> dict[str, Any]:
    """Scores on the tested pixels; patches of the whole map, a megapixel is a million pixels.

    Raises ValueError where the map gives a tested pixel none of the image's classes.
    """
    codes = tuple(scene.names)
    predicted = to_indices(read_codes(path), codes)
    matrix = confusion_matrix(to_indices(scene.tested, codes), predicted, len(codes))
    found = score(matrix)
    return {
        "overall_accuracy": found.overall_accuracy,
        "miou": found.miou,
        "patches_per_megapixel": patch_count(predicted) / predicted.size * 1e6,
        "iou": dict(zip(scene.names.values(), found.iou)),
        "tested_pixels": int(matrix.sum()),
        "confusion": matrix.tolist(),
    }


def table(scene: SplitImage, rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows of one image as a markdown table; shares in per cent."""
    head = ["method", "seconds", "CPU seconds", "peak memory MiB", "OA", "mIoU", "patches/Mpx"]
    lines = [f"### {scene.title}", "", row_text(head), row_text(["---"] + ["---:"] * (len(head) - 1))]
    for row in rows:
        costs = [f"{row[key]:.0f}" for key in ("seconds", "cpu_seconds", "memory_mib")]
        shares = [percent(row["overall_accuracy"]), percent(row["miou"])]
        lines.append(row_text([row["title"], *costs, *shares, f"{row['patches_per_megapixel']:.0f}"]))
    return "\n".join(lines)


def ours_leads(rows: Sequence[Mapping[str, Any]]) -> dict[str, bool]:
    """For each score, whether ours is the best of an image's rows; empty where there is no row of ours."""
    mine = next((row for row in rows if row["method"] == "ours"), None)
    return {} if mine is None else {key: mine[key] == best(row[key] for row in rows) for key, best in LEADS.items()}


def scenes(arguments: argparse.Namespace, folder: Path) -> Iterator[SplitImage]:
    """The user's image, or those that were chosen from the shared data."""
    if arguments.image:
        yield split_image.own(arguments.image, arguments.labels, arguments.class_field)
        return
    for key in arguments.sets:
        yield SCENES[key](folder)


def compare(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Runs every method on every image, and prints each image's table."""
    methods = {name: METHODS[name] for name in arguments.methods if name != "remotior" or arguments.remotior_python}
    images, rows = [], []
    conditions = _conditions(arguments)
    for scene in scenes(arguments, folder):
        work = folder / scene.key
        work.mkdir()
        labels = draw(scene, work, arguments.seed)
        case = Case(scene.path, labels, work, arguments.threads, arguments.backbone, arguments.remotior_python)
        found = []
        for name, method in methods.items():
            own = replace(case, folder=work / name)
            print(f"{scene.key}: {method.title}", file=sys.stderr, flush=True)
            found.append({"image": scene.key, "method": name, "title": method.title, **measure(method, scene, own)})
            if name == "ours":
                conditions["backbone"] = asdict(read_header(own.model).backbone)
        print(table(scene, found), end="\n\n", flush=True)
        rows += found
        images.append({**_about(scene, labels), "ours_leads": ours_leads(found)})
    left_out = {"remotior": NO_REMOTIOR} if "remotior" in arguments.methods and "remotior" not in methods else {}
    print("\n".join(left_out.values()), flush=True)
    made_by = {"made_by": "benchmarks/comparators.py", "conditions": conditions}
    return {**made_by, "images": images, "rows": rows, "left_out": left_out}


def _job(case: Case, **settings: object) -> str:
    job = {"image": str(case.image), "output": str(case.map), "threads": case.threads, **settings}
    return _write(case.folder / "job.json", json.dumps(job))


def _write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def _environment(case: Case) -> dict[str, str]:
    """This one, with threads and a home of its own, so that nothing is kept from one run to the next."""
    threads = dict.fromkeys(VARIABLES, str(case.threads))
    return {**os.environ, **threads, HOME_VARIABLE: str(case.folder / "home"), "PYTHONPATH": str(ROOT)}


def _about(scene: SplitImage, labels: TrainingLabels) -> dict[str, Any]:
    height, width = scene.truth.shape
    size = {"width": width, "height": height, "first_tested_column": scene.first_tested}
    return {"image": scene.key, "title": scene.title, **size, "training_pixels": labels.pixels}


def _conditions(arguments: argparse.Namespace) -> dict[str, Any]:
    versions = {name: metadata.version(name) for name in LIBRARIES}
    if arguments.remotior_python:
        versions["remotior-sensus"] = _remotior_version(arguments.remotior_python)
    machine = {"machine": platform.machine(), "cores": os.cpu_count(), "load": os.getloadavg()[0]}
    squares = {"squares_a_class": split_image.SQUARES, "square_px": split_image.SQUARE_PX}
    drawn = {"seed": arguments.seed, "train_share": split_image.TRAIN_SHARE, **squares}
    return {"threads": arguments.threads, **drawn, **machine, "python": platform.python_version(), **versions}


def _remotior_version(python: str) -> str:
    asked = "import osgeo, remotior_sensus, importlib.metadata as m; print(m.version('remotior-sensus'))"
    try:
        return subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True).stdout.split()[-1]
    except (OSError, subprocess.CalledProcessError) as error:
        told = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[-1]
        raise SystemExit(f"{python} has no remotior-sensus with GDAL's Python binding: {told}") from None


def read_arguments(texts: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True, help="where the figures are written")
    parser.add_argument("--image", type=Path, help="your own image, on which --labels lie")
    parser.add_argument("--labels", type=Path, help="a class raster on its grid, or a vector file of polygons")
    parser.add_argument("--class-field", default="class", help='the field of a vector file (default "class")')
    parser.add_argument("--sets", type=listed(SCENES), default=list(SCENES), help=", ".join(SCENES))
    parser.add_argument("--methods", type=listed(METHODS), default=list(METHODS), help=", ".join(METHODS))
    parser.add_argument("--remotior-python", default="", help="an interpreter that has remotior-sensus")
    parser.add_argument("--backbone", default="", help="a folder or a shipped name (default: the engine's own choice)")
    parser.add_argument("--seed", type=int, default=0, help="which drawing of labels (default 0)")
    parser.add_argument("--threads", type=int, default=2, help="threads of every method (default 2)")
    arguments = parser.parse_args(texts)
    if bool(arguments.image) != bool(arguments.labels):
        parser.error("--image and --labels belong together")
    return arguments


def main() -> None:
    """Runs it."""
    arguments = read_arguments()
    with tempfile.TemporaryDirectory(prefix="comparators-") as folder:
        results = compare(arguments, Path(folder))
    arguments.json.write_text(json.dumps(results, indent=1, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
