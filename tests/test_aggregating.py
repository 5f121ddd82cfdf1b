"""Methods of deciding labels, on votes whose truth is known, and beside the library that they are fitted with."""

from __future__ import annotations

import subprocess
import sys
from random import Random

import numpy as np
import pytest

from workers import aggregating
from workers.aggregating import NO_LABEL, PAIR_LABELS, Missing, Votes, aggregators
from workers.aggregators import noisy_bt, span_vote
from workers.aggregators.span_vote import Mark

LABELLING = ("majority", "dawid_skene", "mace", "glad")
RIGHT = (0.95, 0.9, 0.85, 0.75, 0.34, 0.34)
"""How often each planted annotator is right, of three labels: the last two say anything."""


def planted(seed: int, tasks: int = 300) -> tuple[Votes, list[int]]:
    """Votes of four annotators on each task, drawn from those of RIGHT, with the truth."""
    chance = Random(seed)
    truth = [chance.randrange(3) for _ in range(tasks)]
    rows = []
    for task, label in enumerate(truth):
        for who in chance.sample(range(len(RIGHT)), 4):
            said = label if chance.random() < RIGHT[who] else chance.choice([x for x in range(3) if x != label])
            rows.append((task, who, said))
    chance.shuffle(rows)
    return Votes.of(rows, tasks=tasks, annotators=len(RIGHT), labels=3), truth


def right(outcomes: list[int], truth: list[int]) -> float:
    return float(np.mean([one == other for one, other in zip(outcomes, truth, strict=True)]))


def test_weighing_annotators_beats_counting_them() -> None:
    votes, truth = planted(1, tasks=120)
    names = ("majority", "dawid_skene", "mace")  # GLAD takes seconds for as much
    found = {name: aggregating.decided(aggregating.fitted(aggregators.get(name), votes, 0)) for name in names}
    accuracy = {name: right(list(outcomes), truth) for name, (outcomes, _) in found.items()}
    for name in names[1:]:
        assert accuracy[name] > accuracy["majority"] + 0.02, accuracy


@pytest.mark.parametrize("name", ["dawid_skene", "mace"])
def test_reliability_is_how_often_an_annotator_is_right(name: str) -> None:
    votes, truth = planted(2, tasks=300)
    told = aggregating.reliabilities(votes, aggregating.fitted(aggregators.get(name), votes, 0))
    for who, one in enumerate(told):
        mine = votes.annotator == who
        true = float(np.mean(votes.label[mine] == np.array(truth)[votes.task[mine]]))
        assert one.value == pytest.approx(true, abs=0.06) and one.low < one.value < one.high
        assert one.n == mine.sum()
        assert np.sum(one.confusion) == pytest.approx(mine.sum(), rel=0.01)
    assert max(one.high for one in told[-2:]) < min(one.low for one in told[:3])


def test_nobody_vouches_for_themselves() -> None:
    alone = Votes.of([(0, 0, 1), (1, 1, 0), (1, 2, 0)], tasks=2, annotators=3, labels=2)
    for name in LABELLING:
        told = aggregating.reliabilities(alone, aggregating.fitted(aggregators.get(name), alone, 0))
        assert (told[0].value, told[0].n) == (None, 0), name
        assert told[1].n == told[2].n == 1 and told[1].high - told[1].low > 0.7


def test_the_same_votes_in_any_order_and_under_any_numbers_give_the_same() -> None:
    votes, _ = planted(3, tasks=50)
    chance = Random(9)
    order = list(range(len(votes)))
    chance.shuffle(order)
    people = list(range(votes.annotators))
    chance.shuffle(people)
    renamed = np.array(people)[votes.annotator]
    other = Votes(votes.task[order], renamed[order], votes.label[order], votes.tasks, votes.annotators, votes.labels)
    for name in ("majority", "dawid_skene"):
        one, two = (aggregating.fitted(aggregators.get(name), some, 0) for some in (votes, other))
        outcomes = [aggregating.decided(fit)[0] for fit in (one, two)]
        assert np.mean(outcomes[0] == outcomes[1]) > 0.98, name
        again = aggregating.fitted(aggregators.get(name), votes, 0)
        assert np.array_equal(one.posterior, again.posterior) and np.array_equal(
            one.others, again.others, equal_nan=True
        )


def test_the_library_is_asked_and_its_answer_is_kept() -> None:
    from crowdkit.aggregation import GLAD, DawidSkene

    votes, _ = planted(4, tasks=25)
    for name, model in (("dawid_skene", DawidSkene(n_iter=100)), ("glad", GLAD(n_iter=100))):
        theirs = model.fit_predict_proba(aggregating.frame(votes)).reindex(index=range(25), columns=range(3)).to_numpy()
        assert np.allclose(aggregating.fitted(aggregators.get(name), votes, 0).posterior, theirs, atol=1e-12)


