"""When gold comes, and how right an answer to it is: worked out by hand, and what must always hold."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from workers.gold import Strictness, is_slot, judge, order_for, slots_among, slots_before, wanted


@pytest.mark.parametrize("percent", [1, 3, 5, 10, 30, 33, 50])
def test_every_stretch_has_one_gold_task(percent: int) -> None:
    slots = [place for place in range(1000) if is_slot(place, percent, "seed")]
    assert abs(len(slots) - 10 * percent) <= 1
    assert max(b - a for a, b in zip(slots, slots[1:], strict=False)) < 2 * (100 / percent + 1)
    assert [slots_before(place, percent, "seed") for place in (0, 7, 200)] == [
        sum(slot < place for slot in slots) for place in (0, 7, 200)
    ]
    assert slots != [place for place in range(1000) if is_slot(place, percent, "another")]


@pytest.mark.parametrize(("start", "others"), [(0, 0), (0, 1), (17, 40), (3, 500)])
def test_what_comes_among_so_many_others_is_what_a_walk_finds(start: int, others: int) -> None:
    gold, place = 0, start
    while others - (place - start - gold) > 0:
        gold += is_slot(place, 20, "s")
        place += 1
    assert slots_among(start, others, 20, "s") == gold


def test_no_gold_comes_without_a_rate() -> None:
    assert not any(is_slot(place, 0, "s") for place in range(50)) and slots_among(0, 100, 0, "s") == 0


def test_every_four_have_each_side_at_each_place_once() -> None:
    for block in range(20):
        found = Counter(wanted(4 * block + n, "s") for n in range(4))
        assert len(found) == 4
    assert [order_for("first", "left", "s"), order_for("second", "left", "s")] == ["ab", "ba"]


def critique(start: int | None, end: int | None, kind: str = "", response: int = 1) -> dict[str, Any]:
    return {"response": response, "message": 0, "start": start, "end": end, "type": kind}


@pytest.mark.parametrize(
    ("expected", "said", "score"),
    [
        ([critique(0, 10)], [critique(0, 10)], 1.0),
        ([critique(0, 10)], [critique(5, 15)], 0.5),  # 5 in common: 2 * 5 / (10 + 10)
        ([critique(0, 10, "a")], [critique(0, 10, "b")], 0.5),  # the right place, another type
        ([critique(0, 10, "")], [critique(0, 10, "b")], 1.0),  # no type was expected
        ([critique(0, 4), critique(4, 10)], [critique(0, 10)], 1.0),
        ([critique(0, 10)], [critique(0, 10, response=2)], 0.0),
        ([critique(None, None)], [critique(None, None)], 1.0),
        ([critique(5, 5)], [critique(5, 5)], 1.0),
        ([], [], 1.0),
        ([], [critique(0, 1)], 0.0),
        ([critique(0, 1)], [], 0.0),
    ],
)
def test_marked_text_is_judged_by_its_characters(expected: Any, said: Any, score: float) -> None:
    found = judge({"critiques": expected}, {"critiques": said})
    assert found.score == pytest.approx(score) and found.correct == (score >= 0.5)


@pytest.mark.parametrize(
    ("said", "score"),
    [
        ({"1": 1, "2": 2, "3": 3}, 1.0),
        ({"1": 1, "2": 3, "3": 2}, 2 / 3),  # one of three pairs the wrong way round
        ({"1": 1, "2": 2, "3": 2}, 2.5 / 3),  # a tie counts half
        ({"1": 3, "2": 2, "3": 1}, 0.0),
        ({}, 0.0),
    ],
)
def test_an_order_is_judged_by_its_pairs(said: Any, score: float) -> None:
    found = judge({"ranks": {"1": 1, "2": 2, "3": 3}}, {"ranks": said}, Strictness(ranks=0.8))
    assert found.score == pytest.approx(score) and found.correct == (score >= 0.8)


def test_several_sides_may_be_right_and_every_part_must_be() -> None:
    verdict = {"response": 1, "question": "correct", "start": None, "answer": True}
    expected = {"preferences": {"overall": ["first", "tie"]}, "verdicts": [verdict]}
    said = {"preferences": {"overall": "tie", "other": "second"}, "verdicts": [verdict]}
    assert judge(expected, said).correct
    wrong = judge(expected, {**said, "verdicts": [{**verdict, "answer": 1}]})
    assert not wrong.correct and wrong.parts == {"preferences": 1.0, "verdicts": 0.0} and wrong.score == 0.5
    labels = {**verdict, "answer": ["a", "b"]}
    assert judge({"verdicts": [labels]}, {"verdicts": [{**labels, "answer": ["b", "a"]}]}).correct
