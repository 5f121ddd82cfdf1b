"""Words as preferences: which of several responses an option names, and how strongly."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

BOTH_BAD = "both bad"
Meaning = int | str
"""-3…3, negative for the first of two; or BOTH_BAD."""
TOKEN = re.compile(r"[^\W\d_]+|\d+")
ORDINALS = (("a", "1", "first", "left", "one"), ("b", "2", "second", "right", "two"), ("c", "3", "third", "three"))
TIES = frozenset({"tie", "tied", "equal", "equally", "same", "draw", "similar", "equivalent", "both", "even"})
BAD = frozenset({"bad", "poor", "neither", "none", "wrong", "unusable"})
STRONG = frozenset({"much", "far", "significantly", "strongly", "clearly", "definitely", "lot", "way"})
WEAK = frozenset({"slightly", "little", "marginally", "somewhat", "bit", "weakly"})
COMMON = frozenset(
    {
        "is", "are", "better", "best", "the", "than", "prefer", "preferred", "i", "response", "answer", "model",
        "option", "completion", "output", "side", "assistant", "candidate", "good", "about", "or", "very", "and",
        "reply", "generation", "text", "wins", "win", "of", "they", "it", "as", "no", "preference", "chosen",
    }
)  # fmt: skip
SIGNS = re.compile(r"^\s*(\w+)\s*(>{1,3}|<{1,3}|=|==|~)\s*(\w+)\s*$")
MOST_STRANGE = 2
"""So many options may say nothing of the two."""
COMPARES = frozenset({"preference", "prefer", "preferred", "comparison", "compare", "better", "margin", "versus", "vs"})


def tokens(text: str) -> list[str]:
    return TOKEN.findall(text.lower())


def keys_of(responses: Sequence[str]) -> dict[str, int]:
    """The words that name one response each: what tells their fields apart, and places in words and letters."""
    split = [tokens(name) for name in responses]
    common = set.intersection(*map(set, split)) if len(split) > 1 else set()
    found: dict[str, int] = {}
    for n, words in enumerate(split):
        for word in words:
            if word not in common:
                found.setdefault(word, n)
    for n, _ in enumerate(responses):
        for word in ORDINALS[n] if n < len(ORDINALS) else (str(n + 1),):
            found.setdefault(word, n)
    return found


def which(text: str, responses: Sequence[str]) -> int | None:
    """The one response that a text names, by its field or by what tells that apart."""
    words = tokens(text)
    for n, name in enumerate(responses):
        if tokens(name) == words:
            return n
    keys = keys_of(responses)
    named = {keys[word] for word in words if word in keys}
    strange = [word for word in words if word not in keys and word not in COMMON and word not in names_in(responses)]
    return named.pop() if len(named) == 1 and not strange else None


def names_in(responses: Sequence[str]) -> set[str]:
    return {word for name in responses for word in tokens(name)}


def preferences(options: Sequence[tuple[Any, str]], responses: Sequence[str]) -> dict[Any, Meaning]:
    """What each option (value and words) says of two responses; empty where the options are no preference.

    Options that say nothing of the two, such as “cannot tell”, have no meaning; both responses must be named.
    """
    signed = {value: number for value, _ in options if (number := signed_number(value)) is not None}
    if len(signed) == len(options) and min(signed.values()) < 0 < max(signed.values()):
        return {value: max(-3, min(3, number)) for value, number in signed.items()}
    graded = {value: meaning(value, words, responses) for value, words in options}
    known = {value: said for value, said in graded.items() if said is not None}
    strange = [value for value in graded if value not in known]
    if len(strange) > MOST_STRANGE or any(signed_number(value) is not None for value in strange):
        return {}
    numbers = [said for said in known.values() if isinstance(said, int)]
    if not any(n < 0 for n in numbers) or not any(n > 0 for n in numbers):
        return {}
    steps = sorted({abs(n) for n in numbers if n})
    return {
        value: said if isinstance(said, str) else (steps.index(abs(said)) + 1) * (1 if said > 0 else -1) if said else 0
        for value, said in known.items()
    }


def meaning(value: Any, words: str, responses: Sequence[str]) -> Meaning | None:
    """What an option says: in its words, or else in its value."""
    said = grade(words, responses) if words else None
    return grade(str(value), responses) if said is None else said


def signed_number(value: Any) -> int | None:
    try:
        return None if isinstance(value, bool) else int(str(value).strip())
    except ValueError:
        return None


def grade(text: str, responses: Sequence[str]) -> Meaning | None:
    """-3…3 (weak, usual, strong), BOTH_BAD, or None for words that prefer nothing."""
    keys = keys_of(responses)
    signs = SIGNS.match(text.lower())
    if signs and {signs[1], signs[3]} <= keys.keys():
        side = keys[signs[1]] if signs[2][0] == ">" else keys[signs[3]]
        strength = {1: 2, 2: 3, 3: 3}[len(signs[2])]
        return 0 if signs[2][0] in "=~" else (-strength if side == 0 else strength)
    words = re.sub(r"\ba (bit|little|lot|tie|draw|tad)\b", r"\1", text.lower().replace("_", " "))
    found = tokens(words)
    usual = COMMON | TIES | BAD | STRONG | WEAK | {"tad", "worse"} | names_in(responses) | keys.keys()
    strange = [word for word in found if word not in usual]
    sides = [keys[word] for word in found if word in keys]
    if strange or (not sides and not TIES & set(found) and not BAD & set(found) and found != ["no", "preference"]):
        return None
    if not sides or (TIES & set(found) and len(set(sides)) != 1):
        return BOTH_BAD if BAD & set(found) else 0
    strength = 3 if STRONG & set(found) else 1 if WEAK & set(found) else 2
    side = sides[0] if "worse" not in found else 1 - sides[0]
    return -strength if side == 0 else strength


def centred(name: str, numbers: Sequence[int]) -> dict[Any, Meaning]:
    """A scale of an odd number of steps as a preference, for a question that is called one: 1…7 is -3…3."""
    low, high = min(numbers, default=0), max(numbers, default=0)
    middle, odd = (low + high) // 2, (high - low) % 2 == 0
    if low < 0 < high:
        return {number: max(-3, min(3, number)) for number in numbers}
    if not (odd and 0 < high - middle <= 3 and COMPARES & set(tokens(name))):
        return {}
    return {number: number - middle for number in numbers}
