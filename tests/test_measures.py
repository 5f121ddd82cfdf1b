"""Measures of marks against cases counted by hand and against scikit-learn."""

from __future__ import annotations

from random import Random

import pytest

from workers.measures import (
    auroc,
    average_precision,
    balanced_accuracy,
    best_threshold,
    f_score,
    first_errors,
    first_wrong,
    marks,
)

SCORES = [0.9, 0.8, 0.8, 0.3, 0.1]
TRUTH = [True, False, True, False, True]


def test_counted_by_hand() -> None:
    # pairs (true, false): .9 above both, .8 ties with one and is above one, .1 below both
    assert auroc(SCORES, TRUTH) == pytest.approx((2 + 1.5 + 0) / 6)
    # recall rises by 1/3 at each of three thresholds, where precision is 1, 2/3 and 3/5
    assert average_precision(SCORES, TRUTH) == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)
    assert balanced_accuracy([True, True, False, False, False], TRUTH) == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert f_score(2, 1, 1) == pytest.approx(2 / 3)
    assert f_score(1, 1, 3, beta=0.5) == pytest.approx(1.25 * 1 / (1.25 + 0.25 * 3 + 1))


def test_what_is_not_defined_is_none() -> None:
    assert auroc([1.0, 2.0], [True, True]) is None
    assert average_precision([1.0], [False]) is None
    assert f_score(0, 0, 0) is None and f_score(0, 3, 0) == 0
    assert balanced_accuracy([True], [True]) is None
    assert best_threshold([0.5], [False]) is None


@pytest.mark.parametrize("seed", range(20))
def test_as_scikit_learn_has_them(seed: int) -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="NOT RUN: scikit-learn is not installed")
    chance = Random(seed)
    truth = [True, False, *(chance.random() < 0.3 for _ in range(60))]
    scores = [round(chance.random() + 0.2 * label, 1) for label in truth]  # many ties
    assert auroc(scores, truth) == pytest.approx(metrics.roc_auc_score(truth, scores))
    assert average_precision(scores, truth) == pytest.approx(metrics.average_precision_score(truth, scores))
    told = [score > 0.5 for score in scores]
    assert balanced_accuracy(told, truth) == pytest.approx(metrics.balanced_accuracy_score(truth, told))
    found = best_threshold(scores, truth, beta=0.5)
    every = {at: metrics.fbeta_score(truth, [score >= at for score in scores], beta=0.5) for at in set(scores)}
    assert found is not None and found[1] == pytest.approx(max(every.values()))
    assert every[found[0]] == pytest.approx(found[1])


def test_a_threshold_asks_for_precision_or_for_all() -> None:
    truth = [True, False, True, False, False, False, True]
    scores = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3]
    assert best_threshold(scores, truth, beta=0.25) == (0.9, pytest.approx(17 / 16 * 1 / (17 / 16 + 2 / 16)))
    found = best_threshold(scores, truth, beta=3)
    assert found is not None and found[0] == 0.3


def test_places_are_counted_and_other_types_left_out() -> None:
    assert marks([(0, 4)], [(2, 6)]) == (2, 2, 2)
    assert marks([(0, 4)], [(2, 6)], left_out=[(0, 3)]) == (2, 0, 2)  # place 2 is true: it counts all the same
    assert marks([], [(2, 6)]) == (0, 0, 4) and marks([(0, 2), (1, 3)], []) == (0, 3, 0)


def test_first_errors_as_processbench_counts_them() -> None:
    assert first_wrong([0.9, 0.4, 0.2]) == 1 and first_wrong([0.5]) is None
    found = first_errors([1, None, None, 0, 2], [1, 1, None, None, 2])
    assert (found["on_wrong"], found["on_right"]) == (pytest.approx(2 / 3), 0.5)
    assert found["f1"] == pytest.approx(2 * (2 / 3) * 0.5 / (2 / 3 + 0.5))
    assert first_errors([None, None], [None, 0])["f1"] == 0
    assert first_errors([None], [None])["f1"] is None
