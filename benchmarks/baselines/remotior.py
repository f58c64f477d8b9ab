"""remotior-sensus' random forest, as a process of its own, in an interpreter that has it: ``remotior.py JOB.json``.

The job names image, polygons (fields ``code`` and ``name``), output, threads and trees; all else is the library's
choice. It needs the library and GDAL's Python binding, and nothing of this project.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

AVAILABLE_RAM_MB = 2048  # the library's own choice too


def main(job: dict[str, Any]) -> None:
    """Learns from the polygons and writes the class codes of the whole image."""
    import remotior_sensus
    from osgeo import gdal
    from remotior_sensus.core import configurations

    bands = gdal.Open(job["image"]).RasterCount
    session = remotior_sensus.Session(n_processes=job["threads"], available_ram=AVAILABLE_RAM_MB)
    try:
        bandset = session.bandset_catalog().create_bandset([job["image"]], wavelengths=list(range(1, bands + 1)))
        signatures = session.spectral_signatures_catalog(bandset=bandset)
        fields = {"macroclass_field": "code", "class_field": "code"}
        names = {"macroclass_name_field": "name", "class_name_field": "name"}
        # the forest learns from the pixels, so mean spectra of polygons would only take time
        signatures.import_vector(file_path=job["polygons"], **fields, **names, calculate_signature=False)
        session.band_classification(
            input_bands=bandset,
            output_path=job["output"],
            spectral_signatures=signatures,
            macroclass=True,
            algorithm_name=configurations.random_forest_a,
            rf_number_trees=job["trees"],
        )
    finally:
        session.close()


# its workers are started by importing this file again
if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
