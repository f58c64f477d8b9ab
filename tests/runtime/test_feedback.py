"""What the user sees of a run."""

from __future__ import annotations

import pytest

from satdifuser_qgis.runtime.feedback import Narrator, Pace, duration


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_no_forecast_before_there_is_something_to_judge_by(clock):
    pace = Pace(clock)
    assert pace.left_s(0, 100, "tiles") is None
    clock.now += 4
    assert pace.left_s(50, 100, "tiles") is None
    clock.now += 4
    assert pace.left_s(1, 1000, "tiles") is None


def test_forecast_follows_the_rate(clock):
    pace = Pace(clock)
    pace.left_s(0, 100, "tiles")
    clock.now += 10
    assert pace.left_s(25, 100, "tiles") == pytest.approx(30)
    assert pace.left_s(100, 100, "tiles") is None


@pytest.mark.parametrize(("done", "total", "unit"), [(1, 100, "tiles"), (30, 200, "tiles"), (30, 100, "epochs")])
def test_another_phase_starts_the_forecast_anew(clock, done, total, unit):
    pace = Pace(clock)
    pace.left_s(0, 100, "tiles")
    clock.now += 10
    pace.left_s(25, 100, "tiles")
    clock.now += 10
    assert pace.left_s(done, total, unit) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "less than a minute"), (59, "less than a minute"), (61, "about a minute"), (200, "about 3 minutes"),
     (5000, "about 83 minutes"), (91 * 60, "about 1.5 hours"), (7300, "about 2 hours"),
     (149 * 60, "about 2.5 hours"), (9.9 * 3600, "about 10 hours"), (20.4 * 3600, "about 20 hours")],
)  # fmt: skip
def test_times_are_told_in_words(seconds, words):
    assert duration(seconds) == words


def progress(done, message="Mapping"):
    return {"event": "progress", "done": done, "total": 100, "unit": "tiles", "message": message}


def test_texts_are_few_and_tell_the_time_left(clock, feedback):
    narrator = Narrator(feedback, clock)
    for done in range(100):
        narrator.tell(progress(done))
        clock.now += 0.5
    assert feedback.shares == list(range(100))
    assert feedback.texts == ["Mapping", "Mapping, less than a minute left"]


def test_a_new_message_is_shown_at_once(clock, feedback):
    narrator = Narrator(feedback, clock)
    narrator.tell(progress(1, "Reading"))
    narrator.tell(progress(2, "Mapping"))
    assert feedback.texts == ["Reading", "Mapping"]


def test_warnings_and_lines_go_where_they_belong_and_details_to_the_log_only(feedback):
    narrator = Narrator(feedback)
    for level in ("info", "warning", "debug"):
        narrator.tell({"event": "log", "level": level, "message": f"a {level}"})
    narrator.tell({"event": "log"})
    assert (feedback.infos, feedback.warnings) == (["a info"], ["a warning"])
