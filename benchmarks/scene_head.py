"""The ready scene classifier of ten classes: trained on EuroSAT's labels, written as a model file that ships.

    python benchmarks/scene_head.py [--labels 21600] [--backbone compact-s2-rgb] [--extraction noised]

Fold 0 of EuroSAT's table is left out of the training and scored in the file's header. The backbone must be the one
that ships: the file names it by its name and digest.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch
from sklearn.metrics import accuracy_score, f1_score

from benchmarks.labelled_set import data_folder
from benchmarks.ours import DEFAULT_BACKBONE
from benchmarks.scene_inputs import SceneInputs, tell
from benchmarks.scene_methods import Task, scene_config
from benchmarks.scene_sets import KINDS, open_scenes
from satdifuser_qgis.engine.backbones import load_backbone
from satdifuser_qgis.engine.decoder import DecoderConfig
from satdifuser_qgis.engine.features import Extractor, Recipe
from satdifuser_qgis.engine.model_file import BackboneReference, ModelHeader, write_model
from satdifuser_qgis.engine.raster.normalise import Scaling
from satdifuser_qgis.engine.reporter import Silent
from satdifuser_qgis.engine.scene import SceneDecoder, probabilities
from satdifuser_qgis.engine.training.scene import SceneSettings, SceneTiles, fit_scene
from satdifuser_qgis.protocol.classes import LandCoverClass
from satdifuser_qgis.protocol.codec import to_plain
from satdifuser_qgis.protocol.folders import plugin_version

TARGET = Path(__file__).resolve().parent.parent / "resources" / "scenes" / "eurosat-scenes.safetensors"
LARGEST = 2_000_000
NAMES = {
    "AnnualCrop": ("Annual crop", "#e6c229"),
    "Forest": ("Forest", "#009e73"),
    "HerbaceousVegetation": ("Herbaceous vegetation", "#8fbc5a"),
    "Highway": ("Highway", "#5a5a5a"),
    "Industrial": ("Industrial", "#cc79a7"),
    "Pasture": ("Pasture", "#c5e17a"),
    "PermanentCrop": ("Permanent crop", "#b8863b"),
    "Residential": ("Residential", "#d55e00"),
    "River": ("River", "#56b4e9"),
    "SeaLake": ("Sea or lake", "#0072b2"),
}


def train(inputs: SceneInputs, backbone: str, recipe: Recipe, labels: int) -> tuple[SceneDecoder, DecoderConfig, Any]:
    """The classifier, its configuration and its scores on fold 0."""
    scenes, rows = inputs.scenes, inputs.scenes.train[labels, 0]
    cells, statistics = inputs.cells(backbone, recipe), inputs.statistics
    config = scene_config(cells, "global", statistics.shape[1], len(rows), Task(inputs, rows, 0, {}))
    chosen = torch.from_numpy(rows)
    targets = torch.from_numpy(scenes.targets[rows])
    tiles = SceneTiles([part[chosen] for part in cells.parts], statistics[chosen], targets)
    model = rounded(fit_scene(config, tiles, SceneSettings(), Silent(), ""))
    unseen = torch.from_numpy(scenes.test)
    found = probabilities(model, [part[unseen] for part in cells.parts], statistics[unseen]).argmax(1).numpy()
    truth = scenes.targets[scenes.test]
    scores = {
        "split": "fold 0 of EuroSAT's table of coordinates, left out of every training",
        "macro_f1": float(f1_score(truth, found, average="macro")),
        "overall_accuracy": float(accuracy_score(truth, found)),
        "tiles": len(truth),
    }
    return model, config, scores


def rounded(model: SceneDecoder) -> SceneDecoder:
    """The model with the numbers that float16 can hold, which is what is written."""
    model.load_state_dict({key: value.half().float() for key, value in model.state_dict().items()})
    return model


def header(config: DecoderConfig, folders: tuple[str, ...], extractor: Extractor, facts: dict[str, Any]) -> ModelHeader:
    """What the file says of itself; raw values 0 to 255 stand for reflectances of 0 to 0.275."""
    backbone = extractor.backbone
    return ModelHeader(
        name=TARGET.stem,
        classes=tuple(LandCoverClass(code, *NAMES[folder]) for code, folder in enumerate(folders, start=1)),
        bands=(1, 2, 3),
        band_names=("B04", "B03", "B02"),
        scaling=Scaling("constant", (0.0,) * 3, (255.0,) * 3),
        gsd_m=10.0,
        tile_px=KINDS["eurosat"].network_px,
        backbone=BackboneReference(backbone.name, backbone.name, backbone.revision, backbone.digest),
        features=to_plain(extractor.recipe),
        decoder=to_plain(config),
        task="scene",
        training={"seed": 0, "labels": facts["labels"], "data": "EuroSAT RGB, MIT, Copyright (c) 2023 Patrick Helber"},
        scores=facts["scores"],
        versions={"satdifuser_qgis": plugin_version(), "torch": metadata.version("torch")},
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=int, choices=KINDS["eurosat"].labels, default=KINDS["eurosat"].labels[-1])
    parser.add_argument("--backbone", default=DEFAULT_BACKBONE, help="a shipped name")
    parser.add_argument("--extraction", choices=("noised", "clean"), default="noised")
    parser.add_argument("--cache", type=Path, help="where statistics and features are kept between runs")
    parser.add_argument("--target", type=Path, default=TARGET)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    recipe = Recipe(mode=arguments.extraction)
    with tempfile.TemporaryDirectory(prefix="scene-head-") as work:
        scenes = open_scenes("eurosat", data_folder(), [arguments.labels], [0], None)
        inputs = SceneInputs(scenes, arguments.cache or Path(work))
        model, config, scores = train(inputs, arguments.backbone, recipe, arguments.labels)
    device = torch.device("cpu")
    extractor = Extractor(load_backbone(arguments.backbone, device), recipe, device)
    facts = {"labels": len(scenes.train[arguments.labels, 0]), "scores": scores}
    tensors = {key: value.half() for key, value in model.state_dict().items()}
    write_model(arguments.target, header(config, scenes.classes, extractor, facts), tensors)
    size = arguments.target.stat().st_size
    tell(f"{arguments.target.name}: {size:,} bytes, macro F1 {scores['macro_f1']:.4f} on {scores['tiles']} tiles")
    if size > LARGEST:
        sys.exit(f"The file has {size:,} bytes, more than the {LARGEST:,} that a ready classifier may have.")


if __name__ == "__main__":
    main()
