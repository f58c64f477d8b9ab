"""Class tables: which code, name and colour each value of a label source gets, and several sources as one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...protocol.classes import PALETTE, LandCoverClass, StyledClass, customary_color, default_color
from ...protocol.errors import EngineError
from ..listing import listing
from .class_names import spelling_notes, text_key

LARGEST_CODE = 65535
# More different values than this are measurements or names of places, not classes.
MOST_CLASSES = 255
# In arrays of class indices: nothing is known of this pixel.
UNLABELLED = -1
# A text that may be a code, with no more digits than `LARGEST_CODE`.
_CODE = re.compile(r"[0-9]{1,5}")
Indices = NDArray[np.int16]


@dataclass(frozen=True)
class ClassTable:
    """The classes of one label source in legend order.

    ``source`` names it in messages. ``made_codes`` says that the codes were counted from 1 because the source
    has texts, negative numbers or numbers above 65535; such codes may change when sources are merged.
    """

    source: str
    classes: tuple[LandCoverClass, ...]
    made_codes: bool


def check_count(source: str, values: int) -> None:
    """Raises EngineError("bad_input") where a source has too many different values to be classes."""
    if values > MOST_CLASSES:
        raise EngineError(
            "bad_input",
            f"{source} has {values} different values or more; at most {MOST_CLASSES} classes can be learnt.",
            "Choose the field or raster that holds classes, or group the values first.",
        )


def joined_notes(tables: Sequence[ClassTable]) -> list[str]:
    """A sentence for each class whose name looks alike in several sources but is written in different ways."""
    spellings: dict[str, set[str]] = {}
    for table in tables:
        for entry in table.classes:
            spellings.setdefault(text_key(entry.name), set()).add(entry.name)
    return spelling_notes({key: spellings[key] for key in spellings.keys() - _ambiguous(tables)})


def counted_notes(table: ClassTable, numbers: Sequence[int]) -> list[str]:
    """A sentence where codes are counted because one of a source's ``numbers`` is none; [] for all other tables."""
    outside = [number for number in numbers if not 0 <= number <= LARGEST_CODE]
    if not table.made_codes or not outside:
        return []
    return [
        f"The value {outside[0]} of {table.source} is no code of a map (0 to {LARGEST_CODE}), so that its classes get "
        "codes from 1; the values stay as their names."
    ]


def case_notes(classes: Sequence[LandCoverClass]) -> list[str]:
    """A sentence for each set of classes whose names differ in letter case only: often one class, misspelt."""
    alike: dict[str, list[str]] = {}
    for name in dict.fromkeys(entry.name for entry in classes):
        alike.setdefault(name.casefold(), []).append(f'"{name}"')
    return [
        f"{listing(names)} differ in letter case only and are kept apart as classes. Where they "
        "mean the same, write them alike in the labels and train again."
        for names in alike.values()
        if len(names) > 1
    ]


def number_table(
    source: str,
    numbers: Sequence[int],
    styles: Sequence[StyledClass] = (),
    names: Mapping[int, str] | None = None,
    colors: Mapping[int, str] | None = None,
) -> tuple[ClassTable, dict[int, int]]:
    """Table of integer labels, and the class index of each number.

    Numbers from 0 to 65535 are codes as they are; otherwise all get codes from 1. ``names`` and ``colors`` are
    what the source itself says; a style goes before them and gives the order.
    """
    check_count(source, len(set(numbers)))
    styled = {number: style for style in reversed(styles) if (number := whole(style.value)) is not None}
    present = set(numbers)
    ordered = [number for style in styles if (number := whole(style.value)) in present and number is not None]
    ordered = list(dict.fromkeys([*ordered, *sorted(present)]))
    made = any(not 0 <= number <= LARGEST_CODE for number in present)
    said = [(names or {}).get(number) or str(number) for number in ordered]
    found = [styled.get(number) for number in ordered]
    codes = list(range(1, len(ordered) + 1)) if made else ordered
    classes = _classes(codes, said, found, [(colors or {}).get(number, "") for number in ordered])
    return ClassTable(source, classes, made), {number: index for index, number in enumerate(ordered)}


def text_table(
    source: str, texts: Collection[str], styles: Sequence[StyledClass] = ()
) -> tuple[ClassTable, dict[str, int]]:
    """Table of text labels, and the class index of each; ``texts`` are different ones, as by `text_key`.

    Codes are counted from 1 in legend order: the style's, then alphabetical. Texts that are all codes, such as "01" and
    "20", are read as these and stay as names.
    """
    check_count(source, len(texts))
    numbers = {text: int(text) for text in texts if _CODE.fullmatch(text)}
    if len(set(numbers.values())) == len(texts):
        table, indices = number_table(
            source, list(numbers.values()), styles, {number: text for text, number in numbers.items()}
        )
        return table, {text: indices[number] for text, number in numbers.items()}
    styled = {text_key(style.value): style for style in reversed(styles)}
    ordered = [text_key(style.value) for style in styles if text_key(style.value) in texts]
    ordered = list(dict.fromkeys([*ordered, *sorted(texts, key=lambda text: (text.casefold(), text))]))
    found = [styled.get(text) for text in ordered]
    classes = _classes(range(1, len(ordered) + 1), ordered, found, [""] * len(ordered))
    return ClassTable(source, classes, True), {text: index for index, text in enumerate(ordered)}


