"""Trains on and maps every file of a folder of awkward inputs: each is processed rightly, or refused in words.

    python benchmarks/awkward.py DIR [--worker] [--backbone NAME] [--only TEXT]

DIR holds `manifest.json`: {"files": [{"file", "expected": "process" or "refuse", "note"?}]}; where there is a note both
answers do. Of a raster, twenty labels of two classes are made on valid pixels, then it is trained on and mapped with
all outputs. A layer of labels is trained on with each of its fields, on the raster that it lies on, which is mapped.
A line a case; exit code 1 where one differs.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Union

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import geopandas
import numpy as np
import pyogrio
import rasterio
from affine import Affine
from pyogrio.errors import DataSourceError
from pyproj.exceptions import ProjError
from rasterio.errors import RasterioError
from shapely import Polygon

from benchmarks.awkward_checks import debris, map_differences, refusal_differences
from benchmarks.awkward_runs import InProcess, Runner, Worker
from satdifuser_qgis.engine.model_file import read_header
from satdifuser_qgis.engine.raster.grid import Grid, Window
from satdifuser_qgis.engine.raster.read import Raster, open_raster
from satdifuser_qgis.protocol.errors import EngineError
from satdifuser_qgis.protocol.segment import SegmentRequest
from satdifuser_qgis.protocol.trainsegmentation import TrainSegmentationRequest

LAYERS = (".gpkg", ".geojson", ".shp", ".fgb", ".gml", ".kml")
LABELS = 20
# Of rasters smaller than this a label is one pixel, of others a square of three.
SMALL_PX = 32
# Larger rasters are looked at thinned out to so many pixels.
MOST_PX = 1_000_000
CLASS_KINDS = ("OFTString", "OFTInteger", "OFTInteger64")


@dataclass(frozen=True)
class Case:
    """A file of the folder and what shall happen to it. ``raster`` is where labels lie, else the file itself."""

    name: str
    path: Path
    expected: str
    either: bool
    raster: Path
    fields: tuple[str, ...] = ()

    @property
    def is_layer(self) -> bool:
        """Whether it holds labels."""
        return self.path.suffix.lower() in LAYERS


@dataclass
class Outcome:
    """What happened: "process" or "refuse", what was told, and what differs from what shall be."""

    happened: str = ""
    told: str = ""
    differences: list[str] = field(default_factory=list)


def read_cases(folder: Path) -> list[Case]:
    """The cases of a folder in the order of its manifest."""
    entries = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]
    layers = [folder / entry["file"] for entry in entries if Path(entry["file"]).suffix.lower() in LAYERS]
    usable = [folder / entry["file"] for entry in entries if entry["expected"] == "process"]
    under = _rasters_under(layers, [path for path in usable if path.suffix.lower() not in LAYERS])
    cases = []
    for entry in entries:
        path = folder / entry["file"]
        case = Case(entry["file"], path, entry["expected"], "note" in entry, under.get(path, path))
        cases.append(replace(case, fields=_class_fields(path)) if case.is_layer else case)
    return cases


def _rasters_under(layers: list[Path], rasters: list[Path]) -> dict[Path, Path]:
    """For each layer the raster that it lies on, the smallest of those that serve most layers.

    Those that lie on none get the one that serves most others.
    """
    found: dict[Path, list[Path]] = {}
    for layer in layers:
        frame = _read_layer(layer)
        found[layer] = [] if frame is None else [path for path in rasters if _lies_on(frame, path)]
    served = Counter(path for paths in found.values() for path in paths)

    def rank(path: Path) -> tuple[int, int]:
        try:
            with rasterio.open(path) as file:
                return served[path], -file.width * file.height
        except RasterioError:
            return -1, 0

    common = max(rasters, key=rank, default=Path())
    return {layer: max(paths, key=rank, default=common) for layer, paths in found.items()}


def _lies_on(frame: geopandas.GeoDataFrame, raster: Path) -> bool:
    """Whether all labels lie where the raster can hold data; not of what cannot be told, its own line will say why."""
    try:
        with open_raster(str(raster)) as image:
            held = image.filled.around().intersection(image.grid.whole)
            (xmin, ymin, xmax, ymax), wkt = image.grid.crop(held).extent, image.grid.crs_wkt
        if not wkt or frame.crs is None or not np.isfinite(frame.total_bounds).all():
            return False
        left, bottom, right, top = frame.to_crs(wkt).total_bounds
    except (EngineError, ProjError):
        return False
    return bool(xmin <= left and right <= xmax and ymin <= bottom and top <= ymax)


def _read_layer(path: Path) -> geopandas.GeoDataFrame | None:
    try:
        return pyogrio.read_dataframe(path)
    except (DataSourceError, ValueError):
        return None


def _class_fields(path: Path) -> tuple[str, ...]:
    """The fields that may hold classes."""
    try:
        info = pyogrio.read_info(path)
    except DataSourceError:
        return ("class",)
    return tuple(name for name, kind in zip(info["fields"], info["ogr_types"]) if kind in CLASS_KINDS) or ("class",)


class Bench:
    """Runs cases. ``work`` is a folder of its own for models, labels and maps."""

    def __init__(self, folder: Path, work: Path, backbone: str, runner: Runner) -> None:
        self.folder, self.work, self.backbone, self.runner = folder, work, backbone, runner
        self._count = 0
        self._spare = ""

    def run(self, case: Case) -> Outcome:
        """One case; never raises."""
        outcome, before = Outcome(), _listing(self.folder)
        self._count += 1
        place = self.work / f"case {self._count}"
        place.mkdir(parents=True)
        try:
            for number, request in enumerate(self._trainings(case, place)):
                self._train_and_map(request, place / f"maps {number}", outcome)
            outcome.happened = "process"
        except EngineError as failure:
            outcome.happened, outcome.told = "refuse", f"{failure.code}: {failure.message} {failure.remedy}"
            outcome.differences += refusal_differences(failure)
            if not case.is_layer and failure.code != "no_space":
                outcome.differences += self._mapping_refused(case, place / "spare")
        except Exception as failure:  # the other cases are looked at all the same
            outcome.happened = "fail"
            outcome.differences.append(f"it could not be checked: {type(failure).__name__}: {failure}")
        outcome.differences += debris(place)
        if outcome.happened != case.expected and not case.either:
            outcome.differences.append(f"{outcome.happened} happened but {case.expected} was expected")
        if _listing(self.folder) != before:
            outcome.differences.append("the folder of inputs has changed")
        return outcome

    def _trainings(self, case: Case, place: Path) -> Iterator[TrainSegmentationRequest]:
        labels = str(case.path)
        if not case.is_layer:
            labels = str(write_labels(case.path, place / "labels.gpkg"))
        for number, name in enumerate(case.fields or ("class",)):
            yield TrainSegmentationRequest(
                input=str(case.raster),
                labels=labels,
                class_field=name,
                model=str(place / f"model {number}.safetensors"),
                report=str(place / f"report {number}.html"),
                backbone=self.backbone,
                epochs=1,
                threads=1,
            )

    def _train_and_map(self, training: TrainSegmentationRequest, maps: Path, outcome: Outcome) -> None:
        self.runner.run(training)
        request = _all_outputs(training.input, training.model, maps)
        self.runner.run(request)
        codes = [item.code for item in read_header(Path(training.model)).classes]
        outcome.differences += map_differences(request, codes)

    def _mapping_refused(self, case: Case, maps: Path) -> list[str]:
        """What cannot be trained on cannot be mapped either, whatever the model."""
        try:
            self.runner.run(_all_outputs(str(case.path), self._spare_model(), maps))
        except EngineError as failure:
            return refusal_differences(failure)
        return [f"training refused it, but it was mapped: {sorted(p.name for p in maps.iterdir())}"]

    def _spare_model(self) -> str:
        """A model of an ordinary image, made once."""
        if not self._spare:
            place = self.work / "spare"
            place.mkdir()
            values = np.random.default_rng(0).integers(1, 255, (3, 64, 64), np.uint8)
            with rasterio.open(
                place / "plain.tif", "w", driver="GTiff", width=64, height=64, count=3, dtype="uint8",
                crs="EPSG:32633", transform=Affine(10, 0, 500_000, 0, -10, 5_200_000),
            ) as file:  # fmt: skip
                file.write(values)
            path = place / "plain.tif"
            plain = Case("plain", path, "process", False, path)
            request = next(self._trainings(plain, place))
            self.runner.run(request)
            self._spare = request.model
        return self._spare


def _all_outputs(raster: str, model: str, maps: Path) -> SegmentRequest:
    names = {name: str(maps / f"{name}.tif") for name in ("output", "probabilities", "entropy")}
    return SegmentRequest(
        input=raster,
        model=model,
        polygons=str(maps / "polygons.gpkg"),
        report=str(maps / "report.html"),
        threads=1,
        **names,
    )


def _listing(folder: Path) -> list[tuple[str, int, int]]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]


def write_labels(raster: Path, target: Path) -> Path:
    """Twenty squares of two classes, bright and dark, on valid pixels; anywhere, where a file cannot be read."""
    grid, spots = Grid("", Affine(1, 0, 0, 0, -1, 0), 64, 64), []
    try:
        with open_raster(str(raster)) as image:
            grid = image.grid
            spots = _spots(image)
    except EngineError:  # training will say so too
        pass
    spots = spots or [(5, 5, "dark"), (9, 9, "bright")]
    spare = 0 if min(grid.height, grid.width) < SMALL_PX else 1
    side = 2 * spare + 1
    squares = [Polygon(grid.corners(Window(row - spare, col - spare, side, side))) for row, col, _ in spots]
    frame = geopandas.GeoDataFrame(
        {"class": [name for _, _, name in spots]}, geometry=squares, crs=grid.crs_wkt or None
    )
    pyogrio.write_dataframe(frame, target, driver="GPKG", geometry_type="Polygon")
    return target


def _spots(image: Raster) -> list[tuple[int, int, str]]:
    """Row, column and class of up to twenty valid pixels, the darker half and the brighter one."""
    bands, held = image.choose_bands(), image.filled.around().intersection(image.grid.whole)
    if held.height * held.width <= MOST_PX:
        values, valid = image.read(bands, held)
    else:
        held = image.grid.whole
        values, valid = image.read_thinned(bands, MOST_PX)
    places = np.argwhere(valid)
    places = np.random.default_rng(0).permutation(places)[:LABELS]
    brightness = values.mean(axis=0)[tuple(places.T)]
    step = np.array([held.height, held.width]) / np.array(valid.shape)
    spots = []
    for rank, index in enumerate(np.argsort(brightness, kind="stable")):
        row, col = ((places[index] + 0.5) * step).astype(int).tolist()
        spots.append((held.row + row, held.col + col, "dark" if 2 * rank < len(places) else "bright"))
    return spots


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a folder with a manifest.json")
    parser.add_argument("--worker", action="store_true", help="run each request in a worker process, as QGIS does")
    parser.add_argument("--backbone", default="", help="a folder or a shipped name (default: a tiny random one)")
    parser.add_argument("--only", default="", help="cases whose name holds this text")
    parser.add_argument("--seconds", type=float, default=600.0, help="time limit a request (default 600)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="awkward-") as name:
        work = Path(name)
        os.environ["SATDIFUSER_HOME"] = str(work / "home")
        runner = (Worker if arguments.worker else InProcess)(arguments.seconds)
        bench = Bench(arguments.folder.resolve(), work, arguments.backbone or tiny_backbone(work / "tiny"), runner)
        different = 0
        for case in read_cases(bench.folder):
            if arguments.only in case.name:
                different += not tell(case, bench, runner)
    sys.exit(1 if different else 0)


def tell(case: Case, bench: Bench, runner: Union[InProcess, Worker]) -> bool:
    """Runs a case and prints its line; whether all is as it shall be."""
    started = time.monotonic()
    outcome = bench.run(case)
    seconds, word = time.monotonic() - started, "differs" if outcome.differences else "ok"
    print(f"{word:8}{outcome.happened:8}{seconds:6.1f} s {runner.peak_mb:6.0f} MB  {case.name}")
    for line in [outcome.told] * bool(outcome.told) + outcome.differences:
        print(f"{'':10}{line}")
    sys.stdout.flush()
    return not outcome.differences


def tiny_backbone(folder: Path) -> str:
    """A backbone of random weights that costs next to nothing."""
    from tests.engine.tiny import pixel_backbone

    return str(pixel_backbone(folder))


if __name__ == "__main__":
    main()
