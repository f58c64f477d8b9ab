"""How many cores the engine uses."""

from __future__ import annotations

import os
import sys

VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def physical_cores() -> int:
    """Cores that this process may use, without hyper-threads: those slow convolutions down."""
    import psutil

    physical = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        return max(1, min(physical, len(os.sched_getaffinity(0))))
    return int(physical)


def set_threads(wanted: int) -> int:
    """Bounds the threads of numerical libraries; 0 = one a physical core. Returns how many.

    Never more than there are cores: thousands of threads end the process.
    """
    threads = min(wanted, os.cpu_count() or 1) if wanted > 0 else physical_cores()
    for name in VARIABLES:
        os.environ[name] = str(threads)
    # Threads wait for each other hundreds of times a training step. Those that sleep at once (passive) made a step
    # 1.8 times longer than those that spin for some microseconds first; those that spin on (OpenMP's own choice) fight
    # with everything else on a desktop: beside one other busy process a step took 1.7 times as long.
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")
    if "torch" in sys.modules:
        # torch reads the variables only when it is imported
        sys.modules["torch"].set_num_threads(threads)
    return threads
