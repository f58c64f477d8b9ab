"""`make pretrain`: writes the request for the embedded backbone's training on EuroSAT and runs it by the engine."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from satdifuser_qgis.protocol.codec import dump_request  # noqa: E402 (the package lies beside this folder)
from satdifuser_qgis.protocol.pretrain import PretrainRequest  # noqa: E402

ABOUT = """Data: the RGB tiles of EuroSAT (Helber, Bischke, Dengel, Borth: EuroSAT, IEEE JSTARS 2019), training part of
the project's split, re-encoded once as lossy WebP. Sentinel-2 level 1C, bands B04, B03, B02, 10 m, Europe; digital
numbers 0..2750 were scaled to 1..255 by the authors. Licence: MIT, Copyright (c) 2023 Patrick Helber; contains
modified Copernicus Sentinel data. Left out entirely: fold 0 of the split's table of coordinates (whole cells of half a
degree)."""


def main() -> int:
    """Returns the engine's exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of EuroSAT: train/*.zip and its lists")
    parser.add_argument("--minutes", type=float, default=60.0, help="wall clock of this sitting; 0 only exports")
    parser.add_argument("--steps", type=int, default=0, help="end after so many steps over all sittings")
    parser.add_argument("--finish", type=float, default=0.2, help="share of the sitting with a falling rate")
    parser.add_argument("--batch", type=int, default=128, help="crops a step; 1024 and more suit a GPU")
    parser.add_argument("--threads", type=int, default=0, help="threads on a CPU; 0 takes them all")
    parser.add_argument("--no-probe", action="store_true", help="leave out the linear probe, which takes minutes")
    parser.add_argument("--run", type=Path, default=ROOT / "runs" / "pretrain", help="folder of the checkpoint")
    parser.add_argument("--backbone", type=Path, default=ROOT / "resources" / "models" / "compact-s2-rgb")
    choices = parser.parse_args()
    request = PretrainRequest(
        data=str((choices.data / "train").resolve()),
        run=str(choices.run.resolve()),
        backbone=str(choices.backbone.resolve()),
        leave_out=str((choices.data / "train_lonlat.csv").resolve()),
        labels="" if choices.no_probe else str((choices.data / "train_2000_seed0.txt").resolve()),
        about=ABOUT,
        minutes=choices.minutes,
        steps=choices.steps,
        finish=choices.finish,
        batch=choices.batch,
        threads=choices.threads,
    )
    choices.run.mkdir(parents=True, exist_ok=True)
    file = choices.run / "request.json"
    file.write_text(dump_request(request), encoding="utf-8")
    command = [sys.executable, "-m", "satdifuser_qgis.engine", "--verbose", "run", str(file)]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
