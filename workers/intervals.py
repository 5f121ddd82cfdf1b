"""How sure a number is: 95 % intervals of shares, means, medians and of what is computed from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from random import Random

RESAMPLES = 1_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def clear(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True)
class Share:
    """`count` of `n`, with Wilson's interval."""

    count: int
    n: int
    share: float | None = None
    low: float | None = None
    high: float | None = None


def estimate(value: float, drawn: Sequence[float]) -> Estimate:
    """A value with the middle 95 % of what resamples gave.

    The percentile bootstrap: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13.
    """
    ordered = sorted(drawn)
    cut = len(ordered) // 40
    return Estimate(value, ordered[cut], ordered[-1 - cut])


def mean_drawn(values: Sequence[float], chance: Random) -> float:
    return sum(chance.choices(values, k=len(values))) / len(values)


def median_drawn(ordered: Sequence[float], chance: Random) -> float:
    """The median of a resample without drawing all of it: the k-th of n uniform numbers is Beta(k, n + 1 - k)."""
    n, k = len(ordered), (len(ordered) + 1) // 2
    place = chance.betavariate(k, n + 1 - k)
    lower = ordered[min(n - 1, int(place * n))]
    if n % 2:
        return lower
    place += (1 - place) * chance.betavariate(1, n - k)
    return (lower + ordered[min(n - 1, int(place * n))]) / 2


def wilson(count: int, n: int) -> Share:
    """A share with its 95 % score interval (Wilson 1927, J. Am. Stat. Assoc. 22:209-212)."""
    if not n:
        return Share(count, n)
    z = 1.959964
    share, spread = count / n, z * z / n
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * sqrt(share * (1 - share) / n + spread / (4 * n))
    return Share(count, n, share, max(0.0, middle - half), min(1.0, middle + half))
