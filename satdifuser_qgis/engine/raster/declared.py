"""What a file declares of its bands: wavelengths, the sensor, and the files that a virtual raster stacks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import rasterio

# Factors to nm by unit; without one, small numbers are micrometres. Others (index, wave number) give no wavelength.
_UNITS = {r"nm|nanomet\w+": 1, r"[uµμ]m|micromet\w+|microns?": 1000, r"|unknown": 0}
# Beyond these, in nm, a number is no wavelength of light.
_LIGHT = (300, 20_000)
# Tags in which products say of which sensor they are.
_SENSOR_TAGS = ("SPACECRAFT", "SATELLITE", "SENSOR", "PLATFORM", "MISSION", "INSTRUMENT", "SCENE", "PRODUCT", "SOURCE")


def declared_centres(dataset: rasterio.DatasetReader) -> tuple[float, ...]:
    """The bands' centre wavelengths in nm that the file declares, 0 where it does not."""
    numbers = range(1, dataset.count + 1)
    tags = ((dataset.tags(number), dataset.tags(number, ns="IMAGERY")) for number in numbers)
    described = zip(dataset.descriptions, tags, strict=True)
    return tuple(_centre(text or "", own, imagery) for text, (own, imagery) in described)


def _centre(description: str, tags: Mapping[str, str], imagery: Mapping[str, str]) -> float:
    """The centre wavelength in nm that a band's tags or description give, 0 where they give none."""
    lower = {key.lower(): value for key, value in tags.items()}
    units = lower.get("wavelength_units", lower.get("wavelength_unit", ""))
    in_name = re.search(r"(?i)([0-9]+(?:\.[0-9]+)?) ?(nm|nanomet\w+|[uµμ]m|micromet\w+)\b", description)
    for value, unit in (
        (imagery.get("CENTRAL_WAVELENGTH_UM", ""), "um"),
        (lower.get("wavelength", ""), units),
        in_name.groups() if in_name else ("", ""),
    ):
        centre = _nanometres(value, unit)
        if centre:
            return centre
    return 0.0


def _nanometres(value: str, unit: str) -> float:
    factor = next((factor for names, factor in _UNITS.items() if re.fullmatch(names, unit.strip().lower())), None)
    try:
        number = float(value)
    except ValueError:
        return 0.0
    if factor is None:
        return 0.0
    centre = number * (factor or (1000 if number < _LIGHT[0] / 10 else 1))
    return round(centre, 2) if _LIGHT[0] <= centre <= _LIGHT[1] else 0.0


def sensor_tags(tags: dict[str, dict[str, str]]) -> list[str]:
    """What a file's tags say of its sensor."""
    pairs = [pair for domain in tags.values() for pair in domain.items()]
    return [value for key, value in pairs if any(word in key.upper() for word in _SENSOR_TAGS)]


def stacked_files(dataset: rasterio.DatasetReader) -> tuple[str, ...]:
    """A name for each band of a virtual raster that stacks one file a band, as QGIS builds them: that file's stem."""
    names: list[str] = []
    for number in range(1, dataset.count + 1):
        sources = dataset.tags(number, ns="vrt_sources") if dataset.driver == "VRT" else {}
        file = re.search(r"<SourceFilename[^>]*>([^<]+)<", sources.get("source_0", "")) if len(sources) == 1 else None
        if file is None:
            break
        names.append(Path(file.group(1)).stem)
    # One band alone is a mosaic or a copy, whose file is no name of a band.
    return tuple(names) if len(set(names)) == dataset.count > 1 else ("",) * dataset.count
