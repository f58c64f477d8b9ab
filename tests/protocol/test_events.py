"""The event stream and the closed list of failures."""

from __future__ import annotations

import pytest

from satdifuser_qgis.protocol import events
from satdifuser_qgis.protocol.errors import CODES, EngineError


@pytest.mark.parametrize("kind", events.KINDS)
def test_an_event_is_one_line_that_is_read_back(kind):
    line = events.encode(kind, "run", message="two\nlines, ä", value=1.5)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert events.decode(line, "run") == {"event": kind, "id": "run", "message": "two\nlines, ä", "value": 1.5}


@pytest.mark.parametrize(
    "line", [b"", b"nonsense", b"\xff\xfe", b"[]", b"3", b'{"event": "bogus", "id": "run"}', b'{"id": "run"}',
             b'{"event": "alive", "id": "another"}', b'{"event": "alive"}', b'{"event": ["alive"], "id": "run"}']
)  # fmt: skip
def test_what_is_no_event_of_this_run_is_nothing(line):
    assert events.decode(line, "run") is None


def test_deep_nesting_is_nonsense_and_no_crash():
    assert events.decode(b"[" * 100_000, "run") is None


def test_unknown_events_and_not_a_number_cannot_be_sent():
    with pytest.raises(ValueError, match="no event"):
        events.encode("bogus", "run")
    with pytest.raises(ValueError, match="not JSON compliant"):
        events.encode("metric", "run", value=float("nan"))


def test_a_failure_reads_as_message_and_remedy():
    failure = EngineError("bad_input", "It has 4 bands.", "Choose 3.", "Traceback")
    assert str(failure) == "It has 4 bands. Choose 3."
    assert str(EngineError("cancelled", "Cancelled.")) == "Cancelled."


def test_failure_codes_are_a_closed_list():
    assert len(set(CODES)) == len(CODES)
    with pytest.raises(ValueError, match="not a failure code"):
        EngineError("bogus", "?")
