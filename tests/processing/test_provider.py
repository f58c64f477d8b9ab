"""What the Toolbox shows: ids that never change, help for everything, and a process that stays clean."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest
from qgis.core import QgsApplication, QgsProcessingParameterDefinition, QgsProcessingParameterEnum

from satdifuser_qgis.processing.unknown_parameters import refusal
from satdifuser_qgis.protocol import choices as protocol_choices
from satdifuser_qgis.protocol.segment import SegmentRequest
from satdifuser_qgis.protocol.trainsegmentation import TrainSegmentationRequest

ROOT = Path(__file__).resolve().parents[2]
METADATA = ROOT / "metadata.txt"
FOREIGN = ("torch", "diffusers", "rasterio", "shapely", "geopandas", "pyogrio", "safetensors")

PUBLIC = {
    "trainsegmentation": (
        "INPUT LABELS CLASS_FIELD LABEL_RASTERS MORE_INPUTS BANDS SCALING DIVISOR VALIDATION SPECTRAL FINETUNE DEVICE "
        "SEED EPOCHS ENCODER BACKBONE EXTRACTION TIMESTEPS FUSION HEAD MODEL REPORT",
        "MODEL REPORT MIOU MACRO_F1 OVERALL_ACCURACY CLASS_COUNT MODEL_NAME DEVICE_USED",
        "INPUT LABELS CLASS_FIELD LABEL_RASTERS MODEL REPORT",
    ),
    "segment": (
        "INPUT MODEL BANDS EXTENT SIEVE MIN_AREA SIMPLIFY DEVICE OVERLAP BATCH "
        "OUTPUT POLYGONS PROBABILITIES ENTROPY REPORT",
        "OUTPUT POLYGONS PROBABILITIES ENTROPY REPORT SECONDS MEGAPIXELS_PER_SECOND SEAMS DEVICE_USED AREAS",
        "INPUT MODEL OUTPUT POLYGONS PROBABILITIES ENTROPY REPORT",
    ),
    "setupenvironment": ("AGAIN", "ENGINE VERSIONS SIZE_MB", "AGAIN"),
    "doctor": ("", "SUMMARY", ""),
}


@pytest.fixture(params=sorted(PUBLIC))
def algorithm(request, provider):
    return provider.algorithm(request.param)


def test_ids_are_public(provider):
    assert sorted(each.id() for each in provider.algorithms()) == [f"satdifuser:{name}" for name in sorted(PUBLIC)]
    assert {each.groupId() for each in provider.algorithms()} == {"landcover", "setup"}


def test_parameter_and_output_names_are_public(algorithm):
    parameters, outputs, shown = PUBLIC[algorithm.name()]
    definitions = algorithm.parameterDefinitions()
    advanced = QgsProcessingParameterDefinition.Flag.FlagAdvanced
    assert [each.name() for each in definitions] == parameters.split()
    assert [each.name() for each in algorithm.outputDefinitions()] == outputs.split()
    assert [each.name() for each in definitions if not each.flags() & advanced] == shown.split()


def test_everything_has_help_tags_and_an_icon(algorithm):
    for definition in algorithm.parameterDefinitions():
        assert definition.help(), definition.name()
    assert algorithm.shortDescription()
    assert algorithm.shortHelpString()
    assert len(algorithm.tags()) > 3
    assert not algorithm.icon().isNull()
    assert Path(algorithm.svgIconPath()).is_file()


@pytest.mark.parametrize("name", ["SCALING", "FUSION", "HEAD", "EXTRACTION", "FINETUNE", "ENCODER", "DEVICE"])
def test_enumerations_are_integers_in_the_order_of_the_protocol(provider, name):
    definition = provider.algorithm("trainsegmentation").parameterDefinition(name)
    assert isinstance(definition, QgsProcessingParameterEnum)
    assert len(definition.options()) == len(getattr(protocol_choices, name))
    assert not definition.usesStaticStrings()
    assert definition.defaultValue() == 0


@pytest.mark.parametrize(
    ("name", "request_kind"), [("segment", SegmentRequest), ("trainsegmentation", TrainSegmentationRequest)]
)
def test_request_keys_are_the_parameters_in_lower_case(provider, name, request_kind):
    keys = set(request_kind.__dataclass_fields__)
    assert {each.name().lower() for each in provider.algorithm(name).parameterDefinitions()} <= keys


def test_the_provider_writes_what_the_engine_writes(provider):
    assert provider.supportedOutputRasterLayerExtensions() == ["tif"]
    assert provider.defaultVectorFileExtension() == "gpkg"
    assert not provider.supportsNonFileBasedOutput()


def test_the_version_has_one_home(provider):
    metadata = ConfigParser()
    metadata.read(METADATA, encoding="utf-8")
    general = metadata["general"]
    assert provider.longName() == f"SatDiFuser {general['version']}"
    assert (general["qgisMinimumVersion"], general["qgisMaximumVersion"]) == ("3.22", "4.99")
    assert general["hasProcessingProvider"] == "yes"
    for key in ("name", "description", "about", "author", "email", "tracker", "repository", "homepage", "tags", "icon"):
        assert general[key], key
    assert not re.search(r"<\w+", general["about"] + general["description"])


def test_unknown_names_without_a_neighbour_list_the_known():
    assert refusal({"ZZZ": 1}, ["INPUT", "MODEL"]) == 'There is no parameter "ZZZ". The parameters are INPUT, MODEL.'
    assert refusal({"MODEL": 1}, ["INPUT", "MODEL"]) is None


def test_plugin_registers_and_takes_everything_back(qgis_app, qgis_processing):
    from satdifuser_qgis import classFactory

    registry = QgsApplication.processingRegistry()
    plugin = classFactory(None)
    plugin.initProcessing()
    assert registry.providerById("satdifuser") is not None
    plugin.unload()
    assert registry.providerById("satdifuser") is None


def test_qgis_stays_clean(tmp_path):
    """Another process, since pytest and its plugins load what they like."""
    script = f"""
import os, sys
from qgis.core import QgsApplication
app = QgsApplication([], False)
app.initQgis()
path, environment, before = list(sys.path), dict(os.environ), set(sys.modules)
from satdifuser_qgis import classFactory
plugin = classFactory(None)
plugin.initProcessing()
for algorithm in plugin.provider.algorithms():
    algorithm.create()
assert sys.path == path, "sys.path was changed"
assert dict(os.environ) == environment, "the environment was changed"
loaded = [name for name in {FOREIGN} if name in sys.modules]
assert not loaded, loaded
assert "numpy" not in set(sys.modules) - before  # QGIS 3.40 loads it itself
plugin.unload()
"""
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""


def test_nothing_is_printed_by_the_qgis_half():
    package = ROOT / "satdifuser_qgis"
    files = [package / "plugin.py", package / "compat.py"]
    for room in ("processing", "styling", "gui", "runtime", "protocol"):
        files += package.joinpath(room).rglob("*.py")
    assert not [path for path in files if re.search(r"^\s*print\(", path.read_text(encoding="utf-8"), re.MULTILINE)]
