"""Task of "Map land cover with a model": one raster in; class raster, polygons, probabilities, entropy, report out."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from types import TracebackType

import numpy as np
import torch

from ...protocol.classes import LandCoverClass
from ...protocol.codec import to_plain
from ...protocol.errors import EngineError
from ...protocol.folders import plugin_version
from ...protocol.segment import SegmentRequest
from ..inference.cluster import Cluster
from ..inference.device import choose_device, device_title
from ..inference.finished import FORM, Finished
from ..inference.landcover_model import LandCoverModel
from ..inference.mapping import MapPlan
from ..inference.pipeline import behind
from ..inference.products import NO_SHARE, MakeArrays, ProductMaker, Products, map_products
from ..inference.room import check_room, expected_seconds
from ..inference.seams import Seams
from ..inference.tiles import side_in_raster, tile_grid
from ..model_file import ModelHeader, find_model
from ..outputs import Outputs
from ..raster.areas import ClassArea, area_lines
from ..raster.changes import state_of
from ..raster.fill import fill_note
from ..raster.grid import Grid, Window, no_crs
from ..raster.normalise import Scaling, check_range, in_units, measure, units_of
from ..raster.read import Raster, open_raster
from ..raster.spots import Spots, look
from ..raster.units import units_note
from ..raster.write import BandWriter
from ..report.map_report import MapReport, map_report
from ..reporter import Reporter, Whole, in_words, took
from ..result import Result
from ..vector.class_raster import measure_classes, sieve
from ..vector.coverage import DRAWING_S, CoverageSettings, smallest_px, write_coverage

# What many tiles hold no longer fits the caches of a CPU: with the embedded backbone eight at a time were no faster
# than four, and twelve a quarter slower.
BATCH_ON_CPU, BATCH_ELSEWHERE = 4, 8
# Of tiles as they are read, four batches are held: of images much finer than the model, these must be small ones.
BATCH_PX = 2**21
# The map from before small patches were absorbed.
UNSIEVED = "-unsieved.tif"
_TRAINED = "the image that the model was trained on"
# Gives all strips but the finished ones, those of a block of columns from top to bottom.
Compute = Callable[
    [MapPlan, Raster, ProductMaker, Reporter, Callable[[Window], bool]],
    Generator[tuple[Window, MakeArrays], None, None],
]


def run(request: SegmentRequest, reporter: Reporter, outputs: Outputs, scheduler: str = "") -> Result:
    """Maps one raster, on the workers of the Dask scheduler at an address where one is given.

    Raises EngineError bad_request, bad_input, bad_model, no_overlap, device; of a cluster engine_broken, crashed.
    """
    device = choose_device(request.device)
    started = time.monotonic()
    with _cluster(scheduler) as cluster, open_raster(request.input, request.nodata) as raster:
        reporter.log("Loading the model.")
        model_file = find_model(request.model)
        model = LandCoverModel.load(model_file, device)
        plan = make_plan(request, model.header, raster, device, reporter)
        pixel_bytes = _pixel_bytes(request, model.header)
        # How long a cluster takes is not known here: it has a bar for the map, and one for the polygons.
        duration, mapping, drawing = "", reporter, reporter
        if not cluster:
            mapping_s = expected_seconds(plan, model, raster, len(pixel_bytes))
            drawing_s = DRAWING_S * plan.window.height * plan.window.width if request.polygons else 0.0
            whole = Whole(reporter, mapping_s + drawing_s)
            duration, mapping, drawing = in_words(whole.seconds), whole.part(mapping_s), whole.part(drawing_s)
        where = f"by the cluster at {scheduler}" if cluster else f"{duration} on {device_title(device)}"
        _tell(plan, model.header, raster, where, reporter)
        check_room(pixel_bytes, plan, raster, duration)
        for note in _useless_sizes(request, raster.grid):
            reporter.log(note)
        tags = _provenance(request, plan, model.header, raster)
        finished = Finished(_key(request, plan, model_file, raster, device))
        outputs.after_failure(partial(_tell_kept, finished, plan, reporter))
        with _Writers(request, plan, model.header, raster, outputs, tags, reporter) as writers:
            here = partial(map_products, model)
            compute = partial(cluster.map_products, model_file, device) if cluster else here
            seams = _map(compute, plan, raster, writers, finished, mapping)
            if not writers.any_valid:
                raise _nothing_to_map(raster)
            if seams is not None:
                tags |= (found := {"SATDIFUSER_SEAMS": f"{seams:.3f}"})
                writers.add_tags(found)
        if request.sieve:
            with reporter.phase("Absorbing small patches"):
                _write_sieved(request, plan, model.header, raster, outputs, tags, reporter)
        with reporter.phase("Measuring areas"):
            areas = measure_classes(outputs.part(request.output), model.header.classes, reporter.check)
        if request.report:
            report = map_report(_report(request, plan, model.header, raster, areas))
            outputs.part(request.report).write_text(report, encoding="utf-8")
        if request.polygons:
            with reporter.phase("Drawing polygons"):
                _write_polygons(request, model.header, outputs, tags, drawing)
    # A target that cannot be replaced must not cost what was computed.
    outputs.after_commit(finished.clear)
    seconds = time.monotonic() - started
    megapixels = plan.window.height * plan.window.width / 1e6
    for line in area_lines(areas):
        reporter.log(line)
    reporter.log(f"Mapped in {took(seconds)}.")
    values: dict[str, float | int | str] = {
        "seconds": round(seconds, 3),
        "megapixels_per_second": round(megapixels / seconds, 4),
        "device_used": device_title(device),
        "areas": json.dumps([area.figures for area in areas], ensure_ascii=False),
    }
    if seams is not None:
        values["seams"] = round(seams, 3)
    return Result({name: getattr(request, name) for name in request.OUTPUTS if getattr(request, name)}, values)


def _cluster(scheduler: str) -> contextlib.AbstractContextManager[Cluster | None]:
    """None where this process computes."""
    return Cluster(scheduler) if scheduler else contextlib.nullcontext()


def _map(
    compute: Compute, plan: MapPlan, raster: Raster, writers: _Writers, finished: Finished, reporter: Reporter
) -> float | None:
    """Takes over what an earlier run has finished; the rest is computed while we write. Gives the seam statistic."""
    seams = Seams(plan.grid)

    def write(window: Window, products: Products) -> None:
        writers.write(window, products)
        seams.add(window, products["differences"], products["ends"])

    for window, products in finished.parts():
        write(window, products)
    if finished.pixels:
        share = _share_kept(finished, plan)
        reporter.log(f"An earlier run of this was interrupted after {share}; it goes on from there.")
    keeps = finished.keeps

    def take(strip: tuple[Window, MakeArrays]) -> None:
        nonlocal keeps
        window, make_arrays = strip
        products = make_arrays()
        write(window, products)
        if finished.add(window, products) != keeps:
            keeps = False
            reporter.log("There is no room to keep more finished parts; a repeat would go on from those that are kept.")

    with contextlib.closing(compute(plan, raster, writers.make, reporter, finished.has)) as strips:
        behind(strips, take)
    ratio = seams.statistic
    if ratio is not None:
        reporter.metric("seams", ratio)
    return ratio


def _tell_kept(finished: Finished, plan: MapPlan, reporter: Reporter) -> None:
    if finished.pixels:
        share = _share_kept(finished, plan)
        reporter.log(f"What was mapped is kept: run it again with the same settings to go on from {share}.")


def _share_kept(finished: Finished, plan: MapPlan) -> str:
    """Rounded down: all of it is not said of a part."""
    return f"{int(100 * finished.pixels / (plan.window.height * plan.window.width))} %"


def _key(request: SegmentRequest, plan: MapPlan, model_file: Path, raster: Raster, device: torch.device) -> str:
    """Of everything that the pixels depend on, to the last bit; not of where they are written to.

    Empty for rasters in archives and on the net: of those it cannot be known whether they have changed.
    """
    state = state_of(raster)
    if not state:
        return ""
    settings = to_plain(request)
    settings["bands"] = plan.bands
    settings |= {name: bool(settings[name]) for name in request.OUTPUTS}
    settings |= dict.fromkeys(("min_area", "simplify", "sieve", "report"))
    parts = [
        settings,
        hashlib.sha256(model_file.read_bytes()).hexdigest(),
        state,
        to_plain(plan.scaling),
        [torch.__version__, torch.get_num_threads(), str(device), plugin_version(), FORM],
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def _pixel_bytes(request: SegmentRequest, header: ModelHeader) -> dict[str, int]:
    """About what each target takes for a pixel: an uncompressed work file and the COG made of it, as large at worst."""
    classes = np.dtype(ProductMaker(header.classes, ()).dtype).itemsize
    # Of polygons the confidence is kept as a raster, and the number of each pixel's patch, in 4 bytes. Outlines take
    # about 3.5 bytes a pixel where 3,000 patches lie in a million of them, in a scratch file and in the target.
    # Where small patches are absorbed, the map is written once more, and patches are numbered too.
    sieved = (2 * classes + 4) * bool(request.sieve)
    sizes = {"output": 2 * classes + sieved, "probabilities": 8 * len(header.classes), "entropy": 8, "polygons": 20}
    return {getattr(request, name): size for name, size in sizes.items() if getattr(request, name)}


def automatic_batch(device: torch.device, side: int) -> int:
    """How many tiles of ``side`` px of the raster share a call where none are asked for."""
    return max(1, min(BATCH_ON_CPU if device.type == "cpu" else BATCH_ELSEWHERE, BATCH_PX // side**2))


def make_plan(
    request: SegmentRequest, header: ModelHeader, raster: Raster, device: torch.device, reporter: Reporter
) -> MapPlan:
    """Bands, scaling, window and tiles. A window of the map depends on nothing else."""
    trained = (header.band_names, header.bands)
    bands = raster.choose_bands(request.bands, *trained, centres=header.band_centres_nm, reporter=reporter)
    window = Window(0, 0, raster.grid.height, raster.grid.width)
    if request.extent is not None:
        window = raster.grid.snap(request.extent)
    gsd_m = raster.grid.gsd_m
    if not (gsd_m and header.gsd_m):
        reporter.log(_unknown_size(raster, gsd_m, header.gsd_m), "warning")
    side = side_in_raster(header.tile_px, header.gsd_m, gsd_m)
    if side != header.tile_px and gsd_m is not None:
        reporter.log(
            f"Resampling from {gsd_m:.3g} m a pixel to the model's {header.gsd_m:.3g} m "
            "while mapping; the map keeps the raster's own pixels."
        )
    grid = tile_grid(raster.grid.height, raster.grid.width, side, header.tile_px, request.overlap)
    with reporter.phase("Measuring the values of the image"):
        spots = look(raster, bands)
        for warning in filter(None, (fill_note(raster, bands, spots), _unknown_units(header, raster, bands))):
            reporter.log(warning, "warning")
        scaling = scaling_for(header, raster, bands, spots)
    if scaling != header.scaling and header.scaling.low:
        reporter.log(units_note(f'"{raster.name}"', units_of(raster, bands), _TRAINED, header.units))
    return MapPlan(window, grid.touching(window), bands, scaling, request.batch or automatic_batch(device, side))


def _unknown_size(raster: Raster, gsd_m: float | None, trained_m: float) -> str:
    if gsd_m:
        return (
            f"The model was trained on pixels of unknown size, without a CRS. {raster.name} has {gsd_m:.3g} m a pixel "
            "and is mapped as it is."
        )
    trained = f"; the model was trained at {trained_m:.3g} m a pixel" if trained_m else ""
    return (
        f"{raster.name} has {no_crs(raster.grid.nowhere_wkt)}, so its pixel size in metres is unknown and areas count "
        f"pixels. It is mapped as it is{trained}."
    )


def _unknown_units(header: ModelHeader, raster: Raster, bands: tuple[int, ...]) -> str:
    """A warning where an older model meets a raster that declares scale and offset, else ""."""
    declared = [units for units in units_of(raster, bands) if units.declared]
    if header.units or not header.scaling.low or not declared:
        return ""
    return (
        f'"{raster.name}" declares {declared[0]} for its values, but the model does not say what its training image '
        "declared: the numbers are taken as they are stored. Train the model again where the two may differ."
    )


def scaling_for(header: ModelHeader, raster: Raster, bands: tuple[int, ...], spots: Spots) -> Scaling:
    """The model's constants in numbers of the raster, or its own percentiles where the model was trained so.

    Raises EngineError("bad_input") where most of the raster's values lie beyond the model's limits, or only one of
    raster and training image declares scale and offset.
    """
    if header.scaling.kind == "percentile":
        return measure("percentile", [(raster, bands)])
    scaling = in_units(header.scaling, header.units, _TRAINED, raster, bands)
    check_range(scaling, raster, spots)
    return scaling


def _nothing_to_map(raster: Raster) -> EngineError:
    return EngineError(
        "bad_input",
        f'"{raster.name}" has no valid pixel here: all are nodata, masked or beyond the range of 32-bit numbers.',
        "Choose another raster or extent, or check its nodata value.",
    )


def _tell(plan: MapPlan, header: ModelHeader, raster: Raster, duration: str, reporter: Reporter) -> None:
    listed = raster.describe_bands(plan.bands)
    reporter.log(
        f'{raster.name}: {plan.window.width} × {plan.window.height} pixels, bands {listed}; model "{header.name}", '
        f"{len(header.classes)} classes; {duration}."
    )
    note = raster.mask_note(plan.bands)
    if note:
        reporter.log(note)
    if header.decoder.get("share") == 0:
        with_maps = " with the encoder's maps" if header.encoder else ""
        reporter.log(f"This model decides by single pixels{with_maps} alone, so no diffusion features are computed.")


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
        reporter: Reporter,
    ) -> None:
        self.any_valid = False
        self._reporter = reporter
        self.window = plan.window
        wanted = {"probabilities": request.probabilities, "entropy": request.entropy, "confidence": request.polygons}
        self.make = ProductMaker(header.classes, [name for name, path in wanted.items() if path])
        names = tuple(item.name for item in header.classes)
        self._stack = contextlib.ExitStack()
        self._writers: dict[str, BandWriter] = {}

        def add(name: str, path: Path, dtype: str, nodata: float, bands: tuple[str, ...],
                classes: tuple[LandCoverClass, ...] = ()) -> None:  # fmt: skip
            place, threads = (path, raster.grid, plan.window), torch.get_num_threads()
            self._writers[name] = self._stack.enter_context(
                BandWriter(*place, len(bands), dtype, nodata, bands, classes, tags, threads)
            )

        make = self.make
        # Where small patches are absorbed, the map is made of this one.
        target = outputs.scratch(request.output, UNSIEVED) if request.sieve else outputs.part(request.output)
        classes = () if request.sieve else header.classes
        add("classes", target, make.dtype, make.nodata, ("land cover",), classes)
        if request.probabilities:
            add("probabilities", outputs.part(request.probabilities), "float32", NO_SHARE, names)
        if request.entropy:
            add("entropy", outputs.part(request.entropy), "float32", NO_SHARE, ("entropy",))
        if request.polygons:
            # Polygons need each pixel's confidence; it stays on disk, so that memory holds a strip only.
            scratch = outputs.scratch(request.polygons, "-confidence.tif")
            add("confidence", scratch, "float32", NO_SHARE, ("confidence",))

    def write(self, window: Window, products: Products) -> None:
        """Writes the arrays of a window of the raster."""
        self.any_valid |= self.make.any_valid(products)
        for name, writer in self._writers.items():
            writer.write(window.row - self.window.row, products[name], window.col - self.window.col)

    def add_tags(self, tags: dict[str, str]) -> None:
        """Provenance that is known once all is mapped."""
        for writer in self._writers.values():
            writer.add_tags(tags)

    def __enter__(self) -> _Writers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._reporter.phase("Writing") if error is None else contextlib.nullcontext():
            self._stack.__exit__(kind, error, trace)


def _write_sieved(
    request: SegmentRequest,
    plan: MapPlan,
    header: ModelHeader,
    raster: Raster,
    outputs: Outputs,
    tags: dict[str, str],
    reporter: Reporter,
) -> None:
    make, threads = ProductMaker(header.classes, ()), torch.get_num_threads()
    place = (outputs.part(request.output), raster.grid, plan.window, 1, make.dtype, make.nodata)
    found, numbers = (outputs.scratch(request.output, suffix) for suffix in (UNSIEVED, "-patches.bin"))
    tags = tags | {"SATDIFUSER_SIEVE": f"{request.sieve:g}"}
    with BandWriter(*place, ("land cover",), header.classes, tags, threads) as writer:
        sieve(found, numbers, writer, request.sieve, make.nodata, reporter.check)


def _useless_sizes(request: SegmentRequest, grid: Grid) -> list[str]:
    """A sentence for each smallest size that every patch has."""
    unit = "m²" if grid.pixel_area_m2 else "pixels"
    pixel = f"{grid.pixel_area_m2 or 1:.4g} {unit}"
    sizes = {"patch": request.sieve, "polygon": request.min_area if request.polygons else 0.0}
    return [
        f"The smallest {name} of {size:g} {unit} changes nothing, since a pixel has {pixel}."
        for name, size in sizes.items()
        if size and smallest_px(grid, size) <= 1
    ]


def _report(
    request: SegmentRequest, plan: MapPlan, header: ModelHeader, raster: Raster, areas: tuple[ClassArea, ...]
) -> MapReport:
    unit = "m²" if raster.grid.pixel_area_m2 else "pixels"
    settings = {
        "Bands": raster.describe_bands(plan.bands),
        "Size": f"{plan.window.width:,} × {plan.window.height:,} pixels",
        "Overlap of tiles": f"{request.overlap} %",
        "Smallest patch": f"{request.sieve:g} {unit}" if request.sieve else "every patch stays",
    }
    if request.polygons:
        settings["Smallest polygon"] = f"{request.min_area:g} {unit}" if request.min_area else "every polygon stays"
    tuned = " (fine-tuned)" if header.backbone.tuned else ""
    made = {
        "Model": header.name,
        "Backbone": f"{header.backbone.name} {header.backbone.revision}{tuned}",
        **({"Encoder": header.encoder.name} if header.encoder else {}),
        "SatDiFuser": plugin_version(),
    }
    miou, accuracy = (header.scores.get(name) for name in ("miou", "overall_accuracy"))
    return MapReport(raster.name, header.name, areas, miou, accuracy, tuple(settings.items()), tuple(made.items()))


def _write_polygons(
    request: SegmentRequest, header: ModelHeader, outputs: Outputs, tags: dict[str, str], reporter: Reporter
) -> None:
    sizes = {"SATDIFUSER_MIN_AREA": f"{request.min_area:g}", "SATDIFUSER_SIMPLIFY": f"{request.simplify:g}"}
    write_coverage(
        outputs.part(request.output),
        outputs.scratch(request.polygons, "-confidence.tif"),
        outputs.scratch(request.polygons, "-patches.bin"),
        outputs.scratch(request.polygons, "-outlines.gpkg"),
        outputs.part(request.polygons),
        header.classes,
        CoverageSettings(request.min_area, request.simplify),
        reporter,
        tags | sizes,
        outputs.scratch(request.output, UNSIEVED) if request.sieve else None,
    )


def _provenance(request: SegmentRequest, plan: MapPlan, header: ModelHeader, raster: Raster) -> dict[str, str]:
    version = plugin_version()
    backbone = f"{header.backbone.name} {header.backbone.revision}{' tuned' * header.backbone.tuned}"
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
