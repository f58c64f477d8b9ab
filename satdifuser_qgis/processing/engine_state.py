"""The engine as QGIS's half sees it: whether it is there, what it is made of, and when that has changed."""

from __future__ import annotations

import json
import os

from qgis.core import QgsSettings
from qgis.PyQt.QtCore import QCoreApplication, QObject, pyqtSignal

from ..protocol import folders
from ..protocol.errors import EngineError
from ..runtime.environment import create
from ..runtime.environment.locate import MARKER, VARIABLE, Engine, locate

translate = QCoreApplication.translate
ENGINE_SETTING = "satdifuser/enginePython"
# The libraries whose versions tell most.
TOLD = ("torch", "diffusers", "rasterio")


class Watch(QObject):
    """Says in the main thread that the engine was installed, repaired or removed, or that another was named."""

    changed = pyqtSignal()


watch = Watch()


def named_python() -> str:
    """The engine's Python that the user named in the options; "" where the installed one is to be found."""
    return str(QgsSettings().value(ENGINE_SETTING, "") or "").strip()


def is_there() -> bool:
    """Whether there is an engine. Nothing is started, so it costs no time."""
    try:
        locate(named_python())
    except EngineError:
        return False
    return True


def engine_state(setting: str) -> str:
    """Where the engine is, or why there is none, for the value that the setting has or would have."""
    try:
        engine = locate(setting)
    except EngineError as error:
        # the way out of a missing engine is the page itself
        return str(error) if setting or os.environ.get(VARIABLE) else error.message
    sentences = [
        translate("SatDiFuser", "The engine is {python} (from {origin}).").format(
            python=engine.python, origin=engine.origin
        ),
        versions(engine),
        outdated(engine),
    ]
    return " ".join(filter(None, sentences))


def outdated(engine: Engine) -> str:
    """What to do about an engine that another version of the plugin has installed; "" for others."""
    if folders.environment() not in engine.python.parents or create.state() != "outdated":
        return ""
    return translate(
        "SatDiFuser",
        "The engine was made for another version of the plugin: Repair brings it up to date (Settings > Options > "
        "SatDiFuser).",
    )


def versions(engine: Engine) -> str:
    """What the plugin noted when it made the environment; "" for one that it did not make."""
    try:
        marker = json.loads((engine.python.parent.parent / MARKER).read_text(encoding="utf-8"))
        found = {"Python": marker["python"], **{name: marker["versions"][name] for name in TOLD}}
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return ", ".join(f"{name} {version}" for name, version in found.items()) + "."
