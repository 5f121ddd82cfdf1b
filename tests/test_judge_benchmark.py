"""The benchmark of judges learns nothing of what it asks about, and counts a shortcut as it counts a judge."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.judges import (
    FREE,
    SENTENCES,
    answered,
    asked,
    beginning,
    cases_of,
    items_of,
    judged_sentences,
    solutions,
)
from workers.benchmarking import Case


@pytest.mark.data
def test_no_problem_of_processbench_is_learnt_from(real_data: Path) -> None:
    rows, left_out = solutions(real_data, 900)
    there = {beginning(case.prompt) for case in cases_of(real_data, 10**9)}
    assert len(rows) == 900 and left_out > 404
    assert not there & {beginning(row["prompt"]) for row in rows}


@pytest.mark.data
def test_steps_behind_the_first_wrong_one_are_not_judged(real_data: Path) -> None:
    item = next(item for item in items_of(real_data, "step_mrben/biology", "first-error") if item.answers[0].critiques)
    row = answered(4, item)
    steps = [one["answer"] for one in row["verdicts"] if one["question"] == "step"]
    assert steps[-1] is False and all(steps[:-1]) and len(steps) < len(item.responses[0].units)
    assert row["responses"] == [{"id": 4, "text": item.responses[0].text}]


@pytest.mark.data
@pytest.mark.parametrize("name", SENTENCES)
def test_a_document_or_prompt_is_on_one_side(name: str, real_data: Path) -> None:
    sides: dict[str, set[str]] = {"train": set(), "test": set()}
    for split, row in judged_sentences(real_data, name, 10**9):
        sides[split].add(row["id"].split("|")[1] if name == "tofueval" else row["prompt"])
        assert any(one[SENTENCES[name][1]] is not None for one in row["sentences"])
    assert sides["train"] and sides["test"] and not sides["train"] & sides["test"]


def test_a_shortcut_is_counted_as_processbench_counts() -> None:
    text = "One two.\nThree."
    cases = [
        Case(f"{subset}-{n}", subset, [], [text], {"first": first}, [(0, 8), (9, 15)])
        for subset in ("gsm8k", "math")
        for n, first in enumerate((-1, 0))
    ]
    first = asked(cases, [[FREE["the first step"]("", n) for n in range(2)] for _ in cases], None)
    assert first["gsm8k error"]["value"] == 1 and first["gsm8k correct"]["value"] == 0 and first["F1"]["value"] == 0
    none = asked(cases, [[FREE["none is wrong"]("", n) for n in range(2)] for _ in cases], None)
    assert none["math error"]["value"] == 0 and none["math correct"]["value"] == 1 and none["F1"]["value"] == 0
    late = asked(cases, [[0.2, 0.9], [0.1, 0.9], [0.6, 0.9], [0.1, 0.9]], 0.15)
    assert late["F1"]["value"] == 1 and late["AUROC of steps"]["value"] == 1
