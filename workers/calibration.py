"""What a margin means: from the difference of two scores to the probability that the second is better.

Temperature scaling (Guo et al. 2017, arXiv 1706.04599) divides the margin by one number and takes the sigmoid;
isotonic regression (Zadrozny and Elkan 2002) fits any rising curve. Which response of a pair comes first says nothing,
so both are symmetric: P(-m) = 1 - P(m). How well either fits is told by cross-fitting: each pair by a fit on others.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from random import Random
from typing import Any

BINS = 15
FOLDS = 5
STEPS = 100
LIMIT = 30.0
"""A margin counts as at most so many temperatures: beyond, a double holds no other probability than 0 or 1."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """One decided pair: the model's margin, whether people prefer the second, and what it shares a fold with."""

    margin: float
    second: bool
    group: int = 0
    longer: float = 0.0
    """Length of the second less that of the first, for the baseline that prefers the longer one."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Pairs of about the same confidence: how sure the model was of its side, and how often it was right."""

    confidence: float
    accuracy: float
    count: int


@dataclass(frozen=True, slots=True)
class Reliability:
    """How far probabilities can be trusted. `ece` is over bins of equal mass (Naeini et al. 2015), `brier` the mean
    squared error of P(second), `nll` its mean negative log-likelihood in nats."""

    accuracy: float
    ece: float
    brier: float
    nll: float
    bins: Sequence[Bin]


Curve = Callable[[float], float]
"""From a margin to P(second is better)."""


def sigmoid(x: float) -> float:
    x = max(-LIMIT, min(LIMIT, x))
    return 1 / (1 + math.exp(-x))


# --- Applying ---------------------------------------------------------------------------------------


def curve(method: str, params: dict[str, Any]) -> Curve:
    """The fitted curve. Raises ValueError for a method that there is not."""
    if method == "temperature":
        temperature = params["temperature"]
        return lambda margin: sigmoid(margin / temperature)
    if method == "isotonic":
        sizes, values = params["margins"], params["probabilities"]
        return lambda margin: (
            interpolated(sizes, values, margin) if margin >= 0 else 1 - interpolated(sizes, values, -margin)
        )
    raise ValueError(f"no calibration is called {method!r}")


def interpolated(xs: Sequence[float], ys: Sequence[float], x: float) -> float:
    """The height at x of a line through points with rising xs; level beyond both ends."""
    at = bisect_left(xs, x)
    if at == 0:
        return ys[0]
    if at == len(xs):
        return ys[-1]
    left, right = xs[at - 1], xs[at]
    return ys[at - 1] + (ys[at] - ys[at - 1]) * (x - left) / (right - left)


# --- Fitting ----------------------------------------------------------------------------------------


def fit(method: str, pairs: Sequence[Judgement]) -> dict[str, Any]:
    """The parameters of a curve, as `curve` takes them."""
    return temperature(pairs) if method == "temperature" else isotonic(pairs)


def temperature(pairs: Sequence[Judgement]) -> dict[str, Any]:
    """The T of sigmoid(margin / T) with the highest likelihood, by Newton steps on 1/T, which is concave there.

    A model that is no better than chance gets so high a T that every probability is one half; one that is never wrong
    has no best T, so it gets that at which its smallest margin is almost certain.
    """
    rightly = [pair.margin if pair.second else -pair.margin for pair in pairs]
    size = math.sqrt(sum(m * m for m in rightly) / len(rightly)) if rightly else 0.0
    if size == 0:
        return {"temperature": 1.0}
    scaled = [m / size for m in rightly]
    low, high = 1e-6, 100.0
    slope = 1.0
    for _ in range(STEPS):
        rest = [sigmoid(-slope * m) for m in scaled]
        first = sum(m * q for m, q in zip(scaled, rest, strict=True))
        second = sum(m * m * q * (1 - q) for m, q in zip(scaled, rest, strict=True))
        low, high = (slope, high) if first > 0 else (low, slope)
        step = slope + first / second if second > 1e-12 else math.inf
        following = step if low < step < high else (low + high) / 2
        if abs(following - slope) < 1e-9 * slope:
            break
        slope = following
    return {"temperature": size / slope}


