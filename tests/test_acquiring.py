"""Error-driven retrieval and the decision table of stage 2, against cases made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from workers.acquiring import Pulled, acquire, demonstrations, neighbours_wanted
from workers.consistency import Outcome, advice, agrees, audited, needs_judge, outcome


@pytest.mark.parametrize(
    ("confidence", "wanted"),
    [(0.0, 8), (0.5, 8), (0.51, 4), (0.6, 4), (0.75, 2), (0.9, 1), (0.99, 1), (1.0, 0), (float("nan"), 8)],
)
def test_a_surer_model_pulls_fewer_neighbours(confidence: float, wanted: int) -> None:
    assert neighbours_wanted(confidence) == wanted


def test_what_most_errors_pull_comes_first() -> None:
    gold = np.array([[1, 0, 0], [0.9, 0.1, 0], [0, 1, 0]], dtype=np.float32)
    pool = np.array([[0, 0, 1], [1, 0.05, 0], [0, 1, 0], [-1, -1, 0]], dtype=np.float32)
    found = acquire(gold, [0.2, 0.5, 0.9], pool, 10)
    # the first two pull both that point their way at all, the third, which is right, one alone
    assert [(one.place, one.pulls) for one in found] == [(2, 2), (1, 2)]
    assert found[0].similarity == pytest.approx(1.0)
    assert acquire(gold, [0.2, 0.5, 0.9], pool, 1) == found[:1]
    assert acquire(gold, [1.0, 1.0, 1.0], pool, 10) == []


def test_a_pool_may_come_in_blocks() -> None:
    chance = np.random.default_rng(3)
    gold, pool = chance.normal(size=(7, 5)), chance.normal(size=(300, 5))
    sure = chance.uniform(0.3, 1, size=7).tolist()
    whole = acquire(gold, sure, pool, 40)
    parts = acquire(gold, sure, iter([pool[:1], pool[1:130], pool[130:]]), 40)
    assert [(one.place, one.pulls) for one in parts] == [(one.place, one.pulls) for one in whole]
    # the same by brute force
    alike = (gold / np.linalg.norm(gold, axis=1, keepdims=True)) @ (pool / np.linalg.norm(pool, axis=1)[:, None]).T
    pulls: dict[int, list[float]] = {}
    for row, confidence in zip(alike, sure, strict=True):
        for place in np.argsort(-row)[: neighbours_wanted(confidence)]:
            pulls.setdefault(int(place), []).append(float(row[place]))
    expected = sorted(pulls.items(), key=lambda one: (-len(one[1]), -max(one[1])))
    assert [(one.place, one.pulls) for one in whole] == [(place, len(found)) for place, found in expected]


def test_vectors_of_nothing_pull_nothing() -> None:
    assert acquire(np.zeros((1, 3)), [0.0], np.eye(3), 5) == []
    assert acquire(np.zeros((0, 3)), [], np.eye(3), 5) == []
    assert acquire(np.eye(3)[:1], [0.0], np.eye(3), 5) == [Pulled(0, 1, 1.0)]
    with pytest.raises(ValueError, match="1 vectors but 2 confidences"):
        acquire(np.eye(3)[:1], [0.0, 1.0], np.eye(3), 5)


def test_examples_are_near_and_never_of_the_same_prompt() -> None:
    gold = np.array([[1, 0], [0.9, 0.2], [0.5, 0.5], [-1, 0]], dtype=np.float32)
    prompts = ["mine", "a", "b", "c"]
    assert demonstrations(np.array([1, 0]), gold, 0.3, "mine", prompts) == [1, 2]
    assert demonstrations(np.array([1, 0]), gold, 0.9, "other", prompts) == [0]
    assert demonstrations(np.array([1, 0]), gold, 1.0, "other", prompts) == []
    assert demonstrations(np.array([1, 0]), gold[:0], 0.1, "other", []) == []


@pytest.mark.parametrize(
    ("gold", "best", "judge", "expected"),
    [
        (True, True, None, Outcome.KEEP),
        (True, False, True, Outcome.KEEP),
        (True, False, False, Outcome.DROP),
        (True, False, None, Outcome.DROP),
        (False, True, None, Outcome.DROP),
        (False, True, True, Outcome.DROP),
        (False, False, False, Outcome.FLIP),
        (False, False, None, Outcome.FLIP),
        (False, False, True, Outcome.ASK),
    ],
)
def test_the_decision_table(gold: bool, best: bool, judge: bool | None, expected: Outcome) -> None:
    assert outcome(gold, best, judge) is expected


def test_a_tie_of_scores_is_wrong_and_a_judge_is_asked_only_in_doubt() -> None:
    assert agrees(1.0, 0.5)
    assert not agrees(0.5, 0.5)
    assert not agrees(float("nan"), 0.0)
    assert [needs_judge(True), needs_judge(False)] == [False, True]


def test_two_of_a_hundred_are_audited_and_always_the_same() -> None:
    keys = [f"pair {n}" for n in range(20_000)]
    chosen = [key for key in keys if audited(key, seed=1)]
    assert len(chosen) == pytest.approx(400, abs=60)
    assert chosen == [key for key in keys if audited(key, seed=1)]
    assert chosen != [key for key in keys if audited(key, seed=2)]


def test_when_to_stop() -> None:
    assert not advice([0.6], 10, 100).stop
    assert not advice([0.6, 0.6, 0.65], 10, 100).stop
    assert not advice([0.6, 0.65, 0.65], 10, 100).stop
    assert advice([0.6, 0.65, 0.652, 0.65], 10, 100).stop
    assert "+0.2, -0.2" in advice([0.6, 0.65, 0.652, 0.65], 10, 100).reason
    assert advice([0.6], 100, 100) == advice([0.6, 0.7, 0.8], 130, 100)
    assert "100 human labels" in advice([0.6], 100, 100).reason
    assert not advice([0.6, 0.7, 0.8], 130, 0).stop
