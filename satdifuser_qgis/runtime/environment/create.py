"""Makes, repairs and removes the engine's environment of this user.

It is built beside its place and renamed when it works, the marker being written last: so a half-built environment
is never taken for a whole one, and a working one is replaced only by another that works.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess  # nosec B404
import time
from dataclasses import asdict
from pathlib import Path
from typing import IO, Iterator, List, Mapping, Optional, Sequence, cast

from ...protocol import folders
from ...protocol.errors import EngineError
from ..child import clean_environment, end_tree, start_options
from ..feedback import Feedback
from ..stream import TailReader
from .base_python import find_base_python
from .failures import broken
from .locate import MARKER, NEEDED_GB, OWN, Engine, python_of
from .verify import verify

REQUIREMENTS = Path(__file__).resolve().with_name("requirements.txt")
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
NEEDED_BYTES = NEEDED_GB * 10**9
# A lock older than this is of an installation that was killed.
LOCK_FORGOTTEN_AFTER_S = 6 * 3600.0
_RENAME_ATTEMPTS = 10
_CREDENTIALS = re.compile(r"://[^/\s@]+@")


def state(folder: Optional[Path] = None, requirements: Path = REQUIREMENTS) -> str:
    """ "missing", "outdated" (made from other requirements) or "ready"."""
    try:
        marker = json.loads((_place(folder) / "venv" / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "missing"
    return "ready" if marker.get("requirements") == _digest(requirements) else "outdated"


def create(
    feedback: Feedback,
    folder: Optional[Path] = None,
    *,
    base_python: Optional[Path] = None,
    requirements: Path = REQUIREMENTS,
    needed_bytes: int = NEEDED_BYTES,
    variables: Optional[Mapping[str, str]] = None,
) -> Engine:
    """Makes the environment, replacing one that is there. Needs the network, minutes and NEEDED_BYTES.

    ``variables`` are added to the environment of pip, for instance a proxy with its password: unlike arguments,
    other users cannot see them.

    Raises EngineError: engine_missing (no Python to make it from), no_space, engine_broken, cancelled.
    """
    place = _place(folder)
    place.mkdir(parents=True, exist_ok=True)
    with _locked(place):
        _check_space(place, needed_bytes)
        base = base_python or find_base_python()
        fresh = place / "venv.new"
        _remove(fresh)
        try:
            _build(fresh, base, requirements, feedback, {**os.environ, **(variables or {})})
            installation = verify(Engine(python_of(fresh), "the new environment"))
            marker = {"requirements": _digest(requirements), **asdict(installation), "prefix": str(place / "venv")}
            (fresh / MARKER).write_text(json.dumps(marker, indent=1), encoding="utf-8")
            _replace(place / "venv", fresh)
        finally:
            _remove(fresh)
    feedback.setProgress(100)
    return Engine(python_of(place / "venv"), OWN)


def repair(
    feedback: Feedback,
    folder: Optional[Path] = None,
    requirements: Path = REQUIREMENTS,
    variables: Optional[Mapping[str, str]] = None,
) -> Engine:
    """The environment as it should be: made again where it is missing, outdated or does not work."""
    engine = Engine(python_of(_place(folder) / "venv"), OWN)
    if state(folder, requirements) == "ready":
        feedback.setProgressText("Trying the libraries")
        try:
            verify(engine)
        except EngineError as problem:
            feedback.pushWarning(str(problem))
        else:
            feedback.pushInfo("The engine works; nothing was changed.")
            feedback.setProgress(100)
            return engine
    return create(feedback, folder, requirements=requirements, variables=variables)


def remove(feedback: Feedback, folder: Optional[Path] = None) -> None:
    """Removes the environment, which is gone at once; its files follow. Models, caches and logs stay.

    Raises EngineError("engine_broken") where it is in use, which Windows forbids to move: then it stays whole.
    """
    place = _place(folder)
    if not place.is_dir():
        return
    with _locked(place):
        old = place / "venv.old"
        _remove(old)
        if (place / "venv").exists():
            _rename(place / "venv", old)
        parts = sorted(_parts(old))
        for number, part in enumerate((*parts, old, place / "venv.new")):
            _remove(part)
            feedback.setProgress(100 * number / (len(parts) + 2))


def _place(folder: Optional[Path]) -> Path:
    return folders.environment() if folder is None else folder


def _digest(requirements: Path) -> str:
    return hashlib.sha256(requirements.read_bytes()).hexdigest()


def _check_space(place: Path, needed_bytes: int) -> None:
    free = shutil.disk_usage(place).free
    if free < needed_bytes:
        raise EngineError(
            "no_space",
            f"The engine needs {needed_bytes / 1e9:.0f} GB in {place}, but {free / 1e9:.1f} GB are free.",
            f"Free some space, or set {folders.HOME_VARIABLE} to a folder on another disk.",
        )


def _build(fresh: Path, base: Path, requirements: Path, feedback: Feedback, variables: Mapping[str, str]) -> None:
    """An environment in ``fresh`` with torch first, from its own index, then the rest from the default one."""
    python = str(python_of(fresh))
    # without -u its lines come in heaps, minutes late
    pip = [python, "-I", "-u", "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    pip += ["--progress-bar", "off"]
    lines = [line.strip() for line in requirements.read_text(encoding="utf-8").splitlines()]
    torch = [line for line in lines if line.startswith("torch=")]
    # a folder of wheels that the user named serves torch too
    index = [] if os.environ.get("PIP_FIND_LINKS") else ["--index-url", CPU_INDEX]
    # What pip unpacks goes with the environment, also where pip was ended.
    scratch = fresh / "tmp"
    scratch.mkdir(parents=True)
    variables = {**variables, **dict.fromkeys(("TMPDIR", "TMP", "TEMP"), str(scratch))}
    steps = [("Making the environment", [str(base), "-I", "-m", "venv", str(fresh)])]
    if torch:
        steps.append(("Installing torch", [*pip, *index, *torch]))
    steps.append(("Installing the other libraries", [*pip, "-r", str(requirements)]))
    for number, (title, command) in enumerate(steps):
        feedback.setProgressText(title)
        feedback.setProgress(100 * number / (len(steps) + 1))
        _run(title, command, feedback, variables)
    _remove(scratch)
    feedback.setProgressText("Trying the libraries")


def _run(title: str, command: Sequence[str], feedback: Feedback, variables: Mapping[str, str]) -> None:
    """One step, its lines told as they come. Raises EngineError("engine_broken" or "cancelled")."""
    told: List[str] = []
    # no shell; the base Python was tried, the rest is ours
    process = subprocess.Popen(  # nosec B603
        list(command),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=clean_environment(variables, also=("PIP_*", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")),
        **start_options(),
    )
    stdout = cast(IO[bytes], process.stdout)
    with stdout:
        reader = TailReader(stdout, told.append)
        try:
            while process.poll() is None or reader.thread.is_alive():
                if feedback.isCanceled():
                    raise EngineError("cancelled", "Cancelled.")
                reader.thread.join(0.1)
                _tell(told, feedback)
        finally:
            end_tree(process)
            reader.thread.join(5.0)
    _tell(told, feedback)
    if process.returncode != 0:
        raise broken(f"{title} failed (exit code {process.returncode}).", _without_credentials(reader.tail()))


def _tell(lines: List[str], feedback: Feedback) -> None:
    while lines:
        # pip sets some lines in
        feedback.pushInfo(_without_credentials(lines.pop(0)).strip())


def _without_credentials(text: str) -> str:
    """pip hides passwords of its indexes, but not those of a proxy."""
    return _CREDENTIALS.sub("://***@", text)


@contextlib.contextmanager
def _locked(place: Path) -> Iterator[None]:
    """One installation at a time, over all QGIS windows."""
    lock = place / "installing.lock"
    with contextlib.suppress(FileNotFoundError):
        if time.time() - lock.stat().st_mtime > LOCK_FORGOTTEN_AFTER_S:
            lock.unlink()
    try:
        lock.open("x", encoding="utf-8").close()
    except FileExistsError:
        raise EngineError(
            "engine_missing",
            "The engine is being installed already, here or by another QGIS window.",
            f"Wait for it. If nothing is being installed, delete {lock} and try again.",
        ) from None
    try:
        yield
    finally:
        lock.unlink()


def _replace(target: Path, fresh: Path) -> None:
    """Puts ``fresh`` in the place of ``target``, which stays where that fails."""
    old = target.with_name("venv.old")
    _remove(old)
    if target.exists():
        _rename(target, old)
    try:
        _rename(fresh, target)
    except EngineError:
        with contextlib.suppress(EngineError):  # the first failure says more
            _rename(old, target)
        raise
    _remove(old)


def _rename(source: Path, target: Path) -> None:
    """Windows refuses for moments while a scanner reads. Raises EngineError("engine_broken")."""
    for attempt in range(_RENAME_ATTEMPTS):
        try:
            source.rename(target)
        except OSError as error:
            if not isinstance(error, PermissionError) or attempt + 1 == _RENAME_ATTEMPTS:
                raise broken(f"{source} cannot be renamed.", str(error)) from error
            time.sleep(0.5)
        else:
            return


def _parts(environment: Path) -> Iterator[Path]:
    """The folders of its libraries, which are nearly all that it holds."""
    for libraries in environment.rglob("site-packages"):
        yield from (each for each in libraries.iterdir() if each.is_dir())


def _remove(folder: Path) -> None:
    # what Windows still holds open goes with the next installation
    shutil.rmtree(folder, ignore_errors=True)
