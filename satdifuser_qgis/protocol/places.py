"""Whether a file can be written at a place, found out before anything is computed; and where links lead to."""

from __future__ import annotations

import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Optional, Tuple

from .side_files import side_files

# How many characters longer the longest name is that is written beside a file: class names, SQLite's journal, and
# ``.scores.csv`` in place of a report's ending.
_BESIDE = {
    ".tif": len(".aux.xml"),
    ".tiff": len(".aux.xml"),
    ".gpkg": len("-journal"),
    ".html": len(".scores.csv") - len(".html"),
    ".htm": len(".scores.csv") - len(".htm"),
}
_USUAL_LIMIT = 255


@dataclass(frozen=True)
class Obstacle:
    """Why a file cannot be written. ``path`` is what stands in the way.

    ``kind``: "no_file" (a folder or device lies there), "circle" (of links), "too_long" (a name, of ``length`` where
    ``limit`` is the most), "read_only", "in_use", "foreign" (a part of something else lies there), "folder" (it cannot
    be written to, or made).
    """

    kind: str
    path: Path
    length: int = 0
    limit: int = 0


def leads_to(target: Path) -> Path:
    """The file that is written where ``target`` is a link, which thereby stays one; else ``target`` itself."""
    return Path(os.path.realpath(target)) if os.path.islink(target) else target


def same_file(first: str, second: str) -> bool:
    """Whether two paths lead to one file: by links, other capitals where these do not count, or two names of it."""
    try:
        return os.path.samefile(first, second)
    except (OSError, ValueError):  # one of them is not there, or is none of the file system's
        return os.path.normcase(os.path.realpath(first)) == os.path.normcase(os.path.realpath(second))


def obstacle(target: Path) -> Optional[Obstacle]:
    """What prevents that ``target`` is written or replaced, None where nothing does."""
    target = target.absolute()
    too_long = _too_long(target)
    if too_long:
        return too_long
    place = leads_to(target)
    too_long = _too_long(place)
    if too_long:
        return too_long
    if place.is_symlink():
        return Obstacle("circle", target)
    if place.exists() and not place.is_file():
        return Obstacle("no_file", place)
    return _replaceable(target, place) or _makeable(place)


def _replaceable(target: Path, place: Path) -> Optional[Obstacle]:
    table = target.with_suffix(".dbf")
    if target.suffix.lower() == ".shp" and not target.exists() and table.exists():
        return Obstacle("foreign", table)
    for path in (place, *sorted({*side_files(target), *side_files(place)})):
        if path.exists() and _is_read_only(path):
            return Obstacle("read_only", path)
    if place.exists():
        try:
            # Windows refuses that for a file that another program holds; elsewhere it does nothing.
            os.rename(place, place)
        except OSError:
            return Obstacle("in_use", place)
    return None


def _makeable(place: Path) -> Optional[Obstacle]:
    folder = _nearest(place)
    try:
        # Really tried: rights of the folder say little on Windows, and nothing of read-only disks.
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError:
        return Obstacle("folder", folder)


def _nearest(path: Path) -> Path:
    """The innermost folder around ``path`` that exists: further ones would be made in it."""
    return next((folder for folder in path.parents if os.path.exists(folder)), path.parents[-1])


def _is_read_only(path: Path) -> bool:
    """By its mode too, since root may write everything, but did not say so of this file."""
    return not path.stat().st_mode & stat.S_IWUSR or not os.access(path, os.W_OK)


def _too_long(target: Path) -> Optional[Obstacle]:
    nearest = _nearest(target)
    limit = longest_name(nearest)
    for path, spare in _new_names(target, nearest):
        length = name_length(path.name) + spare
        if length > limit:
            return Obstacle("too_long", path, length - spare, limit - spare)
    return None


def _new_names(target: Path, nearest: Path) -> Iterator[Tuple[Path, int]]:
    """The file and the folders that would be made for it, with what is appended to their names."""
    yield target, _BESIDE.get(target.suffix.lower(), 0)
    for folder in target.parents:
        if folder == nearest:
            return
        yield folder, 0


def longest_name(folder: Path) -> int:
    """How long a name in an existing folder may be, as `name_length` counts."""
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (AttributeError, OSError, ValueError):  # Windows, and file systems that do not say
        return _USUAL_LIMIT


def name_length(name: str) -> int:
    """The length of a name as its system counts: in UTF-16 on Windows, in bytes elsewhere."""
    return len(name.encode("utf-16-le", "surrogatepass")) // 2 if os.name == "nt" else len(os.fsencode(name))
