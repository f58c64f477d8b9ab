"""Names as a clause of a sentence, however many they are."""

from __future__ import annotations

from collections.abc import Sequence

MOST_NAMED = 10


def listing(names: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"; of more than ten the first ten: "a, b … j and 12 more"."""
    more = len(names) - MOST_NAMED
    parts = [*names[:MOST_NAMED], f"{more} more"] if more > 0 else list(names)
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
