"""What the bands of a raster are, and which of them are red, green and blue."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .sensors import COLOURS, colour_at, off_centre, recognise, same_centre

# English, German, French, Spanish, Italian, Portuguese, Dutch.
_WORDS = {
    "red": r"red|rot(e[rs]?)?|rouge|roj[oa]|ross[oa]|vermelh[oa]|rood",
    "green": r"green|gr(ü|ue|u)n(e[rs]?)?|verte?|verde|groen",
    "blue": r"blue|blau(e[rs]?)?|bleue?|azul|blu|blauw",
}
# "Red edge", "near infra-red", "far red", "green_i": words that make a colour's band something else.
_OTHER = re.compile(
    r"edge|rededge|kante|rand|limite|lointain|borde?|bordo|infra|infrared|infrarot|infrarouge|infrarrojo|infrarosso|near|nahe?s?|proche|"
    r"cercano|vicino|far|short|v?nir|swir|mir|lwir|tir|ir|thermal|coastal|aerosol|ultra|deep|yellow|i"
)


def listed_bands(bands: Sequence[int], names: Sequence[str]) -> str:
    """Bands with their names for people: "4 (B04), 3", and where a name has brackets itself 1 "Red (B04)"."""
    pairs = zip(bands, names, strict=True)
    shown = [f'{band} "{name}"' if "(" in name else f"{band} ({name})" if name else f"{band}" for band, name in pairs]
    return ", ".join(shown)


@dataclass(frozen=True)
class Band:
    """What is known of a band.

    ``name`` is its description, "" where that only counts; ``centre_nm`` its centre wavelength, 0 where unknown;
    ``colour`` "red", "green" or "blue" where it is that.
    """

    name: str
    centre_nm: float = 0.0
    colour: str = ""

    @property
    def known(self) -> bool:
        """Whether its place in the spectrum is known."""
        return bool(self.centre_nm or self.colour)

    @property
    def told(self) -> bool:
        """Whether there is anything to find it by."""
        return bool(self.name) or self.known

    @property
    def only_tagged(self) -> bool:
        """Whether its colour is a tag's alone, while its name says nothing of colours."""
        return bool(self.name and self.colour) and not self.centre_nm and not role_of(self.name)

    def alike(self, other: Band) -> bool:
        """Whether both are the same kind of band, of whatever sensor."""
        if self.colour or other.colour:
            return self.colour == other.colour
        return same_centre(self.centre_nm, other.centre_nm)


@dataclass(frozen=True)
class Bands:
    """All bands of a file. ``sensor`` is the one whose numbers told colours, "" where other things did or nothing.

    ``rivals`` are sensors that the numbers fit as well, but with other colours: then ``bands`` are what is assumed.
    """

    bands: tuple[Band, ...]
    sensor: str = ""
    rivals: tuple[str, ...] = ()

    def __getitem__(self, number: int) -> Band:
        """The band of a number from 1."""
        return self.bands[number - 1]

    def natural(self, among: Sequence[int]) -> tuple[int, ...]:
        """Red, green and blue among the numbers (from 1) of some bands; () where one is missing."""
        found = tuple(self.of_colour(colour, among) for colour in COLOURS)
        return found if all(found) else ()

    def of_colour(self, colour: str, among: Sequence[int]) -> int:
        """The first band of a colour, of those with wavelengths the most central one; 0 where there is none."""
        return min((number for number in among if self[number].colour == colour), key=self._off, default=0)

    def _off(self, number: int) -> float:
        centre = self[number].centre_nm
        return off_centre(centre) if colour_at(centre) else 0.0


def band_name(description: str) -> str:
    """A band's description, "" where it only counts ("Band 1")."""
    text = description.strip()
    return "" if re.fullmatch(r"(?i)(band|layer|b(?=[ _]|\d{3}))?[ _]*0*[0-9]+", text) else text


def is_opacity(name: str) -> bool:
    """Whether a band tagged as alpha is one: GDAL tags the fourth of four 8-bit bands so, near infrared or not."""
    return not name or bool(re.search(r"alpha|opacity|mask|transparen", name.lower()))


def role_of(description: str) -> str:
    """ "red", "green" or "blue" where a band's description says so in a word, else "" ("Red edge" is "")."""
    word = _word(description)
    return word if word in COLOURS else ""


def _word(description: str) -> str:
    """As `role_of`, but "other" where a word says that it is none of the three."""
    text = unicodedata.normalize("NFKC", description).casefold()
    letter = re.fullmatch(r"(?:band[ _-]?)?([rgb])", text.strip())
    if letter:
        return next(colour for colour in COLOURS if colour[0] == letter.group(1))
    words = re.findall(r"[^\W\d_]+", text)
    if any(map(_OTHER.fullmatch, words)):
        return "other"
    found = [colour for colour in COLOURS if any(re.fullmatch(_WORDS[colour], word) for word in words)]
    return found[0] if len(found) == 1 else ""


def identify(
    names: Sequence[str], centres: Sequence[float] = (), tags: Sequence[str] = (), hints: Sequence[str] = ()
) -> Bands:
    """What the bands of a file are: by words and wavelengths, else by a sensor's numbers, else by colour tags.

    ``names`` are descriptions, ``centres`` declared wavelengths in nm or 0, ``tags`` colours as tagged or "", each of
    all bands; ``hints`` are texts that may name the sensor.
    """
    centres, tags = centres or (0.0,) * len(names), tags or ("",) * len(names)
    words, every = [_word(name) for name in names], range(1, len(names) + 1)
    told = tuple(_band(*each) for each in zip(names, centres, words, strict=True))
    numbering = recognise(names, centres, words, hints)
    assumed = [centre or numbering.centre(name) for name, centre in zip(names, centres, strict=True)]
    listed_bands = tuple(_band(*each) for each in zip(names, assumed, words, strict=True))
    sure = told if numbering.rivals else listed_bands
    if Bands(told).natural(every):
        return Bands(sure)
    found = Bands(listed_bands, numbering.sensor.name, numbering.rivals)
    tagged = Bands(_tagged(sure, words, tags), "", numbering.rivals)
    # Numbers that only count say less than a tag.
    weak = not found.natural(every) or (numbering.counts and numbering.rivals)
    return tagged if weak and tagged.natural(every) else found


def band_of(name: str, centre_nm: float) -> Band:
    """A band by its description and its centre wavelength in nm, 0 where that is unknown."""
    return _band(name, centre_nm, _word(name))


def _band(name: str, centre_nm: float, word: str) -> Band:
    return Band(name, centre_nm, word if word in COLOURS else "" if word else colour_at(centre_nm))


def _tagged(bands: tuple[Band, ...], words: Sequence[str], tags: Sequence[str]) -> tuple[Band, ...]:
    """With the colours of the tags; without, where one of them is known to be wrong: GDAL tags the first three of 8-bit
    bands red, green and blue, whatever they are."""
    both = list(zip(bands, words, tags, strict=True))
    if any(tag and (band.known or word) and band.colour != tag for band, word, tag in both):
        return bands
    return tuple(replace(band, colour=band.colour or tag) for band, _, tag in both)
