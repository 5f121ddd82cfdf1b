"""Coefficients of agreement: against other implementations, published examples, and where they are undefined."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.test_agreement import UNITS
from workers.agreeing import gamma
from workers.agreeing.coincidences import Coincidences, segments
from workers.agreeing.counts import Counts, Pattern, agreement_coefficient, alpha, pattern_of, percent
from workers.agreeing.gamma import TooMany, Unit, Weights, disorder, expected, shuffled
from workers.agreeing.kappas import as_counts, equal, kappa
from workers.agreeing.overlaps import Span, all_pairs, both, characters, pieces
from workers.agreeing.rankings import concordance, tau_b
from workers.agreeing.unitizing import Unitizing, alpha_u, difference, sections

REFERENCES = json.loads((Path(__file__).parent / "references" / "agreement.json").read_text())
"""What tests/references/agreement.py wrote; the versions of the packages are in it."""

GWET = (("ac1", "identity"), ("linear", "linear"), ("quadratic", "quadratic"), ("ordinal", "ordinal"))


def near(value: float) -> Any:
    return pytest.approx(value, abs=1e-6)


def counted(rows: Iterable[Iterable[Any]]) -> Counts:
    patterns: dict[Pattern, int] = {}
    for row in rows:
        if said := [value for value in row if value is not None]:
            patterns[pattern_of(said)] = patterns.get(pattern_of(said), 0) + 1
    return Counts.of(patterns)


@pytest.mark.parametrize("case", REFERENCES["answers"], ids=lambda case: f"{len(case['rows'])} units")
def test_many_annotators_as_krippendorff_and_irrcac_have_it(case: dict[str, Any]) -> None:
    found = counted(case["rows"])
    for kind in ("nominal", "ordinal", "interval"):
        assert alpha(found, kind).value == near(case[f"alpha_{kind}"])
    for name, weights in (
        ("ac1", "identity"),
        ("linear", "linear"),
        ("quadratic", "quadratic"),
        ("ordinal", "ordinal"),
    ):
        assert agreement_coefficient(found, weights).value == near(case[f"gwet_{name}"])
    assert percent(found).value == near(case["percent"])


@pytest.mark.parametrize("case", REFERENCES["answers"], ids=lambda case: f"{len(case['rows'])} units")
def test_two_annotators_as_scikit_learn_and_nltk_have_it(case: dict[str, Any]) -> None:
    table: dict[Any, int] = {}
    for a, b, *_ in case["rows"]:
        if a is not None and b is not None:
            table[a, b] = table.get((a, b), 0) + 1
    told = case["two"]
    assert kappa(table).value == near(told["cohen"]) == near(told["cohen_nltk"])
    for weights in ("linear", "quadratic"):
        assert kappa(table, weights).value == near(told[weights])
    assert as_counts(table).units == sum(table.values())


@pytest.mark.parametrize("case", REFERENCES["rankings"], ids=lambda case: f"{len(case['rows'])} rankings")
def test_rankings_as_scipy_has_them(case: dict[str, Any]) -> None:
    rankings = [dict(enumerate(row)) for row in case["rows"]]
    taus = [tau_b(a, b).value for n, a in enumerate(rankings) for b in rankings[:n]]
    assert taus == [near(tau) for tau in case["tau"]]
    assert concordance(rankings).value == near(case["w"])


@pytest.mark.parametrize("case", REFERENCES["texts"], ids=lambda case: f"{len(case['continuum'])} annotators")
def test_the_best_alignment_has_the_disorder_that_pygamma_agreement_finds(case: dict[str, Any]) -> None:
    continuum = [[Unit(*unit) for unit in mine] for mine in case["continuum"]]
    assert disorder(continuum, Weights(*case["weights"])) == near(case["disorder"])


def test_krippendorffs_example_with_an_interval_around_it() -> None:
    found = counted(UNITS)
    for kind, value in (("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)):
        figure = alpha(found, kind)
        assert figure.value == pytest.approx(value, abs=5e-4) and figure.n == 11
        assert figure.low is not None and figure.high is not None and figure.low < value < figure.high
        assert alpha(found, kind) == figure  # the same resamples every time


def test_an_interval_holds_the_true_value_about_as_often_as_it_says() -> None:
    """200 samples of 100 units from one population: alpha of a very large one stands for the truth."""
    chance = Random(1)

    def sample(units: int) -> Counts:
        rows = []
        for _ in range(units):
            truth = chance.random() < 0.4
            rows.append([str(truth if chance.random() < 0.8 else not truth) for _ in range(3)])
        return counted(rows)

    truth = alpha(sample(60_000), resamples=0).value
    figures = [alpha(sample(100), resamples=300) for _ in range(200)]
    held = sum(figure.low <= truth <= figure.high for figure in figures)  # type: ignore[operator]
    assert 180 <= held <= 198  # 95 % would be 190; the binomial spread is 3


def test_when_one_value_dominates_kappa_falls_and_ac1_does_not() -> None:
    table: dict[Any, int] = {("no", "no"): 90, ("no", "yes"): 5, ("yes", "no"): 5}
    assert equal(table).value == near(0.9)
    assert kappa(table).value == pytest.approx(-0.0526, abs=1e-4)
    assert agreement_coefficient(as_counts(table)).value == pytest.approx(0.8895, abs=1e-4)


def test_undefined_is_said_and_never_a_number() -> None:
    same, alone = counted([["a", "a"]] * 3), counted([["a"], ["b"]])
    for found, why in ((same, "all answers are the same"), (alone, "no unit has two answers")):
        for figure in (alpha(found), agreement_coefficient(found), alpha(found, "ordinal") if found is alone else None):
            assert figure is None or (figure.value is None and figure.why.startswith(why)), figure
    assert percent(same).value == 1.0 and percent(alone).value is None
    assert kappa({("a", "a"): 9}).value is None and "one and the same" in kappa({("a", "a"): 9}).why
    assert kappa({}).value is None and Counts.of({}).units == 0 and alpha(Counts.of({})).value is None
    assert tau_b({1: 1, 2: 1}, {1: 1, 2: 2}).why == "one of them put all responses on one place"
    assert concordance([{1: 1, 2: 1}] * 2).value is None and concordance([{1: 1, 2: 2}]).value is None
    assert both(pieces({}, 10), 1, 2).f1().why == "neither of them marked anything"
    assert alpha_u({}).value is None and gamma.gamma([], []).value is None


def test_soft_f1_of_spans_by_hand() -> None:
    """Ten characters: one marks 0-6 as wrong and major, the other 4-8 as wrong and minor and 8-10 as unclear."""
    spans = {1: [Span(0, 6, "wrong", "major")], 2: [Span(4, 8, "wrong", "minor"), Span(8, 10, "unclear", "minor")]}
    found = both(pieces(spans, 10), 1, 2)
    assert found.f1("place").value == near(2 * 2 / 12)
    assert found.f1("type").value == near(2 * 2 / 12)
    assert found.f1("severity").value == near(2 * 1 / 12)  # the type is right, so half of the two characters
    same = {1: spans[1], 2: spans[1]}
    assert [both(pieces(same, 10), 1, 2).f1(kind).value for kind in ("place", "type", "severity")] == [1.0] * 3
    silent = all_pairs(pieces({1: spans[1], 2: spans[1], 3: []}, 10), [1, 2, 3])
    assert silent.f1().value == near(2 * 6 / 24)
    assert characters(pieces(spans, 10), [1, 2, 3]) == {
        (("", 2), ("wrong", 1)): 6, (("", 1), ("wrong", 2)): 2, (("", 2), ("unclear", 1)): 2,
    }  # fmt: skip


def unitizing(length: int, *marked: list[tuple[int, int]]) -> Unitizing:
    found = Unitizing()
    found.add([[(start, start + size) for start, size in mine] for mine in marked], length)
    return found


def test_alpha_u_of_the_examples_in_krippendorffs_book() -> None:
    """Krippendorff 2004, page 254: 300 characters from 150 on, two observers; as DKPro Statistics tests it."""
    c = unitizing(300, [(75, 70), (220, 30)], [(70, 80), (205, 20), (250, 20)])
    k = unitizing(300, [(30, 60), (150, 50)], [(30, 60), (150, 50)])
    assert c.disagreements() == (pytest.approx(0.0144, abs=5e-5), pytest.approx(0.0532, abs=5e-5))
    assert k.disagreements() == (0.0, pytest.approx(0.0490, abs=5e-5))
    assert alpha_u({"c": c}).value == pytest.approx(0.7286, abs=1e-4)
    assert alpha_u({"k": k}).value == 1.0
    assert alpha_u({"c": c, "k": k}).value == pytest.approx(0.8591, abs=5e-4)


ALEX = [(0, 7, "1"), (7, 13, "2"), (30, 32, "5"), (32, 37, "6"), (37, 44, "6"), (44, 60, "7")]
PAUL = [(0, 7, "1"), (7, 13, "3"), (13, 21, "5"), (32, 44, "6")]
SUZAN = [(0, 7, "1"), (7, 13, "4"), (13, 21, "5"), (32, 37, "6"), (37, 41, "6"), (41, 44, "6")]


def coincidences(length: int, *marked: list[tuple[int, int, str]]) -> Coincidences:
    found = Coincidences()
    found.add([[Span(*one) for one in mine] for mine in marked], length)
    return found


def test_u_alpha_of_the_example_in_krippendorffs_book() -> None:
    """Content Analysis, 4th edition, figure 12.11: 0.510 by place and type, 0.413 by marked or not."""
    found = coincidences(60, ALEX, PAUL, SUZAN)
    assert found.alpha().value == pytest.approx(0.510, abs=5e-4)
    assert found.alpha(marked_alone=True).value == pytest.approx(0.413, abs=1e-3)


def test_u_alpha_by_hand_and_where_it_is_undefined() -> None:
    # both mark 4 of 10, two characters apart: 2 of each other's units are gaps; chance pairs 8 by 12, less 2 * 16 + 12
    value = coincidences(10, [(0, 4, "a")], [(2, 6, "a")]).alpha().value
    assert value == pytest.approx(1 - 8 / (20 * 2 * 8 * 12 / (20 * 20 - 44)))
    assert coincidences(10, ALEX[:1], ALEX[:1]).alpha().value == 1
    assert coincidences(10, [(0, 4, "a")], [(0, 4, "b")]).alpha(marked_alone=True).value == 1
    assert (coincidences(10, [(0, 4, "a")], [(0, 4, "b")]).alpha().value or 0) < 1
    assert Coincidences().alpha().why == "no text was read by two annotators"
    assert coincidences(10, [], []).alpha().why == "nobody marked anything"
    assert coincidences(4, [(0, 4, "a")], [(0, 4, "a")]).alpha().why == "all is marked alike"


def test_u_alpha_of_overlapping_units_and_of_several_texts() -> None:
    both = [(0, 6, "a"), (4, 9, "b")]
    cut = segments([Span(*one) for one in both], 12)
    assert [(one.start, one.end, one.value) for one in cut] == [
        (0, 4, ("a",)), (4, 6, ("a", "b")), (6, 9, ("b",)), (9, 12, ()),
    ]  # fmt: skip
    assert coincidences(12, both, both).alpha().value == 1
    once, several = coincidences(60, ALEX, PAUL, SUZAN), coincidences(60, ALEX, PAUL, SUZAN)
    several.add([[Span(*one) for one in mine] for mine in (ALEX, PAUL)], 60)
    assert several.texts == 2 and several.alpha().value != once.alpha().value
    several.add([[Span(*one) for one in ALEX]], 60)
    assert several.texts == 2, "a text that one read alone says nothing"


# Krippendorff 1995, page 57: four pairs of observers, drawn over 24 places (where units begin and how long they are).
EXAMPLES = {
    "A": ([(2, 8), (14, 6)], [(4, 4), (15, 2)]),
    "B": ([(0, 18)], [(0, 2), (2, 1), (3, 1), (4, 1), (5, 1), (6, 3), (9, 1)]),
    "C": ([(2, 6), (10, 2), (14, 4), (20, 2)], [(0, 2), (4, 4), (10, 4), (16, 2), (20, 2)]),
    "D": ([(0, 2), (2, 8), (10, 4), (14, 6), (20, 4)], [(0, 4), (4, 4), (8, 7), (15, 2), (17, 7)]),
}


@pytest.mark.parametrize(
    ("name", "observed", "expected", "value"),
    [("A", 0.03125, 0.06990, 0.553), ("B", 2.26736, 1.17731, -0.926), ("C", 0.02777, 0.08642, 0.679),
     ("D", 0.38715, 0.41445, 0.066)],
)  # fmt: skip
def test_alpha_u_of_the_examples_in_krippendorffs_article(
    name: str, observed: float, expected: float, value: float
) -> None:
    """At a fine grain, where the slip in the article's expectation that the book corrects is negligible."""
    grain = 50_000
    marked = [[(start * grain, size * grain) for start, size in mine] for mine in EXAMPLES[name]]
    found = unitizing(24 * grain, *marked)
    assert found.disagreements() == (pytest.approx(observed, abs=1e-5), pytest.approx(expected, abs=5e-3))
    assert alpha_u({name: found}).value == pytest.approx(value, abs=0.02)


