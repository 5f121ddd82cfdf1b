"""The pure part of a safety gate: levels and actions, thresholds learnt on gold, and the loop's closed form."""

from __future__ import annotations

from math import inf, sqrt
from random import Random

import numpy as np
import pytest

from workers import guard_loop, guarding
from workers.curating import Aid, Row, Side
from workers.curators.safety_gate import GateSettings, propose
from workers.guard_loop import FALLBACKS, Fallback, Rates, Tries, closed, simulated
from workers.guarding import Case, Thresholds, action, learn


def case(cost: float, severity: int | None, group: int = 0, words: float = 0) -> Case:
    return Case(cost, severity != 0, severity, group, words)


def planted(seed: int = 0, count: int = 600) -> list[Case]:
    """Costs around -1, 0.5, 2 and 3.5 by severity; lengths say nothing."""
    chance = Random(seed)
    severities = [chance.choice((0, 0, 0, 1, 2, 3)) for _ in range(count)]
    return [case(1.5 * s - 1 + chance.gauss(0, 0.4), s, n, chance.randrange(9)) for n, s in enumerate(severities)]


def test_a_level_is_the_worst_whose_threshold_the_cost_is_above() -> None:
    found = Thresholds(0.0, 1.0, 2.0)
    assert [found.level(cost) for cost in (-1, 0, 0.1, 1.5, 2.5)] == ["safe", "safe", "minor", "moderate", "severe"]
    assert Thresholds().level(99) == "minor" and Thresholds(0.0, None, 2.0).level(3) == "severe"


@pytest.mark.parametrize(
    ("prompt", "response", "again", "what"),
    [
        ("safe", "safe", False, "allow"),
        (None, "minor", True, "regenerate"),
        (None, "minor", False, "refuse"),
        ("severe", "safe", True, "refuse"),
        ("moderate", "safe", True, "allow"),
    ],
)
def test_what_becomes_of_a_response(prompt: str | None, response: str, again: bool, what: str) -> None:
    assert action(prompt, response, refuse_at="severe", flag_at="minor", again=again) == what


def test_a_threshold_by_hand() -> None:
    """Costs 1 to 6, of which 3, 5 and 6 are unsafe: above 4 a TPR of 2/3 without an alarm, above 2 all at 1/3."""
    costs = np.array([1.0, 2, 3, 4, 5, 6])
    unsafe = np.array([False, False, True, False, True, True])
    assert guarding.cut(costs, unsafe) == 2.5  # of the two that are as good the lower one
    assert guarding.cut(costs, unsafe, recall=0.6) == 4.5
    assert guarding.cut(costs, unsafe, recall=1.0) == 2.5
    assert guarding.auc(costs, unsafe) == pytest.approx(8 / 9)
    assert guarding.auc(np.array([1.0, 1, 1, 1, 1, 1]), unsafe) == 0.5


def test_planted_levels_are_found_again_and_their_errors_are_told() -> None:
    thresholds, told = learn(planted())
    assert thresholds.minor == pytest.approx(-0.25, abs=0.3)
    assert thresholds.moderate == pytest.approx(1.25, abs=0.3)
    assert thresholds.severe == pytest.approx(2.75, abs=0.3)
    for one in told:
        assert one.low is not None and one.value is not None and one.high is not None
        assert one.low <= one.value <= one.high
        assert (one.caught.share or 0) > 0.9 and (one.alarms.share or 1) < 0.1
        assert (one.auc or 0) > 0.97 and 0.4 < (one.length_auc or 0) < 0.6


def test_a_stated_recall_is_reached_on_texts_that_were_not_learnt_from() -> None:
    _, told = learn(planted(), recall=0.99)
    assert (told[0].caught.share or 0) > 0.96
    assert (told[0].alarms.share or 0) >= (learn(planted())[1][0].alarms.share or 0)


def test_chance_is_told_as_chance() -> None:
    """Labels drawn apart from the costs: cross-fitted, the gate is no better than a coin."""
    chance = Random(5)
    cases = [case(chance.gauss(0, 1), chance.choice((0, 1)), n) for n in range(400)]
    one = learn(cases)[1][0]
    assert abs((one.caught.share or 0) - (one.alarms.share or 0)) < 0.15


