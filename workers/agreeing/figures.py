"""A figure of agreement: its value with an interval, or in words why it is undefined."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
RESAMPLES = 1_000
SEED = 20_240_229
BATCH = 100
"""Resamples that are worked out at once, so that memory does not grow with their number."""
FEWEST = 10
"""With fewer units no interval is told: a bootstrap of so few is far too narrow."""
FEWEST_DEFINED = 0.95
"""Of resamples, the share that must be defined for an interval to be told."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A coefficient over `n` units, with its 95 % interval where it has one; without a value `why` says why not."""

    value: float | None
    n: int = 0
    low: float | None = None
    high: float | None = None
    why: str = ""

    def between(self, drawn: Floats) -> Figure:
        """The same with the middle 95 % of what resamples gave: none if too many of these were undefined.

        The percentile bootstrap: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13.
        """
        if self.value is None or not len(drawn) or self.n < FEWEST:
            return self
        known = drawn[np.isfinite(drawn)]
        if len(known) < FEWEST_DEFINED * len(drawn):
            return self
        low, high = np.quantile(known, (0.025, 0.975))
        return replace(self, low=float(low), high=float(high))


def undefined(why: str, n: int = 0) -> Figure:
    return Figure(None, n, why=why)


def chance() -> np.random.Generator:
    """The same resamples every time, so that a page tells the same interval until the answers change."""
    return np.random.default_rng(SEED)
