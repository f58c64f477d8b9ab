"""Peak memory of one map: a fresh worker, started by a process that is small itself.

    python benchmarks/throughput_memory.py COMMAND …    runs it; exit code and peak as JSON on stdout

Linux counts towards a child's peak what its parent held when it was started, so a benchmark with torch in its memory
must not start the worker by itself. Only the standard library is imported here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def measured_run(request: Path, home: Path) -> dict[str, Any]:
    """Runs a request file in a worker of its own: {"peak_bytes", "seconds"}. ``home`` is its per-user folder.

    Raises RuntimeError with what the worker said where it fails.
    """
    worker = [sys.executable, "-m", "satdifuser_qgis.engine", "run", str(request)]
    environment = {**os.environ, "SATDIFUSER_HOME": str(home)}
    started = time.monotonic()
    found = subprocess.run(
        [sys.executable, __file__, *worker], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if found.returncode:
        raise RuntimeError(f"the worker failed: {found.stderr[-2000:]}")
    return {"peak_bytes": json.loads(found.stdout)["peak_bytes"], "seconds": time.monotonic() - started}


def main(command: list[str]) -> int:
    """Runs the command and tells its own peak, in bytes. Returns its exit code."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    unit = 1 if sys.platform == "darwin" else 1024
    print(json.dumps({"peak_bytes": usage.ru_maxrss * unit}))
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
