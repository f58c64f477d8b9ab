"""The folders that the plugin owns: model store, feature cache, runs and logs, and what ships with it.

All per-user folders move together with the environment variable SATDIFUSER_HOME.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

HOME_VARIABLE = "SATDIFUSER_HOME"


def home() -> Path:
    """The per-user folder; it need not exist."""
    chosen = os.environ.get(HOME_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
        return Path(base) / "satdifuser_qgis"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "satdifuser_qgis"
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "satdifuser_qgis"


def model_store() -> Path:
    """Where trained models are kept, one ``.safetensors`` each."""
    return home() / "models"


def cache() -> Path:
    """Where resumable work and features are kept; may be deleted at any time."""
    return home() / "cache"


def runs() -> Path:
    """Where each run has a folder with its request, its cancel file and its log."""
    return home() / "runs"


def environment() -> Path:
    """Where the engine's virtual environment is created for this user."""
    return home() / "engine"


def resources() -> Path:
    """``resources``: inside the staged plugin, or beside the package in a checkout."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "resources"
    return inside if inside.is_dir() else package.parent / "resources"


def shipped_models() -> Path:
    """Backbones and models that come with the plugin."""
    return resources() / "models"


def unused(folder: Path, stem: str, suffix: str) -> Path:
    """A path in ``folder`` that does not exist: ``stem.suffix``, else ``stem-2.suffix``, ``stem-3.suffix`` …"""
    path, number = folder / f"{stem}{suffix}", 1
    while path.exists():
        number += 1
        path = folder / f"{stem}-{number}{suffix}"
    return path
