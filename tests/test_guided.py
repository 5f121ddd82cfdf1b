"""What a judge is asked with examples, how its answers are counted, and what a description of a pair may be."""

from __future__ import annotations

from typing import Any

import pytest

from tests.plans import ABOUT
from workers import attributing
from workers.guided import LONGEST_EXAMPLE, Compared, agreed, heard, majority, request

PROMPT = [{"role": "user", "content": "What is two and two?"}]
TARGET = Compared(PROMPT, "four", "five", attributes={"category": "math"})
HOW: dict[str, Any] = {"temperature": 0.7, "max_tokens": 64, "seed": 1}


def text_of(asked: Any) -> str:
    return str(asked.messages[0]["content"])


def test_the_guidelines_come_first_then_examples_then_the_pair() -> None:
    example = Compared([{"role": "user", "content": "Three?"}], "3", "4", label="first")
    text = text_of(request(TARGET, [example], "Check the sum.", turned=False, **HOW))
    places = [text.index(word) for word in ("Check the sum.", "Three?", "People preferred: 1", "What is two", "four")]
    assert places == sorted(places)
    assert '{"category": "math"}' in text and text.count("People preferred") == 1


def test_turned_round_the_second_response_is_candidate_1_in_examples_too() -> None:
    example = Compared(PROMPT, "3", "4", label="first")
    text = text_of(request(TARGET, [example], "", turned=True, **HOW))
    assert "People preferred: 2" in text and text.index("five") < text.index("four")
    assert heard({"better": "1"}, True) == "second" and heard({"better": "2"}, True) == "first"
    assert heard({"better": "1"}, False) == "first"


def test_an_example_is_cut_and_the_pair_never() -> None:
    long = "word " * LONGEST_EXAMPLE
    text = text_of(
        request(Compared(PROMPT, long, "b"), [Compared(PROMPT, long, "b", "first")], "", turned=False, **HOW)
    )
    assert text.count(long.strip()) == 1 and "[…]" in text


@pytest.mark.parametrize("answer", [None, {}, {"better": 1}, {"better": "3"}, ["1"], "1"])
def test_what_cannot_be_read_is_no_vote(answer: Any) -> None:
    assert heard(answer, False) == ""


def test_votes_are_counted_in_each_judge_and_then_over_them() -> None:
    assert majority(["first", "second"]) == majority([]) == majority(["", ""]) == ""
    assert majority(["first", "", "first", "second"]) == "first"
    # one judge that is sure does not outvote two that are not
    votes = {"a": ["first"] * 5, "b": ["second", "second", "first"], "c": ["second", ""]}
    assert agreed(votes) == "second"
    assert agreed({"locked": ["first", "second"]}) == ""


def test_a_description_is_asked_for_without_the_label() -> None:
    asked = attributing.request(Compared(PROMPT, "four", "five", label="first"), max_tokens=64)
    assert "preferred" not in text_of(asked) and "four" in text_of(asked)


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
