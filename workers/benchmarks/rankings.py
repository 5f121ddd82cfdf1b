"""How like two judges rank the models whose answers they compared: people by their votes, and a model by its scores.

 spearman, kendall   of the strengths of the models, each judge's fitted by Bradley and Terry to all its judgements:
                     n_i = sum_j n_ij p_i / (p_i + p_j), n_i the wins of i, by Hunter's iteration (Annals of Statistics
                     32, 2004); a half win each way between any two that met keeps them finite
 pearson             of each model's shares of wins against each other model, the mean over models ("row-wise": PPE,
                     arXiv 2410.14872)

Kendall's is tau-a over pairs of models, ties counting nothing; Spearman's is Pearson's of mean ranks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from math import exp, log, sqrt
from statistics import fmean
from typing import NamedTuple

ROUNDS, CLOSE = 1000, 1e-9
HALF = 0.5
LEAST = 3
"""Of fewer models there is no ranking to speak of."""


class Vote(NamedTuple):
    """One comparison of the answers of two models; 1 where the first is preferred, 0 the second, a half at a tie."""

    one: str
    other: str
    people: float
    judge: float


Wins = Mapping[str, Mapping[str, tuple[float, int]]]
"""Of each model against each other that it met: wins, and comparisons."""


def correlations(votes: Sequence[Vote]) -> dict[str, float]:
    """Each correlation that is defined; none of fewer than three models."""
    people = table([(one.one, one.other, one.people) for one in votes])
    judge = table([(one.one, one.other, one.judge) for one in votes])
    names = sorted(people)
    if len(names) < LEAST:
        return {}
    first, second = strengths(people), strengths(judge)
    pairs = [first[name] for name in names], [second[name] for name in names]
    rows = [
        pearson(*([part[name][other][0] / part[name][other][1] for other in people[name]] for part in (people, judge)))
        for name in names
    ]
    told = {
        "spearman": pearson(*map(ranks, pairs)),
        "kendall": kendall(*pairs),
        "pearson": fmean(known) if (known := [one for one in rows if one is not None]) else None,
    }
    return {name: value for name, value in told.items() if value is not None}


def table(judged: Sequence[tuple[str, str, float]]) -> Wins:
    made: dict[str, dict[str, tuple[float, int]]] = defaultdict(dict)
    for one, other, value in judged:
        for mine, theirs, won in ((one, other, value), (other, one, 1 - value)):
            before, n = made[mine].get(theirs, (0.0, 0))
            made[mine][theirs] = (before + won, n + 1)
    return made


def strengths(wins: Wins) -> dict[str, float]:
    """The logarithm of each model's strength."""
    won = {name: sum(count + HALF for count, _ in row.values()) for name, row in wins.items()}
    found = dict.fromkeys(wins, 1.0)
    for _ in range(ROUNDS):
        new = {
            name: won[name] / sum((n + 2 * HALF) / (found[name] + found[other]) for other, (_, n) in row.items())
            for name, row in wins.items()
        }
        middle = fmean(map(log, new.values()))
        scaled = {name: value / exp(middle) for name, value in new.items()}
        moved = max(abs(log(scaled[name] / found[name])) for name in found)
        found = scaled
        if moved < CLOSE:
            break
    return {name: round(log(value), 6) for name, value in found.items()}


def ranks(values: Sequence[float]) -> list[float]:
    """From 1 on, ties at their mean."""
    order = sorted(values)
    return [order.index(value) + (order.count(value) + 1) / 2 for value in values]


def kendall(ours: Sequence[float], theirs: Sequence[float]) -> float:
    pairs = list(combinations(range(len(ours)), 2))
    return sum(way(ours[b] - ours[a]) * way(theirs[b] - theirs[a]) for a, b in pairs) / len(pairs)


def way(difference: float) -> int:
    return (difference > 0) - (difference < 0)


def pearson(ours: Sequence[float], theirs: Sequence[float]) -> float | None:
    """None where either does not vary."""
    a, b = fmean(ours), fmean(theirs)
    spread = sqrt(sum((x - a) ** 2 for x in ours) * sum((y - b) ** 2 for y in theirs))
    return sum((x - a) * (y - b) for x, y in zip(ours, theirs, strict=True)) / spread if spread else None