def merge_classes(tables: Sequence[ClassTable]) -> tuple[tuple[LandCoverClass, ...], tuple[Indices, ...]]:
    """One table for all sources, and for each source the merged index of each of its classes.

    The same name is one class, and so is the same code where the codes are the sources' own. Classes of one source
    stay apart, and a name that one source gives to several of them says nothing about those of other sources. A
    lookup has one more item than the source has classes, -1, so that ``lookup[index]`` keeps -1 (unlabelled) as it
    is. Raises EngineError("bad_input") where one code has two names.
    """
    shared = _ambiguous(tables)
    merged: list[LandCoverClass] = []
    places: dict[int, list[int]] = {}
    # Sources whose codes mean something come first: made-up codes give way to them.
    order = sorted(range(len(tables)), key=lambda number: tables[number].made_codes)
    for number in order:
        places[number] = [_place(merged, entry, tables[number], shared) for entry in tables[number].classes]
    # Without a style every table ascends by code, and so shall the whole, whichever classes came first.
    ascending = all(list(codes) == sorted(codes) for codes in ([c.code for c in table.classes] for table in tables))
    final = sorted(range(len(merged)), key=lambda index: merged[index].code) if ascending else range(len(merged))
    rank = {old: new for new, old in enumerate(final)}
    lookups = tuple(
        np.array([*(rank[index] for index in places[number]), -1], np.int16) for number in range(len(tables))
    )
    return tuple(merged[index] for index in final), lookups


def _ambiguous(tables: Sequence[ClassTable]) -> set[str]:
    """The names that one source gives to several classes."""
    names = [Counter(text_key(entry.name) for entry in table.classes) for table in tables]
    return {name for counts in names for name, count in counts.items() if count > 1}


def _place(merged: list[LandCoverClass], entry: LandCoverClass, table: ClassTable, shared: Collection[str]) -> int:
    """The index of an ``entry`` of ``table`` in ``merged``, where it is added if it is new.

    ``shared`` are the names that do not tell a class.
    """
    entry = replace(entry, name=text_key(entry.name))
    for index, known in enumerate(merged):
        if _named(entry) and entry.name not in shared and known.name == entry.name:
            return index
    for index, known in enumerate(merged):
        if not table.made_codes and known.code == entry.code:
            if _named(known) and _named(entry) and known.name.casefold() != entry.name.casefold():
                raise EngineError(
                    "bad_input",
                    f'Code {entry.code} is "{known.name}" in one source of labels and "{entry.name}" in '
                    f"{table.source}.",
                    "Give the classes the same codes in all sources, or train on one of them.",
                )
            if not _named(known) and (_named(entry) or len(entry.name) > len(known.name)):
                merged[index] = replace(known, name=entry.name)
            return index
    codes, colors = {known.code for known in merged}, {known.color for known in merged}
    code = entry.code if entry.code not in codes else next(n for n in range(1, LARGEST_CODE + 1) if n not in codes)
    color = entry.color if entry.color not in colors else _free_color(colors, len(merged))
    merged.append(LandCoverClass(code, entry.name, color))
    return len(merged) - 1


def _classes(
    codes: Sequence[int], names: Sequence[str], styles: Sequence[StyledClass | None], colors: Sequence[str]
) -> tuple[LandCoverClass, ...]:
    """Classes with the style's name and colour, else the source's own, else a customary or free colour."""
    said = [
        style.name.strip() if style and text_key(style.name) else name
        for name, style in zip(names, styles, strict=True)
    ]
    wanted = [style.color.lower() if style else color for style, color in zip(styles, colors, strict=True)]
    for index, name in enumerate(said):
        color = customary_color(name)
        if not wanted[index] and color not in wanted:
            wanted[index] = color
    taken = set(wanted)
    classes = []
    for index, (code, name) in enumerate(zip(codes, said, strict=True)):
        color = wanted[index] or _free_color(taken, index)
        taken.add(color)
        classes.append(LandCoverClass(code, name, color))
    return tuple(classes)


def _free_color(taken: set[str], index: int) -> str:
    """The palette's first colour that is not taken; past the palette's end colours repeat."""
    candidates = (default_color(i) for i in range(len(PALETTE)))
    return next((color for color in candidates if color not in taken), default_color(index))


def _named(entry: LandCoverClass) -> bool:
    """Whether the name says more than the code, which "01" does not say of 1."""
    return not entry.name.isdecimal() or int(entry.name) != entry.code


def whole(text: str) -> int | None:
    """The number in a text ("10", "10.0"), None for all other texts."""
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if number.is_integer() else None
