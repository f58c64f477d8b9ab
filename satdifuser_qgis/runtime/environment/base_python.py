"""Finds a Python from which the engine's environment can be made; every candidate is tried before it is taken."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Iterable, List, Optional, Sequence, Tuple

from ...protocol.errors import EngineError
from ..child import WINDOWS, ask

# The versions for which all libraries have wheels, the best tried first.
MINORS = (12, 11, 13, 10)
_TRY = (
    "import json, sys, ensurepip, venv;"
    "print(json.dumps([list(sys.version_info[:2]), sys.maxsize > 2**32, sys.executable]))"
)
_TIMEOUT_S = 20.0

Command = Tuple[str, ...]


def find_base_python(candidates: Optional[Iterable[Command]] = None) -> Path:
    """The first candidate that is 64 bit, of a version that fits, and can make environments.

    ``sys.executable`` is no candidate: inside QGIS it is QGIS, or whatever Python the PATH holds.
    Raises EngineError("engine_missing") that says what to install.
    """
    tried: List[str] = []
    for command in _candidates() if candidates is None else candidates:
        problem, path = _try(command)
        if path is not None:
            return path
        tried.append(f"{' '.join(command)}: {problem}")
    raise EngineError(
        "engine_missing",
        f"No Python from 3.{min(MINORS)} to 3.{max(MINORS)} (64 bit) was found that can make a virtual environment.",
        "On Debian and Ubuntu install the package python3-venv; elsewhere install Python 3.12 from python.org.",
        "\n".join(tried),
    )


def _try(command: Sequence[str]) -> Tuple[str, Optional[Path]]:
    try:
        answer = ask([*command, "-I", "-c", _TRY], _TIMEOUT_S)
        (major, minor), wide, executable = json.loads(answer.stdout)
    except (OSError, TimeoutError) as error:
        return str(error), None
    except ValueError:
        lines = answer.stderr.strip().splitlines()
        return lines[-1] if lines else f"exit code {answer.exit_code}", None
    if major != 3 or minor not in MINORS or not wide:
        return f"Python {major}.{minor}, {64 if wide else 32} bit", None
    return "", Path(executable)


def _candidates() -> List[Command]:
    names = [f"python3.{minor}" for minor in MINORS] + ["python3"]
    base = Path(sys.base_prefix)
    inside = (base / "python.exe", base / "python3.exe") if WINDOWS else (base / "bin" / "python3",)
    commands: List[Command] = []
    if WINDOWS:
        commands = [("py", f"-3.{minor}-64") for minor in MINORS]
    else:
        found = [shutil.which(name, path=os.pathsep.join(_folders())) for name in names]
        commands = [(path,) for path in found if path]
    return [*commands, *((str(path),) for path in inside if path.is_file())]


def _folders() -> List[str]:
    if sys.platform == "darwin":
        # /usr/bin is left out: its python3 opens a dialog that wants to install Xcode
        frameworks = "/Library/Frameworks/Python.framework/Versions"
        return ["/opt/homebrew/bin", "/usr/local/bin", *(f"{frameworks}/3.{minor}/bin" for minor in MINORS)]
    return ["/usr/local/bin", "/usr/bin"]
