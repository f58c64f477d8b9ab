"""Bootstrap of tests: the real worker, with "segment" played by this file; ``model`` names what happens."""

from __future__ import annotations

import ctypes
import errno
import importlib
import os
import runpy
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "satdifuser_qgis"


def run(request, reporter, outputs):
    from satdifuser_qgis.engine.result import Result

    part = outputs.part(request.output)
    part.write_text("half")
    part.with_name(part.name + ".aux.xml").write_text("a side file")
    reporter.log("The task has begun.")
    reporter.progress(1, 4, "tiles", "Working")
    values = TASKS[request.model](request, reporter) or {}
    return Result({"OUTPUT": request.output}, values)


def works(request, reporter):
    reporter.metric("loss", float("nan"))
    reporter.progress(4, 4, "tiles", "Working")
    return {"SECONDS": 1.5, "DEVICE_USED": "cpu", "Größe": "ä"}


def prints(request, reporter):
    print("x" * 3_000_000)
    os.write(1, b'{"event": "finished", "id": "?"}\n' * 1000)
    subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)


def environment(request, reporter):
    import rasterio.crs

    epsg = rasterio.crs.CRS.from_epsg(32632).to_epsg()
    return {"names": " ".join(sorted(os.environ)), "epsg": epsg, "paths": os.pathsep.join(sys.path)}


def wrong_number(request, reporter):
    return {"MIOU": float("nan")}


def cooperative(request, reporter):
    while True:
        reporter.check()
        time.sleep(0.01)


def without_checks(request, reporter):
    while True:
        time.sleep(0.01)


def deaf(request, reporter):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Path(request.input).parents[1].joinpath("pids").write_text(f"{os.getpid()} {child.pid}")
    while True:
        time.sleep(0.01)


def holds_the_lock(request, reporter):
    ctypes.PyDLL(None).sleep(3)


def frozen(request, reporter):
    os.kill(os.getpid(), signal.SIGSTOP)


def segfault(request, reporter):
    ctypes.string_at(0)


def killed(request, reporter):
    os.kill(os.getpid(), signal.SIGKILL)


def leaves(request, reporter):
    os._exit(0)


def bug(request, reporter):
    return {}["no such key"]


def memory(request, reporter):
    raise MemoryError


def torch_memory(request, reporter):
    raise RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried")


def full_disk(request, reporter):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), request.output)


def gdal_full_disk(request, reporter):
    try:
        raise OSError("TIFFAppendToStrip:Write error at scanline 0: No space left on device")
    except OSError as error:
        raise RuntimeError("Dataset could not be closed") from error


def forbidden(request, reporter):
    raise PermissionError(errno.EACCES, "Permission denied", request.output)


def missing_library(request, reporter):
    importlib.import_module("a_library_that_is_not_there")


def cuda(request, reporter):
    raise RuntimeError("CUDA error: no kernel image is available for execution on the device")


TASKS = {name: function for name, function in globals().items() if callable(function)}

if __name__ == "__main__":
    bootstrap = runpy.run_path(str(PACKAGE / "engine" / "bootstrap.py"), run_name="bootstrap")
    bootstrap["load_package"]()
    module = types.ModuleType("satdifuser_qgis.engine.tasks.segment")
    module.run = run
    sys.modules[module.__name__] = module
    worker = importlib.import_module("satdifuser_qgis.engine.worker")
    # five times as fast as in earnest, so that tests need not wait
    worker.events.ALIVE_EVERY_S, worker.events.BUSY_EVERY_S = 0.4, 0.8
    sys.exit(worker.main(sys.argv[1]))
