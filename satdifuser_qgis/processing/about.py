"""What the plugin says of itself: version and icons, from the files that ship with it."""

from __future__ import annotations

from configparser import ConfigParser
from functools import lru_cache
from pathlib import Path

from qgis.PyQt.QtGui import QIcon

from ..protocol import folders


@lru_cache(maxsize=1)
def version() -> str:
    """The version in metadata.txt, which lies inside the staged plugin, or beside the package in a checkout."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package, package.parent):
        if (folder / "metadata.txt").is_file():
            metadata = ConfigParser()
            metadata.read(folder / "metadata.txt", encoding="utf-8")
            return metadata.get("general", "version")
    return "0"


def icon_path(name: str) -> str:
    """The path of one of our icons, by its stem."""
    return str(folders.resources() / "icons" / f"{name}.svg")


def icon(name: str) -> QIcon:
    """One of our icons, by its stem."""
    return QIcon(icon_path(name))
