"""Answers to many units as counts of each value, and the coefficients that need no more: any number of annotators, any
of them missing.

Units with the same counts are one *pattern*, with how many units have it. All coefficients and their bootstrap over
units are worked out on patterns, so their cost does not grow with the number of units.

- Krippendorff's alpha (Krippendorff 2011, Computing Krippendorff's Alpha-Reliability): nominal, ordinal, interval.
- Gwet's AC1 and AC2 (Gwet 2008, doi:10.1348/000711006X126600; 2014, Handbook of Inter-Rater Reliability, chapters 2-4),
  which do not fall to nothing where one value dominates, as kappa and alpha do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from workers.agreeing.figures import BATCH, RESAMPLES, Figure, Floats, chance, undefined

Value = str | int | float
Pattern = tuple[tuple[Value, int], ...]
"""Values with how many annotators gave them to one unit, sorted."""
MOST_NUMBERS = 1_000_000
"""Numbers in one table of coincidences of many patterns."""
NOBODY = "no unit has two answers"
ALIKE = "all answers are the same, so nothing can be expected by chance"


def pattern_of(values: Sequence[Value]) -> Pattern:
    """The pattern of one unit from its answers; the values of all units are of one kind."""
    counts: dict[Value, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    return tuple(sorted(counts.items()))  # type: ignore[type-var, arg-type]


@dataclass(frozen=True, slots=True)
class Counts:
    """`counts[p, k]`: how many annotators gave value k in pattern p; `times[p]`: how many units have it."""

    values: tuple[Value, ...]
    counts: Floats
    times: Floats

    @classmethod
    def of(cls, patterns: Mapping[Pattern, int]) -> Counts:
        kept = sorted((pattern, n) for pattern, n in patterns.items() if n)
        values = sorted({value for pattern, _ in kept for value, _ in pattern})  # type: ignore[type-var]
        places = {value: k for k, value in enumerate(values)}
        counts = np.zeros((len(kept), len(values)))
        for p, (pattern, _) in enumerate(kept):
            for value, n in pattern:
                counts[p, places[value]] = n
        return cls(tuple(values), counts, np.array([n for _, n in kept], dtype=float))

    @property
    def answers(self) -> Floats:
        """Answers to a unit of each pattern."""
        return self.counts.sum(axis=1)

    @property
    def units(self) -> int:
        """Units with two answers or more."""
        return int(self.times[self.answers > 1].sum())

    @property
    def numbers(self) -> Floats:
        return np.array([float(value) for value in self.values])

    def shares(self) -> dict[Value, float]:
        """Each value's share of the answers to units that several answered."""
        several = self.answers > 1
        totals = self.times[several] @ self.counts[several]
        return dict(zip(self.values, (totals / totals.sum()).tolist(), strict=True)) if totals.sum() else {}

    def resampled(self, resamples: int) -> list[Floats]:
        """How often each pattern is drawn, where units are drawn with replacement; in batches."""
        n, draw = int(self.times.sum()), chance()
        sizes = [min(BATCH, resamples - start) for start in range(0, resamples, BATCH)] if n else []
        return [draw.multinomial(n, self.times / n, size).astype(float) for size in sizes]

    def figure(self, compute: Callable[[Floats], Floats], why: str, resamples: int) -> Figure:
        """What `compute` gives for the units, with its interval. It takes rows of how often each pattern occurs."""
        if not self.units:
            return undefined(NOBODY)
        value = float(compute(self.times[None, :])[0])
        if not np.isfinite(value):
            return undefined(why, self.units)
        drawn = [compute(times) for times in self.resampled(resamples)]
        return Figure(value, self.units).between(np.concatenate(drawn) if drawn else np.empty(0))


def percent(found: Counts, resamples: int = RESAMPLES) -> Figure:
    """Percent agreement: the mean over units of the share of equal answers among all pairs of answers."""
    return found.figure(lambda times: agreed(found, np.eye(len(found.values)), times), NOBODY, resamples)


