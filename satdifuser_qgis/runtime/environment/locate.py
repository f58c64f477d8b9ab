"""Finds the engine's Python. Nothing is started here, so it costs no time."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Mapping, Optional

from ...protocol import folders
from ...protocol.errors import EngineError
from ..child import WINDOWS

VARIABLE = "SATDIFUSER_ENGINE_PYTHON"
# Written last when an environment is made: without it the environment is half built.
MARKER = "ready.json"
# Where a user installs, repairs or names the engine: the one wording of all remedies.
OPTIONS = "Settings > Options > SatDiFuser"
# Who names an engine, as logs tell it.
SETTING = "the QGIS setting"
OWN = "the user's environment"
DEVELOPMENT = "the development environment"
# Measured on Linux: 1.81 GB when it is there; 2.1 GB at most while it is made, with the torch wheel already at hand.
INSTALLED_GB = 1.8
NEEDED_GB = 3
PACKAGE = Path(__file__).resolve().parents[2]
BOOTSTRAP = PACKAGE / "engine" / "bootstrap.py"


@dataclass(frozen=True)
class Engine:
    """A Python that has the engine's libraries. ``origin`` says who named it; ``bootstrap`` is what it starts."""

    python: Path
    origin: str
    bootstrap: Path = BOOTSTRAP

    @property
    def remedy(self) -> str:
        """What helps where it does not work. Installing helps only where nobody has named another."""
        return {
            SETTING: f'Clear "Python of the engine" in {OPTIONS} to use the installed engine, or name another there.',
            VARIABLE: f"Remove the variable {VARIABLE} to use the installed engine, or let it name another Python.",
        }.get(self.origin, f"Install the engine again in {OPTIONS}.")


def locate(setting: str = "", environment: Optional[Mapping[str, str]] = None) -> Engine:
    """The engine: of the setting, else of SATDIFUSER_ENGINE_PYTHON, the user's own, or the development's.

    ``setting`` and the variable name a Python or the folder of a virtual environment. One that is named but not
    there is an error, never a reason to take another. Raises EngineError("engine_missing").
    """
    environment = os.environ if environment is None else environment
    for value, origin in ((setting, SETTING), (environment.get(VARIABLE, ""), VARIABLE)):
        if value.strip():
            return _named(value.strip(), origin)
    own = folders.environment() / "venv"
    if (own / MARKER).is_file() and python_of(own).is_file():
        return Engine(python_of(own), OWN)
    development = _checkout() / ".venv" / "engine"
    if python_of(development).is_file():
        return Engine(python_of(development), DEVELOPMENT)
    raise EngineError(
        "engine_missing",
        "The engine that does the computing is not installed.",
        f'Install it in {OPTIONS}, or with "Install the engine" in the Processing Toolbox.',
    )


def python_of(folder: Path) -> Path:
    """Where a virtual environment has its Python. Links are kept: a venv is found through them."""
    return folder / "Scripts" / "python.exe" if WINDOWS else folder / "bin" / "python"


def _named(value: str, origin: str) -> Engine:
    path = Path(value).expanduser()
    if path.is_dir():
        path = python_of(path)
    if not path.is_file():
        raise EngineError(
            "engine_missing",
            f"{origin} names the engine's Python {value}, which does not exist.",
            f"Correct it, or empty it to use the installed engine ({OPTIONS}).",
        )
    return Engine(path.absolute(), origin)


def _checkout() -> Path:
    """The folder around the package; where ``make stage`` has put the package into ``build``, the one above."""
    return PACKAGE.parent.parent if PACKAGE.parent.name == "build" else PACKAGE.parent
