"""Pairs out of several scored responses to one prompt: which two are compared, the better one first.

    best-worst    the best against the worst of N, then the second best against the second worst, … (best-of-N and
                  worst-of-N, as preference data is made from a reward model: SimPO, arXiv 2405.14734)
    best-random   the best against another one, drawn by the seed (as UltraFeedback is binarised for Zephyr, arXiv
                  2310.16944)
    models        every two responses of different models, those furthest apart first

Two responses that say the same are no pair, nor are two whose scores are nearer than the margin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import combinations
from typing import Literal

How = Literal["best-worst", "best-random", "models"]


@dataclass(frozen=True, slots=True)
class Scored:
    """A response: what it is called, how good it is, who wrote it, and what stands for its words."""

    id: int
    value: float
    model: str = ""
    words: str = ""


Two = tuple[Scored, Scored]
"""The better one first."""


def built(responses: Sequence[Scored], how: How, *, margin: float = 0.0, most: int = 1, seed: int = 0) -> list[Two]:
    """At most `most` pairs of one prompt's responses. The same responses and seed give the same pairs."""
    ordered = sorted(responses, key=lambda one: (-one.value, one.id))
    made = {"best-worst": outer, "best-random": drawn, "models": between}[how](ordered, seed)
    fitting = [(better, worse) for better, worse in made if apart(better, worse, margin)]
    return fitting[:most]


def apart(better: Scored, worse: Scored, margin: float) -> bool:
    same = bool(better.words) and better.words == worse.words
    return better.value > worse.value and better.value - worse.value >= margin and not same


def outer(ordered: Sequence[Scored], seed: int) -> list[Two]:
    """From the outside in."""
    return [(ordered[n], ordered[-1 - n]) for n in range(len(ordered) // 2)]


def drawn(ordered: Sequence[Scored], seed: int) -> list[Two]:
    """The best with the others, in an order that the seed draws."""
    if not ordered:
        return []
    best, *others = ordered
    return [(best, one) for one in sorted(others, key=lambda one: coin(seed, best.id, one.id))]


def between(ordered: Sequence[Scored], seed: int) -> list[Two]:
    """Every two of different models; who wrote neither is known of is nobody else."""
    two = [(better, worse) for better, worse in combinations(ordered, 2) if better.model != worse.model]
    return sorted(two, key=lambda pair: (pair[1].value - pair[0].value, pair[0].id, pair[1].id))


def coin(seed: int, *what: int) -> int:
    told = ":".join(map(str, (seed, *what)))
    return int.from_bytes(blake2b(told.encode(), digest_size=8).digest(), "big")
