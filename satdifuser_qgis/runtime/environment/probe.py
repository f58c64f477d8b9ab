"""Runs in the engine's Python, started by file name: loads every library and says as JSON what is there.

It tries what breaks in practice: a product of matrices (torch's libraries are there and fit the processor) and a
coordinate reference system (PROJ finds its own database and no other).
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import sys
from importlib import metadata
from typing import Any, Callable, Dict

LIBRARIES = {
    "torch": "torch",
    "diffusers": "diffusers",
    "safetensors": "safetensors",
    "rasterio": "rasterio",
    "pyproj": "pyproj",
    "pyogrio": "pyogrio",
    "shapely": "shapely",
    "geopandas": "geopandas",
    "sklearn": "scikit-learn",
    "scipy": "scipy",
    "jinja2": "jinja2",
    "PIL": "pillow",
}


def _multiply(torch: Any) -> None:
    torch.ones(16, 16) @ torch.ones(16, 16)


def _look_up_crs(rasterio: Any) -> None:
    importlib.import_module("rasterio.crs").CRS.from_epsg(32632)


CHECKS: Dict[str, Callable[[Any], None]] = {"torch": _multiply, "rasterio": _look_up_crs}


def inspect() -> Dict[str, Any]:
    """Versions of what works, and problems of what does not, by library."""
    versions, problems = {}, {}
    for name, distribution in LIBRARIES.items():
        try:
            module = importlib.import_module(name)
            CHECKS.get(name, lambda _: None)(module)
            versions[name] = metadata.version(distribution)
        except Exception as error:  # whatever is wrong with a library is the answer
            problems[name] = f"{type(error).__name__}: {error}"
    return {
        "python": platform.python_version(),
        "bits": 64 if sys.maxsize > 2**32 else 32,
        "prefix": sys.prefix,
        "versions": versions,
        "problems": problems,
    }


if __name__ == "__main__":
    # a library may print while it is loaded: the answer is the last line
    sys.stdout.write("\n" + json.dumps(inspect()) + "\n")
    sys.stdout.flush()
    os._exit(0)
