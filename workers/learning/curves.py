"""Held-out error over the number of labels, and an inverse power law through it: what the next labels would bring.

Heads are trained on nested subsets of the labels, some sizes times some seeds; each seed holds out whole prompts, so
that no prompt is on both sides. error(n) = a + b n^-c with a, b >= 0 (Hestness et al. 2017, arXiv 1712.00409; Figueroa
et al. 2012, BMC Med. Inform. Decis. Mak. 12:8) is fitted by least squares, c by trying. Intervals are bootstrapped
over seeds and held-out prompts at once, a Poisson weight for each.

The back-test takes the labels of the first half in time, fits the same curve to them, tells the gain that the second
half would bring, and holds against it the gain that it did bring.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from workers.intervals import Estimate, estimate
from workers.learning.heads import fitted, likeliest_prior, turned

FEWEST = 60
"""Fewer labels than this make no curve."""
SIZES, SEEDS, HELD, DRAWS = 10, 8, 0.3, 200
SMALLEST = 10
POWERS = 29
STEEPEST, FLATTEST = 1.5, 0.1
AHEAD = (100, 200, 500, 1000)


@dataclass(frozen=True)
class Labels:
    """Decided pairs, the oldest first: differences of vectors, 1 where the second is better, and prompts by number."""

    x: Any
    y: Any
    groups: Any

    def __len__(self) -> int:
        return len(self.y)

    def some(self, rows: Any) -> Labels:
        return Labels(self.x[rows], self.y[rows], self.groups[rows])


@dataclass(frozen=True)
class Split:
    """One seed: rows that are held out, and the others in the order in which subsets take them."""

    held: Any
    trained: Any


@dataclass(frozen=True)
class Measured:
    """For each seed which held-out rows were told wrongly at each size: a matrix of sizes by rows."""

    sizes: Any
    splits: Sequence[Split]
    missed: Sequence[Any]


@dataclass(frozen=True)
class Law:
    """error(n) = a + b n^-c; of several draws at once, a number each."""

    a: Any
    b: Any
    c: Any

    def at(self, n: float) -> Any:
        return self.a + self.b * float(n) ** -self.c


@dataclass(frozen=True)
class Curve:
    """The measured points and the laws: the one through them, and those through what resamples gave."""

    measured: Measured
    points: list[tuple[int, Estimate]]
    law: Law
    laws: Law

    def at(self, n: float) -> Estimate:
        return estimate(float(self.law.at(n)), self.laws.at(n).tolist())

    def gain(self, before: float, after: float) -> Estimate:
        """How much the error falls from so many labels to so many more."""
        value = float(self.law.at(before) - self.law.at(after))
        return estimate(value, (self.laws.at(before) - self.laws.at(after)).tolist())


@dataclass(frozen=True)
class Tested:
    """The gain that the first half of the labels foretold for the second, and the one there was."""

    before: int
    after: int
    predicted: Estimate
    actual: Estimate
    off: Estimate
    """What was foretold less what came, with the uncertainty of both."""

    @property
    def within(self) -> bool:
        """Whether the actual gain lies in the interval that was foretold."""
        return self.predicted.low <= self.actual.value <= self.predicted.high

    @property
    def meets(self) -> bool:
        """Whether the two differ by no more than chance: the actual gain is itself measured on few prompts."""
        return not self.off.clear


def splits(groups: Any, seeds: int, seed: int) -> list[Split]:
    """For each seed some three in ten of the prompts held out, and the rest of the rows in an order of its own."""
    import numpy as np

    found = []
    for number in range(seeds):
        chance = np.random.default_rng([seed, number])
        held = (chance.random(int(groups.max()) + 1) < HELD)[groups]
        found.append(Split(np.flatnonzero(held), chance.permutation(np.flatnonzero(~held))))
    return [one for one in found if len(one.held) and len(one.trained)]


def sizes_up_to(most: int, count: int = SIZES) -> Any:
    import numpy as np

    return np.unique(np.geomspace(min(most, max(SMALLEST, most // 30)), most, count).round().astype(int))


def measured(labels: Labels, found: Sequence[Split], prior: float, count: int = SIZES) -> Measured:
    """Train a head on each nested subset of each seed, and try it on what that seed holds out."""
    import numpy as np

    sizes = sizes_up_to(min(len(one.trained) for one in found), count)
    missed = []
    for one in found:
        x, y = labels.x[one.held], labels.y[one.held]
        rows = np.zeros((len(sizes), len(y)))
        for n, size in enumerate(sizes):
            some = one.trained[:size]
            rows[n] = wrong(x @ fitted(labels.x[some], labels.y[some], prior), y)
        missed.append(rows)
    return Measured(sizes, found, missed)


def wrong(logits: Any, y: Any) -> Any:
    """1 for a row told wrongly, a half where the head says nothing."""
    import numpy as np

    return np.where(logits == 0, 0.5, (logits > 0) != (y > 0.5))


def resampled(
    groups: Any, found: Sequence[Split], missed: Sequence[Any], seed: int, draws: int = DRAWS
) -> tuple[Any, Any]:
    """Errors as measured, and `draws` times with prompts and seeds drawn anew: a number for each row of a matrix of
    `missed`."""
    import numpy as np

    chance = np.random.default_rng(seed)
    of_prompts = chance.poisson(1.0, (draws, int(groups.max()) + 1))
    of_seeds = chance.multinomial(len(found), np.full(len(found), 1 / len(found)), draws)
    sums, heavy = np.zeros((draws, len(missed[0]))), np.zeros(draws)
    whole, rows = np.zeros(len(missed[0])), 0
    for n, (split, missing) in enumerate(zip(found, missed, strict=True)):
        weights = of_prompts[:, groups[split.held]] * of_seeds[:, n : n + 1]
        sums += weights @ missing.T
        heavy += weights.sum(axis=1)
        whole += missing.sum(axis=1)
        rows += missing.shape[1]
    there = heavy > 0
    return whole / rows, sums[there] / heavy[there, None]


def law_through(sizes: Any, errors: Any) -> Law:
    """The law nearest to errors at sizes; `errors` may be many rows, each gets its own."""
    import numpy as np

    errors = np.atleast_2d(errors)
    best = np.full(len(errors), np.inf)
    kept = np.zeros((3, len(errors)))
    middle = errors.mean(axis=1)
    for c in np.linspace(FLATTEST, STEEPEST, POWERS):
        power = sizes.astype(float) ** -c
        away = power - power.mean()
        b = np.maximum(0.0, (errors @ away) / max(1e-12, float(away @ away)))
        a = middle - b * power.mean()
        under = a < 0  # no error is below zero: then the law goes through the origin
        b = np.where(under, errors @ power / float(power @ power), b)
        a = np.where(under, 0.0, a)
        loss = ((errors - a[:, None] - b[:, None] * power) ** 2).sum(axis=1)
        better = loss < best
        best = np.where(better, loss, best)
        kept[:, better] = np.stack([a, b, np.full(len(errors), c)])[:, better]
    return Law(*kept)


def curve(labels: Labels, *, seed: int = 0, seeds: int = SEEDS, sizes: int = SIZES) -> Curve:
    """The learning curve of labels. Raises ValueError where there are fewer than FEWEST, or of too few prompts."""
    given, prior = prepared(labels, seed)
    return through(given, splits_of(given, seeds, seed), prior, seed, sizes)


def prepared(labels: Labels, seed: int) -> tuple[Labels, float]:
    """Labels in their main directions, and the prior that suits them."""
    if len(labels) < FEWEST:
        raise ValueError(f"there are {len(labels)} decided pairs with vectors; a learning curve takes {FEWEST}")
    given = Labels(turned(labels.x)(labels.x), labels.y, labels.groups)
    return given, likeliest_prior(given.x, given.y, given.groups, seed)


def splits_of(labels: Labels, seeds: int, seed: int) -> list[Split]:
    found = splits(labels.groups, seeds, seed)
    found = [one for one in found if len(one.trained) >= FEWEST // 3 and len(one.held) >= FEWEST // 10]
    if len(found) < 2:
        raise ValueError("the labels are on too few prompts to hold some of them out")
    return found


def through(labels: Labels, found: Sequence[Split], prior: float, seed: int, sizes: int = SIZES) -> Curve:
    tried = measured(labels, found, prior, sizes)
    whole, drawn = resampled(labels.groups, found, tried.missed, seed)
    points = [
        (int(size), estimate(float(whole[n]), drawn[:, n].tolist())) for n, size in enumerate(tried.sizes.tolist())
    ]
    law = law_through(tried.sizes, whole)
    return Curve(tried, points, Law(*(one[0] for one in (law.a, law.b, law.c))), law_through(tried.sizes, drawn))


def back_tested(labels: Labels, *, seed: int = 0, seeds: int = SEEDS, sizes: int = SIZES) -> Tested | None:
    """What the first half of the labels in time foretold of the second, against what came; None with too few labels."""
    import numpy as np

    half = len(labels) // 2
    early = labels.some(slice(0, half))
    try:
        foretold = curve(Labels(early.x, early.y, renumbered(early.groups)), seed=seed, seeds=seeds, sizes=sizes)
        given, _ = prepared(labels, seed)
        found = splits_of(given, seeds, seed)
    except ValueError:
        return None
    # both heads of a seed have the prior that the first half chose: only the labels differ
    _, prior = prepared(Labels(early.x, early.y, renumbered(early.groups)), seed)
    missed, before, after = [], [], []
    for one in found:
        first = one.trained[one.trained < half]
        x, y = given.x[one.held], given.y[one.held]
        some = [wrong(x @ fitted(given.x[rows], given.y[rows], prior), y) for rows in (first, one.trained)]
        missed.append(np.stack(some))
        before.append(len(first))
        after.append(len(one.trained))
    whole, drawn = resampled(given.groups, found, missed, seed)
    n, m = round(float(np.mean(before))), round(float(np.mean(after)))
    came = drawn[:, 0] - drawn[:, 1]
    actual, predicted = estimate(float(whole[0] - whole[1]), came.tolist()), foretold.gain(n, m)
    told = foretold.laws.at(n) - foretold.laws.at(m)
    both = min(len(told), len(came))
    apart = np.random.default_rng(seed).permutation(told)[:both] - came[:both]
    return Tested(n, m, predicted, actual, estimate(predicted.value - actual.value, apart.tolist()))


def cases(found: Curve, count: int) -> Any:
    """How often each label was told wrongly, while held out, by heads with most labels; NaN where it never was."""
    import numpy as np

    sums, times = np.zeros(count), np.zeros(count)
    for split, missed in zip(found.measured.splits, found.measured.missed, strict=True):
        sums[split.held] += missed[-1]
        times[split.held] += 1
    return np.where(times > 0, sums / np.maximum(times, 1), np.nan)


def renumbered(groups: Any) -> Any:
    import numpy as np

    return np.unique(groups, return_inverse=True)[1]
