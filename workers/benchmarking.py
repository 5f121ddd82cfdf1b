"""What every benchmark is: cases to judge, and scores of what was judged, as its authors define them.

A benchmark is one file on the shelf `workers/benchmarks/`: where its rows come from, how one row is read, and a
function from results to figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from random import Random
from statistics import fmean
from typing import Any

from workers.intervals import estimate, wilson
from workers.shelf import Shelf

SCORERS = ("reward", "cost", "implicit", "token")
"""Kinds of models that give a response a number."""
DRAWS, WORK = 400, 2_000_000
"""Resamples for an interval; fewer where results are so many that they would take minutes."""

Messages = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to judge: a prompt with its responses, and what is true of them, in the benchmark's own words."""

    id: str
    subset: str
    prompt: Messages
    responses: Sequence[str]
    truth: Mapping[str, Any] = field(default_factory=dict)
    units: Sequence[tuple[int, int]] = ()
    """The steps of an only response, in code points."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a model said of one case. A number is higher where the response is better, whatever the kind of model."""

    id: str
    subset: str
    truth: Mapping[str, Any] = field(default_factory=dict)
    scores: Sequence[float | None] = ()
    """Of each response; None where the model gave none."""
    choices: Sequence[int | None] = ()
    """Of a critic: the response that it prefers, asked in one order and then in the other; None: not to be read."""
    steps: Sequence[float | None] = ()
    """How good each step is, 0 to 1; None: the model did not see it."""
    words: Sequence[int] = ()
    """Of each response."""
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a benchmark. `share`: how many of n are right; otherwise computed out of several such numbers."""

    value: float
    n: int
    share: bool = True


Figures = dict[str, Figure]


@dataclass(frozen=True, slots=True)
class Hub:
    """A data set on the Hub, and which of its files are read (patterns as in a shell)."""

    id: str
    files: tuple[str, ...]
    revision: str = "main"


@dataclass(frozen=True, slots=True)
class Benchmark:
    name: str
    title: str
    about: str
    kinds: tuple[str, ...]
    """Kinds of models that it is for."""
    score: Callable[[Sequence[Result]], Figures]
    main: str
    """The figure that stands for the whole."""
    read: Callable[[str, int, Mapping[str, Any]], Case | None] | None = None
    """(name of the file, number of the row in it, the row): a case, or None for a row that is none of the benchmark's.
    Without it the cases are a project's own."""
    paper: str = ""
    licence: str = ""
    hubs: tuple[Hub, ...] = ()
    files: str = ""
    """Where the files are to be had besides."""
    resampled: bool = True
    """Whether figures that are no shares get an interval by resampling cases."""
    together: Callable[[Result], str] | None = None
    """What cases that are scored together share."""
    orders: int = 2
    """In how many orders a critic is asked."""


benchmarks: Shelf[Benchmark] = Shelf("workers.benchmarks", "benchmark")
"""Benchmarks: one file each, adding itself to the shelf in `workers/benchmarking.py`."""


# --- What scores are made of ------------------------------------------------------------------------


def better(result: Result, one: int, other: int) -> float:
    """1 where the score of response `one` is above that of `other`; a tie is wrong, and so is no score."""
    first, second = result.scores[one], result.scores[other]
    return float(first is not None and second is not None and first > second)


def share(values: Sequence[float]) -> Figure:
    """The mean of what is right (1) and wrong (0). Raises ValueError where there is nothing."""
    return Figure(fmean(values), len(values))


def average(figures: Iterable[Figure]) -> Figure:
    """The mean of several figures, each counting the same."""
    each = list(figures)
    return Figure(fmean(one.value for one in each), sum(one.n for one in each), share=False)


def mean(values: Iterable[float], n: int) -> Figure:
    """The mean of numbers that are no shares of `n` cases."""
    return Figure(fmean(values), n, share=False)


def whole(parts: Figures) -> Figures:
    """Parts under their average, which is the score."""
    return {"score": average(parts.values()), **parts}


def under(name: str, parts: Figures) -> Figures:
    """The figures of a part, each by the part's name and its own."""
    return {f"{name} {metric}": one for metric, one in parts.items()}


def grouped(results: Iterable[Result], name: Callable[[Result], str]) -> dict[str, list[Result]]:
    """Results by name, in the order of the names."""
    groups: dict[str, list[Result]] = {}
    for one in results:
        groups.setdefault(name(one), []).append(one)
    return dict(sorted(groups.items()))


def by_subset(results: Iterable[Result]) -> dict[str, list[Result]]:
    return grouped(results, lambda one: one.subset)


# --- Figures with their intervals -------------------------------------------------------------------


def evaluated(benchmark: Benchmark, results: Sequence[Result], seed: int = 0) -> dict[str, dict[str, Any]]:
    """Every figure with its 95 % interval: Wilson's for shares, resampled cases (by subset) for what is made of them.

    `low` and `high` are None where there is no interval. Raises ValueError when there are no results.
    """
    if not results:
        raise ValueError("nothing was judged")
    figures = benchmark.score(results)
    drawn: dict[str, list[float]] = {}
    if benchmark.resampled and not all(one.share for one in figures.values()):
        for sample in resamples(benchmark, results, Random(seed)):
            for name, one in benchmark.score(sample).items():
                drawn.setdefault(name, []).append(one.value)
    return {name: told(one, drawn.get(name, ())) for name, one in figures.items()}


def told(figure: Figure, drawn: Sequence[float]) -> dict[str, Any]:
    low = high = None
    if figure.share:
        found = wilson(round(figure.value * figure.n), figure.n)
        low, high = found.low, found.high
    elif len(drawn) > 1:
        around = estimate(figure.value, drawn)
        low, high = around.low, around.high
    kept = {"value": figure.value, "low": low, "high": high}
    return {name: None if value is None else round(value, 4) for name, value in kept.items()} | {"n": figure.n}


def resamples(benchmark: Benchmark, results: Sequence[Result], chance: Random) -> Iterable[list[Result]]:
    """Results drawn again with replacement, as many of each subset as there are; those that belong together stay so."""
    strata = [clusters(benchmark, group) for group in by_subset(results).values()]
    for _ in range(max(50, min(DRAWS, WORK // len(results)))):
        drawn = chain.from_iterable(chance.choices(stratum, k=len(stratum)) for stratum in strata)
        if benchmark.together:
            yield [replace(one, id=f"{one.id}#{n}") for n, cluster in enumerate(drawn) for one in cluster]
        else:
            yield list(chain.from_iterable(drawn))


def clusters(benchmark: Benchmark, results: Sequence[Result]) -> list[list[Result]]:
    if benchmark.together:
        return list(grouped(results, benchmark.together).values())
    return [[one] for one in results]