def isotonic(pairs: Sequence[Judgement]) -> dict[str, Any]:
    """A curve that only rises, by pooling neighbours (scikit-learn), over each pair in both orders.

    To the pairs of each level half a pair of either outcome is added, so that none is quite 0 or 1, and few pairs
    make nobody sure.
    """
    try:
        from sklearn.isotonic import IsotonicRegression
    except ImportError as error:
        raise RuntimeError("isotonic calibration needs scikit-learn; temperature does without") from error
    margins = [sign * pair.margin for pair in pairs for sign in (1, -1)]
    seconds = [float(pair.second == (sign > 0)) for pair in pairs for sign in (1, -1)]
    fitted = IsotonicRegression(y_min=0.0, y_max=1.0).fit(margins, seconds)
    sizes = Counter(round(level, 9) for level in fitted.predict(margins).tolist())
    xs, ys = [0.0], [0.5]
    for x, y in zip(fitted.X_thresholds_.tolist(), fitted.y_thresholds_.tolist(), strict=True):
        if x > xs[-1]:
            xs.append(x)
            n = sizes[round(y, 9)]
            ys.append(max(ys[-1], (n * y + 0.5) / (n + 1)))
    return {"margins": xs, "probabilities": ys}


# --- Judging the fit --------------------------------------------------------------------------------


def reliability(told: Iterable[tuple[float, bool]], bins: int = BINS) -> Reliability:
    """How far P(second) agrees with what people said. A probability of one half is right half the time.

    Pairs of the same confidence count alike, as often right as they are together, whatever bin they fall into.
    """
    rows = sorted((max(p, 1 - p), rightness(p, second), p, float(second)) for p, second in told)
    rows = [(row[0], right, *row[2:]) for row, right in zip(rows, pooled(rows), strict=True)]
    n = len(rows)
    if not n:
        return Reliability(0.0, 0.0, 0.0, 0.0, ())
    found = []
    for number in range(min(bins, n)):
        some = rows[number * n // min(bins, n) : (number + 1) * n // min(bins, n)]
        found.append(Bin(sum(row[0] for row in some) / len(some), sum(row[1] for row in some) / len(some), len(some)))
    return Reliability(
        accuracy=sum(row[1] for row in rows) / n,
        ece=sum(one.count / n * abs(one.accuracy - one.confidence) for one in found),
        brier=sum((p - y) ** 2 for _, _, p, y in rows) / n,
        nll=sum(-math.log(max(1e-12, p if y else 1 - p)) for _, _, p, y in rows) / n,
        bins=tuple(found),
    )


def pooled(rows: Sequence[tuple[float, float, float, float]]) -> Iterator[float]:
    """For each row the share that is right among those of its confidence."""
    for _, group in groupby(rows, key=lambda row: row[0]):
        right = [row[1] for row in group]
        yield from [sum(right) / len(right)] * len(right)


def rightness(probability: float, second: bool) -> float:
    return 0.5 if probability == 0.5 else float((probability > 0.5) == second)


def cross_fitted(method: str, pairs: Sequence[Judgement], seed: int = 0, folds: int = FOLDS) -> list[float]:
    """P(second) of each pair by a curve that was fitted without its fold; pairs of one group share a fold."""
    groups = sorted({pair.group for pair in pairs})
    Random(seed).shuffle(groups)
    fold = {group: number % folds for number, group in enumerate(groups)}
    told = [0.5] * len(pairs)
    for number in range(min(folds, len(groups))):
        others = [pair for pair in pairs if fold[pair.group] != number]
        found = curve(method, fit(method, others)) if others else sigmoid
        for at, pair in enumerate(pairs):
            if fold[pair.group] == number:
                told[at] = found(pair.margin)
    return told


def longer_is_better(pairs: Sequence[Judgement]) -> float:
    """The accuracy of always preferring the longer response; equal lengths are right half the time."""
    return sum(0.5 if not pair.longer else float((pair.longer > 0) == pair.second) for pair in pairs) / len(pairs)
