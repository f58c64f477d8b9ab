"""A scikit-learn random forest on the band values of pixels, as a process of its own: ``plain_forest.py JOB.json``.

The job names image, labels (a raster of class codes, 0 unlabelled), output, threads, trees and max_features.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.windows import Window
from sklearn.ensemble import RandomForestClassifier

SEED = 0
ROWS_AT_ONCE = 128


def main(job: dict[str, Any]) -> None:
    """Learns from every labelled pixel, then writes the class codes of the whole image, strip by strip."""
    trees = RandomForestClassifier(
        job["trees"], max_features=job["max_features"], n_jobs=job["threads"], random_state=SEED
    )
    with rasterio.open(job["image"]) as image, rasterio.open(job["labels"]) as labels:
        codes = labels.read(1)
        labelled = codes > 0
        trees.fit(image.read()[:, labelled].T, codes[labelled])
        profile = {"driver": "GTiff", "count": 1, "dtype": "uint16", "width": image.width, "height": image.height}
        with rasterio.open(job["output"], "w", **profile, crs=image.crs, transform=image.transform) as output:
            for row in range(0, image.height, ROWS_AT_ONCE):
                strip = Window(0, row, image.width, min(ROWS_AT_ONCE, image.height - row))
                values = image.read(window=strip)
                found = trees.predict(values.reshape(image.count, -1).T).reshape(values.shape[1:])
                output.write(found.astype(np.uint16), 1, window=strip)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
