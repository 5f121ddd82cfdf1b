"""The benchmark of span rewards splits by prompt and keeps places; the experiment pays the same sum everywhere."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from benchmarks.spans import SETS, Set, items_of, planted, rows_of

torch = pytest.importorskip("torch", reason="NOT RUN: torch is not installed")


@pytest.mark.data
@pytest.mark.parametrize("one", SETS, ids=lambda one: one.name)
def test_no_prompt_is_on_both_sides_and_marks_lie_in_their_text(one: Set, real_data: Path) -> None:
    rows = list(rows_of(one, items_of(one, real_data)))
    prompts: dict[str, set[bytes]] = {"train": set(), "test": set()}
    for split, row in rows:
        prompts[split].add(orjson.dumps(row["prompt"]))
        text = row["responses"][0]["text"]
        assert all(0 <= mark["start"] <= mark["end"] <= len(text) for mark in row["critiques"])
    assert prompts["train"] and prompts["test"] and not prompts["train"] & prompts["test"]
    assert sum(bool(row["critiques"]) for _, row in rows) >= 20


@pytest.mark.data
def test_a_planted_word_is_marked_where_it_stands(real_data: Path) -> None:
    rows = planted(real_data)
    assert len(rows) > 50
    for _, row in rows:
        [mark] = row["critiques"]
        word = row["responses"][0]["text"][mark["start"] : mark["end"]]
        assert word and not any(sign.isspace() for sign in word)


@pytest.mark.training
def test_every_arm_pays_the_same_sum() -> None:
    from experiments.span_credit import EACH, FILL, LENGTH, paid

    good = torch.tensor([[True, False, True, True], [False, False, False, True]])
    told = {arm: paid(arm, good, torch.Generator().manual_seed(0)) for arm in ("span", "end", "shuffled")}
    for rewards in told.values():
        assert rewards.shape == (2, LENGTH) and rewards.sum(1).tolist() == [2.0, -2.0]
    first = [0.5] * EACH + [0.0] * FILL
    assert told["span"][0, : 2 * (EACH + FILL)].tolist() == [*first, *(-value for value in first)]
    assert told["end"][0, :-1].eq(0).all()
    assert told["shuffled"].sort(1).values.equal(told["span"].sort(1).values)
    assert not told["shuffled"].equal(told["span"])


@pytest.mark.training
def test_advantages_are_those_of_gae() -> None:
    from experiments.span_credit import LAMBDA, LENGTH, advantages

    rewards, values = torch.zeros(1, LENGTH), torch.zeros(1, LENGTH)
    rewards[0, -1], values[0, -2] = 1.0, 0.25
    _, returns = advantages(rewards, values)
    last = 1.0
    before = (0 + 0 - 0.25) + LAMBDA * last
    third = (0 + 0.25 - 0) + LAMBDA * before
    assert returns[0, -3:].tolist() == pytest.approx([third, before + 0.25, last])
