"""A quote is found exactly, or but for case and marks, or nearly; what is somewhere else is not found."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.anchoring import anchor

TEXT = "She said: “It’s  the well-known Café\u0301 — no?”\r\nNo one knew. No one."


@pytest.mark.parametrize(
    ("quote", "how", "found"),
    [
        ("No one", "exact", "No one"),
        ("no one knew", "normalised", "No one knew"),
        ("it's the well known cafe", "normalised", "It’s  the well-known Café\u0301"),
        ("\"IT'S THE", "normalised", "“It’s  the"),
        ("cafe - no?", "normalised", "Café\u0301 — no?"),
        ("It’s the very well-known Cafe, no?", "fuzzy", "It’s  the well-known Café\u0301 — no?"),
        ("an entirely different sentence", "unmatched", None),
        ("…", "unmatched", None),
        ("", "unmatched", None),
        (" \n", "unmatched", None),
    ],
)
def test_a_quote_is_found_by_the_strictest_way(quote: str, how: str, found: str | None) -> None:
    place = anchor(TEXT, quote)
    assert place.how == how
    assert (None if place.start is None else TEXT[place.start : place.end]) == found


def test_every_place_of_a_repeated_quote_is_told() -> None:
    assert anchor("no no no", "no").places == (0, 3, 6) and anchor("aaa", "aa").places == (0, 1)
    assert anchor(TEXT, "no one").places == (TEXT.index("No one knew"), TEXT.index("No one."))
    assert anchor(TEXT, "no one").ambiguous and not anchor(TEXT, "knew").ambiguous


def test_offsets_are_code_points_behind_astral_characters() -> None:
    text = "👩‍👩‍👧‍👦 𝔘𝔫𝔦, שלום and the end"
    for quote in ("𝔘𝔫𝔦", "שלום", "the end", "THE  END"):
        place = anchor(text, quote)
        assert (
            place.start is not None and text[place.start : place.end].casefold() == " ".join(quote.split()).casefold()
        )


@given(text=st.text(min_size=1, max_size=80), data=st.data())
@settings(max_examples=200, deadline=None)
def test_what_is_in_a_text_is_found_in_it(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    quote = text[start : data.draw(st.integers(start + 1, len(text)))]
    place = anchor(text, quote)
    if quote.strip():
        assert place.how == "exact" and start in place.places
    anchor(text, quote.swapcase() + "x")


def words(count: int, seed: int = 1) -> list[str]:
    """Words as frequent as in a language: few often, many seldom."""
    chance = random.Random(seed)
    known = ["".join(chance.choices("abcdefghijklmnop", k=chance.randint(2, 9))) for _ in range(3000)]
    return chance.choices(known, weights=[1 / n for n in range(1, 3001)], k=count)


@pytest.mark.parametrize("size", [12, 100, 399, 2000, 20_000])
def test_a_damaged_quote_of_any_length_is_found_in_a_long_text_in_no_time(size: int) -> None:
    text = words(20_000)
    wanted = text[:size] if size == 20_000 else text[7000 : 7000 + size]
    quote = " ".join(word for n, word in enumerate(wanted) if n % 19 != 5)
    before = 0 if size == 20_000 else len(" ".join(text[:7000])) + 1
    started = time.monotonic()
    place = anchor(" ".join(text), quote)
    assert time.monotonic() - started < 60
    assert (place.how, place.start) == ("fuzzy", before)
    assert place.end is not None and abs(place.end - before - len(" ".join(wanted))) <= 10


def test_words_in_another_order_are_not_found() -> None:
    text = words(5000)
    shuffled = random.Random(2).sample(text, 400)
    assert anchor(" ".join(text), " ".join(shuffled[:30])).how == "unmatched"
    assert anchor(" ".join(text), " ".join(shuffled)).how == "unmatched"