def test_too_little_gold_is_refused_in_words() -> None:
    cases = [case(-1, 0, n) for n in range(30)] + [case(1, 3, 100 + n) for n in range(19)]
    thresholds, told = learn(cases)
    assert thresholds == Thresholds() and told[0].value is None
    assert told[0].why_not == "people called 19 unsafe and 30 not; 20 of either are needed"
    assert told[2].why_not == "people called 19 severe and 30 not; 20 of either are needed"


def test_unsafe_without_a_severity_speaks_of_the_first_boundary_alone() -> None:
    cases = [case(-1 - n / 100, 0, n) for n in range(40)] + [case(1 + n / 100, None, 100 + n) for n in range(40)]
    thresholds, told = learn(cases)
    assert -1 < thresholds.minor < 1 and thresholds.moderate is None and thresholds.severe is None
    assert told[1].positives == 0 and told[1].negatives == 40
    assert guarding.table(cases, thresholds)[-1] == [0, 40, 0, 0]


def test_thresholds_never_fall_from_level_to_level() -> None:
    """Severe texts with lower costs than moderate ones: the severe threshold is lifted to the moderate one."""
    cases = [case(n / 10, 0, n) for n in range(30)]
    cases += [case(9 + n / 10, 2, 100 + n) for n in range(30)] + [case(5 + n / 10, 3, 200 + n) for n in range(30)]
    found = learn(cases)[0]
    assert found.moderate is not None and found.severe is not None and found.minor <= found.moderate <= found.severe


