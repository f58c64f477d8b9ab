"""What the engine says about itself: versions, devices, memory, disk and models, safe to paste into a report."""

from __future__ import annotations

import importlib
import platform
import shutil
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from ...protocol import folders
from ...protocol.doctor import DoctorRequest
from ...protocol.errors import EngineError
from ..encoders.weights import NAME, NotInstalled, find_weights, read_weights
from ..outputs import Outputs
from ..reporter import Reporter
from ..result import Result
from ..threads import physical_cores

LIBRARIES = ("torch", "diffusers", "rasterio", "shapely", "pyogrio", "geopandas", "sklearn", "numpy")
_DISTRIBUTIONS = {"sklearn": "scikit-learn"}
GIB = 2**30


def run(request: DoctorRequest, reporter: Reporter, outputs: Outputs) -> Result:
    """``values["engine"]`` is the text, ``values["problems"]`` the number of libraries that cannot be loaded, and
    ``values["problem"]`` the first of them as "name: error"."""
    libraries, problems = _libraries(reporter)
    lines = [
        f"Python: {platform.python_version()} ({platform.platform()})",
        f"Prefix: {folders.without_user(sys.prefix)}",
        *libraries,
        f"Encoder: {_encoder()}",
        *_devices(),
        *_memory(),
        f"Home: {folders.without_user(str(folders.home()))}, {_free_space(folders.home())} free",
        *_models(),
    ]
    first = problems[0] if problems else ""
    return Result(values={"engine": "\n".join(lines), "problems": len(problems), "problem": first})


def devices() -> dict[str, Any]:
    """torch's version, physical cores, threads and graphics devices, as plain values."""
    import torch

    cuda = []
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        cuda.append({"index": index, "name": properties.name, "memory_bytes": properties.total_memory})
    return {
        "torch": str(torch.__version__),
        "cores": physical_cores(),
        "threads": torch.get_num_threads(),
        "cuda": cuda,
        "mps": bool(torch.backends.mps.is_available()),
    }


def _libraries(reporter: Reporter) -> tuple[list[str], list[str]]:
    """A line a library, and those that cannot be loaded as "name: error"."""
    lines, problems = [], []
    for index, name in enumerate(LIBRARIES):
        reporter.progress(index, len(LIBRARIES), "libraries", f"Loading {name}")
        try:
            module = importlib.import_module(name)
            version = metadata.version(_DISTRIBUTIONS.get(name, name))
            lines.append(f"{name}: {version}{_bundled(name, module)}")
        except (ImportError, OSError) as error:
            said = folders.without_user(str(error) or type(error).__name__).splitlines()[0][:200]
            problems.append(f"{name}: {said}")
            lines.append(f"{name}: CANNOT BE LOADED ({said})")
    return lines, problems


def _bundled(name: str, module: Any) -> str:
    """The version of the C library inside, where that is what matters."""
    if name == "rasterio":
        return f" (GDAL {module.__gdal_version__}, PROJ {module.__proj_version__})"
    if name == "shapely":
        return f" (GEOS {module.geos_version_string})"
    return ""


def _encoder() -> str:
    """Its name, or why there is none: maps can be made without."""
    path = find_weights()
    if isinstance(path, NotInstalled):
        return f"missing. {path}"
    try:
        read_weights(path)
    except EngineError as error:
        return f"CANNOT BE USED ({folders.without_user(str(error))})"
    return NAME


def _devices() -> list[str]:
    try:
        found = devices()
    except (ImportError, OSError):
        return ["Devices: unknown, torch cannot be loaded"]
    lines = [f"CPU: {found['cores']} cores, {found['threads']} threads, {platform.machine()}"]
    lines += [f"CUDA {gpu['index']}: {gpu['name']}, {gpu['memory_bytes'] / GIB:.1f} GiB" for gpu in found["cuda"]]
    if not found["cuda"]:
        lines.append("CUDA: none")
    return [*lines, f"MPS: {'yes' if found['mps'] else 'none'}"]


def _memory() -> list[str]:
    import psutil

    memory = psutil.virtual_memory()
    return [f"Memory: {memory.available / GIB:.1f} GiB free of {memory.total / GIB:.1f} GiB"]


def _free_space(folder: Path) -> str:
    """Free space of the disk where ``folder`` is or would be made."""
    while not folder.exists():
        folder = folder.parent
    return f"{shutil.disk_usage(folder).free / GIB:.1f} GiB"


def _models() -> list[str]:
    backbones = sorted(path.name for path in folders.shipped_models().glob("*") if path.is_dir())
    models = [path.name for path in folders.model_files()]
    return [f"Backbones: {', '.join(backbones) or 'none'}", f"Models: {', '.join(models) or 'none'}"]
