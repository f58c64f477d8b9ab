"""The staged plugin with the real engine: qgis_process from a fresh profile, the Toolbox's way, the command line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
import pytest
from osgeo import gdal

from satdifuser_qgis.protocol.errors import EngineError
from satdifuser_qgis.runtime.environment.locate import locate

from . import landscape

ROOT = Path(__file__).resolve().parents[2]
STAGED = ROOT / "build" / "satdifuser_qgis"
LIMIT_S = 240
# Debian 12's wrapper adds an option that the tool does not know.
QGIS_PROCESS = shutil.which("qgis_process.bin") or shutil.which("qgis_process")
# The first alone would do; the rest is what the Toolbox passes.
ONE_LOOK = {"EPOCHS": 1, "TIMESTEPS": "1", "VALIDATION": 0, "DEVICE": 1}

TOOLBOX = """
import json, os, sys
sys.path.insert(0, "/usr/share/qgis/python/plugins")
from qgis.core import QgsApplication, QgsProcessingFeedback
app = QgsApplication([], False)
app.initQgis()
import processing
from processing.core.Processing import Processing
Processing.initialize()
from satdifuser_qgis import classFactory
plugin = classFactory(None)
path, environment, loaded = list(sys.path), dict(os.environ), set(sys.modules)
plugin.initProcessing()
results = []
for identifier, parameters in json.loads(sys.argv[1]):
    feedback = QgsProcessingFeedback()
    results.append(processing.run(identifier, parameters, feedback=feedback))
    results[-1]["LOG"] = feedback.textLog()
foreign = [name for name in ("torch", "diffusers", "rasterio", "shapely", "geopandas") if name in sys.modules]
print(json.dumps({"results": results, "foreign": foreign, "path": sys.path == path,
                  "environment": dict(os.environ) == environment}))
