"""Where a quote stands in a text: exactly, but for case and punctuation, or nearly; or nowhere.

Text2Grad (arXiv 2505.22338, section 3.2) aligns a critic's quotes with the response before it pays their tokens.
Simpler and stricter than its code: no half-quotes, a threshold of .85 instead of about .7, and every place of a
repeated quote is told, since a quote alone cannot say which is meant. Offsets are code points.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Literal, NamedTuple

How = Literal["exact", "normalised", "fuzzy", "unmatched"]
ALIKE = 0.85
WORD = re.compile(r"\S+")
SHORT = 300
"""Quotes up to so many characters are compared by characters, longer ones by words."""
LONG = 400
"""Quotes of more words are looked for by their two ends."""
END = 60
SEEDS, LIKELY = 64, 6
DASHES = "-‐‑‒–—―−"
JOINING = "\u200d\ufe0e\ufe0f"


class Anchor(NamedTuple):
    """Where a quote was found (half-open), and `places`: every start where it might as well be meant."""

    how: How
    start: int | None = None
    end: int | None = None
    places: tuple[int, ...] = ()
    score: float = 0.0

    @property
    def ambiguous(self) -> bool:
        return len(self.places) > 1


NOWHERE = Anchor("unmatched")


def anchor(text: str, quote: str) -> Anchor:
    """The first place of `quote` in `text`, by the strictest way that finds one."""
    if not quote.strip():
        return NOWHERE
    if places := occurrences(text, quote):
        return Anchor("exact", places[0], places[0] + len(quote), tuple(places), 1.0)
    return normalised_anchor(text, quote) or fuzzy_anchor(text, quote) or NOWHERE


def occurrences(text: str, quote: str) -> list[int]:
    """Every place of `quote`, overlapping ones too."""
    places, at = [], text.find(quote)
    while at >= 0:
        places.append(at)
        at = text.find(quote, at + 1)
    return places


class Plain(NamedTuple):
    """A text in small letters without accents, punctuation and repeated white space, and where each came from."""

    text: str
    at: list[int]


@lru_cache(maxsize=8)
def plain(text: str) -> Plain:
    letters: list[str] = []
    at: list[int] = []
    for place, sign in enumerate(text):
        for letter in folded(sign):
            if letter != " " or (letters and letters[-1] != " "):
                letters.append(letter)
                at.append(place)
    if letters and letters[-1] == " ":
        letters.pop()
        at.pop()
    return Plain("".join(letters), at)


@lru_cache(maxsize=4096)
def folded(sign: str) -> str:
    """What is left of one character: letters and digits folded, a space for white space and dashes, or nothing."""
    if sign.isspace() or sign in DASHES:
        return " "
    whole = unicodedata.normalize("NFKD", sign).casefold()
    return "".join(one for one in whole if not one.isspace() and unicodedata.category(one)[0] not in "PMC")


def normalised_anchor(text: str, quote: str) -> Anchor | None:
    inside, wanted = plain(text), plain(quote).text
    if not wanted:
        return None
    found = occurrences(inside.text, wanted)
    if not found:
        return None
    whole = [at for at in found if at_words(inside.text, at, at + len(wanted))] or found
    places = [widened(text, quote, inside.at[at], inside.at[at + len(wanted) - 1] + 1) for at in whole]
    return Anchor("normalised", *places[0], tuple(start for start, _ in places), 1.0)


def at_words(text: str, start: int, end: int) -> bool:
    """Whether neither end of a span cuts a word."""
    return (start == 0 or text[start - 1] == " ") and (end == len(text) or text[end] == " ")


def widened(text: str, quote: str, start: int, end: int) -> tuple[int, int]:
    """A span that takes in the accents of its last letter, and punctuation at its ends if the quote has some."""
    while end < len(text) and (unicodedata.combining(text[end]) or text[end] in JOINING):
        end += 1
    trimmed = quote.strip()
    before = len(trimmed) - len(trimmed.lstrip(PUNCTUATION := punctuation(trimmed)))
    after = len(trimmed) - len(trimmed.rstrip(PUNCTUATION))
    while before and start and is_punctuation(text[start - 1]):
        start, before = start - 1, before - 1
    while after and end < len(text) and is_punctuation(text[end]):
        end, after = end + 1, after - 1
    return start, end


def is_punctuation(sign: str) -> bool:
    return unicodedata.category(sign)[0] == "P"


def punctuation(text: str) -> str:
    return "".join({sign for sign in text if is_punctuation(sign)}) or "\0"


def fuzzy_anchor(text: str, quote: str) -> Anchor | None:
    """The window of the text's words that is most like the quote, when it is alike enough."""
    wanted = WORD.findall(plain(quote).text)
    if not wanted:
        return None
    if len(wanted) > LONG:
        return by_both_ends(text, wanted)
    words = words_of(text)
    windows = [alike(words, start, wanted) for start in likely(words, wanted)]
    good = sorted((window for window in windows if window.score >= ALIKE), key=lambda one: -one.score)
    if not good:
        return None
    best = good[0]
    others = [one.first for one in good if one.last <= best.first or best.last <= one.first]
    places = sorted({words.spans[first][0] for first in (best.first, *others)})
    start, end = words.spans[best.first][0], words.spans[best.last - 1][1]
    return Anchor("fuzzy", *widened(text, quote, start, end), tuple(places), best.score)


