"""Sentences on the engine: where it is and what it is made of, or what is wrong."""

from __future__ import annotations

import json
import os

from qgis.PyQt.QtCore import QCoreApplication

from ..protocol import folders
from ..protocol.errors import EngineError
from ..runtime.environment import create
from ..runtime.environment.locate import MARKER, VARIABLE, Engine, locate

translate = QCoreApplication.translate
# The libraries whose versions tell most.
TOLD = ("torch", "diffusers", "rasterio")


def engine_state(setting: str) -> str:
    """For the value that the setting has or would have. Nothing is started, so it costs no time."""
    try:
        engine = locate(setting)
    except EngineError as error:
        # the way out of a missing engine is the page itself
        return str(error) if setting or os.environ.get(VARIABLE) else error.message
    sentences = [
        translate("SatDiFuser", "The engine is {python} (from {origin}).").format(
            python=engine.python, origin=engine.origin
        ),
        _versions(engine),
    ]
    if folders.environment() in engine.python.parents and create.state() == "outdated":
        sentences.append(
            translate("SatDiFuser", "It was made for another version of the plugin: Repair brings it up to date.")
        )
    return " ".join(filter(None, sentences))


def _versions(engine: Engine) -> str:
    """What the plugin noted when it made the environment; "" for one that it did not make."""
    try:
        marker = json.loads((engine.python.parent.parent / MARKER).read_text(encoding="utf-8"))
        versions = {"Python": marker["python"], **{name: marker["versions"][name] for name in TOLD}}
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return ", ".join(f"{name} {version}" for name, version in versions.items()) + "."