plugin.unload()
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with inputs, a fresh profile and a fresh model store. Skips where something is missing."""
    if not QGIS_PROCESS:
        pytest.skip("qgis_process is not installed; the staged plugin was not run")
    if not (STAGED / "metadata.txt").is_file():
        pytest.skip('build/satdifuser_qgis is not there ("make stage"); the staged plugin was not run')
    if not list((STAGED / "resources" / "models").glob("*/model_index.json")):
        pytest.skip("no backbone is shipped yet; the staged plugin was not run")
    try:
        locate()
    except EngineError as error:
        pytest.skip(f"{error} The staged plugin was not run")
    folder = tmp_path_factory.mktemp("world")
    (folder / "inputs").mkdir()
    (folder / "runtime").mkdir(mode=0o700)
    landscape.write_raster(folder / "inputs" / "image.tif", bands=3)
    landscape.write_labels(folder / "inputs" / "labels.gpkg", ["water", "wood", "field", "water", "wood", "field"])
    return folder


def surroundings(world: Path) -> Dict[str, str]:
    return {
        **os.environ,
        "HOME": str(world),
        "XDG_RUNTIME_DIR": str(world / "runtime"),
        # pytest-qgis sets another for all of the tests.
        "QGIS_CUSTOM_CONFIG_PATH": str(world / "profile"),
        "SATDIFUSER_HOME": str(world / "store"),
        "QGIS_PLUGINPATH": str(STAGED.parent),
        "QT_QPA_PLATFORM": "offscreen",
    }


def qgis_process(world: Path, *arguments: str) -> subprocess.CompletedProcess:
    command = [str(QGIS_PROCESS), *arguments]
    return subprocess.run(
        command, env=surroundings(world), capture_output=True, text=True, timeout=LIMIT_S, cwd=world, encoding="utf-8"
    )


def toolbox(world: Path, *runs: Any) -> Dict[str, Any]:
    """`processing.run` of each (id, parameters), in a process that is only QGIS."""
    environment = {**surroundings(world), "PYTHONPATH": str(STAGED.parent)}
    done = subprocess.run(
        [sys.executable, "-c", TOOLBOX, json.dumps(runs)],
        env=environment, capture_output=True, text=True, timeout=LIMIT_S, cwd=world,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def trained(world: Path) -> Dict[str, Any]:
    """Trained by qgis_process, with paths relative to the current folder as in the README."""
    assert qgis_process(world, "plugins", "enable", "satdifuser_qgis").returncode == 0
    parameters = {
        "INPUT": "inputs/image.tif",
        "LABELS": "inputs/labels.gpkg",
        "CLASS_FIELD": "class",
        "MODEL": "crops.safetensors",
        "REPORT": "crops.html",
        **ONE_LOOK,
    }
    done = qgis_process(world, "--json", "run", "satdifuser:trainsegmentation", "--", *arguments(parameters))
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout)["results"])


def arguments(parameters: Dict[str, Any]) -> List[str]:
    return [f"{name}={value}" for name, value in parameters.items()]


def pixels(path: Path) -> np.ndarray:
    return gdal.Open(str(path)).ReadAsArray()


def test_a_fresh_profile_lists_the_algorithms(world, trained):
    listed = qgis_process(world, "list").stdout
    assert [line.split()[0] for line in listed.splitlines() if "satdifuser:" in line] == [
        "satdifuser:doctor", "satdifuser:segment", "satdifuser:setupenvironment", "satdifuser:trainsegmentation",
    ]  # fmt: skip


def test_training_says_what_it_made(world, trained):
    assert trained["CLASS_COUNT"] == 3
    assert trained["MODEL_NAME"] == "crops"
    assert "MIOU" not in trained
    assert trained["MODEL"] == str(world / "crops.safetensors")
    assert Path(trained["MODEL"]).is_file()
    assert "<script" not in (world / "crops.html").read_text(encoding="utf-8")


def test_the_same_map_comes_of_all_three_ways(world, trained):
    chosen = {"INPUT": str(world / "inputs" / "image.tif"), "DEVICE": 1}
    by_tool, by_hand, by_toolbox = (world / f"{name}.tif" for name in ("tool", "hand", "toolbox"))
    done = qgis_process(
        world, "run", "satdifuser:segment", "--",
        *arguments({
            "INPUT": "inputs/image.tif", "MODEL": "crops.safetensors", "DEVICE": 1,
            "OUTPUT": "tool.tif", "POLYGONS": "tool.gpkg", "ENTROPY": "entropy.tif",
        }),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert all((world / name).is_file() for name in ("tool.gpkg", "entropy.tif"))
    said = toolbox(world, ("satdifuser:segment", {**chosen, "MODEL": trained["MODEL"], "OUTPUT": str(by_toolbox)}))
    assert (said["foreign"], said["path"], said["environment"]) == ([], True, True)
    request = {"input": chosen["INPUT"], "model": "crops", "output": str(by_hand), "device": 1}
    (world / "request.json").write_text(json.dumps({"protocol": 1, "task": "segment", "request": request}))
    command = [str(locate().python), "-m", "satdifuser_qgis.engine", "run", str(world / "request.json")]
    subprocess.run(command, env=surroundings(world), cwd=ROOT, check=True, capture_output=True, timeout=LIMIT_S)
    np.testing.assert_array_equal(pixels(by_tool), pixels(by_toolbox))
    np.testing.assert_array_equal(pixels(by_tool), pixels(by_hand))
    assert by_tool.with_suffix(".qml").is_file()
    assert by_toolbox.with_suffix(".qml").is_file()


def test_nothing_is_left_beside_the_inputs(world, trained):
    assert sorted(path.name for path in (world / "inputs").iterdir()) == ["image.tif", "labels.gpkg"]
    assert not list(world.rglob("*.part-*"))


def test_refusals_end_with_exit_code_1_and_the_way_out(world, trained):
    done = qgis_process(
        world, "run", "satdifuser:segment", "--",
        *arguments({"INPUT": world / "inputs" / "image.tif", "MODEL": "crop", "OUTPUT": world / "x.tif"}),
    )  # fmt: skip
    assert done.returncode == 1
    assert 'Did you mean "crops"?' in done.stdout + done.stderr
