"""Signals of how annotators answer: planted habits stand out, honest answers do not."""

from __future__ import annotations

from random import Random

import pytest

from workers.habits.chance import binomial_p, discoveries
from workers.habits.company import with_the_model, with_the_rest
from workers.habits.cycles import cycles
from workers.habits.drift import drift
from workers.habits.pace import pace, stamping
from workers.habits.position import leaning
from workers.habits.style import Compared, styled


def test_binomial_tests_are_those_of_scipy() -> None:
    from scipy.stats import binomtest

    for count, n, share in ((3, 10, 0.5), (9, 10, 0.3), (0, 7, 0.2), (55, 100, 0.5), (180, 300, 0.55)):
        for side, name in (("both", "two-sided"), ("more", "greater"), ("less", "less")):
            assert binomial_p(count, n, share, side=side) == pytest.approx(binomtest(count, n, share, name).pvalue)
    assert binomial_p(5_200, 10_000) == pytest.approx(binomtest(5_200, 10_000).pvalue, rel=0.01)


def test_of_many_tests_few_are_named_by_chance() -> None:
    from scipy.stats import false_discovery_control

    chance = Random(1)
    p_values = [chance.random() for _ in range(40)] + [0.0001, 0.0004]
    adjusted = false_discovery_control(p_values)
    assert discoveries(p_values) == [bool(value <= 0.05) for value in adjusted]
    assert discoveries([]) == []


def test_who_always_takes_the_left_is_seen_and_who_reads_is_not() -> None:
    chance = Random(2)

    def answer(bias: float) -> tuple[str, int]:
        order, better = chance.choice(["ab", "ba"]), chance.choice([-1, 1])
        if chance.random() < bias:
            return order, -1 if order == "ab" else 1
        return order, better

    false_alarms = 0
    for _ in range(200):
        false_alarms += leaning([answer(0) for _ in range(50)]).p < 0.05
    assert false_alarms <= 20
    found = sum(leaning([answer(0.6) for _ in range(50)]).p < 0.05 for _ in range(100))
    assert found >= 95
    assert leaning([("ab", 0), ("", 1)]).left.n == 0


def test_circles_are_counted_and_their_items_named() -> None:
    circle = [(1, 10, 11, -1), (1, 11, 12, -1), (1, 12, 10, -1)]
    order = [(2, 20, 21, -1), (2, 21, 22, -2), (2, 20, 22, -1)]
    tied = [(3, 30, 31, -1), (3, 31, 32, 0), (3, 30, 32, 1)]
    found = cycles([*circle, *order, *tied])
    assert (found.circles.count, found.circles.n, found.items) == (1, 2, [1])
    chance = Random(3)
    coin = [(item, a, b, chance.choice([-1, 1])) for item in range(400) for a, b in ((1, 2), (2, 3), (1, 3))]
    assert cycles(coin).circles.share == pytest.approx(0.25, abs=0.06)


def test_answers_faster_than_reading_and_stamps_without_a_look() -> None:
    hasty = pace([(900, 1_200, 20_000.0)] * 9 + [(30_000, 1_200, 20_000.0)])
    assert (hasty.too_fast.count, hasty.median_ms, hasty.ratio) == (9, 900, 0.045)
    assert pace([]).median_ms is None
    stamped = stamping([("accepted", 150)] * 6 + [("accepted", 3_000), ("edited", 9_000), ("rejected", None)])
    assert (stamped.as_is.count, stamped.as_is.n, stamped.glanced.count, stamped.glanced.n) == (7, 9, 6, 7)


def test_beside_the_others() -> None:
    lonely = with_the_rest([True] * 20 + [False] * 20, (320, 400))
    assert lonely.p < 1e-4 and lonely.others == 0.8
    assert with_the_rest([True] * 32 + [False] * 8, (320, 400)).p > 0.5
    copying = with_the_model([True] * 14 + [False] * 1, (80, 400))
    assert copying.p < 1e-6
    assert with_the_model([True], (0, 0)).p == 1.0


def test_agreement_that_falls_over_the_weeks_is_drift() -> None:
    chance = Random(4)
    falling = [(week, chance.random() < 0.95 - 0.07 * week) for week in range(8) for _ in range(40)]
    steady = [(week, chance.random() < 0.8) for week in range(8) for _ in range(40)]
    down, level = drift(falling), drift(steady)
    assert down.slope is not None and down.slope.high < 0
    assert down.slope.value == pytest.approx(-0.07, abs=0.02)
    assert level.slope is not None and not level.slope.clear
    assert drift(falling[:10]).slope is None


def test_style_control_gives_length_its_due_and_the_models_the_rest() -> None:
    chance = Random(5)
    words = {"plain": 40, "wordy": 160}

    def text(model: str) -> str:
        return "word " * int(words[model] * chance.uniform(0.3, 1.7))

    rows = []
    for _ in range(800):
        first, second = chance.sample(["plain", "wordy"], 2)
        one, other = text(first), text(second)
        longer = (len(other) > len(one)) == (chance.random() < 0.85)
        rows.append(Compared(one, other, first, second, float(longer)))
    found = styled(rows, draws=40)
    assert found is not None
    assert found.raw["wordy"].value - found.raw["plain"].value > 0.5
    assert found.pulls["length"].low > 0.2
    gap = found.controlled["wordy"].value - found.controlled["plain"].value
    assert abs(gap) < 0.5 * (found.raw["wordy"].value - found.raw["plain"].value)
    assert styled(rows[:5]) is None
