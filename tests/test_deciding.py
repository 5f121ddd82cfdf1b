"""Answers become decided labels by majority, and a dropped pair says why."""

from typing import Any

import pytest

from curation.errors import Invalid
from curation.services.deciding import Filters, applicable, decide, dropped_because, filters_from, settled


def decided(*values: int | None) -> tuple[str, float | None, float]:
    votes = [(n, value, value is None) for n, value in enumerate(values)]
    found = decide(1, 1, "overall", votes)
    return found.outcome, found.value, found.confidence


@pytest.mark.parametrize(
    ("values", "outcome", "value", "confidence"),
    [
        ((-2,), "first", -2, 1),
        ((-1, -2, 1), "first", -1.5, 2 / 3),
        ((1, 2, 0), "second", 1.5, 2 / 3),
        ((0, 0, 1), "tie", 0, 2 / 3),
        ((None, None, 1), "both_bad", None, 2 / 3),
        ((-1, 1), "undecided", None, 1 / 2),
        ((-1, 1, 0), "undecided", None, 1 / 3),
    ],
)
def test_the_majority_decides(
    values: tuple[int | None, ...], outcome: str, value: float | None, confidence: float
) -> None:
    assert decided(*values) == (outcome, value, pytest.approx(confidence))


@pytest.mark.parametrize(
    ("values", "filters", "reason"),
    [
        ((-1,), {}, None),
        ((-1,), {"min_annotations": 2}, "too few answers"),
        ((-1, -1, 1), {"min_confidence": 0.9}, "below the confidence"),
        ((-1,), {"min_margin": 2}, "below the margin"),
        ((0,), {}, "tie"),
        ((None,), {}, "both bad"),
        ((1, -1), {}, "no majority"),
    ],
)
def test_a_dropped_pair_says_why(values: tuple[int | None, ...], filters: dict[str, float], reason: str | None) -> None:
    found = decide(1, 1, "overall", [(n, v, v is None) for n, v in enumerate(values)])
    assert dropped_because(found, Filters(**filters)) == reason


@pytest.mark.parametrize(
    ("given", "field"),
    [({"axes": "overall"}, "filters.axes"), ({"min_confidence": 2}, "filters.min_confidence"), ([], "filters")],
)
def test_wrong_filters_are_named(given: object, field: str) -> None:
    with pytest.raises(Invalid) as told:
        filters_from(given)
    assert told.value.field == field


LEVELS = ("none", "minor", "moderate", "severe")


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        ([True], True),
        ([True, False, True], True),
        ([True, False], None),
        ([True, 1, 1], 1),
        (["minor", "severe", "minor"], "minor"),
        (["none", "minor", "severe"], "minor"),
        (["none", "severe"], None),
        (["minor", "minor", "none", "severe"], "minor"),
        (["a", "b", "b"], "b"),
        ([1, 5, 4], 4),
        ([-1, 0, 1, 1], None),
        ([["x", "y"], ["x"], ["y", "x"]], ["x", "y"]),
        ([["x"], ["y"]], []),
        ([], None),
    ],
)
def test_verdicts_are_settled(answers: list[Any], found: Any) -> None:
    told = settled(answers, LEVELS)
    assert told == found and type(told) is type(found)


def test_filters_that_mean_nothing_are_named() -> None:
    names = applicable("critiqued", "response")
    assert filters_from({"annotators": "all"}, names).annotators == "all"
    with pytest.raises(Invalid) as told:
        filters_from({"min_confidence": 0}, names)
    assert told.value.field == "filters.min_confidence"
    assert "axis" in applicable("decided", "preference") and "axis" not in applicable("decided", "ranking")