def test_alpha_u_over_texts_with_other_annotators() -> None:
    """The same text twice is what it was but for the n - 1 of chance; a text that one person read says nothing."""
    once = unitizing(300, [(75, 70), (220, 30)], [(70, 80), (205, 20)])
    twice = unitizing(300, [(75, 70), (220, 30)], [(70, 80), (205, 20)])
    twice.add([[(75, 145), (220, 250)], [(70, 150), (205, 225)]], 300)
    twice.add([[(5, 9)]], 300)
    assert twice.texts == 2 and twice.length == 600 and twice.read == 1200
    assert twice.observed == 2 * once.observed
    assert [(s.start, s.end, s.unit) for s in sections([(2, 5), (4, 9), (9, 10)], 10)] == [
        (0, 2, False), (2, 9, True), (9, 10, True),
    ]  # fmt: skip
    assert difference(sections([(1, 3)], 9)[1], sections([], 9)[0]) == 4


def test_gamma_is_one_for_equals_about_zero_for_strangers_and_the_same_again() -> None:
    mine = [Unit(10, 20, "a"), Unit(40, 44, "b"), Unit(70, 90, "a")]
    by_chance = expected([mine, mine, mine], 100, "seed")
    assert disorder([mine, mine, mine]) == 0.0
    assert gamma.gamma([0.0], [by_chance.value]).value == 1.0
    assert by_chance == expected([mine, mine, mine], 100, "seed") != expected([mine, mine, mine], 100, "other")
    assert by_chance.samples >= 30 and by_chance.precision < 0.5
    strangers = [disorder(shuffled([mine, mine, mine], 100, Random(n))) for n in range(40)]
    found = gamma.gamma(strangers, [by_chance.value] * 40).value
    assert found is not None and abs(found) < 0.15


