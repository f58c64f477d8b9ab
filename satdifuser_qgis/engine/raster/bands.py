"""Band names: which band is red, green or blue, and which bands of a raster are those of a model."""

from __future__ import annotations

import re

from ...protocol.errors import EngineError

ROLES = ("red", "green", "blue")
# Sentinel-2 and Landsat 8 and 9 number their bands alike here; Landsat 4 to 7 (3, 2, 1) name theirs by colour.
_CODES = {"b4": "red", "b3": "green", "b2": "blue"}
# "Red edge", "near infra-red", "far red": words that make a red band something else.
_OTHER = {"edge", "rededge", "infra", "infrared", "near", "far", "short", "nir", "swir", "coastal", "yellow"}


def band_name(description: str) -> str:
    """A band's description, "" where it only counts ("Band 1")."""
    text = description.strip()
    return "" if re.fullmatch(r"(?i)(band|layer|b)?[ _]*0*[0-9]+", text) and not _code(text) else text


def is_opacity(name: str) -> bool:
    """Whether a band tagged as alpha is one: GDAL tags the fourth of four 8-bit bands so, near infrared or not."""
    return not name or bool(re.search(r"alpha|opacity|mask|transparen", name.lower()))


def role_of(description: str) -> str:
    """ "red", "green" or "blue" where a band's description says so in a word, else "" ("Red edge" is "")."""
    words = re.findall(r"[a-z]+", description.lower())
    found = [role for role in ROLES if role in words]
    return found[0] if len(found) == 1 and not _OTHER.intersection(words) else ""


def natural_bands(bands: tuple[int, ...], names: tuple[str, ...], colours: tuple[str, ...]) -> tuple[int, ...]:
    """Red, green and blue among ``bands`` (numbers from 1), by words, band codes, colour tags or position.

    ``names`` and ``colours`` are those of all bands of the file. Each way counts only where it finds all three.
    """
    for roles in ([role_of(name) for name in names], [_CODES.get(_code(name), "") for name in names], colours):
        found = {roles[band - 1]: band for band in reversed(bands)}
        if all(role in found for role in ROLES):
            return tuple(found[role] for role in ROLES)
    return (*bands[:3], *[bands[-1]] * (3 - len(bands)))


def match_bands(
    raster: str, bands: tuple[int, ...], described: tuple[str, ...], wanted: tuple[str, ...], first: str = ""
) -> tuple[int, ...]:
    """The band for each wanted name; ``described`` are the names of ``bands``.

    A name is met by the same text, else the same band code, else the same colour. The names are a model's, or those
    of the ``first`` image of a training. Raises EngineError("bad_input") where one is met by none: position is no
    answer where names disagree.
    """
    found: list[int] = []
    for name in wanted:
        for same in (lambda text: text.strip().casefold(), _code, _colour):
            candidates = [band for band, text in zip(bands, described, strict=True) if same(name) == same(text) != ""]
            if candidates:
                found.append(candidates[0])
                break
        else:
            listed = ", ".join(f'{band} "{text}"' for band, text in zip(bands, described, strict=True))
            whose, remedy = (
                "The model was trained on the bands",
                "Choose the bands yourself (Advanced: Bands), in the order of the model's.",
            )
            if first:
                whose = f'The bands of "{first}" are'
                remedy = f'Choose bands of "{first}" that every image has, name them alike, or leave "{raster}" out.'
            raise EngineError(
                "bad_input", f'{whose} {_quoted(wanted)}, but "{raster}" has no band "{name}"; it has {listed}.', remedy
            )
    return tuple(found)


def position_note(raster: str, bands: tuple[int, ...], described: tuple[str, ...], wanted: tuple[str, ...]) -> str:
    """A sentence for the log where bands with the names ``wanted`` had to be taken by position, else "".

    ``described`` are the names of all bands of the raster.
    """
    if any(described) or not any(wanted):
        return ""
    if len(described) == 1 < len(bands):
        return (
            f'"{raster}" has one band only, which is taken for all of the model\'s {_quoted(wanted)}. Expect little of '
            "this map: the model wants an image with these bands."
        )
    taken = ", ".join(str(band) for band in bands)
    return (
        f'"{raster}" names none of its bands: {taken} are taken by position for the model\'s {_quoted(wanted)}. '
        "Choose the bands yourself (Advanced: Bands) where this is not their order."
    )


def _code(name: str) -> str:
    """ "b4" for "B04", "B4", "Band 4 (B04)" or "SR_B4", "b8a" for "B8A", "" for names without such a code."""
    found = re.search(r"(?:^|[^a-z0-9])b0*([1-9][0-9]?a?)(?![a-z0-9])", name.lower())
    return f"b{found.group(1)}" if found else ""


def _colour(name: str) -> str:
    return role_of(name) or _CODES.get(_code(name), "")


def _quoted(names: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in names)
