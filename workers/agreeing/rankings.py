"""Rankings of the same responses: Kendall's tau-b of two, Kendall's W of many, both with ties.

Kendall 1945, The Treatment of Ties in Ranking Problems; Kendall and Babington Smith 1939, The Problem of m Rankings
(with the correction for ties of Siegel and Castellan 1988, section 9.3).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from math import sqrt

from workers.agreeing.figures import Figure, undefined

Ranking = Mapping[int, float]
"""The place of each response; equal places are a tie."""


def tau_b(one: Ranking, other: Ranking) -> Figure:
    """(concordant - discordant) pairs of responses, over the geometric mean of the pairs that either tells apart."""
    both = sorted(one.keys() & other.keys())
    balance = told_one = told_other = 0
    for a, b in combinations(both, 2):
        first, second = sign(one[a] - one[b]), sign(other[a] - other[b])
        balance += first * second
        told_one += abs(first)
        told_other += abs(second)
    if len(both) < 2:
        return undefined("they ranked fewer than two of the same responses", len(both))
    if not told_one or not told_other:
        return undefined("one of them put all responses on one place", len(both))
    return Figure(balance / sqrt(told_one * told_other), len(both))


def sign(number: float) -> int:
    return (number > 0) - (number < 0)


def concordance(rankings: Sequence[Ranking]) -> Figure:
    """Kendall's W of rankings of the same responses: 0 none, 1 all alike."""
    both = sorted(set.intersection(*(set(ranking) for ranking in rankings))) if rankings else []
    m, n = len(rankings), len(both)
    if m < 2 or n < 2:
        return undefined("needs two rankings of two of the same responses", n)
    sums, ties = [0.0] * n, 0
    for ranking in rankings:
        places = middle_ranks([ranking[response] for response in both])
        sums = [total + place for total, place in zip(sums, places, strict=True)]
        ties += sum(t**3 - t for t in Counter(places).values())
    spread = sum((total - m * (n + 1) / 2) ** 2 for total in sums)
    most = m * m * (n**3 - n) - m * ties
    return Figure(12 * spread / most, n) if most else undefined("everybody put all responses on one place", n)


def middle_ranks(places: Sequence[float]) -> list[float]:
    """Places from 1 without gaps, those that tie in the middle of theirs."""
    counts, found, below = Counter(places), {}, 0
    for place in sorted(counts):
        found[place] = below + (counts[place] + 1) / 2
        below += counts[place]
    return [found[place] for place in places]
