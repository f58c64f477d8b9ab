"""The report says in words what the figures mean, and nothing more than they mean."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from satdifuser_qgis.engine.report.plots import chart, ticks
from satdifuser_qgis.engine.report.spread import spread
from satdifuser_qgis.engine.report.streams import streams_in_words
from satdifuser_qgis.engine.report.table import training_table
from satdifuser_qgis.engine.report.training_report import (
    CurvePoint,
    FusionWeight,
    InputImage,
    LabelCount,
    TrainingReport,
    training_report,
)
from satdifuser_qgis.engine.report.verdict import check_classes, judge
from satdifuser_qgis.protocol.classes import LandCoverClass

CLASSES = (
    LandCoverClass(10, "field", "#e69f00"),
    LandCoverClass(20, "forest", "#009e73"),
    LandCoverClass(30, "road", "#7f7f7f"),
)
MATRIX = np.array([[9000, 500, 0], [300, 20000, 0], [600, 200, 110]])
BLOCKS = (MATRIX // 3, MATRIX // 3, MATRIX - 2 * (MATRIX // 3))
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
        blocks=BLOCKS,
        split="3 of 9 blocks of 640 m were kept out of training.",
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
    places = [
        text.index("Largest confusion: 66\N{NO-BREAK SPACE}% of road was mapped as field (600 of 910 pixels)."),
        text.index("Do not trust road (IoU 0.12 from 310 labelled pixels)."),
        text.index("Good for field and forest."),
        text.index("Learning curve"),
    ]
    assert places == sorted(places)


def test_names_are_escaped():
    hostile = LandCoverClass(10, "<script>alert(1)</script>", "#e69f00")
    html = training_report(replace(report(), model_name="a<b", classes=(hostile, *CLASSES[1:])))
    assert "<script" not in html
    assert "a&lt;b" in html


def test_numbers_stay_in_one_line_with_their_sign():
    settings, decided = (("Bands", '1 (B04), 2 "Green (B03)"'),), "Features count for 40 % and pixels for 60 %."
    html = training_report(replace(report(), settings=settings, decided=decided, model_name="<1 (a)>"))
    space = "\N{NO-BREAK SPACE}"
    for text in (f"1{space}(B04), 2{space}&#34;Green (B03)", f"for 40{space}% and pixels for 60{space}%", "&lt;1"):
        assert text in html
    assert not re.search(r"\d %", "".join(Page(html).words))


def test_of_many_classes_ten_are_named_in_a_sentence():
    classes = tuple(LandCoverClass(code, f"plot {code}", "#7f7f7f") for code in range(1, 123))
    matrices = [np.full((122, 122), pixels) + 999 * np.roll(np.eye(122, dtype=int), 1, axis=1) for pixels in (5, 6, 7)]
    verdict = judge(classes, [9] * 122, matrices)
    assert len(verdict.headline[-1]) < 600
    assert verdict.headline[-1].endswith(" and 112 more.")
    assert verdict.details[-1].startswith("More labels of plot 1, plot 2, ")
    assert "plot 10 and 112 more, in several places" in verdict.details[-1]
    assert len(verdict.details) < 20
    data = replace(report(), classes=classes, blocks=tuple(matrices), label_counts=(), table="valley.scores.csv")
    html = training_report(data)
    assert "That of 122 classes is in the table valley.scores.csv" in html
    assert '<table class="confusion">' not in html
    assert '<table class="confusion">' in training_report(replace(data, table=""))


def test_a_missing_class_is_a_dash_never_nan():
    matrix = MATRIX.copy()
    matrix[2] = matrix[:, 2] = 0
    html = training_report(replace(report(), blocks=(matrix, matrix)))
    assert "nan" not in html.lower()
    assert "Not checked at all: road." in html


def test_without_validation_it_says_so_and_shows_no_scores():
    html = training_report(replace(report(), blocks=(), split="", curve=[CurvePoint(50, 1.0)]))
    assert "No validation was made" in html
    assert "mean IoU" not in html
    assert "Confusion matrix" not in html
    assert "Largest confusion:" not in html


def test_the_same_data_give_the_same_report():
    assert training_report(report()) == training_report(report())


def test_an_empty_report_still_renders():
    bare = TrainingReport("m", "t", CLASSES, ())
    assert "No validation was made" in training_report(bare)


def right(*pixels: int) -> np.ndarray:
    """A block in which so many pixels of each class are all right."""
    return np.diag(pixels)


def grade(blocks, name: str = "road") -> str:
    """What the headline says of a class: its opening words."""
    headline = judge(CLASSES, TRAINED, blocks).headline
    return next(said for said in headline if name in said and "was mapped" not in said).partition(" ")[0]


@pytest.mark.parametrize(
    ("road", "expected"),
    [
        ((49, 49, 49), "Good"),  # three squares of 7 × 7 in three places
        ((5, 5, 5), "Good"),
        ((98, 49, 49), "Good"),
        ((100_000, 100_000, 0), "Unproven"),
        ((100_000, 0, 0), "Unproven"),
        ((100_000, 1, 1), "Unproven"),
        ((0, 0, 0), "Not"),
    ],
)
def test_places_prove_a_class_not_pixels(road, expected):
    assert grade([right(900, 900, pixels) for pixels in road]) == expected


def test_the_same_ground_seen_twice_proves_no_more():
    """Two images of the same blocks: twice the pixels in the same places."""
    rng = np.random.default_rng(4)
    for _ in range(20):
        blocks = [rng.integers(0, 200, (3, 3)) + right(*rng.integers(0, 900, 3)) for _ in range(rng.integers(1, 6))]
        once, twice = (check_classes(CLASSES, TRAINED, [times * block for block in blocks]) for times in (1, 2))
        assert [item.grade for item in once] == [item.grade for item in twice]
        assert [item.iou_range for item in once] == [item.iou_range for item in twice]


def test_a_class_that_other_blocks_would_have_called_otherwise_is_unproven():
    good, bad = right(900, 900, 300), np.array([[900, 0, 0], [0, 900, 0], [300, 0, 0]])
    headline = judge(CLASSES, TRAINED, [good, good, bad]).headline
    assert "Unproven for road (IoU 0.67, but 0.33 to 1.00 with other blocks)." in headline
    assert grade([good] * 9 + [bad]) == "Good"
    assert grade([bad] * 5) == "Do"


def test_why_a_class_is_unproven_is_told():
    few = judge(CLASSES, TRAINED, [right(900, 900, 75)] * 2 + [right(900, 900, 0)])
    assert few.headline == (
        "Unproven for road (IoU 1.00, but only 2 validation blocks).",
        "Good for field and forest.",
    )
    assert few.grade == "fair"
    one = judge(CLASSES, TRAINED, [right(900, 900, n) for n in (5000, 10, 10)])
    assert "Unproven for road (IoU 1.00, but most of it in 1 validation block)." in one.headline


def test_a_model_without_a_mistake_has_no_confusion_to_tell():
    assert judge(CLASSES, TRAINED, [right(900, 900, 900)] * 4).headline == ("Good for field, forest and road.",)


def test_a_handful_of_pixels_is_not_the_headline():
    """Of a class in one block, all pixels are mapped wrongly; what a class in several is mapped as says more."""
    blocks = [np.array([[900, 0, 0], [100, 900, 0], [0, 0, 0]])] * 4 + [np.array([[0, 0, 0], [0, 0, 0], [6, 0, 0]])]
    verdict = judge(CLASSES, TRAINED, blocks)
    assert verdict.headline[0] == "Largest confusion: 10 % of forest was mapped as field (400 of 4,000 pixels)."
    assert "100 % of road was mapped as field (6 of 6 pixels)." in verdict.details
    in_two = [*blocks, blocks[-1]]
    assert judge(CLASSES, TRAINED, in_two).headline[0].startswith("Largest confusion: 100 % of road")


def test_other_serious_mistakes_are_named_below():
    blocks = [np.array([[900, 0, 0], [400, 600, 0], [700, 0, 300]])] * 4
    verdict = judge(CLASSES, TRAINED, blocks)
    assert verdict.headline[0].startswith("Largest confusion: 70 % of road was mapped as field")
    assert "40 % of forest was mapped as field (1,600 of 4,000 pixels)." in verdict.details


def test_one_block_gives_no_range_and_says_so():
    assert spread([MATRIX]).miou is None
    assert any("one block" in sentence for sentence in judge(CLASSES, TRAINED, [MATRIX]).details)


def test_the_range_holds_the_score_and_widens_with_uneven_blocks():
    good, bad = np.diag([1000, 1000, 1000]), np.full((3, 3), 300)
    low, high = spread([good, good, bad, bad]).miou
    assert low < 0.5 < high
    assert spread([good, good, bad, bad]).iou[0] == pytest.approx((low, high))
    assert spread([good, good, good]).miou == (1.0, 1.0)
    details = judge(CLASSES, (5000, 5000, 5000), [good, good, bad, bad]).details
    assert any("wide" in sentence for sentence in details)


def test_a_class_that_is_nowhere_has_no_range_and_no_place():
    found = spread([right(9, 9, 0)] * 3)
    assert (found.iou[2], found.places[2], found.blocks[2]) == (None, 0, 0)
    assert found.miou == (1.0, 1.0)


def test_the_table_beside_it_holds_the_same_figures():
    rows = list(csv.DictReader(io.StringIO(training_table(report()).removeprefix("\ufeff"))))
    assert [row["class"] for row in rows] == ["field", "forest", "road"]
    road = rows[2]
    assert (road["code"], road["verdict"], road["validation_blocks"]) == ("30", "do not trust", "3")
    assert float(road["producers_accuracy"]) == pytest.approx(110 / 910, abs=1e-4)
    assert float(road["users_accuracy"]) == 1
    assert float(road["iou_low"]) <= float(road["iou"]) <= float(road["iou_high"])
    assert [int(road[f"mapped as {item.code} {item.name}"]) for item in CLASSES] == MATRIX[2].tolist()
    assert "12\N{NO-BREAK SPACE}%" in training_report(report())


def test_the_table_of_a_training_without_validation_has_its_labels():
    rows = list(csv.DictReader(io.StringIO(training_table(replace(report(), blocks=())).removeprefix("\ufeff"))))
    assert [row["training_pixels"] for row in rows] == ["40000", "80000", "310"]
    assert {row["iou"] + row["mapped as 10 field"] for row in rows} == {""}


def test_streams_are_named_in_words():
    strides = {
        "down_blocks.0.resnets.1.conv2": 8,
        "mid_block.resnets.0": 64,
        "up_blocks.2.resnets.0": 16,
        "up_blocks.2.attentions.1.transformer_blocks.0.attn1": 16,
        "up_blocks.3.resnets.2": 8,
        "odd.name": 8,
    }
    assert list(streams_in_words(strides).values()) == [
        "encoder, finest level, block 2, second convolution",
        "bottleneck, block 1",
        "decoder, second level, block 1",
        "decoder, second level, attention 2, self-attention",
        "decoder, finest level, block 3",
        "odd.name",
    ]
    alike = {"up_blocks.0.resnets.0": 4, "up_blocks.1.resnets.0": 4}
    assert streams_in_words(alike) == {name: name for name in alike}


@pytest.mark.parametrize(("largest", "expected"), [(1.0, 0.2), (2000, 500), (0.037, 0.01), (3, 1.0)])
def test_ticks_are_round_and_reach_the_largest_value(largest, expected):
    found = ticks(largest, 5)
    assert found[0] == 0
    assert found[-1] >= largest
    assert found[1] == pytest.approx(expected)


@pytest.mark.parametrize("steps", [1, 2, 7, 300])
def test_steps_are_whole_and_stand_once(steps):
    marks = [tick.text for tick in chart("Loss", [steps], [("a", "first", [1.0])]).x_ticks]
    assert len(set(marks)) == len(marks) > 1


def test_a_chart_of_nothing_is_none_and_of_one_point_is_drawn():
    assert chart("Loss", [1, 2], [("a", "first", [None, None])]) is None
    assert chart("Loss", [0], [("a", "first", [0.0])]) is not None
