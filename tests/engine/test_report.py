"""The report says in words what the figures mean, and nothing more than they mean."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from satdifuser_qgis.engine.report.plots import chart, ticks
from satdifuser_qgis.engine.report.training_report import (
    CurvePoint,
    FusionWeight,
    InputImage,
    LabelCount,
    TrainingReport,
    training_report,
)
from satdifuser_qgis.engine.report.verdict import judge, miou_range
from satdifuser_qgis.protocol.classes import LandCoverClass

CLASSES = (
    LandCoverClass(10, "field", "#e69f00"),
    LandCoverClass(20, "forest", "#009e73"),
    LandCoverClass(30, "road", "#7f7f7f"),
)
MATRIX = np.array([[9000, 500, 0], [300, 20000, 0], [600, 200, 110]])
TRAINED = (40_000, 80_000, 310)


def report() -> TrainingReport:
    """A small complete report."""
    return TrainingReport(
        model_name="valley",
        task="Land cover in 3 classes",
        classes=CLASSES,
        label_counts=tuple(LabelCount(c.code, n, 0) for c, n in zip(CLASSES, TRAINED)),
        curve=[CurvePoint(50, 1.4, 1.3, 0.3), CurvePoint(100, 0.9, 1.0, 0.5)],
        best_step=100,
        matrix=MATRIX,
        blocks=(MATRIX // 2, MATRIX - MATRIX // 2),
        split="2 of 9 blocks of 640 m were held back.",
        settings=(("Fusion", "global weighted"),),
        fusion=(FusionWeight(10, "mid", 0.7), FusionWeight(100, "mid", 0.3)),
        inputs=(InputImage("a.tif", 512, 512),),
    )


class Page(HTMLParser):
    """Collects tags, attributes and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.references: list[str] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.references += [value for name, value in attrs if name in ("src", "href", "xlink:href") and value]

    def handle_data(self, data):
        self.words.append(data)


def test_the_report_stands_alone_without_scripts_or_foreign_files():
    page = Page(training_report(report()))
    assert "script" not in page.tags
    assert page.references == []
    assert {"svg", "table", "polyline"} <= set(page.tags)


def test_the_verdict_comes_first_and_names_good_and_bad_classes_with_reasons():
    text = " ".join(Page(training_report(report())).words)
    headline = "Good for field and forest. Do not trust road (IoU 0.12 from 310 labelled pixels)."
    assert headline in text
    assert text.index(headline) < text.index("Learning curve")


def test_names_are_escaped():
    hostile = LandCoverClass(10, "<script>alert(1)</script>", "#e69f00")
    html = training_report(replace(report(), model_name="a<b", classes=(hostile, *CLASSES[1:])))
    assert "<script" not in html
    assert "a&lt;b" in html


def test_a_missing_class_is_a_dash_never_nan():
    matrix = MATRIX.copy()
    matrix[2] = matrix[:, 2] = 0
    html = training_report(replace(report(), matrix=matrix, blocks=()))
    assert "nan" not in html.lower()
    assert "Not checked at all: road." in html


@pytest.mark.parametrize("matrix", [None, np.zeros((3, 3), np.int64)])
def test_without_validation_it_says_so_and_shows_no_scores(matrix):
    html = training_report(replace(report(), matrix=matrix, blocks=(), split="", curve=[CurvePoint(50, 1.0)]))
    assert "No validation was made" in html
    assert "mean IoU" not in html
    assert "confusion" not in html.split("<body>")[1]


def test_the_same_data_give_the_same_report():
    assert training_report(report()) == training_report(report())


def test_an_empty_report_still_renders():
    bare = TrainingReport("m", "t", CLASSES, ())
    assert "No validation was made" in training_report(bare)


def test_few_held_back_pixels_prove_nothing():
    matrix = np.array([[9000, 0, 0], [0, 9000, 0], [0, 0, 150]])
    verdict = judge(CLASSES, TRAINED, matrix)
    assert "Unproven for road (only 150 pixels were held back)." in verdict.headline
    assert verdict.grade == "fair"
    assert judge(CLASSES, TRAINED, 2 * matrix).grade == "good"


def test_the_most_common_mistake_is_named():
    assert "66 % of road was mapped as field." in judge(CLASSES, TRAINED, MATRIX).details


def test_one_block_gives_no_range_and_says_so():
    assert miou_range([MATRIX]) is None
    assert any("one block" in sentence for sentence in judge(CLASSES, TRAINED, MATRIX, [MATRIX]).details)


def test_the_range_holds_the_score_and_widens_with_uneven_blocks():
    good, bad = np.diag([1000, 1000, 1000]), np.full((3, 3), 300)
    low, high = miou_range([good, good, bad, bad])
    assert low < 0.5 < high
    assert miou_range([good, good, good]) == (1.0, 1.0)
    details = judge(CLASSES, (5000, 5000, 5000), 2 * good + 2 * bad, [good, good, bad, bad]).details
    assert any("wide" in sentence for sentence in details)


@pytest.mark.parametrize(("largest", "expected"), [(1.0, 0.2), (2000, 500), (0.037, 0.01), (3, 1.0)])
def test_ticks_are_round_and_reach_the_largest_value(largest, expected):
    found = ticks(largest, 5)
    assert found[0] == 0
    assert found[-1] >= largest
    assert found[1] == pytest.approx(expected)


def test_a_chart_of_nothing_is_none_and_of_one_point_is_drawn():
    assert chart("Loss", [1, 2], [("a", "first", [None, None])]) is None
    assert chart("Loss", [0], [("a", "first", [0.0])]) is not None
