"""Which texts are most like some others, by the words that they share; one pass, constant memory."""

from __future__ import annotations

import heapq
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from math import log, sqrt

WORDS = re.compile(r"\w+")
COUNTED = 5000
"""So many texts say how common a word is."""
COMMON = 0.2
"""Words in a larger share of the texts tell nothing."""


def nearest(wanted: Sequence[str], texts: Iterable[tuple[int, str]], most: int) -> list[int]:
    """Keys of the `most` texts that are most like one of `wanted`, the most like first; without those unlike all.

    Likeness is the cosine of word counts, tf 1 + log n, idf log(N / n) over the first texts (Salton and Buckley 1988).
    """
    source = iter(texts)
    first = list(islice(source, COUNTED))
    common = Counter(word for _, text in first for word in set(words(text)))
    total = max(1, len(first))
    weights = {word: log((1 + total) / (1 + n)) for word, n in common.items() if n <= COMMON * total or total < 10}
    rare = log(1 + total)

    def vector(text: str) -> dict[str, float]:
        counts = Counter(words(text))
        made = {w: (1 + log(n)) * weights.get(w, 0.0 if w in common else rare) for w, n in counts.items()}
        length = sqrt(sum(value * value for value in made.values()))
        return {word: value / length for word, value in made.items() if value} if length else {}

    aims = [vector(text) for text in wanted]
    found: list[tuple[float, int]] = []
    for key, text in chain(first, source):
        one = vector(text)
        likeness = max((cosine(one, aim) for aim in aims), default=0.0)
        if likeness > 0:
            heapq.heappush(found, (likeness, -key))
            if len(found) > most:
                heapq.heappop(found)
    return [-key for _, key in sorted(found, reverse=True)]


def words(text: str) -> list[str]:
    return WORDS.findall(text.casefold())


def cosine(one: dict[str, float], other: dict[str, float]) -> float:
    small, large = (one, other) if len(one) < len(other) else (other, one)
    return sum(value * large[word] for word, value in small.items() if word in large)
