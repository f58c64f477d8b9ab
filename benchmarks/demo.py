"""What a newcomer runs first: train a land-cover model through QGIS and map an image that it has not seen.

    python benchmarks/demo.py [--input my.tif --labels my.gpkg --class-field class]

Everything goes through the real ``qgis_process`` with the staged plugin (``make stage``) in a fresh profile. Without
arguments it takes the Korean Sentinel-2 set of the shared data, else a painted landscape.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from numpy.typing import NDArray

from benchmarks.labelled_set import ROOT, open_set, read_codes, write_named
from benchmarks.preview import class_picture, entropy_picture, image_picture, write_preview
from satdifuser_qgis.engine.model_file import ModelHeader, read_header
from satdifuser_qgis.engine.report.scores import confusion_matrix, score, to_indices

STAGED = ROOT / "build"
PLUGIN = "satdifuser_qgis"
UNSEEN_TILE = "kr_202309_17.tif"
FILES = ("model.safetensors", "report.html", "land_cover.tif", "land_cover.gpkg", "entropy.tif", "preview.png")
HIDDEN = (
    "PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "PROJ_LIB", "PROJ_DATA", "GDAL_DATA",
    "SATDIFUSER_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "QGIS_CUSTOM_CONFIG_PATH",
)  # fmt: skip


@dataclass(frozen=True)
class Scene:
    """What is learnt from, what is mapped, and what is known of the mapped image (code to class name)."""

    story: str
    training: tuple[tuple[str, str], ...]
    target: Path
    truth: Path | None = None
    truth_names: dict[int, str] | None = None


def korea(folder: Path) -> Scene:
    """Train tiles of the Korean set, and one of its test tiles. Labels with names are made in the folder."""
    labelled = open_set("korea")
    folder.mkdir(parents=True, exist_ok=True)
    labels = [folder / f"{pair.label.stem}.vrt" for pair in labelled.train]
    for pair, label in zip(labelled.train, labels):
        write_named(pair.label, labelled.classes, label)
    first, *others = labelled.train
    unseen = next(pair for pair in labelled.test if pair.image.name == UNSEEN_TILE)
    training = [("INPUT", first.image), *[("MORE_INPUTS", pair.image) for pair in others]]
    training += [("LABEL_RASTERS", label) for label in labels]
    story = f"Sentinel-2 imagery of Korea: {len(labelled.train)} labelled images, and {unseen.image.name}, not seen."
    names = {item.code: item.name for item in labelled.classes}
    return Scene(story, tuple((key, str(path)) for key, path in training), unseen.image, unseen.label, names)


def painted(folder: Path) -> Scene:
    """The painted landscape, where there is no real imagery."""
    from benchmarks.landscape import NAMES, write

    files = write(folder)
    first, *others = files.images
    training = [("INPUT", str(first)), *[("MORE_INPUTS", str(path)) for path in others]]
    training += [("LABELS", str(files.labels)), ("CLASS_FIELD", "class")]
    story = (
        "No real imagery is at hand (SATDIFUSER_DATA or ../shared/data), so this is a PAINTED landscape, easier than "
        f"real ground: {len(files.images)} images with polygons of some things, and one that is not seen."
    )
    return Scene(story, tuple(training), files.unseen, files.truth, NAMES)


def own(arguments: argparse.Namespace) -> Scene:
    """The user's image and labels; the map is of the same image."""
    image, (labels, *layer) = Path(arguments.input).resolve(), arguments.labels.split("|")
    training = [("INPUT", str(image)), ("LABELS", "|".join([str(Path(labels).resolve()), *layer]))]
    story = f"Your image {image.name} with labels from {Path(labels).name}."
    return Scene(story, (*training, ("CLASS_FIELD", arguments.class_field)), image)


def choose(arguments: argparse.Namespace, folder: Path) -> Scene:
    """The scene that the arguments and the machine allow."""
    if arguments.input:
        if not (arguments.labels and arguments.class_field):
            raise SystemExit("INPUT needs LABELS (a vector file) and CLASS_FIELD (its field with the class).")
        for path in (arguments.input, arguments.labels.split("|")[0]):
            if not Path(path).exists():
                raise SystemExit(f"{path} is not there.")
        return own(arguments)
    if arguments.labels or arguments.class_field:
        raise SystemExit("LABELS and CLASS_FIELD need INPUT, the image that they belong to.")
    try:
        return korea(folder / "labels")
    except FileNotFoundError:
        return painted(folder / "landscape")


