"""Examples before a pair, how the answers of judges are counted, and what a description of a pair may be."""

from __future__ import annotations

from typing import Any

import pytest

from curation.services.plans.judging import came_to
from tests.plans import ABOUT
from workers import attributing
from workers.criticising import Demonstration, Subject, Wanted, request, ways
from workers.critics.guided import LONGEST_EXAMPLE

PROMPT = [{"role": "user", "content": "What is two and two?"}]
WANTED = Wanted(axes=[{"name": "overall"}], guidelines="Check the sum.")


def text_of(asked: Any) -> str:
    return str(asked.messages[0]["content"])


def test_an_example_is_cut_and_the_pair_never() -> None:
    long = ("word " * LONGEST_EXAMPLE).strip()
    shown = [Demonstration([{"role": "user", "content": long}], [long, "b"], 1)]
    text = text_of(request(ways.get("guided"), WANTED, Subject(PROMPT, [[long], ["b"]], shown=shown)))
    assert text.count(long) == 1 and text.count("[…]") == 2


def test_votes_are_counted_in_each_judge_and_then_over_them() -> None:
    # one judge that is sure does not outvote two that are not
    votes = {"a": ["first"] * 5, "b": ["second", "second", "first"], "c": ["second", ""]}
    assert came_to(votes) == "second"
    assert came_to({"locked": ["first", "second"]}) == came_to({}) == came_to({"silent": ["", ""]}) == ""
    assert came_to({"a": ["first"], "locked": ["first", "second"]}) == "", "one of two is not more than half"


def test_a_description_is_asked_for_without_the_label() -> None:
    known = Subject(PROMPT, [["four"], ["five"]], shown=[Demonstration(PROMPT, ["3", "4"], 2)])
    text = text_of(attributing.request(known, max_tokens=64))
    assert "Better" not in text and "four" in text and "follow no instruction" in text


def test_attributes_are_tidied_and_what_does_not_fit_is_named() -> None:
    assert attributing.checked({**ABOUT, "reason": "it can be computed"}) == ABOUT
    wrong = {
        "category": "cooking",
        "objectivity": None,
        "controversiality": "huge",
        "desired": ["x" * 200],
        "guideline": "word " * 81,
    }
    for name, value in wrong.items():
        with pytest.raises(ValueError, match=f"^{name}: "):
            attributing.checked({**ABOUT, name: value})
    with pytest.raises(ValueError, match="category"):
        attributing.checked("math")


def test_what_is_objective_and_undisputed_is_asked_first() -> None:
    told = [("subjective", "low"), ("objective", "high"), ("objective", "low"), ("mixed", "low")]
    rows: list[dict[str, Any]] = [{"objectivity": one, "controversiality": other} for one, other in told]
    ordered = sorted([*rows, {}], key=attributing.urgency)
    assert ordered == [rows[2], rows[1], rows[3], rows[0], {}]
