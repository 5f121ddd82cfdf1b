"""Signals of bias and their counts, worked out by hand."""

from __future__ import annotations

import pytest

from workers.bias.counting import OTHERS, Counts, figures
from workers.bias.family import family_of
from workers.bias.length import length
from workers.bias.markdown import markdown
from workers.bias.refusal import refuses
from workers.bias.rows import Answer, Chosen, Seen
from workers.intervals import wilson


def test_the_longer_one_is_told_by_how_much_longer_it_is() -> None:
    assert list(length(Chosen("a" * 160, "b" * 100))) == [
        Seen("longer at all", True, False),
        Seen("1.5 to 2 times", True, False),
    ]
    assert [one.name for one in length(Chosen("a", "b" * 9))] == ["longer at all", "more than 3 times"]
    assert not list(length(Chosen("same", "size"))), "equal length says nothing"


def test_markdown_is_told_where_one_side_has_it() -> None:
    seen = {one.name: one for one in markdown(Chosen("- one\n- **two**", "# Title\n\n`code` and **bold**"))}
    assert seen == {
        "lists": Seen("lists", True, False),
        "bold text": Seen("bold text", True, True),
        "headers": Seen("headers", False, True),
        "code": Seen("code", False, True),
    }


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I cannot assist with this request.",
        "As an AI language model, I have no opinion.",
        "That request is beyond my capabilities.",
        "I won’t provide instructions for that.",
    ],
)
def test_refusals_are_found(text: str) -> None:
    assert refuses(text)


@pytest.mark.parametrize(
    "text",
    ["Sure, here is how.", "You can't help loving it.", "The apology reads as follows.", "x" * 400 + " I cannot help."],
)
def test_what_is_no_refusal_is_not(text: str) -> None:
    assert not refuses(text)


def test_families_are_told_by_name() -> None:
    named = {"meta-llama/Llama-3.1-8B-Instruct": "llama", "gpt-4o-2024-05-13": "gpt", "Qwen2.5-7B": "qwen"}
    assert {name: family_of(name) for name in named} == named
    assert family_of("our-own-7") == "our-own-7"


def test_figures_are_shares_of_what_only_one_side_has() -> None:
    counts = Counts()
    for n in range(40):
        chosen, rejected = ("- list", "plain text") if n < 30 else ("plain text", "- list")
        counts.add_pair(Chosen(chosen, rejected, "gpt-4", "llama-2"))
    counts.add_pair(Chosen("- list", "- list", "gpt-4", "gpt-3.5"))
    counts.add_answer(Answer(longer=True, left=True, annotator="ann", hour=7))
    rows = {(row["signal"], row["name"]): row for row in figures(counts)}
    lists = rows["markdown", "lists"]
    assert (lists["count"], lists["n"], lists["share"]) == (30, 40, 0.75)
    assert (lists["low"], lists["high"]) == (wilson(30, 40).low, wilson(30, 40).high)
    assert lists["chosen"]["count"] == 31 and lists["rejected"]["count"] == 11, "those of both sides count here"
    assert lists["marked"]
    assert rows["family", "gpt"]["share"] == 1.0 and rows["family", "llama"]["share"] == 0.0
    assert rows["markdown", "headers"]["share"] is None and rows["markdown", "headers"]["n"] == 0
    assert rows["hour", "07:00"]["share"] == 1.0 and not rows["hour", "07:00"]["marked"], "one answer marks nothing"
    assert [row["signal"] for row in figures(Counts())] == ["length"] * 6 + ["markdown"] * 5 + ["refusal", "position"]


def test_names_beyond_the_most_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.bias.counting.MOST_NAMES", 2)
    counts = Counts()
    for n in range(5):
        counts.add_answer(Answer(longer=True, left=None, annotator=f"a{n}", hour=0))
    told = {row["name"]: row["n"] for row in figures(counts) if row["signal"] == "annotator"}
    assert told == {"a0": 1, "a1": 1, OTHERS: 3}
