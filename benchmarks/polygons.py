"""Peak memory of drawing polygons: python benchmarks/polygons.py [--sizes 2000,4000,6000] [--simplify METRES]

For each size a fresh process draws a made-up map of four classes, about 3,000 patches a megapixel, into a GeoPackage.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
PATTERN_PX = 2000


def make(folder: Path, side: int) -> None:
    """A class raster of one pattern again and again, and its confidence."""
    import numpy as np
    import rasterio
    from scipy import ndimage

    rng = np.random.default_rng(0)
    fields = ndimage.gaussian_filter(rng.normal(size=(4, PATTERN_PX, PATTERN_PX)), (0, 6, 6), mode="wrap")
    codes = fields.argmax(axis=0).astype(np.uint8) + 1
    odd = rng.random(codes.shape) < 0.0012
    codes[odd] = rng.integers(1, 5, odd.sum())
    codes = np.tile(codes, (-(-side // PATTERN_PX),) * 2)[:side, :side]
    place = rasterio.Affine(10, 0, 5e5, 0, -10, 5.2e6)
    profile = {"driver": "GTiff", "count": 1, "crs": "EPSG:32633", "transform": place, "nodata": 0, "tiled": True}
    for name, values in (("classes", codes), ("confidence", codes.astype(np.float32) / 5)):
        with rasterio.open(
            folder / f"{name}.tif", "w", width=side, height=side, dtype=values.dtype, **profile
        ) as raster:
            raster.write(values, 1)


def draw(folder: Path, side: int, min_area: float, simplify: float) -> None:
    """Prints one row. The peak counts the file of patch numbers, 4 bytes a pixel, which the system may drop."""
    from satdifuser_qgis.engine.reporter import Silent
    from satdifuser_qgis.engine.vector.coverage import CoverageSettings, write_coverage

    names = ("classes.tif", "confidence.tif", "numbers.bin", "outlines.gpkg", "map.gpkg")
    settings = CoverageSettings(min_area, simplify)
    count = write_coverage(*(folder / name for name in names), classes=(), settings=settings, reporter=Silent())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{side**2 / 1e6:6.0f} megapixels {count:8d} polygons, peak {peak:5.0f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="2000,4000,6000", help="sides of the maps in pixels")
    parser.add_argument("--min-area", type=float, default=0.0, help="smallest polygon in m²")
    parser.add_argument("--simplify", type=float, default=0.0, help="how much borders are simplified, in metres")
    parser.add_argument("--step", nargs=3, metavar=("STEP", "FOLDER", "SIDE"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.step:
        step, folder, side = chosen.step
        if step == "make":
            make(Path(folder), int(side))
        else:
            draw(Path(folder), int(side), chosen.min_area, chosen.simplify)
        return
    for side in chosen.sizes.split(","):
        with tempfile.TemporaryDirectory() as folder:
            for step in ("make", "draw"):
                command = [sys.executable, __file__, *sys.argv[1:], "--step", step, folder, side]
                subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
