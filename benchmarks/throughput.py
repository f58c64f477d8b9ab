"""Speed and memory of mapping: ours against the straightforward loop, and against what the network itself takes.

    python benchmarks/throughput.py --sizes 2048,8192 --json FILE

Two backbones: the embedded one, and a latent one of Stable Diffusion's shape with small random weights, made by this
script. Features at the model times 1, 101 and 201; a decoder with the defaults of training and random weights.

Speed is measured on one sample of tiles a backbone, in this process: three rounds of all four arms, of which the
median ratio counts. (a), (b) and (c) are whole maps from a GeoTIFF to a cloud optimised GeoTIFF, with our reader,
blending and writer, so that the loop loses nothing by them; (d) is the network alone on tensors that lie ready.

Memory is the peak resident memory of the engine's worker (`python -m satdifuser_qgis.engine run`), a fresh one a size,
that maps a whole square image of that side by (b): classes, probabilities and entropy, in the automatic batch. Only
the overlap of tiles is 0 % there instead of 25 %, which saves 44 % of the time and holds no less: strips are as high
as a tile, not three quarters of it. A side of 8192 takes minutes and about 6 GB in the temporary folder.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.throughput_memory import measured_run
from satdifuser_qgis.engine.memory import keep_freed_memory
from satdifuser_qgis.engine.reporter import in_words
from satdifuser_qgis.engine.threads import set_threads
from satdifuser_qgis.protocol.choices import DEVICE
from satdifuser_qgis.protocol.codec import dump_request
from satdifuser_qgis.protocol.folders import HOME_VARIABLE
from satdifuser_qgis.protocol.segment import SegmentRequest

if TYPE_CHECKING:
    from benchmarks.throughput_arms import Sample

EMBEDDED = "compact-s2-rgb"
REPEATS = 3
MEMORY_OVERLAP = 0
# What we aim at: at least, or at most. On a GPU inversion is to be 1.3 times as fast as the loop.
AIMS = {
    "noised_vs_loop": "≥ 4",
    "inversion_vs_loop": "≥ 1.0",
    "noised_vs_bare": "≥ 0.85",
    "memory_large_vs_small": "≤ 1.1",
    "peak_gib": "< 2",
}
LIBRARIES = ("torch", "diffusers", "rasterio", "numpy")


def compare(arguments: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Measures both backbones and prints the tables."""
    from benchmarks.throughput_inputs import latent_backbone

    backbones = {"ratios": arguments.backbone, "latent": arguments.latent or latent_backbone(work / "sd-shaped")}
    found: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []
    memory: list[dict[str, Any]] = []
    for key, backbone in backbones.items():
        folder = work / key
        folder.mkdir()
        found[key], arms, peaks = measure(backbone, folder, arguments)
        rows += arms
        memory += peaks
    print(tables(found, rows, memory), flush=True)
    made = {"made_by": "benchmarks/throughput.py", "conditions": conditions(arguments)}
    return {**made, **found, "rows": rows, "memory": memory}


def measure(
    backbone: str, folder: Path, arguments: argparse.Namespace
) -> tuple[dict[str, float], list[dict[str, Any]], list[dict[str, Any]]]:
    """One backbone: its ratios, a row an arm, a row a size."""
    from benchmarks import throughput_arms as arms
    from benchmarks.throughput_inputs import write_random_model
    from satdifuser_qgis.engine.inference.device import choose_device

    model = write_random_model(folder / "model.safetensors", backbone)
    sample = arms.open_sample(model, folder, arguments.rows, choose_device(DEVICE.index(arguments.device)))
    tell(f"{sample.model.header.backbone.name}: timing {sample.plan.tiles} tiles in {REPEATS} rounds")
    rounds = arms.time_arms(sample, REPEATS)
    speed = arms.speed_ratios(rounds)
    tell(", ".join(f"{key} {value:.2f}" for key, value in speed.items()))
    tile_s = min(taken["noised"] for taken in rounds) / sample.plan.tiles
    peaks = [memory_row(size, model, sample, tile_s, folder, arguments) for size in arguments.sizes]
    return speed | memory_ratios(peaks), arms.speed_rows(sample, rounds), peaks


