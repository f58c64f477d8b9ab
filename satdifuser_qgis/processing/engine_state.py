"""One sentence on the engine: where it is, or what is wrong."""

from __future__ import annotations

from qgis.PyQt.QtCore import QCoreApplication

from ..protocol.errors import EngineError
from ..runtime.environment.locate import locate

translate = QCoreApplication.translate


def engine_state(setting: str) -> str:
    """For the value that the setting has or would have."""
    try:
        engine = locate(setting)
    except EngineError as error:
        return str(error)
    return translate("SatDiFuser", "The engine is {python} (from {origin}).").format(
        python=engine.python, origin=engine.origin
    )
