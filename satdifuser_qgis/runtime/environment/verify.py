"""Asks the engine's Python whether all its libraries work."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

from ...protocol.errors import EngineError
from ..child import ask
from .failures import broken, of_engine
from .locate import OPTIONS, Engine

PROBE = Path(__file__).resolve().with_name("probe.py")
# The first loading after an installation: virus scanners read a gigabyte.
TIMEOUT_S = 180.0
OLDEST_PYTHON = (3, 10)


@dataclass(frozen=True)
class Installation:
    """What a working engine is made of."""

    python: str
    prefix: str
    versions: Dict[str, str]


def verify(engine: Engine, timeout_s: float = TIMEOUT_S) -> Installation:
    """Loads every library of the engine once; takes seconds, the first time up to minutes.

    Raises EngineError("engine_broken") that names the library and the way out, "engine_missing", "timeout".
    """
    try:
        return _tried(engine, timeout_s)
    except EngineError as error:
        raise of_engine(engine, error) from error


def _tried(engine: Engine, timeout_s: float) -> Installation:
    if not engine.python.exists():
        remedy = f"Install the engine again in {OPTIONS}."
        raise EngineError("engine_missing", f"There is no Python at {engine.python}.", remedy)
    try:
        answer = ask([str(engine.python), "-I", "-u", "-X", "utf8", str(PROBE)], timeout_s)
    except TimeoutError as error:
        raise EngineError(
            "timeout",
            f"The engine's Python {engine.python} gave no answer within {timeout_s:g} seconds.",
            "Try again: the first start is slow where a virus scanner reads every file.",
        ) from error
    except OSError as error:
        raise broken(f"The engine's Python {engine.python} cannot be started.", str(error)) from error
    report = _last_json(answer.stdout)
    if answer.exit_code != 0 or report is None:
        what = f"The engine's Python {engine.python} failed (exit code {answer.exit_code})."
        raise broken(what, answer.stderr[-5000:])
    _check_python(engine, report)
    for library, problem in report["problems"].items():
        raise broken(f"{library} cannot be used by {engine.python}.", problem)
    return Installation(report["python"], report["prefix"], report["versions"])


def _check_python(engine: Engine, report: Dict[str, Any]) -> None:
    version = version_tuple(report["python"])
    if version < OLDEST_PYTHON or report["bits"] != 64:
        raise EngineError(
            "engine_broken",
            f"{engine.python} is Python {report['python']}, {report['bits']} bit; 3.10 or later with 64 bit is needed.",
            f"Name another Python in {OPTIONS}, or install the engine again there.",
        )


def version_tuple(text: str) -> Tuple[int, int]:
    """Major and minor of a version such as 3.11.2."""
    major, minor = text.split(".")[:2]
    return int(major), int(minor)


def _last_json(text: str) -> Optional[Dict[str, Any]]:
    lines = text.strip().splitlines()
    try:
        report = json.loads(lines[-1]) if lines else None
    except ValueError:
        return None
    return report if isinstance(report, dict) else None
