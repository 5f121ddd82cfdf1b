"""Intransitive preferences: A before B, B before C, and C before A.

Kendall and Babington Smith 1940, Biometrika 31:324-345: of three things compared at random each way, one in four is a
circle. A triad with a tie is not counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations

from workers.intervals import Share, wilson

CHANCE = 0.25
MOST_RESPONSES = 60
"""Of an item with more responses the first are looked at: triads grow with the cube."""


@dataclass(frozen=True, slots=True)
class Cycles:
    """Circles of all triads of which every pair was compared with a preference, and the items that hold them."""

    circles: Share
    items: list[int] = field(default_factory=list)


def cycles(preferences: Iterable[tuple[int, int, int, float]]) -> Cycles:
    """`preferences` of one annotator, or of the decided labels: item, first response, second response, value (negative
    for the first). Several values on one pair are added up."""
    by_item: dict[int, dict[tuple[int, int], float]] = defaultdict(dict)
    for item, first, second, value in preferences:
        low, high = min(first, second), max(first, second)
        pairs = by_item[item]
        pairs[low, high] = pairs.get((low, high), 0.0) + (value if first == low else -value)
    circles = n = 0
    items = []
    for item, pairs in by_item.items():
        found, triads = of_item(pairs)
        circles, n = circles + found, n + triads
        if found:
            items.append(item)
    return Cycles(wilson(circles, n), items)


def of_item(pairs: Mapping[tuple[int, int], float]) -> tuple[int, int]:
    """Circles and triads among the responses of one item."""
    responses = sorted({response for pair in pairs for response in pair})[:MOST_RESPONSES]
    circles = n = 0
    for a, b, c in combinations(responses, 3):
        ab, bc, ac = pairs.get((a, b)), pairs.get((b, c)), pairs.get((a, c))
        if ab and bc and ac:
            n += 1
            circles += (ab > 0) == (bc > 0) != (ac > 0)
    return circles, n
