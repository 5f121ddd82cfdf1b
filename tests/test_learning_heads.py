"""Heads, learning curves, acquisition and advice: planted worlds, and cases worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from workers.intervals import Estimate, wilson
from workers.learning import acquiring, advising, curves, hashed, heads
from workers.learning.curves import Labels


def world(n: int, width: int = 20, *, seed: int = 0, sure: float = 3.0) -> Labels:
    """Pairs on n / 3 prompts whose better side follows a plane, more surely the larger `sure` is."""
    chance = np.random.default_rng(seed)
    x = chance.normal(size=(n, width))
    truth = chance.normal(size=width) * sure / np.sqrt(width)
    y = (chance.random(n) < heads.sigmoid(x @ truth)).astype(float)
    return Labels(x, y, curves.renumbered(chance.integers(0, n // 3, n)))


def test_a_head_is_the_maximum_of_its_posterior() -> None:
    labels = world(60)
    found = heads.fitted(labels.x, labels.y, 2.0)
    slope = labels.x.T @ (heads.sigmoid(labels.x @ found) - labels.y) + 2.0 * found
    assert np.abs(slope).max() < 1e-6
    twice = heads.fitted(labels.x, labels.y, 2.0, np.full(60, 2.0))
    assert np.allclose(twice, heads.fitted(np.vstack([labels.x] * 2), np.r_[labels.y, labels.y], 2.0), atol=1e-6)


def test_the_order_of_a_pair_says_nothing() -> None:
    labels = world(60)
    turned = heads.fitted(-labels.x, 1 - labels.y, 1.0)
    assert np.allclose(turned, heads.fitted(labels.x, labels.y, 1.0), atol=1e-8)


@pytest.mark.parametrize(("a", "b", "c"), [(0.1, 0.8, 0.5), (0.0, 1.2, 0.3), (0.25, 0.5, 1.0)])
def test_a_law_is_found_again(a: float, b: float, c: float) -> None:
    sizes = np.array([10, 20, 40, 80, 160, 320])
    law = curves.law_through(sizes, a + b * sizes.astype(float) ** -c)
    assert law.at(1000)[0] == pytest.approx(a + b * 1000**-c, abs=2e-3)


def test_no_law_expects_labels_to_harm() -> None:
    law = curves.law_through(np.array([10, 20, 40, 80]), np.array([[0.3, 0.32, 0.34, 0.35], [0.1, 0.05, 0.01, 0.0]]))
    assert (law.b >= 0).all() and (law.a >= 0).all()
    assert law.at(100)[0] == pytest.approx(0.3275)


def test_the_curve_falls_and_no_prompt_is_on_both_sides() -> None:
    labels = world(400)
    found = curves.curve(labels, seeds=4, sizes=6)
    errors = [one.value for _, one in found.points]
    assert errors[0] - errors[-1] > 0.1
    assert all(one.low <= one.value <= one.high for _, one in found.points)
    for split in found.measured.splits:
        assert not set(labels.groups[split.held]) & set(labels.groups[split.trained])
    gain = found.gain(400, 500)
    assert 0 < gain.low <= gain.value <= gain.high < 0.05
    assert found.gain(400, 1000).value > gain.value


def test_labels_that_are_coins_promise_nothing() -> None:
    labels = world(300, sure=0.0)
    gain = curves.curve(labels, seeds=4, sizes=6).gain(300, 400)
    assert gain.low < 0.003


def test_the_back_test_foretells_a_steady_world() -> None:
    tested = [curves.back_tested(world(600, seed=seed), seeds=4, sizes=6) for seed in range(4)]
    assert all(one and one.meets for one in tested)
    assert all(one and 1.6 < one.after / one.before < 2.4 for one in tested)


def test_too_few_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="there are 59 decided pairs"):
        curves.curve(world(59))
    one_prompt = Labels(*(getattr(world(80), name) for name in ("x", "y")), np.zeros(80, dtype=int))
    with pytest.raises(ValueError, match="too few prompts"):
        curves.curve(one_prompt)
    assert curves.back_tested(world(100)) is None


def test_the_same_seed_gives_the_same_curve() -> None:
    labels = world(120)
    assert (
        curves.curve(labels, seed=5, seeds=3, sizes=4).points == curves.curve(labels, seed=5, seeds=3, sizes=4).points
    )


def test_change_is_largest_where_the_head_is_unsure_of_a_long_difference() -> None:
    head = np.array([2.0, 0.0])
    x = np.array([[0.0, 3.0], [0.0, 1.0], [3.0, 0.0]])
    assert acquiring.change(x, head).tolist() == pytest.approx([1.5, 0.5, 6 * 0.0024726 * 0.9975274], abs=1e-5)


def test_disagreement_is_the_spread_of_the_heads() -> None:
    several = np.array([[1.0, 0.0], [-1.0, 0.0]])
    found = acquiring.disagreement(np.array([[1.0, 0.0], [0.0, 1.0]]), several)
    assert found.tolist() == pytest.approx([(heads.sigmoid(1.0) - heads.sigmoid(-1.0)) / 2, 0.0])


def test_the_next_turn_is_that_of_the_cluster_with_fewest_labels() -> None:
    keys = acquiring.turns([0, 0, 0, 1, 1], [0.2, 0.1, 0.3, 0.5, 0.4], [2, 0])
    assert sorted(range(5), key=keys.__getitem__) == [4, 3, 1, 0, 2]


def test_mixed_takes_from_each_order_in_turn() -> None:
    places, by = acquiring.mixed([[0, 1, 2, 3], [3, 2, 1, 0]])
    assert list(places) == [0, 2, 3, 1] and list(by) == [0, 0, 1, 1]


def test_clusters_find_what_lies_together() -> None:
    chance = np.random.default_rng(0)
    where = np.array([[0, 0], [10, 0], [0, 10]])
    points = (where[:, None] + chance.normal(size=(3, 200, 2)) * 0.3).reshape(-1, 2)[chance.permutation(600)]
    clusters = acquiring.Clusters(acquiring.begun(points[:100], 3))
    for start in range(0, 600, 50):
        clusters.learn(points[start : start + 50])
    assert sorted(clusters.middles.round().astype(int).tolist()) == [[0, 0], [0, 10], [10, 0]]
    assert clusters.nearest(points)[1].max() < 4


def test_hashed_words_are_alike_for_alike_texts() -> None:
    found = hashed.vectors(["the cat sat on the mat", "the cat sat on a mat", "quarterly revenue fell", ""])
    alike = found[:, : hashed.WIDTH] @ found[:, : hashed.WIDTH].T
    assert alike[0, 1] > 0.5 > alike[0, 2] and alike[0, 0] == pytest.approx(1.0, abs=1e-5)
    assert not found[3].any()


def test_how_often_the_majority_errs() -> None:
    assert advising.one_errs(2 * 0.1 * 0.9) == pytest.approx(0.1)
    assert advising.majority_error(0.1, 1) == pytest.approx(0.1)
    assert advising.majority_error(0.1, 3) == pytest.approx(3 * 0.01 * 0.9 + 0.001)
    assert advising.majority_error(0.2, 2) == pytest.approx(0.04 + 0.16)
    assert advising.one_errs(0.7) == 0.5


def piece(missed: int, n: int, differ: int = 0, compared: int = 0, votes: float = 1.0) -> advising.Slice:
    return advising.Slice("one", n, wilson(missed, n), wilson(differ, compared), votes)


MORE, NONE = Estimate(0.02, 0.01, 0.03), Estimate(0.001, 0.0, 0.004)


@pytest.mark.parametrize(
    ("one", "gain", "said"),
    [
        (piece(4, 10), MORE, advising.UNKNOWN),
        (piece(60, 100), MORE, advising.LABEL),
        (piece(60, 100, 2, 100), MORE, advising.LABEL),
        (piece(30, 100, 40, 100), MORE, advising.OVERLAP),
        (piece(30, 100, 40, 100), NONE, advising.OVERLAP),
        (piece(30, 100), MORE, advising.GO_ON),
        (piece(30, 100), NONE, advising.STOP),
    ],
)
def test_advice_for_a_slice(one: advising.Slice, gain: Any, said: str) -> None:
    assert advising.advice_of(one, 0.35, gain) == said


def test_advice_for_the_whole_is_that_for_the_worst_slice() -> None:
    slices = [piece(60, 100), piece(30, 100, 40, 100), piece(20, 100)]
    advice = [advising.advice_of(one, 0.35, MORE) for one in slices]
    assert advising.overall_advice(slices, advice, MORE) == advising.LABEL
    assert advising.overall_advice(slices[1:], advice[1:], MORE) == advising.OVERLAP
    assert advising.overall_advice(slices[2:], advice[2:], MORE) == advising.GO_ON
    assert advising.overall_advice(slices, advice, NONE) == advising.STOP
