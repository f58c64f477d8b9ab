"""Outputs that appear whole or not at all: written beside their target under another name, renamed at the end."""

from __future__ import annotations

import hashlib
import os
import platform
import re
from contextlib import suppress
from glob import escape
from pathlib import Path
from types import TracebackType
from typing import Callable, Optional, Type

from ..protocol import folders

# Spatial indexes of a shapefile: those of the file that was here before would hide the new one's features.
_INDEXES = (".qix", ".sbn", ".sbx")
# Names of parts say which process of which computer writes them, so that later runs know what nobody writes any more.
_HERE = hashlib.sha256(platform.node().encode()).hexdigest()[:6]


class Outputs:
    """The files that one run writes.

    ``part(target)`` gives the name to write to, ``<stem>.part-<run id>-<computer>-<process><suffix>`` in the target's
    folder, and removes what a killed run left there for the same target. `commit` renames all of them; leaving the
    ``with`` block without it removes them, and the folders made for them.
    """

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self._parts: dict[Path, Path] = {}
        self._made: list[Path] = []
        self._afterwards: list[Callable[[], None]] = []

    def part(self, target: str | os.PathLike[str]) -> Path:
        """Where to write what shall become ``target``. Its folder is made."""
        target = Path(target)
        self._make(target.parent)
        _remove_orphans(target)
        part = target.with_name(f"{self._stem(target)}{target.suffix}")
        self._parts[target] = part
        return part

    def scratch(self, target: str | os.PathLike[str], suffix: str) -> Path:
        """A name beside ``target`` for a file that is needed only while working; never renamed."""
        target = Path(target)
        self._make(target.parent)
        path = target.with_name(f"{self._stem(target)}-work{suffix}")
        self._parts.setdefault(path, path)
        return path

    def drop(self, target: str | os.PathLike[str]) -> None:
        """Forgets an output that could not be written; what there is of its part goes."""
        part = self._parts.pop(Path(target), None)
        if part is not None:
            part.unlink(missing_ok=True)

    def after_commit(self, action: Callable[[], None]) -> None:
        """Calls ``action`` once all outputs have their names, and never where they do not come that far."""
        self._afterwards.append(action)

    def commit(self) -> None:
        """Renames every part that was written to its target, with its side files, replacing what was there.

        One after the other: where a target cannot be replaced (another program holds it), those before it are new, each
        of them whole.
        """
        for target, part in self._parts.items():
            if part == target or not part.exists():
                continue
            # a shapefile is several files, and GDAL keeps class names in <raster>.aux.xml
            stem = self._stem(target)
            sides = {part, *part.parent.glob(f"{escape(stem)}.*")}
            # statistics that a GIS noted of the raster that was here before would be told of the new one
            if part.with_name(f"{part.name}.aux.xml") not in sides:
                target.with_name(f"{target.name}.aux.xml").unlink(missing_ok=True)
            if target.suffix.lower() == ".shp":
                for ending in _INDEXES:
                    target.with_suffix(ending).unlink(missing_ok=True)
            for side in sorted(sides):
                os.replace(side, target.with_name(target.stem + side.name[len(stem) :]))
        self.discard()
        for action in self._afterwards:
            action()

    def discard(self) -> None:
        """Removes every part that is still there, with the side files GDAL may have left."""
        # a copy: the thread that finds the parent dead comes here while the task may still add parts
        for part in list(self._parts.values()):
            # never by the part's own stem: of a target without suffix it is the stem of the user's other files
            stem = part.name[: part.name.rindex(self._mark) + len(self._mark)]
            for path in part.parent.glob(f"{escape(stem)}*"):
                path.unlink(missing_ok=True)
        self._parts.clear()
        folders.remove_empty(self._made)

    def _make(self, folder: Path) -> None:
        # what is made later may lie in what was made before, and must be empty first
        self._made = [*folders.missing(folder), *self._made]
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def _mark(self) -> str:
        return f".part-{self.run_id}-{_HERE}-{os.getpid()}"

    def _stem(self, target: Path) -> str:
        """What the names of a target's part and of its side files begin with."""
        return f"{target.stem}{self._mark}"

    def __enter__(self) -> Outputs:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.discard()


def target_of(part: Path) -> Path:
    """The name that the user knows: without the mark of the run that writes it."""
    return part.with_name(re.sub(r"\.part-[^.]*", "", part.name))


def is_scratch(path: Path) -> bool:
    """Whether it is a file for working only, see `Outputs.scratch`: the user knows no such name."""
    return re.search(r"\.part-[^.]*-work", path.name) is not None


def _remove_orphans(target: Path) -> None:
    """Removes the parts of a target whose process is no more. What still has one, or another computer's, stays."""
    import psutil

    for path in target.parent.glob(f"{escape(target.stem)}.part-*-{_HERE}-*"):
        found = re.match(rf"-{_HERE}-(\d+)(?!\d)", path.name[path.name.rindex(f"-{_HERE}-") :])
        if found and not psutil.pid_exists(int(found.group(1))):
            with suppress(OSError):
                path.unlink()
