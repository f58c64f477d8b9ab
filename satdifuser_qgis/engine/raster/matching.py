"""The bands of a model, or of the first image of a training, in another image; and what has to be said of a choice."""

from __future__ import annotations

from collections.abc import Sequence

from ...protocol.errors import EngineError
from .bands import Band, Bands, band_of, identify
from .sensors import COLOURS, band_code

# How many other sensors a sentence names.
_NAMED = 3


def trained_bands(names: Sequence[str], centres: Sequence[float]) -> Bands:
    """A model's bands by the names and centre wavelengths in its header; headers of old models hold names alone."""
    if not centres:
        return identify(names)
    # By the rule for the bands of an image: a model must find its own bands on its own image.
    return Bands(tuple(band_of(*pair) for pair in zip(names, centres, strict=True)))


def match_bands(
    raster: str, image: Bands, among: tuple[int, ...], described: tuple[str, ...], wanted: Bands, first: str = ""
) -> tuple[int, ...]:
    """The band for each wanted one, as numbers from 1; ``described`` are the names of those ``among``.

    A band is met by one of the same name, unless that is known to be another band, or is a bare number that may be
    another sensor's; else by one of the same colour; else by the nearest wavelength. Wanted are a model's bands, or
    those of the ``first`` image of a training. Raises EngineError("bad_input") where one is met by none: position is
    no answer where names disagree.
    """
    found = tuple(_match(image, among, band) for band in wanted.bands)
    if all(found):
        return found
    missing = wanted.bands[found.index(0)]
    listed = ", ".join(f'{band} "{text}"' for band, text in zip(among, described, strict=True))
    whose, remedy = "The model was trained on the bands", 'Choose "Bands" yourself, in the order of the model\'s.'
    if first:
        whose = f'The bands of "{first}" are'
        remedy = f'Choose "Bands" of "{first}" that every image has, name them alike, or leave "{raster}" out.'
    raise EngineError(
        "bad_input",
        f'{whose} {_quoted(wanted)}, but "{raster}" has no band {_title(missing)}; it has {listed}.',
        remedy,
    )


def _match(image: Bands, among: tuple[int, ...], wanted: Band) -> int:
    bands = {number: image[number] for number in among}
    for number, band in bands.items():
        if _same(band, wanted, sure=not image.rivals):
            return number
    if wanted.colour:
        # GDAL tags any three bands of 8 bits as red, green and blue: of radar too.
        return image.of_colour(wanted.colour, [number for number in among if not bands[number].only_tagged])
    near = [number for number, band in bands.items() if band.alike(wanted)]
    return min(near, key=lambda number: abs(bands[number].centre_nm - wanted.centre_nm), default=0)


def _same(band: Band, wanted: Band, sure: bool) -> bool:
    """Whether a band is the wanted one by its name; ``sure``: what is known of the band is not only assumed."""
    if not wanted.name or band.name.strip().casefold() != wanted.name.strip().casefold():
        return False
    if band.known and wanted.known:
        return band.alike(wanted)
    return not band_code(wanted.name) or not (wanted.known or (band.known and sure))


def match_notes(
    raster: str, image: Bands, taken: str, renamed: bool, wanted: Bands, first: str
) -> list[tuple[str, str]]:
    """Sentences on bands ``taken`` for wanted ones, each with its level; ``renamed``: some have other names."""
    notes = []
    if wanted.rivals:
        note = (
            f"The model does not say of which sensor its bands {_quoted(wanted)} are; {wanted.sensor} is assumed. "
            'Choose "Bands" yourself, in the order of the model\'s, if that is wrong.'
        )
        notes.append((note, "warning"))
    if image.rivals and any(band.known for band in wanted.bands):
        notes.append((_assumed(raster, image, f"bands {taken} are taken for {_whose(wanted, first)}"), "warning"))
    elif renamed:
        note = f'Bands {taken} of "{raster}" are those of the colours or wavelengths of {_whose(wanted, first)}.'
        notes.append((note, "info"))
    return notes


def choice_note(raster: str, image: Bands, among: tuple[int, ...], taken: str) -> str:
    """A sentence where it cannot be told which bands are red, green and blue, else ""."""
    if image.natural(among):
        return _assumed(raster, image, f"bands {taken} are taken as red, green and blue") if image.rivals else ""
    if len(among) == 1:
        return ""
    if any(image[number].known for number in among):
        missing = " and no ".join(colour for colour in COLOURS if not image.of_colour(colour, among))
        return (
            f'"{raster}" has no {missing} band: bands {taken} are taken in place of red, green and blue. '
            'Choose "Bands" yourself if others serve better.'
        )
    return (
        f'"{raster}" does not say which of its bands are red, green and blue: bands {taken} are taken by position. '
        'Choose "Bands" yourself where this is not their order.'
    )


def position_note(raster: str, image: Bands, taken: str, wanted: Bands, first: str) -> str:
    """A sentence where bands had to be taken without anything to find the wanted ones by, else ""."""
    if any(band.told for band in image.bands):
        return (
            f'The bands of {_owner(first)} are not named: bands {taken} of "{raster}" are taken for them. '
            'Choose "Bands" yourself where this is not their order.'
        )
    if not any(band.told for band in wanted.bands):
        return ""
    if len(image.bands) == 1:
        return (
            f'"{raster}" has one band only, which is taken for all of {_whose(wanted, first)}. Expect little of it: an '
            "image with these bands is wanted."
        )
    return (
        f'"{raster}" names none of its bands: {taken} are taken by position for {_whose(wanted, first)}. Choose '
        '"Bands" yourself where this is not their order.'
    )


def _assumed(raster: str, image: Bands, choice: str) -> str:
    others = ", ".join(image.rivals[:_NAMED]) + " and others" * (len(image.rivals) > _NAMED)
    how = f"in the numbering of {image.sensor}" if image.sensor else "as the file tags their colours"
    return (
        f'The band names of "{raster}" do not tell its sensor: {choice}, {how}. If the image is of another sensor '
        f'({others}), choose "Bands" yourself.'
    )


def _whose(wanted: Bands, first: str) -> str:
    return f"the bands {_quoted(wanted)} of {_owner(first)}"


def _owner(first: str) -> str:
    return f'"{first}"' if first else "the model"


def _title(band: Band) -> str:
    return f'"{band.name}"' if band.name else f"of {band.centre_nm:g} nm"


def _quoted(wanted: Bands) -> str:
    return ", ".join(_title(band) for band in wanted.bands)
