"""Errors planted into texts: one word changed for another of its shape, so that it is known where the text is wrong.

And the measures of "From r to Q*" as this project takes them: whether the planted word has the lowest reward of its
text (top-1), how many other words lie above it (AUROC), and the mean reward before, on and after it. Tokens are summed
to words, since the log-ratio of a word is the sum over its tokens.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from statistics import fmean

from workers.judging import Mapped

WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
CHUNK = re.compile(r"\S+")
FEWEST = 5
"""A text of fewer words says little about where an error is."""
SHORTEST = 4
"""Letters of a word that is worth changing: shorter ones are mostly grammar."""

Lexicon = Mapping[str, Sequence[str]]
"""Words by shape."""


@dataclass(frozen=True, slots=True)
class Planted:
    """A text with one word changed; the change covers [start, end) in code points."""

    text: str
    start: int
    end: int
    was: str


@dataclass(frozen=True, slots=True)
class Found:
    """How the rewards of one planted text point at the error."""

    top1: float
    """1 if the word with the error has the lowest reward; shared with k words that are as low, 1 / k."""
    auroc: float
    chance: float
    before: float | None
    bad: float
    after: float | None


def shape(word: str, begins: bool = False) -> str:
    """number-<digits>, name, word or mixed; empty for what is not changed.

    Where a sentence `begins`, a capital says nothing.
    """
    if word.isdigit():
        return f"number-{len(word)}"
    if any(sign.isdigit() for sign in word):
        return "mixed"
    if len(word) < SHORTEST:
        return ""
    if word[0].isupper():
        return "" if begins or word.isupper() else "name"
    return "word" if word.islower() else ""


def begins(text: str, at: int) -> bool:
    """Whether a sentence or line begins there."""
    left = text[:at].rstrip(" \"'“‘(*_#>-")
    return not left or left[-1] in ".!?:\n。！？"


def lexicon(texts: Iterable[str], most: int = 20_000) -> Lexicon:
    """The words of texts by their shapes, each once, sorted."""
    found: dict[str, set[str]] = defaultdict(set)
    for text in texts:
        for match in WORD.finditer(text):
            if (kind := shape(match[0], begins(text, match.start()))) and len(found[kind]) < most:
                found[kind].add(match[0])
    return {kind: sorted(words) for kind, words in found.items()}


def plant(text: str, words: Lexicon, chance: Random) -> Planted | None:
    """The text with one of its words changed for another of the same shape that it does not hold; None if none fits."""
    places = list(WORD.finditer(text))
    if len(places) < FEWEST:
        return None
    held = {match[0].casefold() for match in places}
    chance.shuffle(places)
    for match in places:
        kind = shape(match[0], begins(text, match.start()))
        if other := another(kind, words, held, chance):
            start = match.start()
            return Planted(text[:start] + other + text[match.end() :], start, start + len(other), match[0])
    return None


def another(kind: str, words: Lexicon, held: set[str], chance: Random) -> str:
    """A word of the shape that is not held; empty if a few draws give none."""
    if not kind:
        return ""
    for _ in range(20):
        if kind.startswith("number-"):
            size = int(kind.removeprefix("number-"))
            drawn = "".join([chance.choice("123456789"), *(chance.choice("0123456789") for _ in range(size - 1))])
        elif words.get(kind):
            drawn = chance.choice(words[kind])
        else:
            return ""
        if drawn.casefold() not in held:
            return drawn
    return ""


def found(mapped: Mapped, text: str, start: int, end: int) -> Found | None:
    """What the token rewards of a text say of the error at [start, end); None where the map does not reach it."""
    sums = by_word(mapped, text)
    bad = [place for place in sums if place[0] < end and start < place[1]]
    rest = {place: value for place, value in sums.items() if place not in bad}
    if not bad or not rest:
        return None
    worst = fmean(sums[place] for place in bad)
    others = list(rest.values())
    above = sum(value > worst for value in others) + sum(value == worst for value in others) / 2
    equal = sum(value == worst for value in others)
    return Found(
        top1=0.0 if any(value < worst for value in others) else 1 / (1 + equal),
        auroc=above / len(others),
        chance=1 / (1 + len(others)),
        before=mean([value for place, value in rest.items() if place[1] <= start]),
        bad=worst,
        after=mean([value for place, value in rest.items() if place[0] >= end]),
    )


def by_word(mapped: Mapped, text: str) -> dict[tuple[int, int], float]:
    """Sums of token values by what stands between white space; a token belongs where it ends."""
    chunks = [match.span() for match in CHUNK.finditer(text)]
    sums: dict[tuple[int, int], float] = defaultdict(float)
    number = 0
    for (start, end), value in zip(mapped.offsets, mapped.values, strict=True):
        if end <= start:
            continue
        while number < len(chunks) and chunks[number][1] < end:
            number += 1
        inside = number < len(chunks) and chunks[number][0] < end
        sums[chunks[number] if inside else (start, end)] += value
    return dict(sums)


def mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None
