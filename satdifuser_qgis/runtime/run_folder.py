"""The folder of a run: its request, its cancel file, its log; and the temporary outputs it may leave behind."""

from __future__ import annotations

import errno
import shutil
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Iterable, List, Optional, Type

from ..protocol import codec, events, folders
from ..protocol.errors import EngineError
from ..protocol.places import leads_to

KEPT_RUNS = 20
LOG_LIMIT_CHARACTERS = 5_000_000
# A run that QGIS's crash left marked as running is forgotten after this time.
FORGOTTEN_AFTER_S = 7 * 24 * 3600.0
_RUNNING = "running"
_NO_SPACE = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


class RunFolder:
    """A new folder under `folders.runs`, with the request written; the oldest runs beyond twenty are removed.

    Used as a context manager: at the end the log is closed, folders that were made for outputs and hold none are
    removed, and the run's own may be removed by later runs.

    Raises EngineError("no_space" or "bad_request") where it cannot be made.
    """

    def __init__(self, request: Any) -> None:
        self.run_id = uuid.uuid4().hex[:8]
        self.path = folders.runs() / self.run_id
        self.request_file = self.path / "request.json"
        try:
            self._fill(request)
        except OSError as error:
            shutil.rmtree(self.path, ignore_errors=True)
            raise _not_made(self.path, error) from error

    def _fill(self, request: Any) -> None:
        self.path.mkdir(parents=True)
        self._not_there = [folder for place in _places(request) for folder in folders.missing(place)]
        (self.path / _RUNNING).touch()
        self.request_file.write_text(codec.dump_request(request), encoding="utf-8")
        self.log = RunLog(self.path / "run.log")
        prune(folders.runs())

    def cancel(self) -> None:
        """Asks the worker to stop. Raises OSError where it cannot be asked."""
        (self.path / events.CANCEL_FILE).touch()

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.log.close()
        folders.remove_empty(sorted(self._not_there, key=lambda folder: len(folder.parts), reverse=True))
        with suppress(OSError):  # the user may have emptied the folder
            (self.path / _RUNNING).unlink()


class RunLog:
    """A log file that threads share, that a flood cannot fill the disk with and that cannot fail the run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("w", encoding="utf-8", errors="replace", buffering=1)
        self._room = LOG_LIMIT_CHARACTERS
        self._lock = threading.Lock()
        self._began = time.monotonic()

    def write(self, text: str) -> None:
        """A line, with the seconds since the start."""
        with self._lock:
            if self._room <= 0 or self._file.closed:
                return
            self._room -= len(text) + 10
            try:
                self._file.write(f"{time.monotonic() - self._began:8.1f} {text}\n")
                if self._room <= 0:
                    self._file.write("The log is full; what follows is left out.\n")
            except OSError:  # the disk is full or gone; what the worker says of that must still come through
                self._room = 0

    def close(self) -> None:
        """No more lines."""
        with self._lock, suppress(OSError):  # a full disk refuses the last words
            self._file.close()


def prune(parent: Path, keep: int = KEPT_RUNS) -> None:
    """Removes the oldest run folders beyond ``keep``, but none that is at work."""
    now = time.time()
    found = []
    for folder in parent.iterdir():
        try:
            found.append((folder.stat().st_mtime, folder))
        except OSError:  # removed by another QGIS at this moment
            continue
    for changed, folder in sorted(found, reverse=True)[keep:]:
        if not (folder / _RUNNING).exists() or now - changed > FORGOTTEN_AFTER_S:
            shutil.rmtree(folder, ignore_errors=True)


def clear_parts(request: Any, run_id: str, attempts: int = 5) -> List[Path]:
    """Removes what a dead worker left beside the targets of ``request``. Returns what could not be removed."""
    left = [path for folder in _places(request) for path in folder.glob(f"*.part-{run_id}*")]
    for attempt in range(attempts):
        left = [path for path in left if not _removed(path)]
        if not left:
            break
        # Windows frees the files of a killed process a moment later
        time.sleep(0.1 * (attempt + 1))
    return left


def _places(request: Any) -> Iterable[Path]:
    """Folders in which the run may write: those of its targets, and the model store."""
    targets = (getattr(request, name) for name in request.OUTPUTS)
    return sorted({folders.model_store(), *(leads_to(Path(target)).parent for target in targets if target)})


def _not_made(folder: Path, error: OSError) -> EngineError:
    """The failure to tell where the folder of a run cannot be made."""
    full = error.errno in _NO_SPACE
    remedy = "Free some space there" if full else "See to it that you may write there"
    return EngineError(
        "no_space" if full else "bad_request",
        f"The run's folder {folder} cannot be made: {error.strerror or error}.",
        f"{remedy}, or set {folders.HOME_VARIABLE} to another folder.",
    )


def _removed(path: Path) -> bool:
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
