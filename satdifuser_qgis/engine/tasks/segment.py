"""Task of "Map land cover with a model": one raster in; class raster, polygons, probabilities, entropy out."""

from __future__ import annotations

import contextlib
import time
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from ...protocol.classes import LandCoverClass, nodata_for
from ...protocol.errors import EngineError
from ...protocol.folders import plugin_version
from ...protocol.segment import SegmentRequest
from ..inference.device import choose_device, device_title
from ..inference.landcover_model import LandCoverModel
from ..inference.mapping import MapPlan, Strip, map_strips
from ..inference.tiles import side_in_raster, tile_grid
from ..model_file import ModelHeader, find_model
from ..outputs import Outputs
from ..raster.grid import Window
from ..raster.normalise import Scaling, check_range, measure
from ..raster.read import Raster, open_raster
from ..raster.write import BandWriter
from ..reporter import Reporter
from ..result import Result
from ..vector.coverage import CoverageSettings, write_coverage

AUTOMATIC_BATCH = 8


def run(request: SegmentRequest, reporter: Reporter, outputs: Outputs) -> Result:
    """Maps one raster. Raises EngineError bad_request, bad_input, bad_model, no_overlap, device."""
    device = choose_device(request.device)
    started = time.monotonic()
    with open_raster(request.input) as raster:
        reporter.log("Loading the model and its backbone.")
        model = LandCoverModel.load(find_model(request.model), device)
        plan = make_plan(request, model.header, raster, reporter)
        _tell(plan, model.header, raster, device_title(device), reporter)
        tags = _provenance(request, plan, model.header, raster)
        with _Writers(request, plan, model.header, raster, outputs, tags) as writers:
            for strip in map_strips(plan, model, raster, reporter):
                writers.write(strip)
            if not writers.any_valid:
                raise _nothing_to_map(raster)
        if request.polygons:
            reporter.log("Drawing polygons.")
            _write_polygons(request, model.header, outputs, tags, reporter)
    seconds = time.monotonic() - started
    megapixels = plan.window.height * plan.window.width / 1e6
    reporter.log(f"{megapixels:.2f} megapixels in {seconds:.0f} s ({megapixels / seconds:.2f} a second).")
    values: dict[str, float | int | str] = {
        "seconds": round(seconds, 3),
        "megapixels_per_second": round(megapixels / seconds, 4),
        "device_used": device_title(device),
    }
    return Result({name: getattr(request, name) for name in request.OUTPUTS if getattr(request, name)}, values)


def make_plan(request: SegmentRequest, header: ModelHeader, raster: Raster, reporter: Reporter) -> MapPlan:
    """Bands, scaling, window and tiles. A window of the map depends on nothing else."""
    bands = raster.choose_bands(request.bands, header.band_names, header.bands)
    window = Window(0, 0, raster.grid.height, raster.grid.width)
    if request.extent is not None:
        window = raster.grid.snap(request.extent)
    gsd_m = raster.grid.gsd_m
    if gsd_m is None and header.gsd_m:
        reporter.log(
            f"{raster.name} has no coordinate reference system, so its pixel size in metres is unknown. It is "
            f"mapped as it is; the model was trained at {header.gsd_m:.3g} m a pixel.",
            "warning",
        )
    side = side_in_raster(header.tile_px, header.gsd_m, gsd_m)
    if side != header.tile_px and gsd_m is not None:
        reporter.log(
            f"Resampling from {gsd_m:.3g} m a pixel to the model's {header.gsd_m:.3g} m "
            "while mapping; the map keeps the raster's own pixels."
        )
    grid = tile_grid(raster.grid.height, raster.grid.width, side, header.tile_px, request.overlap)
    return MapPlan(
        window,
        grid.touching(window),
        bands,
        scaling_for(header, raster, bands),
        request.batch or AUTOMATIC_BATCH,
    )


def scaling_for(header: ModelHeader, raster: Raster, bands: tuple[int, ...]) -> Scaling:
    """The model's constants, or the raster's own percentiles where the model was trained so.

    Raises EngineError("bad_input") where the raster's values lie beyond limits that the user gave in training.
    """
    if header.scaling.kind == "percentile":
        return measure("percentile", [(raster, bands)])
    check_range(header.scaling, raster, bands)
    return header.scaling


def _nothing_to_map(raster: Raster) -> EngineError:
    return EngineError(
        "bad_input",
        f'"{raster.name}" has no valid pixel here: all are nodata, masked or beyond the range of 32-bit numbers.',
        "Choose another raster or extent, or check its nodata value.",
    )


def _tell(plan: MapPlan, header: ModelHeader, raster: Raster, device: str, reporter: Reporter) -> None:
    listed = raster.describe_bands(plan.bands)
    reporter.log(
        f'{raster.name}: {plan.window.width} × {plan.window.height} pixels, bands {listed}; model "{header.name}", '
        f"{len(header.classes)} classes; {plan.tiles} tiles on {device}."
    )


