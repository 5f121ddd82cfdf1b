"""Figures of spans from sums over groups of texts: the interval is bootstrapped over the groups, so that the memory and
the cost do not grow with the texts. With few texts a group it is that over texts, with many it hardly differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from workers.agreeing.counts import ALIKE, NOBODY, Pattern
from workers.agreeing.figures import RESAMPLES, Figure, Floats, chance, undefined


def resampled(groups: int, resamples: int) -> Floats:
    """How often each group is drawn."""
    return chance().multinomial(groups, np.full(groups, 1 / groups), resamples).astype(float)


def ratio(met: Sequence[int], marked: Sequence[int], n: int, resamples: int = RESAMPLES) -> Figure:
    """Soft F1: twice what both mark over what each marks, of groups with these sums."""
    if not sum(marked):
        return undefined("nobody marked anything" if n else "no text was read by two annotators", n)
    drawn = resampled(len(met), resamples)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = 2 * (drawn @ np.array(met, dtype=float)) / (drawn @ np.array(marked, dtype=float))
    return Figure(2 * sum(met) / sum(marked), n).between(found)


def alpha_of_characters(groups: Sequence[Mapping[Pattern, int]], n: int, resamples: int = RESAMPLES) -> Figure:
    """Krippendorff's nominal alpha with every character a unit (see `counts`), from the patterns of groups of texts."""
    values = sorted({str(value) for group in groups for pattern in group for value, _ in pattern})
    places = {value: k for k, value in enumerate(values)}
    observed, totals = np.zeros(len(groups)), np.zeros((len(groups), len(values)))
    for g, group in enumerate(groups):
        for pattern, size in group.items():
            m = sum(count for _, count in pattern)
            if m > 1:
                observed[g] += size * (m * m - sum(count * count for _, count in pattern)) / (m - 1)
                for value, count in pattern:
                    totals[g, places[str(value)]] += size * count

    def compute(times: Floats) -> Floats:
        all_of = times @ totals
        met, answers = times @ observed, all_of.sum(axis=1)
        expected = answers**2 - (all_of**2).sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            found: Floats = 1 - (answers - 1) * met / np.where(expected > 0, expected, np.nan)
        return found

    if not len(groups) or not totals.sum():
        return undefined(NOBODY, n)
    value = float(compute(np.ones((1, len(groups))))[0])
    if not np.isfinite(value):
        return undefined(ALIKE, n)
    return Figure(value, n).between(compute(resampled(len(groups), resamples)))


def mean(values: Mapping[float, int], why: str, resamples: int = RESAMPLES) -> Figure:
    """The mean of values with how often each occurs, its interval bootstrapped over the units that they are of."""
    n = sum(values.values())
    if not n:
        return undefined(why)
    told = np.array(list(values), dtype=float)
    times = np.array(list(values.values()), dtype=float)
    drawn = chance().multinomial(n, times / n, resamples) @ told / n
    return Figure(float(times @ told / n), n).between(drawn)
