"""Spans of dataset versions as labels of tokens, and what is summed over held-out responses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.cast import Cast
from tests.critics import ask, frozen, item, land
from workers.held_marks import Pointed, agreed, summed
from workers.marked import Mark, Marked, classes, marked_in, poor, shares, worth_at
from workers.spans import said, turns
from workers.training import Job, Settings, held_back

TEXT = "The sky is green. 👩‍👩‍👧 It is."
GREEN = (11, 16)


def test_a_prompt_of_several_turns_comes_back() -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "One.\n\nTwo: three."},
        {"role": "assistant", "content": "Four."},
    ]
    assert turns(said(messages)) == messages
    for text in ("Plain.", "User: one turn", "Before\n\nUser: a\n\nAssistant: b"):
        assert turns(text) == [{"role": "user", "content": text}]


def job(folder: Path, target: str, *rows: Any) -> Job:
    (folder / "train.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return Job(folder, target, {"train": "train.jsonl"}, None, folder, Settings())


def test_rows_of_several_annotators_become_one_response(tmp_path: Path) -> None:
    row = {"id": "q/1", "prompt": "What colour?", "response": TEXT, "good_offsets": [], "poor_offsets": [list(GREEN)]}
    rows = [row, {**row, "id": "q/2"}, {**row, "poor_offsets": [], "good_offsets": [[0, 3]]}]
    first, second = marked_in(job(tmp_path, "text2grad", *rows), "train", {})
    assert first.opinions == [[Mark(*GREEN, -1)], [Mark(0, 3, 1)]] and len(second.opinions) == 1
    assert shares(first, GREEN) == {-1: 0.5, 0: 0.5} and shares(first, (0, 3)) == {0: 0.5, 1: 0.5}
    assert poor(first, GREEN) and not poor(first, (0, 3))
    assert classes([first, second]) == (-1, 0, 1)
    with pytest.raises(ValueError, match="no marked responses"):
        marked_in(job(tmp_path, "trl-sft"), "train", {})


def test_severities_weigh_in_raw_answers(tmp_path: Path) -> None:
    said = {"response": 5, "message": 0, "start": 11, "end": 16, "type": "wrong", "severity": "major", "polarity": -1}
    row = {
        "item": "q",
        "prompt": [{"role": "user", "content": "What colour?"}],
        "responses": [{"id": 5, "text": TEXT}, {"id": 6, "text": "Blue."}],
        "critiques": [
            said,
            {**said, "severity": "minor", "start": 0, "end": 3},
            {**said, "polarity": None, "start": 4, "end": 7},
            {**said, "start": None, "end": None},
            {**said, "message": 1},
        ],
    }
    found, other = marked_in(job(tmp_path, "annotations", row), "train", {"major": 5})
    assert found.opinions == [[Mark(11, 16, -5, "wrong"), Mark(0, 3, -1, "wrong")]]
    assert other.opinions == [[]] and other.response == "Blue."


def test_a_token_has_the_worst_that_is_said_of_its_signs() -> None:
    marks = [Mark(0, 5, 1), Mark(3, 8, -1), Mark(4, 6, -5)]
    text = "abcdefghijkl"
    assert [worth_at(text, place, marks) for place in [(0, 2), (2, 4), (5, 7), (6, 9), (8, 12)]] == [1, -1, -5, -1, 0]
    assert worth_at("ab cd", (2, 5), [Mark(0, 3, -1)]) == 0  # only the space before the word is marked


def response(words: str, *opinions: list[Mark], row: int = 0) -> Marked:
    return Marked("test", row, f"q{row}", [{"role": "user", "content": "?"}], words, list(opinions))


def pointed(one: Marked, *values: float) -> Pointed:
    places, at = [], 0
    for word in one.response.split():
        places.append((at, at + len(word)))
        at += len(word) + 1
    return Pointed.of(one, places, values)


def test_held_out_marks_are_summed_beside_what_costs_nothing() -> None:
    wrong = response("aaa bb cccc dd", [Mark(4, 6, -1, "fact")], [Mark(4, 11, -1, "fact")], [], row=0)
    fine = response("eee ff", [], [], row=1)
    rows = [pointed(wrong, -0.1, -0.9, -0.2, -0.7), pointed(fine, -0.3, 0.0)]
    assert rows[0].truth == [False, True, False, False] and rows[0].wanted == [(4, 6)]
    told = summed(rows, threshold=0.5)
    assert told["held_out"] | {"low": 0, "high": 0} == {"accuracy": 1.0, "n": 1, "low": 0, "high": 0, "chance": 0.25}
    assert told["tokens"]["n"] == 6 and told["tokens"]["poor"] == pytest.approx(1 / 6, abs=1e-4)
    assert told["tokens"]["average_precision"] == 1.0 == told["tokens"]["auroc"]
    # bb is one of three shortest tokens: the two longer ones are above it, two tie
    assert told["tokens"]["longer_token"]["auroc"] == pytest.approx((0 + 2 / 2) / 5)
    # read out: bb, and dd (runs of fewer than 3 signs are left out, so nothing is)
    assert told["spans"]["recall"] == 0 and told["spans"]["precision"] is None
    assert told["spans"]["everything"] == pytest.approx(2 * 2 / (14 + 6 + 2), abs=1e-4)
    assert told["responses"] == {"n": 2, "poor": 1, "auroc": 1.0, "longer": 1.0}
    low = summed(rows, threshold=0.2)["spans"]  # bb to dd, and eee
    assert (low["precision"], low["recall"]) == (pytest.approx(2 / 13, abs=1e-4), 1.0)
    assert told["by_type"] == {"fact": {"n": 1, "f1": 0.0, "everything": told["spans"]["everything"]}}


def test_people_are_held_against_the_others_and_the_model_against_the_same() -> None:
    one = response("aaaa bbbb", [Mark(0, 4, -1)], [Mark(0, 4, -1)], [Mark(5, 9, -1)])
    assert agreed([[(0, 4, "")], [(2, 6, "")]]) == [(0, 6)]  # half of two is enough
    people = summed([pointed(one, -0.9, -0.1)], 0.5)["people"]
    # each of the first two against {0-4, 5-9}: 4 right, 4 missed; the third against 0-4: 4 wrong, 4 missed
    assert people["f1"] == pytest.approx(2 * 8 / (2 * 8 + 4 + 12), abs=1e-4)
    assert people["model"] == pytest.approx(2 * 12 / (2 * 12 + 8), abs=1e-4) and people["responses"] == 1


def test_what_is_held_back_shares_no_prompt_with_what_is_learnt() -> None:
    rows = [Marked("train", n, str(n), [{"role": "user", "content": f"{n % 40}"}], "x", [[]]) for n in range(80)]
    learnt, back = held_back(rows, lambda one: one.prompt, 0.25, seed=0)
    assert len(learnt) + len(back) == 80 and 8 <= len(back) <= 36
    assert not {one.prompt[0]["content"] for one in learnt} & {one.prompt[0]["content"] for one in back}
    assert held_back(rows[:9], lambda one: one.prompt, 0.1, seed=0)[1] == []


def test_versions_of_both_targets_give_the_same_marks(cast: Cast, tmp_path: Path) -> None:
    ask(cast.project, "response")
    spot = {"start": GREEN[0], "end": GREEN[1], "type": "wrong", "severity": "major", "polarity": -1}
    answers = [{"annotator": "w1", "critiques": [spot]}, {"annotator": "w2", "critiques": [{**spot, "start": 4}]}]
    land(cast.project, item("q", TEXT, answers=answers))
    found = []
    for target in ("text2grad", "annotations"):
        version = frozen(cast.project, target, name=target)
        asked = Job(version.folder, target, {"train": "train.jsonl"}, None, tmp_path, Settings())
        found += marked_in(asked, "train", {})
    assert [[[mark[:3] for mark in one] for one in each.opinions] for each in found] == [
        [[(11, 16, -1)], [(4, 16, -1)]]
    ] * 2
    assert found[0].prompt == found[1].prompt == [{"role": "user", "content": "What of q?"}]
