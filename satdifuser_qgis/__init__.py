"""SatDiFuser for QGIS: land-cover maps from the features of satellite diffusion models.

Both Pythons load this package, QGIS's and the engine's, so it imports nothing by itself.
"""

from typing import Any


def classFactory(iface: Any) -> Any:  # noqa: N802 (QGIS looks for this name)
    """The plugin object. ``iface`` is None under ``qgis_process``."""
    from .plugin import SatDiFuserPlugin

    return SatDiFuserPlugin(iface)
