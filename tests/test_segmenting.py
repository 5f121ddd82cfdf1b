"""Where sentences and steps are: spans of the source, in order, whatever the source."""

from __future__ import annotations

from random import Random

import pytest

from curation.segmenting import units_of
from tests.test_sourcemap import written


def parts(text: str, unit: str) -> list[str]:
    return [text[start:end] for start, end in units_of(text, unit)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("  One. \n\n  Two.  ", ["One.", "Two."]),
        ("Dr. Smith came at 3.5 p.m. today. He left.", ["Dr. Smith came at 3.5 p.m. today.", "He left."]),
        ("# A title\n\nA sentence. Another one.", ["A title", "A sentence.", "Another one."]),
        ("- First item.\n- Second item. It goes on.\n", ["First item.", "Second item.", "It goes on."]),
        ("1. One thing.\n2. Another.", ["One thing.", "Another."]),
        ("> Quoted. Twice.", ["Quoted.", "Twice."]),
        (
            "Before.\n\n```python\na = 1. \nb = 2.\n```\n\nAfter.",
            ["Before.", "```python\na = 1. \nb = 2.\n```", "After."],
        ),
        ("| A | B |\n|---|---|\n| 1. | 2. |", ["| A | B |\n|---|---|\n| 1. | 2. |"]),
        ("So:\n\n$$\nx = 1. y\n$$\n\nDone.", ["So:", "$$\nx = 1. y\n$$", "Done."]),
        ("Joy 👩‍👩‍👧. More 🌌!", ["Joy 👩‍👩‍👧.", "More 🌌!"]),
        ("One line\r\nof two. And more.\r\n\r\nNext.", ["One line\r\nof two.", "And more.", "Next."]),
        ("", []),
        (" \n ", []),
    ],
)
def test_sentences(text: str, wanted: list[str]) -> None:
    assert parts(text, "sentence") == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Step 1: add.\n\nStep 2: stop.\nReally.", ["Step 1: add.", "Step 2: stop.\nReally."]),
        ("Let us see.\nStep 1: add.\nStep 2: stop.", ["Let us see.", "Step 1: add.", "Step 2: stop."]),
        ("**Step 1** add.\n\n## Step 2\n\nStop.", ["**Step 1** add.", "## Step 2\n\nStop."]),
        ("Only step 1 here.\n\nThen more.", ["Only step 1 here.", "Then more."]),
        ("- a\n- b", ["- a", "- b"]),
        ("a = 1\nb = 2\nc = 3", ["a = 1", "b = 2", "c = 3"]),
        ("One line.", ["One line."]),
        ("", []),
    ],
)
def test_steps(text: str, wanted: list[str]) -> None:
    assert parts(text, "step") == wanted


@pytest.mark.parametrize("unit", ["sentence", "step"])
def test_whatever_the_text_its_units_are_in_order_and_without_space_around_them(unit: str) -> None:
    for seed in range(300):
        text = written(Random(seed))
        found = units_of(text, unit)
        assert all(start < end <= len(text) for start, end in found)
        assert all(one[1] <= other[0] for one, other in zip(found, found[1:], strict=False))
        assert all(text[start:end] == text[start:end].strip() for start, end in found)


def test_a_long_text_is_split_soon() -> None:
    text = "A short sentence of six words. " * 4000
    assert len(units_of(text, "sentence")) == 4000


def test_every_word_of_plain_text_is_in_a_sentence() -> None:
    text = "First this. Then that, and more.\n\nA line\nbroken. End"
    assert " ".join(parts(text, "sentence")).split() == text.split()
