"""Parts of a map computed by the workers of a Dask cluster, the same to the bit as on one computer.

The process that was asked plans, and writes what comes back. A worker is told its part as JSON, opens raster and model
by the paths that they have here, and sends back the arrays that are written. Only the process that names a scheduler,
and the cluster, need dask.distributed; the scheduler needs nothing of ours.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Any

import torch

from ...protocol.choices import DEVICE
from ...protocol.codec import from_plain, to_plain
from ...protocol.errors import EngineError
from ...protocol.folders import plugin_version
from ...protocol.nodata import NoData
from ..failures import explain
from ..raster.grid import Window
from ..raster.read import Raster, open_raster
from ..reporter import Reporter, Silent
from ..threads import set_threads
from .device import choose_device, device_title
from .landcover_model import LandCoverModel
from .mapping import MapPlan, strip_windows
from .products import MakeArrays, ProductMaker, Products, map_products

CONNECT_S = 10.0
# How long to wait for a worker where there is none: a nanny starts a dead one again within seconds.
ALONE_S = 60.0
POLL_S = 0.2
# Parts that are under way at once, a worker: one that it computes, one that waits for it.
UNDER_WAY = 2
# At the top of each part a row of tiles is computed that the part above has computed too; long parts cost fewer of
# them, but more work where a worker is lost, and more memory.
MOST_STRIPS, LARGEST_PART = 16, 256 * 2**20
_SAME_FILES = "Every worker must see the raster, the model and its backbone under the paths that they have here."

# torch's threads and the model belong to the process, whatever number of threads a worker was started with.
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Job:
    """What a worker is told with every part of a map. ``device`` is one of `DEVICE`, never automatic.

    ``versions`` come first: another version may understand the rest otherwise, or not at all.
    """

    versions: dict[str, str]
    raster: str
    fingerprint: str
    model: str
    digest: str
    device: str
    threads: int
    wanted: tuple[str, ...]
    plan: MapPlan
    nodata: NoData


@dataclass(frozen=True)
class Done:
    """A part as a worker gives it back; ``processor`` is what decides about the last bit."""

    products: list[tuple[Window, Products]]
    worker: str
    processor: str


class Cluster:
    """The workers of a running Dask scheduler; a context manager."""

    def __init__(self, address: str) -> None:
        """Raises EngineError where dask.distributed is missing, or no scheduler with workers answers within 10 s."""
        self.address = address
        self._dask = _library()
        self._reach()
        self._client = self._dask.Client(address, timeout=CONNECT_S, set_as_default=False)
        try:
            self._client.wait_for_workers(1, timeout=CONNECT_S)
        except (OSError, self._dask.TimeoutError) as error:
            self._client.close()
            raise self._no_workers(CONNECT_S) from error

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # a scheduler that is gone cannot be taken leave of
        with suppress(OSError, self._dask.TimeoutError):
            self._client.close()

    def map_products(
        self,
        model_file: Path,
        device: torch.device,
        plan: MapPlan,
        raster: Raster,
        make: ProductMaker,
        reporter: Reporter,
        is_finished: Callable[[Window], bool],
    ) -> Generator[tuple[Window, MakeArrays], None, None]:
        """As `products.map_products`, in the same order. Memory holds one part, the workers' two each.

        Raises EngineError: what a worker could not do, and crashed where the cluster is lost.
        """
        job = _job(model_file, device, plan, raster, make)

        def missing(window: Window) -> bool:
            return not window.empty and not is_finished(window) and raster.filled.meets(window)

        with self._told():
            workers = self._workers()
        parts = cut(plan, missing, strips_a_part(plan, missing, make.pixel_bytes, workers))
        tiles = sum(part.tiles for part in parts)
        reporter.log(
            f"{workers} workers of the Dask cluster at {self.address} compute {len(parts)} parts, {tiles} tiles."
        )
        known = {_processor(device)}
        for done in self._in_order(job, parts, reporter):
            if done.processor not in known:
                known.add(done.processor)
                reporter.log(_other_processor(done, _processor(device)), "warning")
            for window, products in done.products:
                # the worker has made them
                yield window, partial(dict, products)

    def _in_order(self, job: Job, parts: list[MapPlan], reporter: Reporter) -> Iterator[Done]:
        """What the workers give back, part by part. Dask itself gives the parts of a lost worker to the others."""
        total, done = sum(part.tiles for part in parts), 0
        todo, waiting = deque(parts), deque[tuple[int, Any]]()
        try:
            while todo or waiting:
                with self._told():
                    while todo and len(waiting) < UNDER_WAY * max(1, self._workers()):
                        part = todo.popleft()
                        text = json.dumps(to_plain(replace(job, plan=part)))
                        waiting.append((part.tiles, self._client.submit(_errand(), text, pure=False)))
                    self._wait(waiting, done, total, reporter)
                    result: Done = waiting[0][1].result()
                done += waiting.popleft()[0]
                yield result
        finally:
            # what a worker is computing goes on to the end of its part, what waits does not begin
            with suppress(OSError, self._dask.TimeoutError):
                if waiting and self._client.status == "running":
                    self._client.cancel([future for _, future in waiting])

    def _wait(self, waiting: deque[tuple[int, Any]], done: int, total: int, reporter: Reporter) -> None:
        """Returns once the first part is there. Raises EngineError where nobody is left to compute it."""
        last_seen = time.monotonic()
        while True:
            ready = sum(tiles for tiles, future in waiting if future.done())
            reporter.progress(done + ready, total, "tiles", "Mapping on the cluster")
            if waiting[0][1].done():
                return
            if self._workers():
                last_seen = time.monotonic()
            elif time.monotonic() - last_seen > ALONE_S:
                raise self._no_workers(ALONE_S)
            time.sleep(POLL_S)

    def _workers(self) -> int:
        return len(self._client.nthreads())

    def _reach(self) -> None:
        """Raises EngineError("bad_request") unless a scheduler answers. Dask's client alone would wait without end for
        what listens there and is no scheduler, such as the page that shows a scheduler's state."""

        async def call() -> None:
            arguments = self._dask.Security().get_connection_args("client")
            connection = self._dask.connect(self.address, timeout=CONNECT_S, **arguments)
            await (await asyncio.wait_for(connection, CONNECT_S)).close()

        try:
            asyncio.run(call())
        # another server's answer is taken for a length, which no memory can hold
        except (OSError, asyncio.TimeoutError, ValueError, MemoryError) as error:
            raise EngineError(
                "bad_request",
                f'No Dask scheduler answers at "{self.address}" within {CONNECT_S:g} s.',
                "Give the address that the scheduler tells when it starts, such as tcp://192.168.0.10:8786.",
                str(error),
            ) from error

    def _no_workers(self, seconds: float) -> EngineError:
        return EngineError(
            "crashed",
            f"The Dask cluster at {self.address} has had no worker for {seconds:g} s.",
            f"Start some (dask worker {self.address} --nthreads 1), then run it again: it goes on where it stopped.",
        )

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turns what Dask raises into sentences."""
        try:
            yield
        except self._dask.KilledWorker as error:
            raise EngineError(
                "crashed",
                "The workers that computed one part of the map ended, one after the other.",
                "Their logs say why. Most often memory is short: start fewer on a computer, or with a higher "
                "--memory-limit.",
            ) from error
        except (OSError, self._dask.TimeoutError, self._dask.CancelledError) as error:
            raise EngineError(
                "crashed",
                f"The connection to the Dask scheduler at {self.address} was lost, or it gave up the work.",
                "Run it again once the cluster is there: it goes on where it stopped.",
            ) from error
        except ModuleNotFoundError as error:
            raise EngineError(
                "engine_broken",
                f"A worker of the Dask cluster lacks a library: {error}.",
                "Start the workers with the engine's Python, and with the folder that holds satdifuser_qgis in "
                "PYTHONPATH.",
            ) from error


def cut(plan: MapPlan, missing: Callable[[Window], bool], most: int) -> list[MapPlan]:
    """The plan in parts of at most ``most`` strips of a block that follow one another, without those not missing."""
    parts = []
    for block in plan.blocks():
        for wanted, group in groupby(strip_windows(plan, block), missing):
            strips = list(group) if wanted else []
            for first in range(0, len(strips), most):
                part = strips[first : first + most]
                height = part[-1].row + part[-1].height - part[0].row
                parts.append(plan.cut(Window(part[0].row, block.col, height, block.width)))
    return parts


def strips_a_part(plan: MapPlan, missing: Callable[[Window], bool], pixel_bytes: int, workers: int) -> int:
    """How many strips make a part: as many as share the work out, within memory and what may be lost."""
    strips = [window for block in plan.blocks() for window in strip_windows(plan, block) if missing(window)]
    fair = -(-len(strips) // (UNDER_WAY * workers or 1))
    largest = max((window.height * window.width * pixel_bytes for window in strips), default=1)
    return max(1, min(fair, MOST_STRIPS, max(2, LARGEST_PART // largest)))


def _library() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise EngineError(
            "engine_broken",
            f"A cluster needs the package dask.distributed, which {sys.executable} cannot load.",
            f'Install it: {sys.executable} -m pip install "dask[distributed]"',
            str(error),
        ) from error
    return distributed


def _job(model_file: Path, device: torch.device, plan: MapPlan, raster: Raster, make: ProductMaker) -> Job:
    return Job(
        versions=_versions(),
        # what GDAL alone understands, such as /vsizip/, stays as it is
        raster=os.path.abspath(raster.path) if os.path.exists(raster.path) else raster.path,
        fingerprint=raster.fingerprint(),
        model=os.path.abspath(model_file),
        digest=_digest(model_file),
        device=device.type,
        threads=torch.get_num_threads(),
        wanted=tuple(sorted(make.wanted)),
        plan=plan,
        nodata=raster.nodata,
    )


def _versions() -> dict[str, str]:
    """Of all that computes; with others the last bits may differ."""
    return {"SatDiFuser": plugin_version()} | {name: version(name) for name in ("torch", "diffusers", "numpy")}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _processor(device: torch.device) -> str:
    return torch.backends.cpu.get_cpu_capability() if device.type == "cpu" else device_title(device)


def _other_processor(done: Done, here: str) -> str:
    return (
        f"The worker {done.worker} computes with {done.processor}, this computer with {here}: the map is as good, but "
        "single pixels may differ in the last bit from one that was made here."
    )


def _errand() -> Callable[[str], Done]:
    """What is sent to workers: a function that travels as a whole, being nested, so that the scheduler, which reads it
    too, needs neither us nor torch."""
    name = __name__

    def map_part(job: str) -> Done:
        from importlib import import_module

        done: Done = import_module(name).map_part(job)
        return done

    return map_part


def map_part(job: str) -> Done:
    """On a worker: computes a part. Raises EngineError that names the worker."""
    worker = str(_library().get_worker().address)
    with _one_at_a_time:
        try:
            return _map_part(json.loads(job), worker)
        except Exception as error:  # the rim of a process: all that fails is told where the map is wanted
            failure = explain(error)
    # Raised here, so that no other exception hangs on it: those of GDAL cannot travel.
    remedy = _SAME_FILES if failure.code in ("bad_input", "bad_model") else failure.remedy
    told = f"The worker {worker} of the cluster says: {failure.message}"
    raise EngineError(failure.code, told, remedy, failure.detail)


def _map_part(plain: dict[str, Any], worker: str) -> Done:
    _check_versions(plain["versions"])
    job = from_plain(Job, plain, "job")
    threads = set_threads(job.threads)
    if threads != job.threads:
        raise EngineError(
            "bad_request",
            f"it has {threads} cores, but {job.threads} threads were asked for.",
            f'Set "threads" in the request to {threads} or less.',
        )
    model = _model(job.model, job.digest, job.device)
    make = ProductMaker(model.header.classes, job.wanted)
    with open_raster(job.raster, job.nodata) as raster:
        if raster.fingerprint() != job.fingerprint:
            raise EngineError("bad_input", f"{job.raster} is another raster there.")
        mapped = map_products(model, job.plan, raster, make, Silent())
        products = [(window, make_arrays()) for window, make_arrays in mapped]
    return Done(products, worker, _processor(model.device))


def _check_versions(wanted: dict[str, str]) -> None:
    here = _versions()
    differing = [name for name in wanted if here.get(name) != wanted[name]]
    if differing:
        told = ", ".join(f"{name} {here.get(name, 'none')} instead of {wanted[name]}" for name in differing)
        raise EngineError("engine_broken", f"it runs {told}.", "Install the same versions here and on all workers.")


@lru_cache(maxsize=1)
def _model(path: str, digest: str, device: str) -> LandCoverModel:
    """Kept for the parts that follow, and for the next map with this model."""
    if _digest(Path(path)) != digest:
        raise EngineError("bad_model", f"{path} is another model there.")
    return LandCoverModel.load(Path(path), choose_device(DEVICE.index(device)))
