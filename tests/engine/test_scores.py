"""Scores follow from counts, agree with scikit-learn, and never invent a figure for a class that is not there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import accuracy_score, f1_score, jaccard_score, precision_score, recall_score
from sklearn.metrics import confusion_matrix as sklearn_confusion

from satdifuser_qgis.engine.report.scores import (
    boundary_counts,
    boundary_iou,
    confusion_matrix,
    patch_count,
    score,
    to_indices,
)

maps = arrays(np.int16, (6, 7), elements=st.integers(0, 3))


@settings(max_examples=60, deadline=None)
@given(truth=maps, predicted=maps)
def test_scores_agree_with_scikit_learn(truth, predicted):
    matrix = confusion_matrix(truth, predicted, 4)
    true, guess = truth.ravel(), predicted.ravel()
    assert matrix.tolist() == sklearn_confusion(true, guess, labels=range(4)).tolist()
    present = sorted(set(true) | set(guess))
    found = score(matrix)
    iou = jaccard_score(true, guess, labels=present, average=None)
    assert [found.iou[i] for i in present] == pytest.approx(iou)
    assert found.miou == pytest.approx(iou.mean())
    recall = recall_score(true, guess, labels=range(4), average=None, zero_division=np.nan)
    precision = precision_score(true, guess, labels=range(4), average=None, zero_division=np.nan)
    assert [np.nan if x is None else x for x in found.producers] == pytest.approx(recall, nan_ok=True)
    assert [np.nan if x is None else x for x in found.users] == pytest.approx(precision, nan_ok=True)
    assert found.macro_f1 == pytest.approx(f1_score(true, guess, labels=present, average="macro"))
    assert found.overall_accuracy == pytest.approx(accuracy_score(true, guess))


@settings(max_examples=20, deadline=None)
@given(truth=maps, predicted=maps)
def test_tiles_add_up_to_the_whole(truth, predicted):
    halves = confusion_matrix(truth[:3], predicted[:3], 4) + confusion_matrix(truth[3:], predicted[3:], 4)
    assert (halves == confusion_matrix(truth, predicted, 4)).all()


def test_a_class_that_is_nowhere_has_no_score_and_no_say_in_the_mean():
    truth, predicted = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    found = score(confusion_matrix(truth, predicted, 3))
    assert found.iou[2] is None
    assert found.f1[2] is None
    assert found.miou == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_a_class_that_is_only_on_the_map_counts_as_wrong():
    assert score(confusion_matrix(np.array([0, 0]), np.array([0, 1]), 2)).iou == (0.5, 0.0)


def test_without_any_pixel_there_is_no_score():
    found = score(np.zeros((3, 3), np.int64))
    assert (found.miou, found.macro_f1, found.overall_accuracy) == (None, None, None)


def test_unlabelled_pixels_are_not_counted():
    assert confusion_matrix(np.array([-1, 0, 255]), np.array([1, 0, 1]), 2).tolist() == [[1, 0], [0, 0]]


def test_a_labelled_pixel_without_a_prediction_is_refused():
    with pytest.raises(ValueError, match="-1"):
        confusion_matrix(np.array([0, 1]), np.array([0, -1]), 2)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="shape"):
        confusion_matrix(np.zeros((2, 2), int), np.zeros((2, 3), int), 2)


def test_counts_do_not_overflow_with_small_integers():
    truth = np.full(70_000, 200, np.uint8)
    assert confusion_matrix(truth, truth, 201)[200, 200] == 70_000


def test_codes_become_indices_in_the_order_given():
    found = to_indices(np.array([[10, 0], [300, 20], [7, 99]], np.uint16), (20, 10, 300))
    assert found.tolist() == [[1, -1], [2, 0], [-1, -1]]


def halves(border: int, width: int = 40) -> np.ndarray:
    """Class 0 left of ``border``, class 1 from there on."""
    return np.repeat((np.arange(width) >= border)[None].astype(np.int16), 10, axis=0)


def test_boundary_iou_is_one_for_an_equal_map_and_falls_with_the_distance_of_the_border():
    found = [boundary_iou(boundary_counts(halves(20), halves(20 + shift), 2)) for shift in (0, 1, 2, 4)]
    # bands are two columns on either side: moved by 1, each class shares 1 of 3 columns
    assert found == pytest.approx([1.0, 1 / 3, 0.0, 0.0])


def test_boundary_iou_does_not_look_at_the_interior():
    truth, predicted = halves(20), halves(20)
    truth[:, 0] = -1
    assert boundary_counts(truth, predicted, 2).tolist() == [[20, 20], [20, 20]]


def test_a_map_of_one_class_has_no_boundary():
    flat = np.zeros((5, 5), np.int16)
    assert boundary_iou(boundary_counts(flat, flat, 2)) is None


def test_patches_touch_along_edges_not_corners():
    chess = np.indices((4, 4)).sum(0) % 2
    assert patch_count(chess) == 16
    assert patch_count(np.array([[0, 0, 1], [-1, 0, 1]])) == 2
