"""Two annotators on the same units: Cohen's kappa, plain and weighted, from the table of what either said.

Cohen 1960, A Coefficient of Agreement for Nominal Scales; Cohen 1968, Weighted Kappa. Distances of the weighted ones
are those of the values, not of their places among the values that occur.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from workers.agreeing.counts import NOBODY, Counts, Pattern, Value, pattern_of
from workers.agreeing.figures import BATCH, Figure, Floats, chance, undefined

Table = Mapping[Any, int]
"""How many units the one gave the first value and the other the second; keys are both values, of one kind."""
CONSTANT = "both always gave one and the same answer, so nothing can be expected by chance"


@dataclass(frozen=True, slots=True)
class Cells:
    """A table as an array of probabilities' numerators, with its values."""

    values: tuple[Value, ...]
    table: Floats

    @classmethod
    def of(cls, table: Table) -> Cells:
        values = sorted({value for both in table for value in both})  # type: ignore[type-var]
        places = {value: k for k, value in enumerate(values)}
        found = np.zeros((len(values), len(values)))
        for (one, other), n in table.items():
            found[places[one], places[other]] += n
        return cls(tuple(values), found)

    @property
    def n(self) -> int:
        return int(self.table.sum())


def kappa(table: Table, weights: str = "", resamples: int = 0) -> Figure:
    """Cohen's kappa; `weights` linear or quadratic for the weighted one, whose values are numbers.

    The interval, where `resamples` asks for one, is bootstrapped over units.
    """
    cells = Cells.of(table)
    if not cells.n:
        return undefined("they have answered no unit both")
    apart = distances(cells.values, weights)
    value = float(kappas(cells.table[None], apart)[0])
    if not np.isfinite(value):
        return undefined(CONSTANT, cells.n)
    drawn = np.concatenate([kappas(some, apart) for some in drawn_from(cells, resamples)] or [np.empty(0)])
    return Figure(value, cells.n).between(drawn)


def distances(values: tuple[Value, ...], weights: str) -> Floats:
    if not weights:
        return 1 - np.eye(len(values))
    numbers = np.array([float(value) for value in values])
    apart: Floats = np.abs(numbers[:, None] - numbers[None, :])
    return apart if weights == "linear" else apart**2


def kappas(tables: Floats, apart: Floats) -> Floats:
    """1 - weighted disagreement over that expected from the margins, of each of several tables."""
    n = tables.sum(axis=(1, 2))
    observed = (tables * apart).sum(axis=(1, 2))
    expected = np.einsum("bi,ij,bj->b", tables.sum(axis=2), apart, tables.sum(axis=1)) / n
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = 1 - observed / np.where(expected > 0, expected, np.nan)
    return found


def drawn_from(cells: Cells, resamples: int) -> list[Floats]:
    """Tables of as many units, drawn with replacement; in batches."""
    draw, share = chance(), (cells.table / cells.table.sum()).ravel()
    sizes = [min(BATCH, resamples - start) for start in range(0, resamples, BATCH)]
    return [draw.multinomial(cells.n, share, size).reshape(size, *cells.table.shape).astype(float) for size in sizes]


def equal(table: Table) -> Figure:
    """The share of units on which both said the same."""
    n = sum(table.values())
    same = sum(count for (one, other), count in table.items() if one == other)
    return Figure(same / n, n) if n else undefined(NOBODY)


def as_counts(table: Table) -> Counts:
    """The same units without who said what: for Gwet's coefficients of two annotators."""
    patterns: dict[Pattern, int] = {}
    for (one, other), n in table.items():
        pattern = pattern_of([one, other])
        patterns[pattern] = patterns.get(pattern, 0) + n
    return Counts.of(patterns)
