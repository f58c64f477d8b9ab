"""The engine as QGIS's half sees it: whether it is there, what it is made of, and when that has changed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Dict, Optional

from qgis.core import QgsSettings
from qgis.PyQt.QtCore import QCoreApplication, QObject, pyqtSignal

from ..protocol import folders
from ..protocol.errors import EngineError
from ..runtime.environment import create
from ..runtime.environment.locate import DEVELOPMENT, MARKER, OPTIONS, OWN, SETTING, VARIABLE, Engine, locate
from ..runtime.environment.verify import verify

translate = QCoreApplication.translate
ENGINE_SETTING = "satdifuser/enginePython"
# The libraries whose versions tell most.
TOLD = ("torch", "diffusers", "rasterio")


class Watch(QObject):
    """Says in the main thread that the engine was installed, repaired or removed, or that another was named."""

    changed = pyqtSignal()


watch = Watch()
# Why an engine that was tried cannot be used, by its Python.
_unfit: Dict[Path, str] = {}


def named_python() -> str:
    """The engine's Python that the user named in the options; "" where the installed one is to be found."""
    return str(QgsSettings().value(ENGINE_SETTING, "") or "").strip()


def is_there() -> bool:
    """Whether there is an engine. Nothing is started, so it costs no time."""
    return missing() is None


def try_named() -> None:
    """Loads the libraries of the engine that the user named; takes seconds. Raises EngineError where it is none."""
    engine = locate(named_python())
    _unfit.pop(engine.python, None)
    try:
        verify(engine)
    except EngineError as error:
        _unfit[engine.python] = str(error)
        raise


def named_is_unfit() -> bool:
    """Whether the engine that the user named was tried in vain; it may have been mended since."""
    try:
        return locate(named_python()).python in _unfit
    except EngineError:
        return False


def engine_state(setting: str) -> str:
    """Where the engine is, or why there is none, for the value that the setting has or would have."""
    try:
        engine = locate(setting)
    except EngineError:
        # the way out of a missing engine is the page itself
        return _not_there(setting) or not_installed()
    if engine.python in _unfit:
        return _unfit[engine.python]
    sentences = [
        translate("SatDiFuser", "The engine is {python} (from {origin}).").format(
            python=engine.python, origin=origin(engine.origin)
        ),
        versions(engine),
        outdated(engine),
    ]
    return " ".join(filter(None, sentences))


def not_installed() -> str:
    """That there is no engine."""
    return translate("SatDiFuser", "The engine that does the computing is not installed.")


def origin(who: str) -> str:
    """Who names an engine (`Engine.origin`), in the user's language."""
    told = {
        SETTING: translate("SatDiFuser", "the QGIS setting"),
        OWN: translate("SatDiFuser", "the user's environment"),
        DEVELOPMENT: translate("SatDiFuser", "the development environment"),
    }
    return told.get(who, who)


def missing() -> Optional[str]:
    """Why there is no engine to run and what to do; None where there is one. Nothing is started."""
    try:
        locate(named_python())
    except EngineError:
        way_out = translate("SatDiFuser", "Install it in {options}, or with “Install the engine” in the Toolbox.")
        return _not_there(named_python()) or f"{not_installed()} {way_out.format(options=OPTIONS)}"
    return None


def _not_there(setting: str) -> str:
    """That a Python which is named does not exist; "" where none is named."""
    value, by = (setting, SETTING) if setting else (os.environ.get(VARIABLE, ""), VARIABLE)
    if not value:
        return ""
    text = translate(
        "SatDiFuser",
        "{origin} names the engine's Python {python}, which does not exist. Correct it, or empty it to use the "
        "installed engine ({options}).",
    ).format(origin=origin(by), python=value, options=OPTIONS)
    return text[:1].upper() + text[1:]


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
