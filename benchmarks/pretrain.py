"""`make pretrain`: writes the request for the embedded backbone's training and runs it by the engine.

Sittings add up: each goes on from the checkpoint in --run, or where that is gone from the weights in --backbone. With
--last the learning rate falls towards the sitting's end; --distil-minutes then makes the clean pass. Several devices:
write the request with --write-only, then `torchrun --nproc_per_node N -m satdifuser_qgis.engine run REQUEST`, or
`accelerate launch` in its place.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from satdifuser_qgis.protocol.codec import dump_request  # noqa: E402 (the package lies beside this folder)
from satdifuser_qgis.protocol.pretrain import PretrainRequest, Source  # noqa: E402

EUROSAT = """**EuroSAT, RGB** (Helber, Bischke, Dengel, Borth: EuroSAT, IEEE JSTARS 2019), training part of the
project's split, re-encoded once as lossy WebP. Sentinel-2 level 1C, bands B04, B03, B02, Europe; digital numbers
0..2750 were scaled to 1..255 by the authors. Licence: MIT, Copyright (c) 2023 Patrick Helber; contains modified
Copernicus Sentinel data. Left out: fold 0 of the split's table of coordinates (whole cells of half a degree)."""
UC_MERCED = """**UC Merced Land Use** (Yang, Newsam: ACM SIGSPATIAL 2010), training part of the project's split,
re-encoded once as lossy WebP. USGS National Map urban area imagery of the United States, public domain. Left out: of
each class, in the order of the names, the first image and every fifth after it."""
NAIP = """**NAIP series**: one scene in North Dakota on ten dates, 2009 to 2020, resampled to 5 m by its publisher
(opengeos/data, MIT repository). Aerial imagery of the USDA, public domain."""
LANDSAT = """**Landsat series**: annual composites in false colour of the Ucayali river, Peru, 1985 to 2020, resampled
to 90 m by their publisher (opengeos/data, MIT repository). Imagery of the USGS, public domain."""


def sources(data: Path) -> tuple[Source, ...]:
    """What may go into weights that ship; the first is the one that probes are about."""
    eurosat, extra = data / "eurosat", data / "pretrain_extra"
    return (
        Source(str(eurosat / "train"), 10.0, str(eurosat / "train_lonlat.csv"), about=EUROSAT),
        Source(str(data / "ucmerced" / "train"), 0.3, leave_out_every=5, about=UC_MERCED),
        Source(str(extra / "naip_series.zip"), 5.0, same_ground=True, about=NAIP),
        Source(str(extra / "landsat_series.zip"), 90.0, same_ground=True, about=LANDSAT),
    )


def main() -> int:
    """Returns the engine's exit code."""
    choices = _parser().parse_args()
    first, *more = sources(choices.data.resolve())
    request = PretrainRequest(
        data=first.path,
        leave_out=first.leave_out,
        gsd_m=first.gsd_m,
        about=first.about,
        more=() if choices.eurosat_only else tuple(more),
        run=str(choices.run.resolve()),
        backbone=str(choices.backbone.resolve()),
        labels="" if choices.no_probe else str(choices.data.resolve() / "eurosat" / "train_2000_seed0.txt"),
        minutes=choices.minutes,
        steps=choices.steps,
        finish=choices.finish if choices.last else 0.0,
        distil_minutes=choices.distil_minutes,
        batch=choices.batch,
        learning_rate=choices.rate,
        contrast=choices.contrast,
        alignment=choices.alignment,
        widths=tuple(choices.widths),
        part_mb=choices.part_mb,
        probe_minutes=choices.probe_minutes,
        tried=str(choices.tried.resolve()),
        threads=choices.threads,
    )
    choices.run.mkdir(parents=True, exist_ok=True)
    file = choices.run / "request.json"
    file.write_text(dump_request(request), encoding="utf-8")
    if choices.write_only:
        print(file)
        return 0
    command = [sys.executable, "-m", "satdifuser_qgis.engine", "--verbose", "run", str(file)]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given = parser.add_argument
    given("--data", type=Path, required=True, help="folder with eurosat, ucmerced and pretrain_extra")
    given("--minutes", type=float, default=60.0, help="wall clock of this sitting; 0 leaves the weights as they are")
    given("--steps", type=int, default=0, help="end after so many steps over all sittings of --run")
    given("--last", action="store_true", help="no sitting follows: whole tiles and a falling rate towards the end")
    given("--finish", type=float, default=0.25, help="how much of the last sitting that takes")
    given("--distil-minutes", type=float, default=0.0, help="then distil the clean pass, so long")
    given("--batch", type=int, default=0, help="crops a step; 0: 128, on CUDA 2,048")
    given("--rate", type=float, default=1e-3, help="learning rate")
    given("--contrast", type=float, default=1.0, help="weight of the contrast between tiles")
    given("--alignment", type=float, default=1.0, help="weight of the alignment with the averaged network")
    given("--widths", type=int, nargs="+", default=[32, 64, 96, 128], help="channels of the network's levels")
    given("--threads", type=int, default=0, help="threads on a CPU; 0 takes them all")
    given("--no-probe", action="store_true", help="leave out the probes, which take two minutes on a CPU")
    given("--probe-minutes", type=float, default=0.0, help="probe in training too, so often")
    given("--part-mb", type=float, default=0.0, help="checkpoints in 16 bits, as files of so many MB; 0: one, exact")
    given("--eurosat-only", action="store_true", help="leave out the other sources, for trials")
    given("--tried", type=Path, default=ROOT / "benchmarks" / "tried.json", help="table of what was tried")
    given("--run", type=Path, default=ROOT / "runs" / "pretrain", help="folder of the checkpoint")
    given("--backbone", type=Path, default=ROOT / "resources" / "models" / "compact-s2-rgb")
    given("--write-only", action="store_true", help="only write the request, and tell where")
    return parser


if __name__ == "__main__":
    sys.exit(main())
