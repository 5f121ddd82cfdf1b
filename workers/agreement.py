"""Krippendorff's alpha and percent agreement of answers that arrive unit by unit, with constant memory.

Krippendorff (2011), Computing Krippendorff's Alpha-Reliability. The packages for it are GPL, so this is our own; only
the table of coincidences is kept: a count for each two values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

Distance = Callable[[int, int], float]


@dataclass
class Agreement:
    """Answers by whole-numbered values; `add` takes those of one unit, of as many annotators as there were."""

    pairs: dict[tuple[int, int], float] = field(default_factory=dict)
    units: int = 0
    """Units with two answers or more; others say nothing of agreement."""
    unanimous: int = 0
    equal: float = 0.0
    compared: float = 0.0

    def add(self, values: Sequence[int]) -> None:
        m = len(values)
        if m < 2:
            return
        self.units += 1
        counts: dict[int, int] = {}
        for value in values:
            counts[value] = counts.get(value, 0) + 1
        self.unanimous += len(counts) == 1
        for c, n in counts.items():
            for k, other in counts.items():
                ordered = n * (n - 1) if c == k else n * other
                if ordered:
                    self.pairs[c, k] = self.pairs.get((c, k), 0.0) + ordered / (m - 1)
                self.equal += ordered if c == k else 0
                self.compared += ordered

    @property
    def percent(self) -> float | None:
        """Share of pairs of answers on one unit that are equal."""
        return self.equal / self.compared if self.compared else None

    def totals(self) -> dict[int, float]:
        """How often each value stands in a unit with others: n_c."""
        found: dict[int, float] = {}
        for (c, _), n in self.pairs.items():
            found[c] = found.get(c, 0.0) + n
        return dict(sorted(found.items()))

    def alpha(self, kind: str = "nominal") -> float | None:
        """1 - D_o / D_e under the nominal, ordinal or interval metric. None where it is undefined: no unit has two
        answers, or all answers are the same."""
        totals = self.totals()
        n = sum(totals.values())
        distance = metric(kind, totals)
        observed = sum(count * distance(c, k) for (c, k), count in self.pairs.items()) / n if n else 0.0
        expected = sum(a * b * distance(c, k) for c, a in totals.items() for k, b in totals.items())
        if n < 2 or not expected:
            return None
        return 1 - observed / (expected / (n * (n - 1)))


def metric(kind: str, totals: dict[int, float]) -> Distance:
    """The squared difference of two values."""
    if kind == "nominal":
        return lambda c, k: float(c != k)
    if kind == "interval":
        return lambda c, k: float((c - k) ** 2)
    if kind != "ordinal":
        raise ValueError(f"no metric {kind!r}")

    def between(c: int, k: int) -> float:
        low, high = min(c, k), max(c, k)
        ranks = sum(n for value, n in totals.items() if low <= value <= high)
        return (ranks - (totals[c] + totals[k]) / 2) ** 2

    return between