def test_mace_tells_habits_from_knowledge_whoever_comes_first() -> None:
    """crowd-kit 1.4.2 mixes up whose habits are whose unless annotators come in the order of their names."""
    chance = Random(6)
    rows = []
    for task in range(80):
        truth = int(chance.random() < 0.3)
        said = {9: truth, 5: 0, 2: 1, 7: truth if chance.random() < 0.9 else 1 - truth}
        rows += [(task, who, label) for who, label in said.items()]
    votes = Votes.of(rows, tasks=80, annotators=10, labels=2)
    competence = aggregating.fitted(aggregators.get("mace"), votes, 0).own["competence"]
    assert min(competence[9], competence[7]) > 0.5 > 0.3 > max(competence[5], competence[2])


def test_a_draw_is_undecided_and_a_label_nobody_gave_is_out() -> None:
    drawn = Votes.of([(0, 0, 0), (0, 1, 2)], tasks=1, annotators=2, labels=4)
    outcomes, confidence = aggregating.decided(aggregating.fitted(aggregators.get("majority"), drawn, 0))
    assert list(outcomes) == [NO_LABEL] and confidence[0] == 0.5
    for name in LABELLING:
        assert not aggregating.fitted(aggregators.get(name), drawn, 0).posterior[:, [1, 3]].any(), name


def test_a_thousand_votes_on_one_task_do_not_underflow() -> None:
    rows = [(0, who, int(who % 10 == 0)) for who in range(1000)] + [(1, who, 1) for who in range(1000)]
    votes = Votes.of(rows, tasks=2, annotators=1000, labels=2)
    for name in ("majority", "dawid_skene"):
        fit = aggregating.fitted(aggregators.get(name), votes, 0)
        assert list(aggregating.decided(fit)[0]) == [0, 1] and np.isfinite(fit.posterior).all()


# --- Pairs ------------------------------------------------------------------------------------------


def compared(seed: int, responses: int = 25, pairs: int = 250) -> tuple[Votes, list[int]]:
    """Pairs of responses of known strength, three votes each: two good annotators, one who takes the left one."""
    chance = Random(seed)
    strength = [chance.gauss(0, 1.5) for _ in range(responses)]
    rows, left, numbers, truth = [], [], [], []
    for task in range(pairs):
        one, other = chance.sample(range(responses), 2)
        numbers.append((one, other))
        truth.append(int(strength[other] > strength[one]))
        better = 1 / (1 + np.exp(strength[other] - strength[one]))
        for who in range(3):
            shown = chance.choice((1, -1))
            said = 0 if chance.random() < better else 1
            if who == 2:
                said = 0 if shown == 1 else 1
            rows.append((task, who, said))
            left.append(shown)
    size = {"tasks": pairs, "annotators": 3, "labels": len(PAIR_LABELS)}
    return Votes.of(rows, **size, pairs=np.array(numbers), left=np.array(left)), truth


def test_strengths_over_many_pairs_beat_counting_on_each_and_lean_is_found() -> None:
    votes, truth = compared(1)
    fit = aggregating.fitted(aggregators.get("noisy_bt"), votes, 0)
    plain = aggregating.fitted(aggregators.get("majority"), votes, 0)
    ours, counted = (right(list(aggregating.decided(one)[0]), truth) for one in (fit, plain))
    assert ours > counted + 0.05 and ours > 0.85
    assert fit.own["lean"][2] > 0.75 and fit.own["skill"][2] < 0.5 < min(fit.own["skill"][:2])
    told = aggregating.reliabilities(votes, fit)
    assert told[2].high < min(one.low for one in told[:2])


def test_the_gradient_is_that_of_the_value() -> None:
    votes, _ = compared(2, responses=6, pairs=20)
    games = noisy_bt.games_of(votes)
    at = np.random.default_rng(0).normal(size=6 + 2 * 3)
    value, gradient = noisy_bt.loss(at, games, 6, 3)
    for n in range(len(at)):
        step = np.zeros_like(at)
        step[n] = 1e-6
        either = [noisy_bt.loss(at + sign * step, games, 6, 3)[0] for sign in (1, -1)]
        assert gradient[n] == pytest.approx((either[0] - either[1]) / 2e-6, abs=1e-5)


def test_the_likelihood_is_crowd_kits_without_priors() -> None:
    from crowdkit.aggregation import NoisyBradleyTerry

    votes, _ = compared(3, responses=6, pairs=20)
    games = noisy_bt.games_of(votes)
    at = np.random.default_rng(1).normal(size=12)
    s, q, g = np.split(at, [6, 9])
    # theirs has the left response first, and a virtual one in front
    winner_left = games["left"] > 0
    first = np.where(winner_left, games["winner"], games["loser"])
    second = np.where(winner_left, games["loser"], games["winner"])
    data = np.stack([first, second, games["winner"]], axis=1) + 1
    theirs = NoisyBradleyTerry._compute_log_likelihood(np.concatenate([[0.0], at]), data, games["who"], 6, 3, 0.0)
    level, skill = noisy_bt.sigmoid(s), noisy_bt.sigmoid(g)
    prior = 0.5 * (np.log(level) + np.log(1 - level)).sum() - (q * q).sum() / 2
    prior += (4 * np.log(skill) + np.log(1 - skill)).sum()
    assert noisy_bt.loss(at, games, 6, 3)[0] + prior == pytest.approx(theirs, abs=1e-9)