class _Writers:
    """The rasters that were asked for, each written strip by strip."""

    def __init__(
        self,
        request: SegmentRequest,
        plan: MapPlan,
        header: ModelHeader,
        raster: Raster,
        outputs: Outputs,
        tags: dict[str, str],
    ) -> None:
        self.any_valid = False
        self.codes = np.array([item.code for item in header.classes])
        self.nodata = nodata_for(int(code) for code in self.codes)
        dtype = "uint8" if max(self.nodata, int(self.codes.max())) <= 255 else "uint16"
        names = tuple(item.name for item in header.classes)
        self._stack = contextlib.ExitStack()

        def writer(target: str, count: int, kind: str, nodata: float, bands: tuple[str, ...],
                   classes: tuple[LandCoverClass, ...] | None = None) -> BandWriter:  # fmt: skip
            return self._stack.enter_context(
                BandWriter(outputs.part(target), raster.grid, plan.window, count, kind, nodata, bands, classes, tags)
            )

        self.classes = writer(request.output, 1, dtype, self.nodata, ("land cover",), header.classes)
        self.probabilities = self.entropy = self.confidence = None
        if request.probabilities:
            self.probabilities = writer(request.probabilities, len(names), "float32", -1.0, names)
        if request.entropy:
            self.entropy = writer(request.entropy, 1, "float32", -1.0, ("entropy",))
        if request.polygons:
            # Polygons need each pixel's confidence; it stays on disk, so that memory holds a strip only.
            scratch = outputs.scratch(request.polygons, "-confidence.tif")
            self.confidence = self._stack.enter_context(
                BandWriter(scratch, raster.grid, plan.window, 1, "float32", -1.0, ("confidence",))
            )

    def write(self, strip: Strip) -> None:
        """Classes, probabilities and entropy of finished rows; nodata where the input has none."""
        self.any_valid |= bool(strip.valid.any())
        shares = softmax(strip.logits)
        codes = np.where(strip.valid, self.codes[strip.logits.argmax(axis=0)], self.nodata)
        self.classes.write(strip.row, codes[None])
        for writer, values in (
            (self.probabilities, shares),
            (self.entropy, entropy(shares)[None]),
            (self.confidence, shares.max(axis=0, keepdims=True)),
        ):
            if writer is not None:
                writer.write(strip.row, np.where(strip.valid, values, -1.0).astype(np.float32))

    def __enter__(self) -> _Writers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """(K, h, w) shares from 0 to 1 that sum to 1 over the classes."""
    powers = np.exp(logits - logits.max(axis=0, keepdims=True))
    return np.asarray(powers / powers.sum(axis=0, keepdims=True), dtype=np.float32)


def entropy(shares: NDArray[np.float32]) -> NDArray[np.float32]:
    """(h, w) entropy of the class shares over its largest possible value: 0 is sure, 1 knows nothing."""
    bits = -(shares * np.log(np.maximum(shares, 1e-12))).sum(axis=0)
    return np.asarray(np.clip(bits / np.log(len(shares)), 0, 1), dtype=np.float32)


def _write_polygons(
    request: SegmentRequest, header: ModelHeader, outputs: Outputs, tags: dict[str, str], reporter: Reporter
) -> None:
    sizes = {"SATDIFUSER_MIN_AREA": f"{request.min_area:g}", "SATDIFUSER_SIMPLIFY": f"{request.simplify:g}"}
    write_coverage(
        outputs.part(request.output),
        outputs.scratch(request.polygons, "-confidence.tif"),
        outputs.part(request.polygons),
        header.classes,
        CoverageSettings(request.min_area, request.simplify),
        reporter,
        tags | sizes,
    )


def _provenance(request: SegmentRequest, plan: MapPlan, header: ModelHeader, raster: Raster) -> dict[str, str]:
    version = plugin_version()
    backbone = f"{header.backbone.name} {header.backbone.revision}"
    return {
        "DESCRIPTION": f'Land cover of "{raster.name}" by the model "{header.name}" '
        f"(backbone {backbone}, SatDiFuser {version})",
        "SATDIFUSER_VERSION": version,
        "SATDIFUSER_MODEL": header.name,
        "SATDIFUSER_BACKBONE": backbone,
        "SATDIFUSER_INPUT": f"{raster.name} {raster.fingerprint()}",
        "SATDIFUSER_BANDS": ",".join(str(band) for band in plan.bands),
        "SATDIFUSER_SCALING": f"{plan.scaling.kind} {plan.scaling.low} {plan.scaling.high}",
        "SATDIFUSER_OVERLAP": f"{request.overlap} %",
    }
