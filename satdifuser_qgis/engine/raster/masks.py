"""What makes pixels of a raster invalid: nodata, a mask, a band of opacity, as its file or the user declares it."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
import rasterio
from rasterio.enums import ColorInterp, MaskFlags

from ...protocol.nodata import NoData
from .bands import is_opacity
from .held import Bools, Floats
from .units import Units


def opacity_bands(dataset: rasterio.DatasetReader, names: Sequence[str]) -> tuple[int, ...]:
    """The bands that the file declares as opacity and does not name otherwise; ``names`` are those of all bands."""
    tagged = zip(range(1, dataset.count + 1), names, dataset.colorinterp, strict=True)
    return tuple(band for band, name, tag in tagged if tag == ColorInterp.alpha and is_opacity(name))


def has_nodata(dataset: rasterio.DatasetReader, band: int, nodata: NoData) -> bool:
    """Whether a band's nodata value is declared, and no measurement as the user says."""
    # Where a file has both, GDAL goes by the mask alone.
    declared = MaskFlags.nodata in dataset.mask_flag_enums[band - 1]
    return declared and not {0, band}.intersection(nodata.measured)


def is_masked(dataset: rasterio.DatasetReader, band: int, nodata: NoData) -> bool:
    """Whether GDAL's mask of a band counts: not where it is made of a value that the user says is a measurement."""
    return MaskFlags.nodata not in dataset.mask_flag_enums[band - 1] or has_nodata(dataset, band, nodata)


def has_mask(dataset: rasterio.DatasetReader, band: int, nodata: NoData) -> bool:
    """Whether GDAL's mask of a band says more than opacity does, which is read from its own band."""
    flags = dataset.mask_flag_enums[band - 1]
    return is_masked(dataset, band, nodata) and not {MaskFlags.all_valid, MaskFlags.alpha}.intersection(flags)


def is_given(values: Floats, band: int, nodata: NoData, units: Units) -> Bools:
    """Which stored ``values`` of a band, of any shape, the user has set as nodata."""
    found = np.zeros(values.shape, np.bool_)
    ranges = [(low, high) for number, low, high in nodata.ranges if number in (0, band)]
    # As QGIS compares: with the numbers that it shows. It computes those of integers with scale and offset in float32.
    shown = values.astype(np.float64) * units.scale + units.offset if ranges else values
    kind = np.float32 if units.declared else values.dtype
    for low, high in ranges:
        slack = 4 * float(np.finfo(kind).eps) * max(abs(low), abs(units.offset)) if low == high else 0.0
        found |= (shown >= low - slack) & (shown <= high + slack)
    return found


def mask_note(
    dataset: rasterio.DatasetReader, name: str, bands: tuple[int, ...], opacity: tuple[int, ...], nodata: NoData
) -> str:
    """A sentence for the log on what makes pixels of the chosen bands invalid, "" where nothing does."""
    declared = [band for band in bands if has_nodata(dataset, band, nodata)]
    found = list(dict.fromkeys(f"a value is {dataset.nodatavals[band - 1]:g} (nodata)" for band in declared))
    given = [(low, high) for number, low, high in nodata.ranges if number in (0, *bands)]
    found += dict.fromkeys(f"a value is {_shown(*limits)} (nodata of the layer)" for limits in given)
    masked = [band for band in bands if has_mask(dataset, band, nodata)]
    if any(MaskFlags.per_dataset in dataset.mask_flag_enums[band - 1] for band in masked):
        found.append("the mask of the file says so")
    for band in opacity:
        found.append(f"band {band} is 0, which the file declares as opacity (give it a name if it is a measurement)")
    return f'Pixels of "{name}" are left out where {", or ".join(found)}.' if found else ""


def _shown(low: float, high: float) -> str:
    if low == high:
        return f"{low:.9g}"
    if abs(low) == sys.float_info.max:
        return f"{high:.9g} or less"
    return f"{low:.9g} or more" if high == sys.float_info.max else f"from {low:.9g} to {high:.9g}"