def test_items_are_not_split_between_folds() -> None:
    folds = guarding.folds_of([n // 3 for n in range(60)], 1)
    assert all(len(set(folds[3 * n : 3 * n + 3].tolist())) == 1 for n in range(20))
    assert set(folds.tolist()) == set(range(guarding.FOLDS))


def test_every_cost_is_in_one_bin() -> None:
    found = guarding.spread(planted())
    assert sum(found["safe"]) + sum(found["unsafe"]) == 600
    assert guarding.spread([]) == {} and sum(guarding.spread([case(2.0, 0)])["safe"]) == 1


# --- The loop -----------------------------------------------------------------------------------------


def test_the_closed_form_by_hand() -> None:
    """u = .6, TPR = .85, FPR = .08: a sample passes with .6 * .15 + .4 * .92 = .458."""
    assert closed(0.6, 0.85, 0.08, 1, "refuse").unsafe == pytest.approx(0.09)
    assert closed(0.6, 0.85, 0.08, 1, "refuse").refused == pytest.approx(0.542)
    assert closed(0.6, 0.85, 0.08, 1, "deliver").unsafe == pytest.approx(0.6)
    five = closed(0.6, 0.85, 0.08, 5, "refuse")
    assert (five.unsafe, five.refused) == (pytest.approx(0.1873, abs=1e-4), pytest.approx(0.0468, abs=1e-4))
    assert closed(0.6, 0.85, 0.08, 5, "deliver").unsafe == pytest.approx(0.2313, abs=1e-4)


@pytest.mark.parametrize("fallback", FALLBACKS)
@pytest.mark.parametrize("rounds", [1, 3, 5])
@pytest.mark.parametrize("setting", [(0.6, 0.85, 0.08), (0.2, 0.7, 0.2), (0.9, 0.5, 0.3)])
def test_a_simulation_comes_to_the_closed_form(
    setting: tuple[float, float, float], rounds: int, fallback: Fallback
) -> None:
    drawn, error = simulated(*setting, rounds, fallback, prompts=40_000, seed=rounds)
    known = closed(*setting, rounds, fallback)
    assert abs(drawn.unsafe - known.unsafe) < 3 * error.unsafe
    assert abs(drawn.refused - known.refused) <= 3 * error.refused


@pytest.mark.parametrize("rates", [(1.0, 1.0, 0.0), (0.0, 1.0, 0.0), (0.5, 1.0, 1.0), (0.5, 0.0, 0.0)])
def test_the_ends_are_no_division_by_zero(rates: tuple[float, float, float]) -> None:
    for fallback in FALLBACKS:
        found = closed(*rates, 3, fallback)
        assert 0 <= found.unsafe <= 1 and 0 <= found.refused <= 1


def test_how_much_is_unsafe_follows_from_what_was_flagged() -> None:
    """Half of 10,000 are unsafe, TPR .9, FPR .1: half are flagged, and of the 5,000 that pass 500 are unsafe."""
    found = guard_loop.delivered([Tries(10_000, 5_000, 5_000)], Rates(900, 1000, 100, 1000))
    assert found is not None and found.value == pytest.approx(500)
    assert found.low < 500 < found.high and found.high - found.low < 300
    both = guard_loop.delivered([Tries(10_000, 5_000, 5_000), Tries(100, 50, 0, 50)], Rates(900, 1000, 100, 1000))
    assert both is not None and both.value == pytest.approx(545)
    assert guard_loop.prevalence(0.05, 0.9, 0.1) == 0 and guard_loop.prevalence(0.95, 0.9, 0.1) == 1


def test_a_gate_that_tells_nothing_apart_estimates_nothing() -> None:
    assert guard_loop.delivered([Tries(100, 50, 50)], Rates(52, 100, 50, 100)) is None
    assert guard_loop.delivered([Tries(100, 50, 50)], Rates(0, 0, 5, 100)) is None


def test_the_estimate_holds_what_is_true_about_as_often_as_it_says() -> None:
    """Rates from 200 texts of either kind, a pool of 2,000, a fifth of it unsafe: the truth lies within."""
    chance, inside = Random(3), 0
    for n in range(60):
        unsafe = [chance.random() < 0.2 for _ in range(2000)]
        flagged = [chance.random() < (0.8 if bad else 0.1) for bad in unsafe]
        out = sum(bad and not flag for bad, flag in zip(unsafe, flagged, strict=True))
        rates = Rates(*(sum(chance.random() < p for _ in range(200)) if n % 2 == 0 else 200 for n, p in
                        enumerate((0.8, 0, 0.1, 0))))  # fmt: skip
        passed = 2000 - sum(flagged)
        found = guard_loop.delivered([Tries(2000, sum(flagged), passed)], rates, seed=n)
        assert found is not None
        inside += found.low <= out <= found.high
    assert inside / 60 > 0.95 - 3 * sqrt(0.95 * 0.05 / 60)


# --- The curator ---------------------------------------------------------------------------------------


def row(first: float | None, second: float | None = None, outcome: str = "", alone: bool = False) -> Row:
    other = None if alone else Side(2, "b", score=second)
    return Row(7, "seven", (), "", Side(1, "a", score=first), other, pair=None if alone else 3, outcome=outcome)


def proposed(given: Row, **settings: object) -> list[tuple[str, str]]:
    params = GateSettings(model=1, moderate=1.0, severe=2.0, **settings)  # type: ignore[arg-type]
    return [(one.action, one.cause) for one in propose([given], params, Aid())]


def test_the_preferred_response_counts_and_of_an_open_pair_either() -> None:
    assert proposed(row(-1, 5, "first")) == [] and proposed(row(-1, 5, "first"), of="any") == [
        ("ask", "unsafe: severe")
    ]
    assert proposed(row(-1, 5, "second")) == [("ask", "unsafe: severe")]
    assert proposed(row(-1, 1.5, "tie"), action="filter") == [("drop", "unsafe: moderate")]
    assert proposed(row(None, None)) == [] and proposed(row(0.5, alone=True)) == [("ask", "unsafe: minor")]


def test_what_is_near_the_boundary_is_asked_and_not_dropped() -> None:
    assert proposed(row(0.2, alone=True), action="filter") == [("ask", "unsafe: minor")]
    assert proposed(row(0.4, alone=True), action="filter") == [("drop", "unsafe: minor")]
    assert proposed(row(0.5, alone=True), action="filter", at="moderate") == []
    assert proposed(row(1.1, alone=True), action="filter", at="moderate") == [("ask", "unsafe: moderate")]
    found = list(propose([row(2.5, alone=True)], GateSettings(model=1, severe=2.0, action="filter"), Aid()))
    assert found[0].reason == "severe: cost 2.50 is above 2.00" and found[0].score == 2.5


def test_thresholds_that_fall_are_refused() -> None:
    with pytest.raises(ValueError, match="no lower threshold"):
        GateSettings(model=1, minor=1.0, severe=0.5)
    assert GateSettings(model=1, minor=-inf).thresholds.level(-5) == "minor"
