"""Refusal of files that cannot be opened, with the reason: that of their place, else GDAL's own words."""

from __future__ import annotations

from ..protocol.errors import EngineError
from ..protocol.unopened import trouble

_SAID = {
    "missing": ("does not exist", "Check its path and spelling."),
    "folder": ("is a folder", "Choose the file in it."),
    "empty": ("is empty (0 bytes)", "Save it again, or get it again."),
}


def not_opened(path: str, kind: str, remedy: str, error: Exception) -> EngineError:
    """The error "bad_input" for a file that GDAL does not open as a ``kind``, such as "raster"; ``remedy`` is the way
    out where its place says nothing."""
    said, way_out = _SAID.get(trouble(path), (f"is no {kind} that can be read{_reason(error)}", remedy))
    return EngineError("bad_input", f'The file "{path}" {said}.', way_out, detail=str(error))


def _reason(error: Exception) -> str:
    """What GDAL says beyond that it does not know the format."""
    text = str(error).strip().partition("\n")[0][:300].rstrip(".")
    return f" (GDAL: {text})" if text and "not recognized" not in text else ""
