"""Starts the worker: ``python -I -u -X utf8 bootstrap.py REQUEST.json``.

The package is loaded by its file location, so no folder joins ``sys.path`` and nothing that lies beside the
plugin (other plugins, QGIS's libraries) can be imported by accident.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path

PACKAGE = "satdifuser_qgis"


def load_package() -> None:
    """Makes the package that this file belongs to importable under its own name."""
    folder = Path(__file__).resolve().parent.parent
    spec = importlib.util.spec_from_file_location(
        PACKAGE, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder} holds no Python package")
    module = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = module
    spec.loader.exec_module(module)


if __name__ == "__main__":
    load_package()
    exit_code = importlib.import_module(f"{PACKAGE}.engine.worker").main(sys.argv[1])
    sys.stderr.flush()
    # Every file is closed by now. Unloading torch takes a second, and graphics drivers may crash while it happens.
    os._exit(exit_code)
