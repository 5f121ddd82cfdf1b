"""Which unverified pairs are looked at next, and which gold pairs explain a pair: error-driven adaptive retrieval.

Liu et al. 2025, "Skywork-Reward-V2" (arXiv 2507.01352), section 3: a pair that the reward model gets right with
confidence p pulls its k nearest neighbours, at most 8: all 8 where p <= 0.5, else ceil(8 (1 - p)). The text can be
read in two ways, and both are here: gold pairs pull similar pairs out of the pool (`acquire`), and a pair of the pool
pulls similar gold pairs as examples for a judge (`demonstrations`).

Vectors are rows of float32 arrays, one a pair; a row of zeros is similar to nothing. The paper embeds a pair with its
attributes; which text is embedded is for the caller to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np

MOST = 8
"""Neighbours of a pair that is wrong, and examples before a pair (the paper's k_max)."""
AT_ONCE = 8192
"""Rows of a pool that are compared at a time."""
Rows = Any
"""numpy.ndarray of float32, one row a pair."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """A pair of the pool: its place, how many gold pairs pulled it, and how near the nearest of them was (cosine)."""

    place: int
    pulls: int
    similarity: float


def neighbours_wanted(confidence: float, most: int = MOST) -> int:
    """How many neighbours a pair pulls. `confidence`: the reward model's probability of its label, 0 to 1.

    0.6 pulls 4 of 8, 0.9 one, 1 none. Not a number counts as unknown, and pulls all.
    """
    if not confidence > 0.5:
        return most
    # rounded first: 8 * (1 - 0.75) must not become 3 by the last bit of a float
    return min(most, max(0, ceil(round(most * (1 - confidence), 9))))


def acquire(gold: Rows, confidences: Sequence[float], pool: Rows | Iterable[Rows], most: int) -> list[Pulled]:
    """At most so many pairs of the pool, those that the most gold pairs pulled first, among equals the most similar.

    `gold`: vectors of verified pairs, those that the reward model gets wrong among them (with a confidence of 0.5 or
    less); surer ones pull less. `pool`: one array of vectors, or blocks of them in order, so that a pool of any size
    is read once and never held. Pairs that nothing pulls are not returned: fewer than `most` may come.
    Raises ValueError if vectors and confidences do not fit together.
    """
    if len(gold) != len(confidences):
        raise ValueError(f"{len(gold)} vectors but {len(confidences)} confidences")
    nearest = Nearest(gold, [neighbours_wanted(one) for one in confidences])
    for block in blocks(pool):
        nearest.offer(block)
    return nearest.pulled()[:most]


def demonstrations(
    target: Rows, gold: Rows, confidence: float, prompt: str, prompts: Sequence[str], most: int = MOST
) -> list[int]:
    """Places of the gold pairs to show before a target, the nearest first, as many as its confidence asks for.

    `target`: one vector; `prompts`: of each gold pair, its prompt or a digest of it. A pair of the target's own prompt
    is never shown: it would give the answer away. A target that the model is sure of gets none.
    """
    wanted = neighbours_wanted(confidence, most)
    if not len(gold) or not wanted:
        return []
    alike = unit(gold) @ unit(np.atleast_2d(target))[0]
    order = np.argsort(-alike, kind="stable")
    return [int(place) for place in order if prompts[place] != prompt and alike[place] > 0][:wanted]


class Nearest:
    """The nearest rows of a pool for each gold pair, while the pool passes by. Memory: `most` places a gold pair."""

    def __init__(self, gold: Rows, wanted: Sequence[int]) -> None:
        asking = [place for place, count in enumerate(wanted) if count > 0]
        self.gold = unit(gold)[asking] if asking else np.zeros((0, 0), dtype=np.float32)
        self.wanted = [wanted[place] for place in asking]
        most = max(self.wanted, default=0)
        self.places = np.full((len(asking), most), -1, dtype=np.int64)
        self.alike = np.full((len(asking), most), -np.inf, dtype=np.float32)
        self.seen = 0

    def offer(self, block: Rows) -> None:
        """Take notice of the next rows of the pool; among equals the earlier one stays."""
        size = len(block)
        if self.wanted and size:
            alike = np.hstack([self.alike, self.gold @ unit(block).T])
            new = np.arange(self.seen, self.seen + size)
            places = np.hstack([self.places, np.broadcast_to(new, (len(self.gold), size))])
            order = np.argsort(-alike, axis=1, kind="stable")[:, : self.places.shape[1]]
            self.alike = np.take_along_axis(alike, order, axis=1)
            self.places = np.take_along_axis(places, order, axis=1)
        self.seen += size

    def pulled(self) -> list[Pulled]:
        """All that were pulled: by pulls, then by similarity, then as they came."""
        pulls: dict[int, tuple[int, float]] = {}
        for row, wanted in enumerate(self.wanted):
            for place, alike in zip(self.places[row, :wanted].tolist(), self.alike[row, :wanted].tolist(), strict=True):
                if place >= 0 and alike > 0:
                    count, best = pulls.get(place, (0, 0.0))
                    pulls[place] = (count + 1, max(best, alike))
        found = [Pulled(place, count, best) for place, (count, best) in pulls.items()]
        return sorted(found, key=lambda one: (-one.pulls, -one.similarity, one.place))


def blocks(pool: Rows | Iterable[Rows]) -> Iterable[Rows]:
    """A pool in blocks: an array is cut, blocks are taken as they come."""
    if isinstance(pool, np.ndarray):
        return (pool[at : at + AT_ONCE] for at in range(0, len(pool), AT_ONCE))
    return pool


def unit(rows: Rows) -> Rows:
    """Rows of length 1; one of zeros stays as it is."""
    rows = np.asarray(rows, dtype=np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1)