def test_without_noise_and_priors_it_is_the_plain_model(monkeypatch: pytest.MonkeyPatch) -> None:
    import choix

    votes, _ = compared(5, responses=6, pairs=120)
    games = noisy_bt.games_of(votes)
    theirs = choix.opt_pairwise(6, list(zip(games["winner"].tolist(), games["loser"].tolist(), strict=True)))
    monkeypatch.setattr(noisy_bt, "HALF_GAMES", 0.0)
    at = np.concatenate([theirs - theirs.mean(), np.zeros(3), np.full(3, 30.0)])  # everybody's skill is 1
    _, gradient = noisy_bt.loss(at, games, 6, 3)
    assert np.abs(gradient[:6]).max() < 1e-2


def test_a_tie_is_half_and_both_bad_says_nothing_of_strength() -> None:
    rows = [(0, 0, 2), (0, 1, 2), (1, 0, 3), (1, 1, 3), (2, 0, 0), (2, 1, 0)]
    size = {"tasks": 3, "annotators": 2, "labels": 4}
    votes = Votes.of(rows, **size, pairs=np.array([(0, 1), (2, 3), (4, 5)]))
    fit = aggregating.fitted(aggregators.get("noisy_bt"), votes, 0)
    assert fit.posterior[0] == pytest.approx([0.5, 0.5, 0, 0], abs=0.01)
    assert list(fit.posterior[1]) == [0, 0, 0, 1]
    assert fit.posterior[2][0] > 0.6
    assert list(aggregating.decided(fit)[0])[1:] == [3, 0]


# --- Spans ------------------------------------------------------------------------------------------


def test_a_character_is_marked_where_enough_marked_it() -> None:
    text = {
        1: [Mark(0, 10, "fact", "major")],
        2: [Mark(5, 15, "fact", "minor")],
        3: [Mark(6, 8, "style", "minor")],
        4: [],
    }
    (span,) = span_vote.decide(text)
    assert (span.start, span.end, span.type) == (5, 10, "fact")
    assert span.confidence == pytest.approx((0.5 * 3 + 0.75 * 2) / 5)
    assert [(one.start, one.end) for one in span_vote.decide(text, threshold=0.25)] == [(0, 15)]
    (only,) = span_vote.decide(text, threshold=0.75)
    assert (only.start, only.end, only.type) == (6, 8, "fact")


def test_type_and_severity_are_the_weightiest() -> None:
    text = {
        1: [Mark(0, 4, "fact", "major", -1)],
        2: [Mark(0, 4, "style", "minor", 1)],
        3: [Mark(0, 4, "style", "major", 1)],
    }
    (span,) = span_vote.decide(text)
    assert (span.type, span.severity, span.polarity, span.confidence) == ("style", "major", 1, 1.0)
    (span,) = span_vote.decide(text, {1: 0.9, 2: 0.1, 3: 0.1})
    assert (span.type, span.severity, span.polarity) == ("fact", "major", -1)


def test_whoever_marks_at_random_weighs_less() -> None:
    chance = Random(3)
    texts = []
    for _ in range(40):
        at = chance.randrange(80)
        near = [Mark(at + chance.randrange(3), at + 20 + chance.randrange(3), "fact") for _ in range(3)]
        elsewhere = chance.randrange(80)
        texts.append({**{n: [mark] for n, mark in enumerate(near)}, 9: [Mark(elsewhere, elsewhere + 20, "fact")]})
    fit = span_vote.fit(texts, 0.5, 0)
    told = fit.reliability
    assert told[9] is not None and told[0] is not None
    assert told[9].high < told[0].low and told[0].value > 0.8
    assert fit.n == {0: 40, 1: 40, 2: 40, 9: 40}
    assert fit == span_vote.fit(texts, 0.5, 0)


def test_agreement_on_nothing_is_undefined() -> None:
    assert span_vote.fit([{1: [], 2: []}], 0.5, 0).reliability == {1: None, 2: None}
    assert span_vote.fit([{1: [Mark(0, 3)]}], 0.5, 0).reliability == {}


# --- Without the libraries --------------------------------------------------------------------------


def test_the_shelf_is_filled_without_any_library_and_says_what_is_missing() -> None:
    code = (
        "import sys\n"
        "for name in ('numpy', 'pandas', 'scipy', 'crowdkit'): sys.modules[name] = None\n"
        "from workers.aggregating import Missing, aggregators, library\n"
        "print(*[one.name for one in aggregators])\n"
        "try: library('crowdkit.aggregation')\n"
        "except Missing as problem: print(problem)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[0] == "dawid_skene glad mace majority noisy_bt span_vote"
    assert "requirements-models.txt" in said
    assert issubclass(Missing, Exception)
