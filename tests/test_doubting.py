"""Wrong labels are found by what other pairs say: by vectors, by a response in other pairs, never by themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from workers import doubting
from workers.curating import Aid, Proposal, Row, Side, Unfit, curators
from workers.curators import wrong_labels
from workers.doubting import (
    Doubts,
    Floats,
    Ints,
    Strengths,
    alike,
    compared,
    confident,
    dealt,
    dealt_together,
    doubts,
    out_of_fold,
    reduced,
    with_kinds,
)


def planted(seed: int, pairs: int = 500, responses: int = 1000, width: int = 12) -> tuple[Floats, Ints]:
    """Responses whose worth is a direction of their vectors, and (better, worse) of pairs of them."""
    chance = np.random.default_rng(seed)
    vectors = chance.normal(size=(responses, width))
    ends = np.array([chance.choice(responses, 2, replace=False) for _ in range(pairs)])
    worth = vectors @ chance.normal(size=width)
    return vectors, np.where((worth[ends[:, 0]] > worth[ends[:, 1]])[:, None], ends, ends[:, ::-1])


def with_flips(ends: Ints, rate: float, seed: int) -> tuple[Ints, Any]:
    flipped = np.random.default_rng(seed).permutation(len(ends)) < round(rate * len(ends))
    return np.where(flipped[:, None], ends[:, ::-1], ends), flipped


def found(told: Doubts, flipped: Any) -> tuple[float, float]:
    """Precision and recall of what is more likely wrong than right."""
    doubted = told.wrong > 0.5
    return float(flipped[doubted].mean()), float(doubted[flipped].mean())


def test_bayes_rule_as_worked_out_by_hand() -> None:
    told = doubting.wrong_by(np.array([0.0, np.log(3), -np.log(3)]), 0.3)
    assert told.tolist() == pytest.approx([0.3, 0.075 / (0.525 + 0.075), 0.225 / (0.175 + 0.225)])
    assert doubting.wrong_by(np.array([-5.0]), 0.0).tolist() == [0.0]
    assert np.isfinite(doubting.likelihood(np.array([-1e4, 1e4]), 0.0))


def test_confident_learning_takes_the_mean_of_what_given_labels_get() -> None:
    likely = np.array([0.9, 0.8, 0.3, 0.45])
    assert confident(np.log(likely / (1 - likely))).tolist() == [False, False, True, False]


def test_flips_among_pairs_are_found_and_their_share_is_told() -> None:
    vectors, ends = planted(0)
    noisy, flipped = with_flips(ends, 0.3, 1)
    told = doubts(reduced(vectors), noisy)
    precision, recall = found(told, flipped)
    assert precision > 0.85 and recall > 0.7
    assert told.noise == pytest.approx(0.3, abs=0.08)
    shuffled = np.random.default_rng(2).permuted(noisy, axis=1)
    assert not (doubts(reduced(vectors), shuffled).wrong > 0.6).any()


def test_clean_labels_are_not_doubted() -> None:
    vectors, ends = planted(3)
    told = doubts(reduced(vectors), ends)
    assert told.noise < 0.03 and (told.wrong > 0.5).mean() < 0.02


def test_a_response_that_wins_elsewhere_is_believed_though_its_vector_says_nothing() -> None:
    _, ends = planted(4, pairs=600, responses=40)
    noisy, flipped = with_flips(ends, 0.2, 5)
    nothing = np.random.default_rng(6).normal(size=(40, 12))
    told = doubts(reduced(nothing), noisy)
    assert told.strengths.own > 0
    precision, recall = found(told, flipped)
    assert precision > 0.75 and recall > 0.6


def test_numbers_of_their_own_count_as_much_as_a_whole_vector() -> None:
    chance = np.random.default_rng(7)
    vectors, ends = chance.normal(size=(800, 100)), planted(7, pairs=400, responses=800)[1]
    length = np.zeros(800)
    length[ends[:, 0]] += chance.random(400)
    length[ends[:, 1]] -= chance.random(400)
    noisy, flipped = with_flips(ends, 0.2, 8)
    without, told = (doubts(reduced(vectors, plain), noisy) for plain in (None, length[:, None]))
    assert found(told, flipped)[1] > 0.5 > (without.wrong > 0.5)[flipped].mean()


def test_a_pairs_own_label_never_speaks_for_it() -> None:
    vectors, ends = planted(9, pairs=60, responses=30)
    fold, strengths = dealt(60, 4, 0), Strengths(spread=1.0, own=0.6)
    rows = reduced(vectors)
    before = out_of_fold(compared(rows, ends), fold, strengths)
    turned = ends.copy()
    turned[17] = turned[17, ::-1]
    after = out_of_fold(compared(rows, turned), fold, strengths)
    mates = fold == fold[17]
    assert after[17] == pytest.approx(-before[17], abs=0.02)
    assert after[mates & (np.arange(60) != 17)] == pytest.approx(before[mates & (np.arange(60) != 17)], abs=0.02)
    assert np.abs(after[~mates] - before[~mates]).max() > 0.05


def test_rows_on_the_same_two_texts_do_not_speak_for_each_other() -> None:
    """A random label that stands in four rows, with responses of their own ids, would else vouch for itself."""
    chance = np.random.default_rng(11)
    vectors = np.repeat(chance.normal(size=(120, 40)), 4, axis=0)
    ends = np.arange(480).reshape(60, 2, 4).transpose(0, 2, 1).reshape(240, 2)
    groups = alike(reduced(vectors), np.where(chance.random(240)[:, None] < 0.5, ends, ends[:, ::-1]))
    assert groups.tolist() == np.repeat(np.arange(60), 4).tolist()
    told = doubts(reduced(vectors), ends)
    assert 0.3 < (told.margins > 0).mean() < 0.7
    fold = dealt_together(np.arange(60), 8, 3)
    assert fold.tolist() == dealt(60, 8, 3).tolist(), "pairs that differ are dealt as they were"


def test_the_gradient_is_that_of_the_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    from scipy import optimize

    vectors, ends = planted(10, pairs=40, responses=20)
    pairs, asked = compared(reduced(vectors), ends), []
    real = optimize.minimize
    monkeypatch.setattr(optimize, "minimize", lambda *given, **more: asked.append(given) or real(*given, **more))
    doubting.fitted(pairs, replace(Strengths(), own=0.5, noise=0.2))
    loss, _, (noise,), *_ = asked[-1]
    at = np.random.default_rng(0).normal(size=asked[-1][1].size)
    numeric = optimize.approx_fprime(at, lambda weights: loss(weights, noise)[0], 1e-6)
    assert noise == 0.2 and loss(at, noise)[1] == pytest.approx(numeric, abs=1e-3)


def test_too_few_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        doubts(np.zeros((4, 2)), np.array([[0, 1], [2, 3]]))


def rows_of(vectors: Floats, ends: Ints) -> list[Row]:
    """Each pair as a row whose first side is the preferred one in every other row."""
    sides = [Side(100 + n, "x" * (n % 7), vector=vector.astype(np.float32)) for n, vector in enumerate(vectors)]
    rows = []
    for n, (better, worse) in enumerate(ends):
        first, second = (sides[better], sides[worse])[:: 1 if n % 2 else -1]
        outcome = "first" if n % 2 else "second"
        rows.append(Row(n, f"i{n}", [{"role": "user", "content": "?"}], f"p{n}", first, second, n, outcome=outcome))
    return rows


def proposed(rows: list[Row], **settings: Any) -> list[Proposal]:
    curator = curators.get("wrong-labels")
    return list(curator.propose(rows, curator.params.model_validate({"embedder": 1, **settings}), Aid(0)))


def test_the_curator_flips_what_is_likely_wrong_and_leaves_alone_what_people_settled() -> None:
    vectors, ends = planted(11, pairs=300, width=6)
    noisy, flipped = with_flips(ends, 0.2, 12)
    rows = rows_of(vectors, noisy)
    found = proposed(rows)
    assert len(found) > 40 and {one.action for one in found} == {"flip"}
    assert np.mean([flipped[one.subject.item] for one in found]) > 0.8
    assert found[0].reason.startswith("wrong with a probability of")
    settled = found[0].subject.item
    rows[settled].how = "adjudicated"
    asked = proposed(rows, flip_above=1, doubt_above=0.3, doubtful="ask")
    assert {one.action for one in asked} == {"ask"} and len(asked) >= len(found) - 1
    assert settled not in {one.subject.item for one in asked}


def test_the_curator_says_why_it_can_say_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, ends = planted(13, pairs=60)
    with pytest.raises(Unfit, match="10 labelled pairs have vectors"):
        proposed(rows_of(vectors, ends[:10]))
    monkeypatch.setattr(wrong_labels, "MOST", 55)
    with pytest.raises(Unfit, match="confident-learning"):
        proposed(rows_of(vectors, ends))


def test_a_kind_that_wins_everywhere_is_believed() -> None:
    chance = np.random.default_rng(14)
    kinds = np.array([["good", "bad", "", "once"][min(n % 3, 2)] if n else "once" for n in range(900)])
    ends = np.stack([chance.permutation(np.flatnonzero(kinds == kind))[:280] for kind in ("good", "bad")], 1)
    noisy, flipped = with_flips(ends, 0.2, 15)
    rows = reduced(chance.normal(size=(900, 6)))
    assert with_kinds(rows, np.full(900, "")).shape == rows.shape
    told, without = confident(doubts(with_kinds(rows, kinds), noisy).margins), confident(doubts(rows, noisy).margins)
    assert flipped[told].mean() > 0.9 and told[flipped].mean() > 0.9
    assert flipped[without].mean() < 0.5


def test_nothing_is_wrong_for_certain_where_a_weak_model_explains_as_much_as_many_wrong_labels() -> None:
    """Margins that say little: few wrong labels and a weak model, or many and a sure one, are about as likely."""
    chance = np.random.default_rng(11)
    margins = chance.normal(size=400)
    right = chance.random(400) < doubting.sigmoid(0.4 * margins)
    told = doubting.calibrated(np.where(right, 1, -1) * margins)
    assert told.low < 0.15 and told.high > 0.3
    wrong = told.wrong(np.array([-3.0, -1.0, 0.0, 1.0, 3.0]))
    assert wrong[0] < 0.95 and (np.diff(wrong) < 0).all()


def test_where_the_share_of_wrong_labels_cannot_be_told_people_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, ends = planted(15, pairs=200, width=6)
    unsure = np.where(np.arange(200) % 2, 0.6, 0.3)
    told = Doubts(np.ones(200), np.ones(200), unsure, 0.4, 0.04, 0.43, Strengths())
    monkeypatch.setattr(doubting, "doubts", lambda *given, **more: told)
    found = proposed(rows_of(vectors, ends))
    assert [(one.action, one.score) for one in found[:2]] == [("ask", 0.3), ("flip", 0.6)] and len(found) == 200
    assert "40 % of all labels seem wrong, it may be 4 to 43" in found[0].reason
