"""Sensors: the centre wavelengths behind their band numbers, and which sensor numbers the bands of an image."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

COLOURS = ("red", "green", "blue")
# Lowest, best and highest centre in nm. Coastal (443), yellow (610) and red edge (705) lie beside them.
_RANGES = {"red": (620, 660, 690), "green": (520, 560, 600), "blue": (450, 485, 520)}
# Sensors give one band centres that differ by up to 3.5 % (near infrared 835 and 865); red edges lie 5 % apart.
_SAME_CENTRE = 0.04


@dataclass(frozen=True)
class Sensor:
    """How a sensor numbers its bands.

    ``centres`` in nm by band code ("8a" for B8A), 0 for bands too wide to have one. ``products`` are sets of codes in
    which its images come as a rule. ``marks`` is found in names of its files, bands and products, ``style`` in the way
    its bands are written where that is no other sensor's.
    """

    name: str
    centres: dict[str, float]
    products: tuple[str, ...]
    marks: str
    style: str = "$^"

    def natural(self, codes: Sequence[str]) -> tuple[str, ...]:
        """The codes of red, green and blue among those of an image, "" for one that is not there."""
        return tuple(
            min((code for code in codes if colour_at(self.centres[code]) == colour), key=self._distance, default="")
            for colour in COLOURS
        )

    def _distance(self, code: str) -> float:
        return off_centre(self.centres[code])


def _centres(text: str) -> dict[str, float]:
    pairs = (pair.split(":") for pair in text.split())
    return {code: float(centre) for code, centre in pairs}


_ZERO_PADDED = r"^b0[1-9]\b"
# In the order in which they are assumed where several fit. Centres are rounded: they need only tell colours apart.
SENSORS = (
    Sensor(
        "Sentinel-2",
        _centres("1:443 2:490 3:560 4:665 5:705 6:740 7:783 8:842 8a:865 9:945 10:1375 11:1610 12:2190"),
        ("2 3 4 8",),
        r"\bs2[a-d]?\b|\bs2[a-d]?_?msi|sentinel[ _-]?2|\bt\d\d[a-z]{3} \d{8}|hls s30",
        _ZERO_PADDED,
    ),
    Sensor(
        "Landsat 8 and 9",
        _centres("1:443 2:482 3:561 4:655 5:865 6:1609 7:2201 8:0 9:1373 10:10895 11:12005"),
        ("1 2 3 4 5 6 7", "2 3 4 5 6 7", "1 2 3 4 5 6 7 8 9 10 11"),
        r"\bl[co]0?[89]|landsat[ _-]?[89]\b|\bsr b(and)?[1-7]\b|hls l30",
        _ZERO_PADDED,
    ),
    Sensor(
        "Landsat 4 to 7",
        _centres("1:485 2:560 3:660 4:835 5:1650 6:11450 61:11450 62:11450 7:2215 8:0"),
        ("1 2 3 4 5 7", "1 2 3 4 5 6 7", "1 2 3 4 5 7 8"),
        r"\bl[te]0?[4-7]|landsat[ _-]?[4-7]\b|\bsr b(and)?[1-57]\b|\bvcid\b",
    ),
    Sensor(
        "MODIS",
        _centres("1:645 2:859 3:469 4:555 5:1240 6:1640 7:2130"),
        ("1 2 3 4 5 6 7",),
        r"modis|sur refl|nadir reflectance|\bm[oy]d(09|13)|\bmcd43",
    ),
    Sensor(
        "PlanetScope and most sensors of four bands",
        _centres("1:485 2:555 3:665 4:835"),
        ("1 2 3 4",),
        r"planetscope|\bpsscene|analyticms",
    ),
    Sensor(
        "RapidEye",
        _centres("1:475 2:555 3:657 4:710 5:805"),
        ("1 2 3 4 5",),
        r"rapideye",
    ),
    Sensor(
        "PlanetScope with eight bands",
        _centres("1:443 2:490 3:531 4:565 5:610 6:665 7:705 8:865"),
        ("1 2 3 4 5 6 7 8",),
        r"superdove|\b8b\b",
    ),
    Sensor(
        "WorldView-2 and 3",
        _centres("1:425 2:480 3:545 4:605 5:660 6:725 7:835 8:950"),
        ("1 2 3 4 5 6 7 8",),
        r"worldview|\bwv0?[23]\b",
    ),
    Sensor(
        "Pleiades, SPOT 6 and 7",
        _centres("0:485 1:560 2:655 3:825"),
        ("0 1 2 3",),
        r"pleiades|\bphr|spot[ _-]?[67]",
    ),
    Sensor(
        "SPOT 1 to 5",
        _centres("1:545 2:645 3:835 4:1665"),
        ("1 2 3", "1 2 3 4"),
        r"spot[ _-]?[1-5]\b",
    ),
    Sensor(
        "CBERS-4",
        _centres("5:485 6:555 7:660 8:830 13:485 14:555 15:660 16:830"),
        ("5 6 7 8", "13 14 15 16"),
        r"cbers",
    ),
    Sensor(
        "Landsat 1 to 3 MSS",
        _centres("4:550 5:650 6:750 7:950"),
        ("4 5 6 7",),
        r"\blm0?[1-3]|landsat[ _-]?[1-3]\b",
    ),
    Sensor(
        "Landsat 4 and 5 MSS",
        _centres("1:550 2:650 3:750 4:950"),
        ("1 2 3 4",),
        r"\blm0?[45]|\bmss\b",
    ),
    Sensor(
        "ASTER",
        _centres(
            "1:556 2:661 3n:807 3b:807 4:1656 5:2167 6:2209 7:2262 8:2336 9:2400 10:8291 11:8634 12:9075 13:10657"
        ),
        ("1 2 3n",),
        r"\baster\b|\bast l1",
    ),
)
_NONE = Sensor("", {}, (), "$^")


@dataclass(frozen=True)
class Numbering:
    """The sensor by which band codes are read.

    ``rivals`` are others that fit the codes, but with other bands as red, green and blue. ``counts``: the codes only
    count from 1, as all sensors do.
    """

    sensor: Sensor
    rivals: tuple[str, ...]
    counts: bool

    def centre(self, name: str) -> float:
        """The centre wavelength in nm of the band of this name, 0 where it has no code."""
        return self.sensor.centres.get(band_code(name), 0.0)


def recognise(
    names: Sequence[str], centres: Sequence[float], words: Sequence[str], hints: Sequence[str] = ()
) -> Numbering:
    """By whose numbers the bands of an image are named; a sensor without a name where no name has a code, or none fits.

    ``centres`` are the wavelengths in nm that the file declares, 0 where it does not; ``words`` the bands' colours by
    name, "other" for what is none of the three, "" where a name does not say; ``hints`` further texts in which a sensor
    may be named. A whole set of codes tells a sensor, unless it only counts.
    """
    coded = [band for band in zip(map(band_code, names), centres, words, strict=True) if band[0]]
    codes = tuple(dict.fromkeys(code for code, _, _ in coded))
    fits = [sensor for sensor in SENSORS if all(_fits(sensor, *band) for band in coded)] if coded else []
    fits = _named(fits, (*names, *hints))
    if not fits:
        return Numbering(_NONE, (), counts=False)
    pool = [sensor for sensor in fits if set(codes) in map(set, map(str.split, sensor.products))] or fits
    counts = set(codes) == {str(number + 1) for number in range(len(codes))}
    if not counts:
        written = [name.lower() for name in names if band_code(name)]
        pool = [sensor for sensor in pool if all(re.search(sensor.style, name) for name in written)] or pool
    rivals = fits if counts else pool
    assumed = next((sensor for sensor in (*pool, *rivals) if all(sensor.natural(codes))), pool[0])
    taken = assumed.natural(codes)
    return Numbering(assumed, tuple(sensor.name for sensor in rivals if sensor.natural(codes) != taken), counts)


def _fits(sensor: Sensor, code: str, centre_nm: float, word: str) -> bool:
    if code not in sensor.centres:
        return False
    own = sensor.centres[code]
    if not own:
        return True
    return (not centre_nm or same_centre(centre_nm, own)) and (not word or word == (colour_at(own) or "other"))


def _named(fits: list[Sensor], texts: Sequence[str]) -> list[Sensor]:
    """Those that the texts name; a text that names none of them says nothing."""
    left = fits
    for text in texts:
        words = re.sub(r"[_.-]+", " ", text.lower())
        left = [sensor for sensor in left if re.search(sensor.marks, words)] or left
    return left


def band_code(name: str) -> str:
    """ "4" for "B04", "B4", "Band 4 (B04)" or "SR_B4", "8a" for "B8A", "" for names without such a code."""
    found = re.search(r"(?:^|[^a-z0-9])b(?:and ?)?0*([0-9]|[1-9][0-9])([abn]?)(?![a-z0-9])", name.lower())
    return "".join(found.groups()) if found else ""


def off_centre(wavelength_nm: float) -> float:
    """How far a wavelength with a colour lies from the middle of that colour, in nm."""
    return abs(wavelength_nm - _RANGES[colour_at(wavelength_nm)][1])


def colour_at(wavelength_nm: float) -> str:
    """ "red", "green", "blue", or "" for all other wavelengths."""
    return next((name for name, (low, _, high) in _RANGES.items() if low <= wavelength_nm <= high), "")


def same_centre(one_nm: float, other_nm: float) -> bool:
    """Whether two sensors' bands with these centres are the same kind of band; never where one is unknown (0)."""
    return min(one_nm, other_nm) > 0 and abs(one_nm - other_nm) <= _SAME_CENTRE * min(one_nm, other_nm)
