"""Self-consistency of a judge over both orders of a pair: rounds become one preference with its strength, or none.

Self-Reference AI Feedback (arXiv 2406.11190): several rounds, half in each order, and the majority counts. Three things
are ours, since the paper's abstract says no more: a tie is unsure and never a guess; the strength from semantic
perplexity, which averages over rounds how likely each verdict was, and so cancels what a place in the question adds to
it; and from votes, with one added to each side, where likelihoods cannot be had.

Sides are "a" and "b", the pair's first and second response as they are stored, whichever was named first.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Literal

Side = Literal["a", "b", ""]
"""Empty: unsure."""
MOST_STRENGTH = 3.0
"""A judge that is confidently wrong asks for a large wrong margin: it is capped."""


@dataclass(frozen=True, slots=True)
class Round:
    """One answer of a judge: which response it was shown first, which it preferred, and why."""

    first: Side
    verdict: Side
    critiques: tuple[str, str] = ("", "")
    """Of a and of b."""
    likelihood: tuple[float, float] | None = None
    """Log-probability of a and of b at the verdict, together 1."""


@dataclass(frozen=True, slots=True)
class Voted:
    """What rounds come to. `strength` is the log-odds of the preferred side, 0 to MOST_STRENGTH; of none it is 0."""

    side: Side
    a: int
    b: int
    strength: float = 0.0
    by: Literal["perplexity", "votes"] = "votes"
    flipped: bool = False
    """Whether the majority of one order is against that of the other."""


def vote(rounds: Sequence[Round], least: float = 0.0) -> Voted:
    """The majority of rounds. Where the two orders do not come to the same, the strength must be at least `least`."""
    given = [one for one in rounds if one.verdict]
    counts = Counter(one.verdict for one in given)
    a, b = counts["a"], counts["b"]
    side = majority([one.verdict for one in given])
    orders = [majority([one.verdict for one in given if one.first == first]) for first in ("a", "b")]
    flipped = set(orders) == {"a", "b"}
    if not side:
        return Voted("", a, b, flipped=flipped)
    strength, by = strength_of(given, side)
    if strength < least and not orders[0] == orders[1] == side:
        side, strength = "", 0.0
    return Voted(side, a, b, strength, by, flipped)


def majority(verdicts: Sequence[Side]) -> Side:
    """The side that most name; none where as many name the other."""
    a, b = verdicts.count("a"), verdicts.count("b")
    return "" if a == b else "a" if a > b else "b"


def strength_of(rounds: Sequence[Round], side: Side) -> tuple[float, Literal["perplexity", "votes"]]:
    """log semPPL(other) - log semPPL(side) where every round has likelihoods, else log((n + 1) / (n_other + 1))."""
    known = [one.likelihood for one in rounds if one.likelihood is not None]
    if known and len(known) == len(rounds):
        a, b = perplexities(known)
        return capped(log(b) - log(a) if side == "a" else log(a) - log(b)), "perplexity"
    wins = sum(one.verdict == side for one in rounds)
    return capped(log((wins + 1) / (len(rounds) - wins + 1))), "votes"


def perplexities(likelihoods: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """semPPL(v) = exp(-mean over rounds of log P(v)), of a and of b."""
    n = len(likelihoods)
    return exp(-sum(one for one, _ in likelihoods) / n), exp(-sum(other for _, other in likelihoods) / n)


def capped(strength: float) -> float:
    return max(0.0, min(MOST_STRENGTH, strength))


def probability(voted: Voted) -> float:
    """P(b is better), of which the strength is the log-odds; of votes (n_b + 1) / (n + 2)."""
    better = 1 / (1 + exp(-voted.strength))
    return 0.5 if not voted.side else better if voted.side == "b" else 1 - better


def of_models(sides: Sequence[Side]) -> Voted:
    """The majority of what several models came to: more than half of all of them, or unsure."""
    a, b = sides.count("a"), sides.count("b")
    side: Side = "a" if 2 * a > len(sides) else "b" if 2 * b > len(sides) else ""
    strength = capped(log((max(a, b) + 1) / (min(a, b) + 1))) if side else 0.0
    return Voted(side, a, b, strength)


# --- In words, and back ------------------------------------------------------------------------------

MOST_WORDS, MOST_OWN = 3000, 8000
"""Characters of a critique and of an own answer that are kept with a vote."""
UNREAD = "–"
SENSITIVE, REFUSED = "position-sensitive", "its own answer is a refusal"
HEAD = re.compile(
    rf"Votes: (?P<votes>[AB{UNREAD}](?: [AB{UNREAD}])*)(?: · named first: (?P<first>[AB](?: [AB])*))?"
    rf" · strength (?P<strength>\d\.\d\d) by (?P<by>perplexity|votes)"
    rf"(?P<flipped> · {SENSITIVE})?(?P<refused> · {REFUSED})?"
)
OWN, CRITIQUE = "Its own answer: ", "{}: "


@dataclass(frozen=True, slots=True)
class Strip:
    """A vote as a page shows it."""

    votes: list[tuple[str, str]]
    """What was preferred (A, B or unread) and what was named first (empty: not told)."""
    strength: float
    by: str
    flipped: bool
    refused: bool
    critiques: list[tuple[str, str]]
    own: str
    more: str = ""

    @property
    def side(self) -> str:
        """What most prefer; empty for neither."""
        a, b = (self.count(side) for side in "AB")
        return "" if a == b else "A" if a > b else "B"

    @property
    def for_it(self) -> int:
        return max(self.count("A"), self.count("B"))

    def count(self, side: str) -> int:
        return sum(said == side for said, _ in self.votes)


def in_words(
    voted: Voted, rounds: Sequence[Round], *, own: str = "", refused: bool = False, more: str = "", orders: bool = True
) -> str:
    """A vote as the words of its suggestion: a line that can be read back, the critiques, the own answer, and more."""
    votes = " ".join(one.verdict.upper() or UNREAD for one in rounds)
    first = f" · named first: {' '.join(one.first.upper() for one in rounds)}" if orders else ""
    marks = f"{f' · {SENSITIVE}' if voted.flipped else ''}{f' · {REFUSED}' if refused else ''}"
    head = f"Votes: {votes}{first} · strength {voted.strength:.2f} by {voted.by}{marks}"
    parts = [head, *critiques_of(voted, rounds), more.strip()]
    if own.strip():
        parts.append(OWN + cut(own.strip(), MOST_OWN))
    return "\n\n".join(part for part in parts if part)


def critiques_of(voted: Voted, rounds: Sequence[Round]) -> list[str]:
    """The critiques of the first round that voted as the majority did, each one paragraph."""
    agreeing = [one for one in rounds if one.verdict and voted.side in ("", one.verdict)]
    if not agreeing:
        return []
    told = zip("AB", agreeing[0].critiques, strict=True)
    return [CRITIQUE.format(name) + cut(" ".join(words.split()), MOST_WORDS) for name, words in told if words.strip()]


def cut(words: str, most: int) -> str:
    return words if len(words) <= most else f"{words[: most - 1]}…"


def read_back(words: str) -> Strip | None:
    """The vote that the words of a suggestion tell, or None for other words. Paragraphs count only in their places."""
    head, _, rest = words.partition("\n\n")
    found = HEAD.fullmatch(head)
    if not found:
        return None
    critiques = []
    for name in "AB":
        if rest.startswith(CRITIQUE.format(name)):
            said, _, rest = rest.partition("\n\n")
            critiques.append((name, said.removeprefix(CRITIQUE.format(name))))
    more, mark, own = ("", OWN, rest.removeprefix(OWN)) if rest.startswith(OWN) else rest.partition(f"\n\n{OWN}")
    first = (found["first"] or "").split()
    votes = found["votes"].split()
    return Strip(
        votes=[(said, first[n] if n < len(first) else "") for n, said in enumerate(votes)],
        strength=float(found["strength"]),
        by=found["by"],
        flipped=bool(found["flipped"]),
        refused=bool(found["refused"]),
        critiques=critiques,
        own=own if mark else "",
        more=more,
    )
