"""Turns whatever a task raised into an `EngineError` that a user can act on."""

from __future__ import annotations

import errno
import re
import sys
import traceback
from typing import Iterator

from ..protocol.errors import EngineError

_NO_MEMORY = re.compile(
    r"can't allocate memory|not enough memory|out of memory|unable to allocate|cannot allocate|bad_alloc|"
    # The last is all that oneDNN says; it makes its primitives when a size is met first.
    r"can't start new thread|could not create a primitive",
    re.I,
)
_NO_SPACE = re.compile(r"no space left|disk (is )?full|not enough (disk )?space|disk quota", re.I)
_DEVICE = re.compile(r"CUDA error|cuDNN|CUDA driver|no kernel image|NVIDIA driver|MPS backend", re.I)
_NO_SPACE_CODES = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


def explain(error: BaseException) -> EngineError:
    """The failure that ``error`` means. The traceback goes to ``detail``, for the log only."""
    detail = "".join(traceback.format_exception(error))[-20_000:]
    if isinstance(error, EngineError):
        error.detail = error.detail or detail
        return error
    if isinstance(error, KeyboardInterrupt):
        return EngineError("cancelled", "Cancelled.", detail=detail)
    for link in _chain(error):
        told = _known(link, detail)
        if told is not None:
            return told
    return EngineError(
        "internal",
        f"The engine failed where it should not: {_first_line(error)}.",
        "Run it again; if it fails again, report it with the log.",
        detail,
    )


def is_no_memory(error: BaseException) -> bool:
    """Whether the memory did not suffice, whatever library says so."""
    return any(
        isinstance(link, MemoryError) or type(link).__name__ == "OutOfMemoryError" or _NO_MEMORY.search(str(link))
        for link in _chain(error)
    )


def _known(error: BaseException, detail: str) -> EngineError | None:
    text = str(error)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or _NO_MEMORY.search(text):
        return EngineError(
            "out_of_memory",
            "The memory of the computer or of its graphics card did not suffice.",
            "Close other programs, or choose the CPU as device; a map may be made of a smaller extent, or with fewer "
            "tiles at once.",
            detail,
        )
    if (isinstance(error, OSError) and error.errno in _NO_SPACE_CODES) or _NO_SPACE.search(text):
        where = _path(error)
        return EngineError(
            "no_space",
            f"There is no space left to write {where}." if where else "There is no space left on the disk.",
            "Free some space, or choose a target on another disk.",
            detail,
        )
    if isinstance(error, ImportError) and not (error.name or "").startswith("satdifuser_qgis"):
        return EngineError(
            "engine_broken",
            f"This Python ({sys.executable}) cannot load a library of the engine: {_first_line(error)}.",
            'Call the engine by its own Python. If it is that one: run "Check the installation", then install the '
            "engine again in Settings > Options > SatDiFuser.",
            detail,
        )
    if isinstance(error, (PermissionError, FileNotFoundError)) and _path(error):
        told = "may not be read or written" if isinstance(error, PermissionError) else "does not exist"
        return EngineError(
            "bad_input",
            f"{_path(error)} {told}.",
            "Check the path and its permissions, and close other programs that hold the file.",
            detail,
        )
    if isinstance(error, OSError) and _path(error) and error.strerror:
        return EngineError(
            "bad_input",
            f"{_path(error)} cannot be used: {error.strerror[:1].lower()}{error.strerror[1:]}.",
            "Choose another path.",
            detail,
        )
    if isinstance(error, RuntimeError) and _DEVICE.search(text):
        return EngineError(
            "device",
            f"The graphics device failed: {_first_line(error)}.",
            "Choose the CPU as device, or update the device's driver.",
            detail,
        )
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from: libraries wrap the error that says why."""
    link: BaseException | None = error
    for _ in range(8):
        if link is None:
            return
        yield link
        link = link.__cause__ or link.__context__


def _path(error: BaseException) -> str:
    """The path in an OSError; of a rename the target, which is the name the user knows."""
    if not isinstance(error, OSError):
        return ""
    return str(error.filename2 or error.filename or "")


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    text = lines[0][:300].rstrip(".") if lines else "no message"
    return f"{type(error).__name__}: {text}"
