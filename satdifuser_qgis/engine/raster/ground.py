"""Rasters that are refused: without bands, of complex numbers, or in no map geometry."""

from __future__ import annotations

import rasterio

from ...protocol.errors import EngineError

# Of a pixel, in units of the CRS: degrees too are larger where there is anything to see.
_LEAST_AREA = 1e-20
_MOST_NAMED = 20


def check_ground(dataset: rasterio.DatasetReader, path: str, name: str) -> None:
    """Raises EngineError("bad_input") for what is no image on the ground; ``name`` is the raster's."""
    if dataset.count == 0:
        raise _no_bands(dataset, path)
    if any(kind.startswith("complex") for kind in dataset.dtypes):
        raise EngineError(
            "bad_input",
            f'The raster "{name}" has complex values ({dataset.dtypes[0]}).',
            "Whole numbers and real numbers are read: compute amplitude or intensity first.",
        )
    if dataset.transform.is_identity and dataset.gcps[0]:
        raise EngineError(
            "bad_input",
            f'The raster "{name}" has ground control points but no geotransform.',
            "Warp it first (Raster > Projections > Warp).",
        )
    if dataset.transform.is_identity and dataset.rpcs is not None:
        raise EngineError(
            "bad_input",
            f'The raster "{name}" is in sensor geometry (only RPCs, no geotransform).',
            "Orthorectify it first (gdalwarp -rpc).",
        )
    if not abs(dataset.transform.determinant) > _LEAST_AREA:
        raise EngineError(
            "bad_input",
            f'The pixels of the raster "{name}" have no area: its geotransform is damaged.',
            "Set its extent anew (gdal_edit -a_ullr), or get the file again.",
        )


def _no_bands(dataset: rasterio.DatasetReader, path: str) -> EngineError:
    inside = [text for key, text in dataset.tags(ns="SUBDATASETS").items() if key.endswith("_NAME")]
    if not inside:
        return EngineError("bad_input", f'The file "{path}" holds no bands.', "Choose another raster.")
    listed = ", ".join(inside[:_MOST_NAMED]) + ", …" * (len(inside) > _MOST_NAMED)
    return EngineError(
        "bad_input",
        f'The file "{path}" holds several rasters: {listed}.',
        "Give one of them as it is written here, or first make one image of those that are its bands (in QGIS: Raster "
        "> Miscellaneous > Build Virtual Raster, each file in a separate band).",
    )
