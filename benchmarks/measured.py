"""What a command costs: time, processor time and peak memory, its own and of nothing else.

Run as a script it is the thin process in between: on Linux the peak of a new process starts at the size of the one
that it is started from, so a command started from a benchmark with libraries loaded would seem at least as large.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# ru_maxrss counts KiB on Linux, bytes on macOS
MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024
TOLD_LINES = 12


@dataclass(frozen=True)
class Cost:
    """Of a process and the children that it waited for. ``memory_mib``: the most that one of them held at a time."""

    seconds: float
    cpu_seconds: float
    memory_mib: float

    def __add__(self, later: Cost) -> Cost:
        """One after the other."""
        memory = max(self.memory_mib, later.memory_mib)
        return Cost(self.seconds + later.seconds, self.cpu_seconds + later.cpu_seconds, memory)


def run(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Cost:
    """Runs a command to its end; ``folder`` (made if missing) gets its cost and what it printed.

    Raises RuntimeError with its last lines where it fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    report, log = folder / "cost.json", folder / "log.txt"
    script = [sys.executable, "-I", "-S", str(Path(__file__).resolve()), str(report.resolve())]
    with log.open("wb") as printed:
        subprocess.run([*script, *command], env=dict(environment), stdout=printed, stderr=printed, check=False)
    found = json.loads(report.read_text(encoding="utf-8"))
    if found.pop("status"):
        last = log.read_text(encoding="utf-8", errors="replace").splitlines()[-TOLD_LINES:]
        raise RuntimeError("\n".join([f"{' '.join(command)} failed:", *last]))
    return Cost(**found)


def main(report: str, command: Sequence[str]) -> None:
    """The process in between."""
    started = time.perf_counter()
    # time limits end it as Ctrl-C does
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # a session of its own, so that what it starts can be ended with it
    process = subprocess.Popen(command, start_new_session=True)
    threading.Thread(target=_end_with_parent, args=(process.pid,), daemon=True).start()
    try:
        _, status, usage = os.wait4(process.pid, 0)
    finally:
        _end(process.pid)
    cost = {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "memory_mib": usage.ru_maxrss * MAXRSS_BYTES / 2**20,
        "status": status,
    }
    Path(report).write_text(json.dumps(cost), encoding="utf-8")


def _end_with_parent(group: int) -> None:
    """A benchmark that is ended leaves nothing running."""
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(1)
    _end(group)


def _end(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