def test_gamma_given_the_same_shuffled_texts_is_the_mean_of_their_disorders() -> None:
    mine, theirs = [Unit(10, 20, "a")], [Unit(12, 30, "b"), Unit(40, 44, "b")]
    chance, told = Random("s"), []
    for _ in range(30):
        told.append(disorder(shuffled([mine, theirs], 60, chance)))
    assert expected([mine, theirs], 60, "s", most=30).value == near(sum(told) / 30)


def test_too_many_alignments_are_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gamma, "MOST", 50)
    with pytest.raises(TooMany):
        disorder([[Unit(n, n + 50) for n in range(10)]] * 3)


# --- On data that nobody here made --------------------------------------------------------------------


def lines(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    with gzip.open(folder / name, "rt") as file:
        yield from map(json.loads, file)


@pytest.mark.data
def test_the_votes_of_two_crowds_as_krippendorff_and_irrcac_have_them(real_data: Path) -> None:
    numbers = {"No": 0, "Unsure": 1, "Yes": 2}
    rows = [[numbers[v] for v in row["unsafe_votes"]] for row in lines(real_data, "crowd_dices/dices_990.jsonl.gz")]
    found, told = counted(rows), REFERENCES["real"]["dices"]
    for kind in ("nominal", "ordinal", "interval"):
        assert alpha(found, kind, 0).value == near(told[f"alpha_{kind}"])
    for name, weights in (
        ("ac1", "identity"),
        ("linear", "linear"),
        ("quadratic", "quadratic"),
        ("ordinal", "ordinal"),
    ):
        assert agreement_coefficient(found, weights, 0).value == near(told[f"gwet_{name}"])
    assert percent(found, 0).value == near(told["percent"])
    votes = [["a"] * r["votes_a"] + ["b"] * r["votes_b"] for r in lines(real_data, "pref_humour/judgments.jsonl.gz")]
    assert alpha(counted(votes), resamples=0).value == near(REFERENCES["real"]["humour"]["alpha_nominal"])


@pytest.mark.data
def test_spans_of_three_translators_are_aligned_as_by_pygamma_agreement(real_data: Path) -> None:
    rows = {row["id"]: row for row in lines(real_data, "span_mqm_wmt23_3raters/ende.jsonl.gz")}
    for told in REFERENCES["real"]["mqm"]:
        continuum = [
            [
                Unit(error["start"], error["end"], error["category"])
                for error in rating["errors"]
                if error["side"] == "target" and error["end"] > error["start"]
            ]
            for rating in rows[told["id"]]["ratings"]
        ]
        assert disorder(continuum) == near(told["disorder"]), told["id"]
