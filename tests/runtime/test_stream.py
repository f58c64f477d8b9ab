"""Reading what children write, whatever it is."""

from __future__ import annotations

import io

import pytest

from satdifuser_qgis.protocol import events
from satdifuser_qgis.runtime import stream


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"one\ntwo\n", [b"one", b"two"]),
        (b"no end", [b"no end"]),
        (b"\n\n", [b"", b""]),
        (b"x" * 25 + b"\nshort\n", [b"x" * 10, b"short"]),
        (b"x" * 25, [b"x" * 10]),
        (b"ab\n" + b"x" * 25 + b"\ncd", [b"ab", b"x" * 10, b"cd"]),
    ],
)
@pytest.mark.parametrize("chunk", [1, 3, 7, 65_536])
def test_lines_are_bounded_whatever_the_chunks(monkeypatch, data, expected, chunk):
    monkeypatch.setattr(stream, "CHUNK", chunk)
    assert list(stream.lines(io.BytesIO(data), limit=10)) == expected


def test_events_of_this_run_come_out_and_nonsense_is_told_a_few_times():
    told = []
    data = b"nonsense\n" * 100 + events.encode("alive", "run") + events.encode("alive", "another")
    reader = stream.EventReader(io.BytesIO(data), "run", told.append)
    assert reader.next(5.0) == {"event": "alive", "id": "run"}
    reader.thread.join(5.0)
    assert reader.next(0.0) is None
    assert len(told) == stream.NONSENSE_TOLD + 1
    assert told[-1] == "101 lines were no events"


def test_a_reader_that_is_stopped_reads_on_to_the_end():
    reader = stream.EventReader(io.BytesIO(events.encode("alive", "run") * 5000), "run", print)
    reader.stop()
    reader.thread.join(5.0)
    assert not reader.thread.is_alive()


def test_only_the_last_lines_are_kept():
    told = []
    reader = stream.TailReader(io.BytesIO(b"\xffline\r\n" * 100 + b"last"), told.append)
    reader.thread.join(5.0)
    assert len(told) == 101
    assert reader.tail().splitlines()[-2:] == ["\N{REPLACEMENT CHARACTER}line", "last"]
    assert len(reader.tail().splitlines()) == stream.TAIL_LINES
