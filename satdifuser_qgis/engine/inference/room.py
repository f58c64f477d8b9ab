"""How long a map takes and whether the disks have room for it, asked before hours of computing."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from ...protocol.errors import EngineError
from ...protocol.folders import missing
from ..raster.read import Raster
from ..raster.write import in_bytes
from .landcover_model import LandCoverModel
from .mapping import MapPlan
from .tiles import read_tile

# Pixels a second, written, compressed and brought to the coarser levels on one core.
WRITTEN = 10_000_000


def expected_seconds(plan: MapPlan, model: LandCoverModel, raster: Raster, targets: int) -> float:
    """Seconds for all tiles that may hold data and for writing so many targets.

    Measured on the first tile, once it has warmed up. Reading goes on beside computing: the slower one counts.
    """
    held = plan.window.intersection(raster.filled.around())
    grid = plan.grid.touching(held)
    tile_s = 0.0
    for _ in range(0 if held.empty else 2):
        row, column = grid.rows[0], grid.columns[0]
        started = time.perf_counter()
        tile, _ = read_tile(raster, plan.bands, plan.scaling, row, column, grid.side)
        read = time.perf_counter()
        model.logits(tile[None], raster, [(row, column)])
        tile_s = max(read - started, time.perf_counter() - read)
    pixels = plan.window.height * plan.window.width
    return tile_s * len(grid.rows) * len(grid.columns) + pixels * targets / WRITTEN


def check_room(pixel_bytes: Mapping[str, int], plan: MapPlan, raster: Raster, duration: str) -> None:
    """Raises EngineError("no_space") with sizes and time where a disk is too small for all that is to be written.

    ``pixel_bytes``: about what each target takes for a pixel, scratch files beside it included. ``duration``: how
    long the map takes, in words, "" where that is not known.
    """
    pixels = plan.window.height * plan.window.width
    needed: dict[int, int] = {}
    folders: dict[int, Path] = {}
    for target, each in pixel_bytes.items():
        folder = _existing(Path(target).absolute().parent)
        disk = os.stat(folder).st_dev
        folders.setdefault(disk, folder)
        needed[disk] = needed.get(disk, 0) + each * pixels
    for disk, folder in folders.items():
        free = shutil.disk_usage(folder).free
        if free < needed[disk]:
            time_and = f"{duration} and " if duration else ""
            size = f"{plan.window.width} × {plan.window.height} pixels"
            raise EngineError(
                "no_space",
                f'Mapping {size} of "{raster.name}" takes {time_and}about {in_bytes(needed[disk])} on '
                f'the disk of "{folder}", which has {in_bytes(free)} free.',
                f"{_smaller(plan, raster)} Or free some space, choose another disk, or leave out outputs.",
            )


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one around it that exists."""
    there = missing(folder)
    return there[-1].parent if there else folder


def _smaller(plan: MapPlan, raster: Raster) -> str:
    """Advice on the extent: where the data lie, if the file says so."""
    held = plan.window.intersection(raster.filled.around())
    if held.empty or held == plan.window:
        return "Map a smaller extent."
    extent = ", ".join(f"{value:.10g}" for value in raster.grid.crop(held).extent)
    return f"Map a smaller extent: all data lie in {held.width} × {held.height} pixels, {extent}."