class Words(NamedTuple):
    """The words of a text, plain, with the spans of the text that they come from and the places of each."""

    words: list[str]
    spans: list[tuple[int, int]]
    places: dict[str, list[int]]


@lru_cache(maxsize=8)
def words_of(text: str) -> Words:
    inside = plain(text)
    words: list[str] = []
    spans: list[tuple[int, int]] = []
    places: dict[str, list[int]] = defaultdict(list)
    for n, word in enumerate(WORD.finditer(inside.text)):
        words.append(word.group())
        spans.append((inside.at[word.start()], inside.at[word.end() - 1] + 1))
        places[word.group()].append(n)
    return Words(words, spans, dict(places))


def likely(words: Words, wanted: list[str]) -> list[int]:
    """Where the quote would begin if its rarest words stood where they stand in the text; the likeliest few."""
    known = [(len(words.places[word]), n) for n, word in enumerate(wanted) if word in words.places]
    votes: Counter[int] = Counter()
    for _, n in sorted(known)[:SEEDS]:
        for place in words.places[wanted[n]]:
            votes[max(0, place - n)] += 1
    near: Counter[int] = Counter({at: sum(votes[at + shift] for shift in (-1, 0, 1)) for at in votes})
    return [at for at, _ in near.most_common(LIKELY)]


class Window(NamedTuple):
    score: float
    first: int
    last: int


def alike(words: Words, start: int, wanted: list[str]) -> Window:
    """The best of the windows of about the quote's length around a place."""
    size = len(wanted)
    room = max(1, size // 8)
    best = Window(0.0, start, start + 1)
    for first in range(max(0, start - room), start + room + 1, max(1, room // 2)):
        for last in range(first + max(1, size - room), first + size + room + 1, max(1, room // 2)):
            if last <= len(words.words):
                score = likeness(words.words[first:last], wanted, best.score)
                best = max(best, Window(score, first, last), key=lambda one: one.score)
    return tightened(words, best, wanted)


def tightened(words: Words, window: Window, wanted: list[str]) -> Window:
    """The window between the words that it shares with the quote, or with a word more or less at an end, if better."""
    best = window
    wide = max(0, window.first - len(wanted) // 8)
    around = words.words[wide : window.last + len(wanted) // 8]
    shared = SequenceMatcher(None, around, wanted, autojunk=False).get_matching_blocks()[:-1]
    if shared:
        best = better(words, best, wide + shared[0].a, wide + shared[-1].a + shared[-1].size, wanted)
    for first, last in ((1, 0), (0, -1), (1, -1), (-1, 0), (0, 1)):
        best = better(words, best, best.first + first, best.last + last, wanted)
    return best


def better(words: Words, window: Window, first: int, last: int, wanted: list[str]) -> Window:
    """The better of a window and another one."""
    if not 0 <= first < last <= len(words.words):
        return window
    score = likeness(words.words[first:last], wanted, window.score)
    return Window(score, first, last) if score > window.score else window


def likeness(given: list[str], wanted: list[str], floor: float) -> float:
    """How much of two runs of words is the same, from 0 to 1; 0 where it cannot be more than `floor`."""
    mine, theirs = " ".join(given), " ".join(wanted)
    if 2 * sum((Counter(given) & Counter(wanted)).values()) == 0 and len(wanted) > 3:
        return 0.0
    if len(theirs) <= SHORT:
        matcher = SequenceMatcher(None, mine, theirs, autojunk=False)
        return matcher.ratio() if matcher.quick_ratio() > max(floor, ALIKE - 0.1) else 0.0
    blocks = SequenceMatcher(None, given, wanted, autojunk=False).get_matching_blocks()
    same = sum(len(word) + 1 for block in blocks for word in given[block.a : block.a + block.size])
    return 2 * same / (len(mine) + len(theirs) + 2)


def by_both_ends(text: str, wanted: list[str]) -> Anchor | None:
    """A long quote: its first and its last words are found, about as far apart, with the same words between."""
    head, tail = (fuzzy_anchor(text, " ".join(part)) for part in (wanted[:END], wanted[-END:]))
    if not head or not tail or head.start is None or tail.end is None or head.start >= tail.end:
        return None
    between = WORD.findall(plain(text[head.start : tail.end]).text)
    score = 2 * sum((Counter(between) & Counter(wanted)).values()) / (len(between) + len(wanted))
    return Anchor("fuzzy", head.start, tail.end, (head.start,), score) if score >= ALIKE else None
