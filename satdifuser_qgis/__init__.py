"""SatDiFuser for QGIS: land-cover maps from the features of satellite diffusion models.

Both Pythons load this package, QGIS's and the engine's, so it imports nothing by itself.
"""


def classFactory(iface):  # noqa: N802, ANN001, ANN201 (QGIS looks for this name)
    """The plugin object. ``iface`` is None under ``qgis_process``."""
    from .plugin import SatDiFuserPlugin

    return SatDiFuserPlugin(iface)
