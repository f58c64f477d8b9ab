"""Names of classes as people see them: which texts look alike and so mean one class."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping

# Unicode counts these as letters, marks or symbols, but nobody sees them.
_UNSEEN = "\u034f\u115f\u1160\u2800\u3164\uffa0\ufe00-\ufe0f"
# Joiners shape letters of Persian and Indic scripts, and emoji; beside ASCII nobody sees them either.
_JOINERS = "\u200c\u200d"
_INVISIBLE = re.compile(f"[{_UNSEEN}]|(?<![^\\x00-\\x7f])[{_JOINERS}]|[{_JOINERS}](?![^\\x00-\\x7f])")


def text_key(text: str) -> str:
    """The text without what nobody sees: "water " and "water" are one class, "Water" is another.

    Single blanks, no invisible characters, and one way to write letters with accents (NFC).
    """
    seen = (c for c in text if c.isspace() or c in _JOINERS or unicodedata.category(c) not in ("Cc", "Cf"))
    return unicodedata.normalize("NFC", " ".join(_INVISIBLE.sub("", "".join(seen)).split()))


def spelling_notes(spellings: Mapping[str, Collection[str]]) -> list[str]:
    """A sentence for each class whose name is written in several ways that look alike, listed by their `text_key`."""
    return [
        f'{" and ".join(_written(text, key) for text in sorted(written))} are taken as one class, "{key}".'
        for key, written in sorted(spellings.items())
        if len(written) > 1
    ]


def _written(text: str, key: str) -> str:
    """A text in quotes; signs beyond ASCII that its key lacks are told by their number."""
    return '"' + "".join(c if " " <= c <= "~" or c in key else f"<U+{ord(c):04X}>" for c in text) + '"'