def memory_row(
    size: int, model: Path, sample: Sample, tile_s: float, folder: Path, arguments: argparse.Namespace
) -> dict[str, Any]:
    """Peak memory of a worker that maps size × size pixels; ``tile_s``: seconds that a tile is expected to take."""
    from benchmarks.throughput_inputs import write_image

    name, tiles = sample.model.header.backbone.name, (-(-size // sample.plan.grid.side)) ** 2
    tell(f"{name}: mapping {size} × {size} px in a worker, {in_words(tiles * tile_s)}")
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        place = Path(scratch)
        request = SegmentRequest(
            input=write_image(place / "image.tif", size, size),
            model=str(model),
            output=str(place / "classes.tif"),
            probabilities=str(place / "probabilities.tif"),
            entropy=str(place / "entropy.tif"),
            overlap=MEMORY_OVERLAP,
            device=DEVICE.index(arguments.device),
            threads=arguments.threads,
        )
        file = place / "request.json"
        file.write_text(dump_request(request), encoding="utf-8")
        taken = measured_run(file, place / "home")
    peak = taken["peak_bytes"] / 2**30
    tell(f"{name}: {peak:.3f} GiB at most, {in_words(taken['seconds'])}")
    return {"backbone": name, "size": size, "peak_gib": peak, "seconds": taken["seconds"], "overlap": MEMORY_OVERLAP}


def memory_ratios(peaks: Sequence[dict[str, Any]]) -> dict[str, float]:
    """The largest image's peak over the smallest one's, and the highest of all."""
    ordered = sorted(peaks, key=lambda row: row["size"])
    ratio = ordered[-1]["peak_gib"] / ordered[0]["peak_gib"]
    return {"memory_large_vs_small": ratio, "peak_gib": max(row["peak_gib"] for row in peaks)}


def tables(found: dict[str, Any], rows: Sequence[dict[str, Any]], memory: Sequence[dict[str, Any]]) -> str:
    """Arms, memory, and the ratios with their aims, as markdown."""
    lines = ["| arm | backbone | Mpx/s | times the loop |", "|---|---|---:|---:|"]
    lines += [
        f"| {row['title']} | {row['backbone']} | {row['megapixels_per_second']:.4f} | {row['times_the_loop']:.2f} |"
        for row in rows
    ]
    lines += ["", "| image | backbone | peak GiB | seconds |", "|---|---|---:|---:|"]
    lines += [
        f"| {row['size']} × {row['size']} px | {row['backbone']} | {row['peak_gib']:.3f} | {row['seconds']:.0f} |"
        for row in memory
    ]
    lines += ["", f"| ratio | {memory[0]['backbone']} | {memory[-1]['backbone']} | aim |", "|---|---:|---:|---|"]
    lines += [
        f"| {name} | {found['ratios'][name]:.3f} | {found['latent'][name]:.3f} | {aim} |" for name, aim in AIMS.items()
    ]
    return "\n".join(lines)


def conditions(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the figures depend on."""
    import torch

    from benchmarks.throughput_inputs import TIMES

    chosen = {"sizes": arguments.sizes, "device": arguments.device, "threads": torch.get_num_threads()}
    chosen |= {"times": TIMES, "rows_of_tiles": arguments.rows, "repeats": REPEATS}
    overlaps = {"overlap_percent": SegmentRequest.overlap, "memory_overlap_percent": MEMORY_OVERLAP}
    machine = {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}
    return {**chosen, **overlaps, **machine, **{name: metadata.version(name) for name in LIBRARIES}}


def tell(text: str) -> None:
    """A line for whoever waits."""
    print(text, file=sys.stderr, flush=True)


def read_sizes(text: str) -> list[int]:
    """An argument type: sides of images in pixels, separated by commas."""
    sizes = [int(part) for part in text.split(",")]
    if min(sizes) < 1:
        raise argparse.ArgumentTypeError(f"{min(sizes)} is no side of an image: give 1 or more pixels")
    return sizes


def read_arguments(texts: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True, help="where the figures are written")
    parser.add_argument("--sizes", type=read_sizes, default=[2048, 8192], help="sides of images (default 2048,8192)")
    parser.add_argument("--backbone", default=EMBEDDED, help="a pixel-space folder in place of the embedded backbone")
    parser.add_argument("--latent", default="", help="a latent folder in place of the random one")
    parser.add_argument("--rows", type=int, default=2, help="rows of eight tiles in the sample (default 2)")
    parser.add_argument("--device", choices=DEVICE[1:], default="cpu", help="default cpu")
    parser.add_argument("--threads", type=int, default=0, help="default 0: one a physical core")
    return parser.parse_args(texts)


def main() -> None:
    """The command line."""
    arguments = read_arguments()
    # Before torch is loaded, as in the worker.
    set_threads(arguments.threads)
    keep_freed_memory()
    with tempfile.TemporaryDirectory(prefix="throughput-") as work:
        os.environ[HOME_VARIABLE] = work  # nothing of this belongs into the user's folders
        results = compare(arguments, Path(work))
    arguments.json.write_text(json.dumps(results, indent=1, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
