"""Scale and offset that files declare for the numbers they store, and numbers of one file in those of another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import rasterio

from ...protocol.errors import EngineError


@dataclass(frozen=True)
class Units:
    """A stored number times ``scale`` plus ``offset`` is what it means; 1 and 0 where the file declares nothing."""

    scale: float = 1.0
    offset: float = 0.0

    @property
    def declared(self) -> bool:
        """Whether the file says anything."""
        return self != Units()

    def __str__(self) -> str:
        return f"scale {self.scale:.6g} and offset {self.offset:.6g}" if self.declared else "no scale and offset"

    def to(self, other: Units) -> tuple[float, float]:
        """Gain and shift that make stored numbers of these units those of ``other``."""
        return self.scale / other.scale, (self.offset - other.offset) / other.scale


def declared_units(dataset: rasterio.DatasetReader) -> tuple[Units, ...]:
    """Those of each band. A scale that is no positive number says nothing."""
    pairs = zip(dataset.scales, dataset.offsets, strict=True)
    return tuple(
        Units(float(scale), float(offset)) if math.isfinite(scale) and scale > 0 and math.isfinite(offset) else Units()
        for scale, offset in pairs
    )


def check_units(name: str, units: Sequence[Units], other: str, others: Sequence[Units]) -> None:
    """Raises EngineError("bad_input") where one of two images declares scale and offset of a band and one does not.

    ``units`` and ``others`` are those of the chosen bands; ``name`` and ``other`` stand for the images in the text.
    What the numbers of the silent one mean nobody knows: the same, or what the other's become by scale and offset.
    """
    for here, there in zip(units, others, strict=True):
        if here.declared != there.declared:
            raise EngineError(
                "bad_input",
                f"{name} declares {here} for its values, but {other} declares {there}: their numbers cannot be "
                "compared.",
                _remedy(here if here.declared else there),
            )


def _remedy(declared: Units) -> str:
    both = f"-a_scale {declared.scale:.9g} -a_offset {declared.offset:.9g}"
    return (
        "If stored numbers mean the same in both, make a copy of either that declares what the other does (Raster > "
        f'Conversion > Translate, additional parameters "{both}", or "-a_scale 1 -a_offset 0" for nothing). If not, '
        "bring one to the numbers of the other first (Raster > Raster Calculator), or train with percentiles of each "
        "image (Scaling of values)."
    )


def units_note(name: str, units: Sequence[Units], other: str, others: Sequence[Units]) -> str:
    """A sentence for the log where images declare different scales and offsets, else ""."""
    differing = [pair for pair in zip(units, others, strict=True) if pair[0] != pair[1]]
    if not differing:
        return ""
    here, there = differing[0]
    return f"{name} declares {here} for its values, while {other} declares {there}: they are converted."
