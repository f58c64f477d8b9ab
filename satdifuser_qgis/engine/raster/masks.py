"""What makes pixels of a raster invalid, as its file declares it: nodata, a mask, a band of opacity."""

from __future__ import annotations

from collections.abc import Sequence

import rasterio
from rasterio.enums import ColorInterp, MaskFlags

from .bands import is_opacity


def opacity_bands(dataset: rasterio.DatasetReader, names: Sequence[str]) -> tuple[int, ...]:
    """The bands that the file declares as opacity and does not name otherwise; ``names`` are those of all bands."""
    tagged = zip(range(1, dataset.count + 1), names, dataset.colorinterp, strict=True)
    return tuple(band for band, name, tag in tagged if tag == ColorInterp.alpha and is_opacity(name))


def has_mask(dataset: rasterio.DatasetReader, band: int) -> bool:
    """Whether GDAL's mask of a band says more than opacity does, which is read from its own band."""
    return not {MaskFlags.all_valid, MaskFlags.alpha}.intersection(dataset.mask_flag_enums[band - 1])


def mask_note(dataset: rasterio.DatasetReader, name: str, bands: tuple[int, ...], opacity: tuple[int, ...]) -> str:
    """A sentence for the log on what makes pixels of the chosen bands invalid, "" where nothing does."""
    # Where a file has both, GDAL goes by the mask alone.
    declared = [band for band in bands if MaskFlags.nodata in dataset.mask_flag_enums[band - 1]]
    found = list(dict.fromkeys(f"a value is {dataset.nodatavals[band - 1]:g} (nodata)" for band in declared))
    if any(has_mask(dataset, band) and MaskFlags.per_dataset in dataset.mask_flag_enums[band - 1] for band in bands):
        found.append("the mask of the file says so")
    for band in opacity:
        found.append(f"band {band} is 0, which the file declares as opacity (if it is a measurement, name it)")
    return f'Pixels of "{name}" are left out where {", or ".join(found)}.' if found else ""
