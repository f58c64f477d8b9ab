"""Names and times as sentences have them."""

from __future__ import annotations

import pytest

from satdifuser_qgis.engine.listing import listing
from satdifuser_qgis.engine.reporter import took


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (1, "0"),
        (2, "0 and 1"),
        (3, "0, 1 and 2"),
        (10, "0, 1, 2, 3, 4, 5, 6, 7, 8 and 9"),
        (11, "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 1 more"),
        (122, "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 112 more"),
    ],
)
def test_many_names_are_a_short_clause(count, expected):
    assert listing([str(number) for number in range(count)]) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.2, "under 1 second"),
        (1.2, "1 second"),
        (59.6, "1 minute"),
        (200, "3 minutes 20 seconds"),
        (3601, "1 hour 1 second"),
    ],
)
def test_a_time_is_told_in_its_units(seconds, expected):
    assert took(seconds) == expected
