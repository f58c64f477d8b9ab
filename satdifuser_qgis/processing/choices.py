"""Labels of enumerations, in the order of `protocol.choices`: append only, 0 is the default."""

from __future__ import annotations

from typing import List

from qgis.core import QgsProcessingParameterEnum
from qgis.PyQt.QtCore import QCoreApplication

translate = QCoreApplication.translate


def scaling() -> List[str]:
    return [
        translate("SatDiFuser", "Automatic"),
        translate("SatDiFuser", "Constants of the training images"),
        translate("SatDiFuser", "Percentiles of each image"),
        translate("SatDiFuser", "Divide by a number"),
        translate("SatDiFuser", "As is (0 to 1 become -1 to 1)"),
    ]


def fusion() -> List[str]:
    return [
        translate("SatDiFuser", "Automatic"),
        translate("SatDiFuser", "Global weights"),
        translate("SatDiFuser", "Localized weights"),
        translate("SatDiFuser", "Mixture of experts"),
    ]


def head() -> List[str]:
    return [
        translate("SatDiFuser", "Automatic"),
        translate("SatDiFuser", "Light (per pixel)"),
        translate("SatDiFuser", "UPerNet"),
    ]


def extraction() -> List[str]:
    return [
        translate("SatDiFuser", "Automatic"),
        translate("SatDiFuser", "Noised (one step per timestep)"),
        translate("SatDiFuser", "Inversion (a chain of steps)"),
        translate("SatDiFuser", "Clean (no noise)"),
    ]


def encoder() -> List[str]:
    return [
        translate("SatDiFuser", "Automatic"),
        translate("SatDiFuser", "None (diffusion features and pixels only)"),
        "EfficientNet-Lite2",
    ]


def finetune() -> List[str]:
    return [
        translate("SatDiFuser", "Frozen (only fusion and head are trained)"),
        translate("SatDiFuser", "Fine-tuned (where validation improves)"),
    ]


def device() -> List[str]:
    return [
        translate("SatDiFuser", "Automatic"),
        translate("SatDiFuser", "CPU"),
        translate("SatDiFuser", "CUDA (NVIDIA)"),
        translate("SatDiFuser", "MPS (Apple)"),
    ]


def device_help() -> str:
    return translate(
        "SatDiFuser",
        "Where the computing is done. Automatic takes a GPU that the engine can use. The engine that the plugin "
        "installs can use the GPU of Apple computers only, and the processor elsewhere; for an NVIDIA GPU name a "
        "Python with a CUDA build of torch in Settings > Options > SatDiFuser, or in the variable "
        "SATDIFUSER_ENGINE_PYTHON.",
    )


def enum(name: str, description: str, labels: List[str]) -> QgsProcessingParameterEnum:
    """An enumeration whose first choice is the default."""
    return QgsProcessingParameterEnum(name, description, options=labels, defaultValue=0)
