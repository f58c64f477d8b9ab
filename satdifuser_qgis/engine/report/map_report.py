"""The report of a map: how much of it is which class, and what made it. One HTML file without scripts."""

from __future__ import annotations

from dataclasses import dataclass

from ..raster.areas import ClassArea, in_hectares
from .page import page

TEMPLATE = "map.html.j2"


@dataclass(frozen=True)
class MapReport:
    """Everything that the report says.

    ``areas``: one a class, in legend order. ``miou`` and ``accuracy``: the model's in its own validation, 0 to 1, None
    where it has none. ``settings`` and ``provenance``: pairs of a name and its value, as they are shown.
    """

    image: str
    model_name: str
    areas: tuple[ClassArea, ...]
    miou: float | None
    accuracy: float | None
    settings: tuple[tuple[str, str], ...]
    provenance: tuple[tuple[str, str], ...]


def map_report(data: MapReport) -> str:
    """The report as HTML. The same data give the same text."""
    known = [area.hectares for area in data.areas if area.hectares is not None]
    return page(
        TEMPLATE,
        data=data,
        placed=bool(known),
        mapped=f"{in_hectares(sum(known))} ha" if known else f"{sum(area.pixels for area in data.areas):,}",
        rows=sorted(data.areas, key=lambda area: -area.share),
        largest=max((area.share for area in data.areas), default=0) or 1,
        hectares=in_hectares,
    )
