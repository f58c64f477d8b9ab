"""Land-cover classes: code, name and colour, and the colours used where the user has chosen none."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Iterable, List

# Okabe and Ito's colours for colour-blind readers, then Paul Tol's "muted" for what lies beyond eight classes.
PALETTE = (
    "#009e73", "#e69f00", "#56b4e9", "#d55e00", "#f0e442", "#0072b2", "#cc79a7", "#7f7f7f",
    "#332288", "#88ccee", "#44aa99", "#117733", "#999933", "#ddcc77", "#cc6677", "#882255", "#aa4499",
)  # fmt: skip
# What maps usually paint in a colour of its own, in English and German: no forest is read as such in blue.
CUSTOMARY = {
    "#0072b2": "water lake sea river pond ocean wasser gewässer fluss meer teich",
    "#117733": "forest wood woodland tree wald gehölz baum bäume",
    "#e69f00": "field crop cropland farmland agriculture arable acker ackerland feld felder",
    "#8fbc5a": "grass grassland meadow pasture lawn vegetation wiese wiesen grünland weide gras rasen",
    "#d55e00": "building house urban built residential settlement gebäude haus häuser siedlung bebauung",
    "#6e6e6e": "road street highway asphalt straße straßen strasse verkehr weg wege",
    "#ddcc77": "bare soil sand rock unpaved boden fels offenboden",
    "#44aa99": "wetland marsh swamp bog moor feuchtgebiet sumpf",
    "#dff1fb": "snow ice glacier schnee eis gletscher",
    "#b5b5bd": "background other unclassified sonstige sonstiges rest hintergrund",
}


@dataclass(frozen=True)
class LandCoverClass:
    """One class of a map. ``code`` is its pixel value (0..65535), ``color`` is ``#rrggbb``."""

    code: int
    name: str
    color: str

    def __post_init__(self) -> None:
        if not 0 <= self.code <= 65535:
            raise ValueError(f'the class "{self.name}" has code {self.code}; codes are 0 to 65535')
        if not re.fullmatch(r"#[0-9a-f]{6}", self.color):
            raise ValueError(f'the class "{self.name}" has colour {self.color!r}; write it like #2a9d8f')

    @property
    def rgb(self) -> tuple[int, int, int]:
        """Red, green, blue, 0 to 255."""
        return int(self.color[1:3], 16), int(self.color[3:5], 16), int(self.color[5:7], 16)


@dataclass(frozen=True)
class StyledClass:
    """What a project's own style says of one class: the value in the label field, its name and its colour."""

    value: str
    name: str
    color: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"#[0-9a-fA-F]{6}", self.color):
            raise ValueError(f'the style of "{self.value}" has colour {self.color!r}; write it like #2a9d8f')


def default_color(index: int) -> str:
    """The palette's colour for the index-th class; colours repeat after the palette's end."""
    return PALETTE[index % len(PALETTE)]


def customary_color(name: str) -> str:
    """The colour that maps usually give to a class of this name, "" where there is none."""
    words = re.findall(r"[^\W\d_]+", name.casefold())
    wanted = {*words, *(word[:-1] for word in words if word.endswith("s"))}
    return next((color for color, known in CUSTOMARY.items() if not wanted.isdisjoint(known.split())), "")


def nodata_for(codes: Iterable[int]) -> int:
    """The nodata value of outputs: the first of 0, 255 and 65535 that is no class, else the largest free code."""
    taken = set(codes)
    candidates: List[int] = [0, 255, *range(65535, 0, -1)]
    return next(value for value in candidates if value not in taken)
