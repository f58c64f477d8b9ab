"""Whether all is ready, and what QGIS's side knows about the installation as lines that are safe to paste."""

from __future__ import annotations

import platform
import re
from pathlib import Path
from typing import List, Optional

from qgis.PyQt.QtCore import PYQT_VERSION_STR, QT_VERSION_STR, QCoreApplication

from .. import compat
from ..protocol import folders
from ..runtime.environment.failures import CHECK, broken, of_engine
from ..runtime.environment.locate import MARKER, Engine
from .engine_state import outdated

translate = QCoreApplication.translate
LOG_TAIL_LINES = 10
# What the user can mend alone is no fault of the installation: he was told, and has read it.
_MENDED_BY_USER = ("bad_request", "bad_input", "no_overlap", "too_few_labels", "cancelled")
_FAILED = re.compile(rf"\s*[\d.]+ failed \((?!{'|'.join(_MENDED_BY_USER)})")


def plugin_lines() -> List[str]:
    """Versions on QGIS's side of the fence."""
    return [
        f"SatDiFuser: {folders.plugin_version()}",
        f"QGIS: {compat.qgis_version()}, Qt {QT_VERSION_STR}, PyQt {PYQT_VERSION_STR}",
        f"Python of QGIS: {platform.python_version()}",
        f"System: {platform.platform()}, {platform.machine()}",
    ]


def verdict(engine: Optional[Engine], problem: str) -> str:
    """Whether maps can be made; if not, why and what to do."""
    if problem:
        # that is what the user has just done
        told = problem.replace(f"{CHECK} ", "")
        return translate("SatDiFuser", "Not ready: {problem}").format(problem=told)
    return f"{translate('SatDiFuser', 'Ready.')} {outdated(engine) if engine else ''}".strip()


def library_problem(engine: Engine, text: str) -> str:
    """The way out for a library that cannot be loaded, "" for "". ``text`` is its name and the error."""
    return str(of_engine(engine, broken(f"The engine cannot load {text.split(':')[0]}.", text))) if text else ""


def engine_lines(engine: Optional[Engine]) -> List[str]:
    """Where the engine is and who says so."""
    if engine is None:
        return ["Engine: none"]
    marker = engine.python.parent.parent / MARKER
    state = "complete" if marker.is_file() else "not made by the plugin"
    return [f"Engine: {engine.python} (from {engine.origin}; {state})"]


def model_lines() -> List[str]:
    """The models that go by name; the engine tells this better where it can."""
    return [f"Models: {', '.join(folders.known_models()) or 'none'}"]


def folder_lines() -> List[str]:
    """The folders that the plugin owns."""
    unfinished = folders.unfinished()
    return [
        f"Model store: {folders.model_store()}",
        f"Runs and logs: {folders.runs()}",
        f"Parts of interrupted maps: {unfinished}, {folders.size(unfinished) / 2**20:.0f} MiB",
    ]


def last_error_lines() -> List[str]:
    """The newest run that failed by more than what was asked of it: where its log is, the failure, and the end of what
    is behind it."""
    for log in _logs_newest_first():
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        failed = [index for index, line in enumerate(lines) if _FAILED.match(line)]
        if failed:
            first, *rest = lines[failed[-1] :]
            shown = [first.strip(), *(["…"] if len(rest) > LOG_TAIL_LINES else []), *rest[-LOG_TAIL_LINES:]]
            return [f"Last error: {log}", *(f"    {line.rstrip()}" for line in shown)]
    return ["Last error: none"]


def _logs_newest_first() -> List[Path]:
    found = []
    for log in folders.runs().glob("*/run.log"):
        try:
            found.append((log.stat().st_mtime, log))
        except OSError:  # removed by another QGIS at this moment
            continue
    return [log for _, log in sorted(found, reverse=True)]
