"""Gold: when a known task is put among the others, and how right an answer to it is.

An answer is `{"preferences": {axis: side}, "verdicts": [{response, question, start, answer}], "ranks": {response:
rank}, "critiques": [{response, message, start, end, type}]}`; what is expected has the same shape, with a list of sides
that are all right for each axis, and only of what is asked about.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

SIDES = ("first", "second", "tie", "both_bad")
PARTS = ("preferences", "verdicts", "ranks", "critiques")
OTHER_TYPE = 0.5
"""How much a character counts that was marked as another type of critique than expected."""
WHOLE = -1
"""The place of a critique of the whole response, which counts as one character."""

Marks = dict[tuple[Any, int, int], frozenset[str]]


# --- When -----------------------------------------------------------------------------------------------


def is_slot(position: int, percent: int, seed: str) -> bool:
    """Whether the task at `position` (from 0) of somebody's sequence is a gold one.

    The sequence is cut into stretches of 100 / `percent` tasks, each with one gold task at a place drawn from the seed:
    so there are never too few and never two runs of many, and nobody knows where the next one is.
    """
    if percent <= 0:
        return False
    stretch = stretch_at(position, percent)
    return position == drawn(stretch, percent, seed)


def slots_before(position: int, percent: int, seed: str) -> int:
    """How many gold tasks there are before a position."""
    if percent <= 0 or position <= 0:
        return 0
    stretch = stretch_at(position, percent)
    return stretch + (drawn(stretch, percent, seed) < position)


def slots_among(position: int, others: int, percent: int, seed: str) -> int:
    """How many gold tasks come from a position on until so many other tasks were given out, none behind the last."""
    start = slots_before(position, percent, seed)
    found, before = 0, -1
    while found != before:
        before = found
        found = slots_before(position + others + found, percent, seed) - start
    return found


def stretch_at(position: int, percent: int) -> int:
    stretch = position * percent // 100
    while begin(stretch + 1, percent) <= position:
        stretch += 1
    return stretch


def begin(stretch: int, percent: int) -> int:
    return stretch * 100 // percent


def drawn(stretch: int, percent: int, seed: str) -> int:
    first = begin(stretch, percent)
    return first + number(f"{seed}:slot:{stretch}") % (begin(stretch + 1, percent) - first)


BLOCK = (("first", "left"), ("first", "right"), ("second", "left"), ("second", "right"))


def wanted(count: int, seed: str) -> tuple[str, str]:
    """Of the gold task number `count`: which response should be right, and on which side it should be shown.

    Every four have each combination once, in an order drawn from the seed.
    """
    block, place = divmod(count, len(BLOCK))
    shuffled = sorted(BLOCK, key=lambda one: number(f"{seed}:block:{block}:{one}"))
    return shuffled[place]


def order_for(side: str, shown: str, seed: str) -> str:
    """In which order a pair is shown so that the response that is right stands on the side; a tie by a coin."""
    if side in ("first", "second"):
        return "ab" if (side == "first") == (shown == "left") else "ba"
    return "ba" if number(f"{seed}:coin") & 1 else "ab"


def number(text: str) -> int:
    return int.from_bytes(hashlib.md5(text.encode()).digest()[:8], "big")


# --- How right ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Judged:
    """How right an answer is: wholly, as a share, and by part."""

    correct: bool
    score: float
    parts: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Strictness:
    """From which share on marked text and an order count as right; all else must be right as a whole."""

    spans: float = 0.5
    ranks: float = 0.8


def judge(expected: Mapping[str, Any], said: Mapping[str, Any], strict: Strictness = Strictness()) -> Judged:  # noqa: B008
    """An answer beside what is expected. The score is the mean over the parts that are expected."""
    least = {"preferences": 1.0, "verdicts": 1.0, "ranks": strict.ranks, "critiques": strict.spans}
    parts = {name: SCORED[name](expected[name], said.get(name) or ()) for name in PARTS if name in expected}
    if not parts:
        return Judged(True, 1.0)
    right = all(score >= least[name] - 1e-9 for name, score in parts.items())
    return Judged(right, sum(parts.values()) / len(parts), {name: round(score, 4) for name, score in parts.items()})


def preferences(expected: Mapping[str, Sequence[str]], said: Any) -> float:
    """The share of the axes on which a side was taken that is right."""
    given = dict(said)
    return share(given.get(axis) in sides for axis, sides in expected.items())


def verdicts(expected: Sequence[Mapping[str, Any]], said: Sequence[Mapping[str, Any]]) -> float:
    """The share of the questions that were answered as expected; of several labels all, in any order."""
    given = {place(one): one["answer"] for one in said}
    return share(same(one["answer"], given.get(place(one))) for one in expected)


def place(verdict: Mapping[str, Any]) -> tuple[Any, ...]:
    return verdict["response"], verdict["question"], verdict.get("start")


def same(one: Any, other: Any) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return sorted(map(str, one)) == sorted(map(str, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def ranks(expected: Mapping[Any, int], said: Any) -> float:
    """The share of the pairs of responses that are expected in an order and were put in it; a tie counts half."""
    given = {str(key): rank for key, rank in dict(said).items()}
    told = {str(key): rank for key, rank in expected.items()}
    scores = []
    for one, other in combinations(told, 2):
        if told[one] == told[other]:
            continue
        if one not in given or other not in given:
            scores.append(0.0)
            continue
        before, after = (one, other) if told[one] < told[other] else (other, one)
        difference = given[after] - given[before]
        scores.append(1.0 if difference > 0 else 0.5 if difference == 0 else 0.0)
    return sum(scores) / len(scores) if scores else 1.0


def critiques(expected: Sequence[Mapping[str, Any]], said: Sequence[Mapping[str, Any]]) -> float:
    """Soft F1 of the marked characters: one that both marked counts wholly, or half where the types differ.

    Precision is over what was marked, recall over what is expected. Where nothing is expected, marking nothing is
    right and anything else is not.
    """
    wanted, marked = marks(expected), marks(said)
    if not wanted or not marked:
        return float(wanted == marked)
    both = sum(agree(wanted[key], marked[key]) for key in wanted.keys() & marked.keys())
    return 2 * both / (len(wanted) + len(marked))


def marks(given: Iterable[Mapping[str, Any]]) -> Marks:
    """The types of critiques on each character; what has no width counts as one."""
    found: dict[tuple[Any, int, int], set[str]] = defaultdict(set)
    for one in given:
        start, end = one.get("start"), one.get("end")
        places = (WHOLE,) if start is None or end is None else range(start, max(end, start + 1))
        for at in places:
            found[str(one["response"]), one.get("message") or 0, at].add(one.get("type") or "")
    return {key: frozenset(types) for key, types in found.items()}


def agree(one: frozenset[str], other: frozenset[str]) -> float:
    return 1.0 if one & other or one == {""} else OTHER_TYPE


SCORED: Mapping[str, Any] = {
    "preferences": preferences,
    "verdicts": verdicts,
    "ranks": ranks,
    "critiques": critiques,
}


def share(found: Iterable[bool]) -> float:
    values = [float(one) for one in found]
    return sum(values) / len(values) if values else 1.0
