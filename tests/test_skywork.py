"""The plan in a small planted world: it reaches what a broken one does not. Its second stage on pairs made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from experiments import skywork, skywork_real
from experiments.skywork import FLIPPED, HIT, PURE, World, features, looped, second_stage, trained, world
from workers.consistency import Outcome

SMALL = 1_000
Told = tuple[float, float]


@pytest.fixture(scope="module")
def small() -> World:
    return world(1, SMALL, 400)[0]


def purity(pool: World, sides: dict[Outcome, np.ndarray]) -> Told:
    """The share of right labels among what is kept, of wrong ones among what is flipped."""
    return float(1 - pool.wrong[sides[Outcome.KEEP]].mean()), float(pool.wrong[sides[Outcome.FLIP]].mean())


def test_the_world_is_as_planted() -> None:
    pool, test = world(1, 4_000, 500)
    assert pool.wrong.mean() == pytest.approx(0.3, abs=0.03) and not test.wrong.any()
    again, _ = world(1, 4_000, 500)
    assert np.array_equal(pool.labels, again.labels) and np.array_equal(pool.prompts, again.prompts)


def test_two_models_that_agree_keep_right_labels_and_turn_wrong_ones(small: World) -> None:
    rows = features(small)
    loop = looped(small, rows, "errors", "nearest", 1, human=240)
    assert len(set(loop.human)) == 240
    kept, flipped = purity(small, second_stage(small, rows, loop))
    assert kept >= PURE and flipped >= FLIPPED
    assert loop.hits >= HIT * small.wrong.mean()

    blind = trained(rows, small.labels)  # a gold model that learnt from what nobody verified
    broken = skywork.Loop(loop.human, loop.hits, small.labels, blind, blind)
    sides = second_stage(small, rows, broken)
    assert 1 - small.wrong[sides[Outcome.KEEP]].mean() < PURE and not len(sides[Outcome.FLIP])


def test_the_nearest_examples_tell_a_judge_more_than_random_ones(small: World) -> None:
    rows = features(small)
    chance = np.random.default_rng(0)
    human = chance.permutation(SMALL)[:160]
    places = np.setdiff1d(np.arange(SMALL), human)
    unsure = np.full(len(places), 0.5)
    near, random, none = (
        float(
            (skywork.judged(small, human, places, unsure, way, np.random.default_rng(1)) == small.truth[places]).mean()
        )
        for way in ("nearest", "random", "none")
    )
    assert near > random + 0.04 and near > none + 0.04
    assert len(rows) == SMALL


def test_claims_hold_or_not_by_the_means() -> None:
    good = {
        "purity": 0.9, "flipped rightly": 0.8, "nearest examples": 0.8, "random examples": 0.7, "recovered": 0.5,
        "error-driven, nearest": 0.82, "error-driven, nearest: wrong among asked": 0.45, "wrong in the pool": 0.3,
    }  # fmt: skip
    assert all(held for _, held in skywork.judge([good, good]))
    for name, value in {"purity": 0.8, "flipped rightly": 0.5, "random examples": 0.79, "recovered": 0.1}.items():
        assert sum(not held for _, held in skywork.judge([good, {**good, name: 2 * value - good[name]}])) == 1


def test_real_pairs_without_data_are_said_not_to_be_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOUCHSTONE_DATA", raising=False)
    told = skywork_real.run(0)
    [(words, held)] = skywork_real.judge([told])
    assert "NOT MEASURED" in next(iter(told)) and "NOT MEASURED" in words and not held
