"""Gamma (Mathet, Widlöcher and Métivier 2015, The Unified and Holistic Method Gamma, Computational Linguistics 41:3):
agreement on spans that are placed and labelled at once.

Units of several annotators are aligned with each other, or with nobody, at the least disorder. 1 - observed / expected
disorder is gamma, expected being the mean over shuffled texts.

- Dissimilarity (section 4.4): `positional` · ((|s - s'| + |e - e'|) / (|u| + |v|))² plus `categorical` if their labels
  differ; with nobody 1. Both weights are 1 unless told.
- The best alignment (section 5.1) is a 0/1 programme: each unit in one unitary alignment. HiGHS solves it exactly. A
  unitary alignment with more disorder than its units cost alone is in no best one; what is begun is left as soon as
  it is that much. With too many left for that (`MOST`), there is no figure rather than a guess.
- Shuffling (section 5.2): each annotator of a shuffled text is one of the real ones, turned round by a random pivot.
  Samples are drawn until the mean is within `precision` at 95 % (section 5.3), at most `most` of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from random import Random
from statistics import fmean, stdev

from workers.agreeing.figures import Figure, undefined

POSITIONAL, CATEGORICAL, ALONE = 1.0, 1.0, 1.0
MOST = 200_000
"""Unitary alignments that are weighed for one text."""
FEWEST_SAMPLES = 30


class TooMany(Exception):
    """More unitary alignments than are weighed: the text has too many spans of too many annotators."""


@dataclass(frozen=True, slots=True)
class Unit:
    start: float
    end: float
    label: str = ""


Continuum = Sequence[Sequence[Unit]]
"""The units of each annotator of one text."""


@dataclass(frozen=True, slots=True)
class Weights:
    positional: float = POSITIONAL
    categorical: float = CATEGORICAL

    def between(self, one: Unit, other: Unit) -> float:
        apart = abs(one.start - other.start) + abs(one.end - other.end)
        size = (one.end - one.start) + (other.end - other.start)
        return self.positional * (apart / size) ** 2 + self.categorical * (one.label != other.label)


USUAL = Weights()


def candidates(continuum: Continuum, weights: Weights) -> tuple[list[tuple[int | None, ...]], list[float]]:
    """Unitary alignments that a best alignment may hold, with their disorder: at most one unit of each annotator."""
    n = len(continuum)
    pairs = n * (n - 1) / 2
    apart = {
        (i, j): [[weights.between(one, other) for other in continuum[j]] for one in continuum[i]]
        for i in range(n)
        for j in range(i)
    }
    alone = ALONE * pairs
    chosen: list[tuple[int | None, ...]] = []
    costs: list[float] = []

    def extend(said: tuple[int | None, ...], cost: float) -> None:
        i = len(said)
        if i == n:
            count = sum(unit is not None for unit in said)
            if count and cost <= count * alone + 1e-9:
                if len(chosen) >= MOST:
                    raise TooMany
                chosen.append(said)
                costs.append(cost / pairs)
            return
        for unit in (None, *range(len(continuum[i]))):
            more = sum(
                ALONE if unit is None or other is None else apart[i, j][unit][other] for j, other in enumerate(said)
            )
            if cost + more <= n * alone + 1e-9:
                extend((*said, unit), cost + more)

    extend((), 0.0)
    return chosen, costs


def disorder(continuum: Continuum, weights: Weights = USUAL) -> float:
    """Disorder of the best alignment of a text: that of its unitary alignments, over the mean number of units.

    Raises TooMany.
    """
    total = sum(map(len, continuum))
    if not total:
        return 0.0
    chosen, costs = candidates(continuum, weights)
    return least(continuum, chosen, costs) / (total / len(continuum))


def least(continuum: Continuum, chosen: list[tuple[int | None, ...]], costs: list[float]) -> float:
    """The least sum of unitary alignments in which each unit stands once."""
    import numpy as np
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array

    begins = [sum(map(len, continuum[:i])) for i in range(len(continuum))]
    places = [(begins[i] + unit, k) for k, said in enumerate(chosen) for i, unit in enumerate(said) if unit is not None]
    rows, columns = zip(*places, strict=True)
    total = sum(map(len, continuum))
    once = csr_array((np.ones(len(rows)), (rows, columns)), shape=(total, len(chosen)))
    found = milp(
        np.array(costs),
        constraints=LinearConstraint(once, 1, 1),
        integrality=np.ones(len(chosen)),
        bounds=Bounds(0, 1),
        options={"mip_rel_gap": 0.0},
    )
    if found.x is None:
        raise RuntimeError(found.message)
    picked = np.flatnonzero(found.x > 0.5)
    return float(sum(costs[k] for k in picked))


def shuffled(continuum: Continuum, length: float, chance: Random) -> list[list[Unit]]:
    """A text in which each annotator is one of the real ones, turned round by a pivot; the pivots stand apart by half
    the mean length of a unit, as far as there is room."""
    units = [unit for mine in continuum for unit in mine]
    apart = fmean(unit.end - unit.start for unit in units) / 2
    free = [(0.0, float(length))]
    found: list[list[Unit]] = []
    for _ in continuum:
        pivot = drawn(free, chance) if free else chance.uniform(0, length)
        free = list(without(free, pivot - apart, pivot + apart))
        found.append([turned(unit, pivot, length) for unit in chance.choice(continuum)])
    return found if any(found) else shuffled(continuum, length, chance)


def drawn(free: Sequence[tuple[float, float]], chance: Random) -> float:
    start, end = chance.choices(free, weights=[end - start for start, end in free])[0]
    return float(int(chance.uniform(start, end)))


def without(free: Sequence[tuple[float, float]], low: float, high: float) -> Iterator[tuple[float, float]]:
    for start, end in free:
        for left in ((start, min(end, low)), (max(start, high), end)):
            if left[1] > left[0]:
                yield left


def turned(unit: Unit, pivot: float, length: float) -> Unit:
    move = pivot - length if unit.start + pivot > length else pivot
    return Unit(unit.start + move, unit.end + move, unit.label)


@dataclass(frozen=True, slots=True)
class Expected:
    """The mean disorder of shuffled texts, from how many, and within which share of it the true one is at 95 %."""

    value: float
    samples: int
    precision: float


def expected(
    continuum: Continuum, length: float, seed: str, precision: float = 0.02, most: int = 60, weights: Weights = USUAL
) -> Expected:
    """Expected disorder by seeded resampling. Raises TooMany."""
    chance = Random(seed)
    found = [disorder(shuffled(continuum, length, chance), weights) for _ in range(FEWEST_SAMPLES)]
    wanted = min(most, needed(found, precision))
    found += [disorder(shuffled(continuum, length, chance), weights) for _ in range(wanted - len(found))]
    mean = fmean(found)
    return Expected(mean, len(found), 1.96 * stdev(found) / sqrt(len(found)) / mean if mean else 0.0)


def needed(found: Sequence[float], precision: float) -> int:
    """Samples for the mean to be within `precision` of itself at 95 %: (1.96 · s / (mean · precision))²."""
    mean = fmean(found)
    return max(len(found), ceil((1.96 * stdev(found) / (mean * precision)) ** 2)) if mean else len(found)


def gamma(observed: Sequence[float], by_chance: Sequence[float]) -> Figure:
    """Of one text or several: 1 - the sum of their disorders, over what is expected of them."""
    total = sum(by_chance)
    if not observed:
        return undefined("no text has spans of two annotators")
    return Figure(1 - sum(observed) / total, len(observed)) if total else undefined("nothing is expected by chance")