def agreed(found: Counts, weights: Floats, times: Floats) -> Floats:
    """Weighted percent agreement of each row of `times`: Gwet's p_a."""
    m, several = found.answers, found.answers > 1
    near = (found.counts * (found.counts @ weights - 1)).sum(axis=1)
    each = np.divide(near, m * (m - 1), out=np.zeros_like(m), where=several)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (times @ each) / (times @ several)


def alpha(found: Counts, kind: str = "nominal", resamples: int = RESAMPLES) -> Figure:
    """Krippendorff's alpha: 1 - D_o / D_e over the units with two answers or more."""
    several = found.answers > 1
    kept = Counts(found.values, found.counts[several], found.times[several])
    compute = {"nominal": fixed(kept, kind), "interval": fixed(kept, kind), "ordinal": ordinal(kept)}[kind]
    return kept.figure(compute, ALIKE, resamples)


def fixed(found: Counts, kind: str) -> Callable[[Floats], Floats]:
    """Alpha under a difference that does not depend on how often values occur."""
    if kind == "nominal":
        apart = 1 - np.eye(len(found.values))
    else:
        apart = (found.numbers[:, None] - found.numbers[None, :]) ** 2 if kind == "interval" else np.empty((0, 0))
    if kind not in ("nominal", "interval") or not found.units:
        return lambda times: np.full(len(times), np.nan)
    each = ((found.counts @ apart) * found.counts).sum(axis=1) / (found.answers - 1)

    def compute(times: Floats) -> Floats:
        totals = times @ found.counts
        return one_less(times @ each, ((totals @ apart) * totals).sum(axis=1), totals.sum(axis=1))

    return compute


def ordinal(found: Counts) -> Callable[[Floats], Floats]:
    """Alpha under the ordinal difference: the answers between two values, counting half of either, squared."""
    q = len(found.values)
    scaled = found.counts / np.sqrt(found.answers - 1)[:, None]
    step = max(1, MOST_NUMBERS // max(1, q * q))

    def compute(times: Floats) -> Floats:
        totals = times @ found.counts
        below = np.cumsum(totals, axis=1) - totals / 2
        apart = (below[:, :, None] - below[:, None, :]) ** 2
        met = np.zeros((len(times), q * q))
        for start in range(0, len(scaled), step):
            some = scaled[start : start + step]
            met += times[:, start : start + step] @ (some[:, :, None] * some[:, None, :]).reshape(len(some), q * q)
        observed = (met.reshape(apart.shape) * apart).sum(axis=(1, 2))
        expected = np.einsum("bi,bij,bj->b", totals, apart, totals)
        return one_less(observed, expected, totals.sum(axis=1))

    return compute


def one_less(observed: Floats, expected: Floats, n: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = 1 - (n - 1) * observed / np.where(expected > 0, expected, np.nan)
    return found


def agreement_coefficient(found: Counts, weights: str = "identity", resamples: int = RESAMPLES) -> Figure:
    """Gwet's AC1 (identity weights) or AC2 (linear, quadratic or ordinal ones) over the values that occur."""
    q = len(found.values)
    if q < 2:
        return undefined(ALIKE if found.units else NOBODY, found.units)
    near = nearness(found, weights)
    each = found.counts / found.answers[:, None]

    def compute(times: Floats) -> Floats:
        shares = (times @ each) / times.sum(axis=1, keepdims=True)
        by_chance = near.sum() * (shares * (1 - shares)).sum(axis=1) / (q * (q - 1))
        return (agreed(found, near, times) - by_chance) / (1 - by_chance)

    return found.figure(compute, ALIKE, resamples)


def nearness(found: Counts, weights: str) -> Floats:
    """How near two values are, from 0 to 1 (Gwet 2014, table 3.6 ff.)."""
    q = len(found.values)
    if weights == "identity":
        return np.eye(q)
    if weights == "ordinal":
        ranks = np.arange(q)
        apart = np.abs(ranks[:, None] - ranks[None, :]) + 1.0
        return 1 - (apart * (apart - 1)) / (q * (q - 1))
    apart = np.abs(found.numbers[:, None] - found.numbers[None, :])
    share: Floats = apart / apart.max()
    return 1 - (share if weights == "linear" else share**2)