class Qgis:
    """``qgis_process`` in a profile of its own, with nothing of this process's Python in its way."""

    def __init__(self, home: Path) -> None:
        self.tool = shutil.which("qgis_process.bin") or shutil.which("qgis_process")
        if not self.tool:
            raise SystemExit("There is no qgis_process on the PATH. Run `make setup`, which installs QGIS.")
        if not (STAGED / PLUGIN).is_dir():
            raise SystemExit(f"{STAGED / PLUGIN} is not there. Run `make stage` first.")
        self.environment = {key: value for key, value in os.environ.items() if key not in HIDDEN}
        self.environment |= {
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(home),
            "QT_QPA_PLATFORM": "offscreen",
            "PYTHONWARNINGS": "ignore",
            "QGIS_PLUGINPATH": str(STAGED),
            "SATDIFUSER_ENGINE_PYTHON": sys.executable,
        }
        self._call(["plugins", "enable", PLUGIN], quiet=True)

    def run(self, algorithm: str, parameters: tuple[tuple[str, str], ...]) -> None:
        """Runs an algorithm and shows what it says; ends the demo where it fails."""
        self._call(["run", f"satdifuser:{algorithm}", "--", *[f"{key}={value}" for key, value in parameters]])

    def _call(self, words: list[str], quiet: bool = False) -> None:
        output = subprocess.PIPE if quiet else None
        done = subprocess.run([self.tool, *words], env=self.environment, stdin=subprocess.DEVNULL, stdout=output)
        if done.returncode:
            raise SystemExit(f"`qgis_process {' '.join(words[:2])}` ended with code {done.returncode}.")


@dataclass(frozen=True)
class Made:
    """The files that the demo leaves."""

    model: Path
    report: Path
    map: Path
    polygons: Path
    entropy: Path
    preview: Path


def make(scene: Scene, folder: Path) -> Made:
    """Trains and maps through QGIS."""
    made = Made(*[folder / name for name in FILES])
    with tempfile.TemporaryDirectory(prefix="qgis-home-") as home:
        qgis = Qgis(Path(home))
        qgis.run("trainsegmentation", (*scene.training, ("MODEL", str(made.model)), ("REPORT", str(made.report))))
        wanted = (("OUTPUT", str(made.map)), ("POLYGONS", str(made.polygons)), ("ENTROPY", str(made.entropy)))
        qgis.run("segment", (("INPUT", str(scene.target)), ("MODEL", str(made.model)), *wanted))
    return made


def truth_of(scene: Scene, header: ModelHeader) -> NDArray[np.uint16] | None:
    """The truth in the model's codes, matched by class name where the model knows the names, else by code."""
    if scene.truth is None:
        return None
    codes = read_codes(scene.truth)
    own_codes = {item.name: item.code for item in header.classes}
    translated = np.zeros_like(codes)
    for code, name in (scene.truth_names or {}).items():
        translated[codes == code] = own_codes.get(name, code)
    return translated


def tell_scores(scene: Scene, header: ModelHeader, truth: NDArray[np.uint16] | None, found: NDArray[np.uint16]) -> None:
    """Prints how good the map is, or why that is not known."""
    if truth is None:
        known = header.scores.get("miou")
        print("This image was trained on, so its map cannot be scored honestly. The report says how the model did on")
        print(f"ground that was held back{f': mean IoU {known:.3f}' if isinstance(known, float) else ''}.")
        return
    classes = header.classes
    indices = [to_indices(codes, tuple(item.code for item in classes)) for codes in (truth, found)]
    result = score(confusion_matrix(indices[0], indices[1], len(classes)))
    print(f"On the unseen image {scene.target.name}:")
    print(f"  mean IoU          {result.miou:.3f}")
    print(f"  overall accuracy  {result.overall_accuracy:.3f}")
    for item, iou in zip(classes, result.iou):
        print(f"  IoU {item.name:<13} {'-' if iou is None else format(iou, '.3f')}")


def picture(scene: Scene, header: ModelHeader, made: Made, truth: NDArray[np.uint16] | None) -> None:
    """Writes the preview."""
    classes = header.classes
    bands = tuple(header.bands) if len(header.bands) == 3 else (1, 2, 3)
    panels = [("image", image_picture(scene.target, bands))]
    if truth is not None:
        panels.append(("labels (not used)", class_picture(truth, classes)))
    panels.append(("land-cover map", class_picture(read_codes(made.map), classes)))
    panels.append(("entropy: bright where unsure", entropy_picture(made.entropy)))
    write_preview(made.preview, panels, classes)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", default="", help="your own image")
    parser.add_argument("--labels", default="", help="a vector file of labels on it")
    parser.add_argument("--class-field", default="", help="the field of the labels that holds the class")
    parser.add_argument("--folder", type=Path, default=STAGED / "demo", help="where files are put")
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    scene = choose(arguments, folder)
    print(scene.story, flush=True)
    made = make(scene, folder)
    header = read_header(made.model)
    truth = truth_of(scene, header)
    picture(scene, header, made, truth)
    print()
    tell_scores(scene, header, truth, read_codes(made.map))
    lines = (("map (styled GeoTIFF)", made.map), ("polygons (GeoPackage)", made.polygons), ("entropy", made.entropy))
    for title, path in (*lines, ("report", made.report), ("preview", made.preview), ("model", made.model)):
        print(f"{title + ':':<23} {path}")
    print(f"Done in {time.monotonic() - started:.0f} s.")


if __name__ == "__main__":
    main()
