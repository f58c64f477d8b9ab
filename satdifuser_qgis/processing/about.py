"""The icons that ship with the plugin."""

from __future__ import annotations

from qgis.PyQt.QtGui import QIcon

from ..protocol import folders


def icon_path(name: str) -> str:
    """The path of one of our icons, by its stem."""
    return str(folders.resources() / "icons" / f"{name}.svg")


def icon(name: str) -> QIcon:
    """One of our icons, by its stem."""
    return QIcon(icon_path(name))
