"""The folders that the plugin owns: model store, runs and logs; and what ships with it or lies in them.

All per-user folders move together with the environment variable SATDIFUSER_HOME.
"""

from __future__ import annotations

import getpass
import os
import re
import sys
from configparser import ConfigParser
from contextlib import suppress
from functools import lru_cache
from itertools import takewhile
from pathlib import Path
from typing import Iterable, List, Optional

HOME_VARIABLE = "SATDIFUSER_HOME"
MODEL_SUFFIX = ".safetensors"
PACKAGE = Path(__file__).resolve().parent.parent
# Where a name in a path ends: the next name, or what follows paths in sentences.
_ENDS = r"(?=$|[/\\\s\"',;:|)\]]|\.(?:\s|$))"


def home() -> Path:
    """The per-user folder, an absolute path; it need not exist."""
    chosen = os.environ.get(HOME_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
        return Path(base) / "satdifuser_qgis"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "satdifuser_qgis"
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "satdifuser_qgis"


def model_store() -> Path:
    """Where trained models are kept, one ``.safetensors`` each."""
    return home() / "models"


def runs() -> Path:
    """Where each run has a folder with its request, its cancel file and its log."""
    return home() / "runs"


def unfinished() -> Path:
    """Where the finished parts of interrupted maps wait for a repeat, one folder a map."""
    return home() / "unfinished"


def environment() -> Path:
    """Where the engine's virtual environment is created for this user."""
    return home() / "engine"


def resources() -> Path:
    """``resources``: inside the staged plugin, or beside the package in a checkout."""
    inside = PACKAGE / "resources"
    return inside if inside.is_dir() else PACKAGE.parent / "resources"


def shipped_models() -> Path:
    """Backbones and models that come with the plugin."""
    return resources() / "models"


def find_model(reference: str) -> Optional[Path]:
    """The file of a model: a path as it is, a bare name among the shipped models, then in the model store."""
    # Of os.path, since those of Path raise at users that are not there and at names that are too long.
    path = Path(os.path.expanduser(reference))
    if os.path.isfile(path):
        return path
    if path.name != reference:
        return None
    name = reference if reference.endswith(MODEL_SUFFIX) else reference + MODEL_SUFFIX
    found = [folder / name for folder in (shipped_models(), model_store())]
    return next((path for path in found if os.path.isfile(path)), None)


def model_files() -> List[Path]:
    """The shipped models, then those in the model store."""
    found = [path for folder in (shipped_models(), model_store()) for path in sorted(folder.glob(f"*{MODEL_SUFFIX}"))]
    return [path for path in found if path.is_file()]


def known_models() -> List[str]:
    """Names by which `find_model` finds one of `model_files`."""
    return list(dict.fromkeys(path.stem for path in model_files()))


@lru_cache(maxsize=1)
def plugin_version() -> str:
    """The version in metadata.txt, which lies inside the staged plugin, or beside the package in a checkout."""
    for folder in (PACKAGE, PACKAGE.parent):
        if (folder / "metadata.txt").is_file():
            metadata = ConfigParser()
            metadata.read(folder / "metadata.txt", encoding="utf-8")
            return metadata.get("general", "version")
    return "unknown"


def without_user(text: str) -> str:
    """The text with the user's folder as ``~``: names of people do not belong into a report.

    A folder elsewhere that has the user's name, such as ``/media/anna``, becomes ``/media/USER``. Windows writes
    both in any case, libraries with slashes, and ``repr`` with doubled backslashes.
    """
    case = re.IGNORECASE if sys.platform == "win32" else re.RegexFlag(0)
    user = Path.home()
    if user != user.parent:
        forms = (str(user), user.as_posix(), str(user).replace("\\", "\\\\"))
        text = re.sub("|".join(map(re.escape, forms)), "~", text, flags=case)
    name = _user_name()
    return re.sub(rf"(?<=[/\\]){re.escape(name)}{_ENDS}", "USER", text, flags=case) if name else text


def _user_name() -> str:
    """The name of the account, "" where the system does not know one (as in some containers)."""
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):
        return ""


def size(folder: Path) -> int:
    """What all files in ``folder`` take, in bytes; 0 where it is not there."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):  # another run may just remove it
            total += path.stat().st_size
    return total


def missing(folder: Path) -> List[Path]:
    """``folder`` and those around it that do not exist, the innermost first."""
    return list(takewhile(lambda path: not path.exists(), (folder, *folder.parents)))


def remove_empty(made: Iterable[Path]) -> None:
    """Removes the folders of which nothing is in use, in the order given: the innermost comes first."""
    for folder in made:
        with suppress(OSError):  # it holds something, or was never made
            folder.rmdir()


def unused(folder: Path, stem: str, suffix: str) -> Path:
    """A path in ``folder`` that does not exist: ``stem.suffix``, else ``stem-2.suffix``, ``stem-3.suffix`` …"""
    path, number = folder / f"{stem}{suffix}", 1
    while path.exists():
        number += 1
        path = folder / f"{stem}-{number}{suffix}"
    return path
