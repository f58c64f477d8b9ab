"""Outputs that appear whole or not at all: written beside their target under another name, renamed at the end."""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import re
import shutil
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from types import TracebackType
from typing import Callable, Optional, Type

from ..protocol import folders
from ..protocol.places import leads_to, longest_name, name_length
from ..protocol.side_files import side_files

# What the names of work files have more than that of the part, such as "-work-confidence.tif-work.tif".
_WORK_LENGTH = 40
# What some library would read as something else than a name.
_ODD = re.compile(r"[^\w .()+=@~-]")
# Names of parts say which process of which computer writes them, so that later runs know what nobody writes any more.
_HERE = hashlib.sha256(platform.node().encode()).hexdigest()[:6]
# The names that the user knows of the parts of this process.
_targets: dict[Path, Path] = {}


class Outputs:
    """The files that one run writes.

    ``part(target)`` gives the name to write to, ``<stem>.part-<run id>-<computer>-<process><suffix>`` in the target's
    folder, and removes what a killed run left there for the same target. Of a long or odd stem it has an abbreviation;
    where the target is a link, it lies beside the file that the link leads to. `commit` renames all of them; leaving
    the ``with`` block without it removes them, and the folders made for them.
    """

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self._parts: dict[Path, Path] = {}
        self._made: list[Path] = []
        self._afterwards: list[Callable[[], None]] = []
        self._otherwise: list[Callable[[], None]] = []
        self._renaming = threading.RLock()

    def part(self, target: str | os.PathLike[str]) -> Path:
        """Where to write what shall become ``target``. Its folder is made."""
        target = Path(target)
        stem, folder = self._place(target)
        _remove_orphans(folder, stem)
        part = self._parts[target] = folder / f"{stem}{self._mark}{target.suffix}"
        _targets[part] = target
        return part

    def scratch(self, target: str | os.PathLike[str], suffix: str) -> Path:
        """A name beside ``target`` for a file that is needed only while working; never renamed."""
        stem, folder = self._place(Path(target))
        path = folder / f"{stem}{self._mark}-work{suffix}"
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

    def after_failure(self, action: Callable[[], None]) -> None:
        """Calls ``action`` where the ``with`` block ends by an error, before that is told."""
        self._otherwise.append(action)

    def commit(self) -> None:
        """Renames every part that was written to its target, with its side files, replacing what was there.

        One after the other: where a target cannot be replaced (another program holds it), those before it are new, each
        of them whole. Signals to end the process, and `discard` in another thread, come too late from here on.
        """
        with self._renaming, _deaf_to_signals():
            for target, part in self._parts.items():
                if part != target and part.exists():
                    self._rename(target, part)
            self.discard()
        for action in self._afterwards:
            action()

    def _rename(self, target: Path, part: Path) -> None:
        """Gives a part and its side files their names, in place of what was there, or leaves that as it was.

        The old side files go out of the way first: at no moment does the new file lie beside a mask or pyramids of the
        old one, not even where the process is killed.
        """
        # a shapefile is several files, and GDAL keeps class names in <raster>.aux.xml
        stem = part.name[: len(part.name) - len(target.suffix)]
        sides = part.parent.glob(f"{escape(stem)}.*")
        new = {target.with_name(target.stem + side.name[len(stem) :]): side for side in sides} | {target: part}
        aside: list[tuple[Path, Path]] = []
        try:
            for number, path in enumerate(_in_the_way(target, new)):
                away = path.with_name(f"{stem}-old{number}")
                os.replace(path, away)
                aside.append((away, path))
            # The target itself first: it is what another program may hold, and then nothing has changed.
            for place in sorted(new, key=lambda place: (place != target, place)):
                _replace(new[place], leads_to(place))
        except OSError:
            for away, path in aside:
                if not path.exists():
                    os.replace(away, path)
            raise
        for away, _ in aside:
            with suppress(OSError):
                away.unlink()

    def discard(self) -> None:
        """Removes every part that is still there, with the side files GDAL may have left.

        What cannot be removed, as in a folder that has become read-only, is left to the next run: there is mostly a
        failure on its way that says more.
        """
        with self._renaming:
            self._discard()

    def _discard(self) -> None:
        # a copy: the thread that finds the parent dead comes here while the task may still add parts
        for part in list(self._parts.values()):
            # never by the part's own stem: of a target without suffix it is the stem of the user's other files
            stem = part.name[: part.name.rindex(self._mark) + len(self._mark)]
            _targets.pop(part, None)
            for path in part.parent.glob(f"{escape(stem)}*"):
                with suppress(OSError):
                    path.unlink()
        self._parts.clear()
        folders.remove_empty(self._made)

    def _place(self, target: Path) -> tuple[str, Path]:
        """What the names of a target's part and work files begin with, and their folder, which is made."""
        folder = leads_to(target.absolute()).parent
        self._make(folder)
        return _short(target.stem, longest_name(folder) - len(self._mark) - _WORK_LENGTH), folder

    def _make(self, folder: Path) -> None:
        # what is made later may lie in what was made before, and must be empty first
        self._made = [*folders.missing(folder), *self._made]
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def _mark(self) -> str:
        return f".part-{self.run_id}-{_HERE}-{os.getpid()}"

    def __enter__(self) -> Outputs:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.discard()
        for action in self._otherwise if error is not None else ():
            action()


def target_of(part: Path) -> Path:
    """The name that the user knows of what is written under another."""
    return _targets.get(part, part)


def is_scratch(path: Path) -> bool:
    """Whether it is a file for working only, see `Outputs.scratch`: the user knows no such name."""
    return re.search(r"\.part-[^.]*-work", path.name) is not None


def _short(stem: str, most: int) -> str:
    """A stem that every library takes for a name, of at most ``most`` bytes; the same for the same stem."""
    plain = _ODD.sub("_", stem)
    if plain == stem and name_length(stem) <= most:
        return stem
    digest = hashlib.sha256(os.fsencode(stem)).hexdigest()[:6]
    while plain and name_length(plain) > most - len(digest) - 1:
        plain = plain[:-1]
    return f"{plain}-{digest}"


@contextmanager
def _deaf_to_signals() -> Iterator[None]:
    """Lets no signal to end the process in, where this is the thread that hears them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        for number in before:
            signal.signal(number, signal.SIG_IGN)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _in_the_way(target: Path, new: Iterable[Path]) -> list[Path]:
    """The side files of the old file, as they must go before the new ones come: where one that has a successor is a
    link, what it leads to."""
    # not by case, which some file systems do not know
    kept = {str(path).lower() for place in new for path in (place, leads_to(place))}
    old = {*side_files(target), *side_files(leads_to(target))}
    succeeded = {path for path in old if str(path).lower() in kept}
    return sorted({*(old - succeeded), *(leads_to(path) for path in succeeded if leads_to(path).exists())})


def _replace(file: Path, place: Path) -> None:
    try:
        os.replace(file, place)
    except OSError as error:
        # Side files lie beside a link, which may be on another disk than what it leads to.
        if error.errno != errno.EXDEV:
            raise
        shutil.copyfile(file, place)
        file.unlink()


def _remove_orphans(folder: Path, stem: str) -> None:
    """Removes the parts of a target whose process is no more. What still has one, or another computer's, stays."""
    import psutil

    for path in folder.glob(f"{escape(stem)}.part-*-{_HERE}-*"):
        found = re.match(rf"-{_HERE}-(\d+)(?!\d)", path.name[path.name.rindex(f"-{_HERE}-") :])
        if found and not psutil.pid_exists(int(found.group(1))):
            with suppress(OSError):
                path.unlink()
