"""Which of compared responses are labelled wrongly: a Bradley-Terry model that expects wrong labels, out of fold.

    m = w . (z(chosen) - z(rejected)) + u(chosen) - u(rejected)
    P(label) = noise + (1 - 2 noise) sigmoid(m),   w ~ N(0, spread^2 / d),  u ~ N(0, own^2)

z are vectors of the responses (standardised, their leading directions), u is what one response is worth beside what its
vector says: where responses meet in several pairs, a label that goes against all the others stands out. Spreads and the
noise inside the model are those that predict labels out of fold best; nothing is told which labels are wrong. Pairs are
dealt to folds one by one, so that a response's other pairs speak for it; the pair's own label never does, nor does that
of another row on the same two texts.

Out-of-fold margins are then brought to the same form, and Bayes' rule says of each label how likely it is wrong: under
the likeliest noise and scale, and in the mean over what both may be. Labels that a weak model explains as well as a
sure one with many wrong labels do not tell the two apart; there the first calls every surprise wrong for certain, the
second does not. A loss corrected by the rate of wrong labels: Natarajan et al., NeurIPS 2013. The noise is symmetric,
for which of the two stands first says nothing. Beside it is the rule of confident learning (Northcutt et al., JAIR
2021): a label is doubted where the other is as likely as given labels are on average.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]

DIRECTIONS = 192
SPREADS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
OWN = (0.0, 0.3, 0.6, 1.2, 2.4)
NOISES = (0.0, 0.1, 0.2, 0.3, 0.4)
SEARCHED = 4
"""Folds while strengths are searched for."""
MOST = 0.45
"""Half of the labels wrong is the same as none right: beyond that nothing can be said."""
STEPS = 80
KINDS = 200
AT_ONCE = 8192
"""Vectors that are turned at a time."""
SCALES = 49
"""Scales that are tried, from a twentieth to twenty times."""
LITTLE, FAR = 1e-9, 30.0
LEAST = 20
"""Fewer pairs say nothing about noise."""


@dataclass(frozen=True, slots=True)
class Strengths:
    """How far weights, responses' own worth and labels are trusted to go."""

    spread: float = 2.0
    own: float = 0.0
    noise: float = 0.0


@dataclass(frozen=True, slots=True)
class Doubts:
    """Of each pair: its margin out of fold, above zero where the label is as expected, and how likely it is wrong under
    the likeliest noise; `sure` is the same in the mean over what the noise may be."""

    margins: Floats
    wrong: Floats
    sure: Floats
    noise: float
    """The estimated share of wrong labels, and the middle 95 % of what it may be."""
    low: float
    high: float
    strengths: Strengths


@dataclass(frozen=True, slots=True)
class Compared:
    """Pairs as the model reads them: differences [n, d], and the numbers of both responses [n, 2]."""

    differences: Floats
    ends: Ints
    responses: int

    def part(self, rows: Any) -> Compared:
        return replace(self, differences=self.differences[rows], ends=self.ends[rows])


def doubts(rows: Floats, ends: Ints, *, folds: int = 8, seed: int = 0) -> Doubts:
    """What is doubted of pairs (chosen, rejected) [n, 2], places in `rows` [responses, d] as `reduced` gives them.

    Raises ValueError for fewer than LEAST pairs.
    """
    if len(ends) < LEAST:
        raise ValueError(f"{len(ends)} pairs are too few to find wrong labels among; at least {LEAST}")
    pairs = compared(rows, ends)
    same = alike(rows, ends)
    fold = dealt_together(same, folds, seed)
    strengths = chosen_strengths(pairs, same, seed)
    margins = out_of_fold(pairs, fold, strengths)
    noise, scale = likeliest(margins)
    told = calibrated(margins)
    wrong = wrong_by(scale * margins, noise)
    return Doubts(scale * margins, wrong, told.wrong(margins), noise, told.low, told.high, strengths)


def reduced(vectors: Floats, plain: Floats | None = None) -> Floats:
    """Standardised vectors along their leading directions, scaled so that a spread of 1 gives margins of about 1.

    `plain` [responses, k]: a few numbers that count by themselves, such as how long a response is; each weighs as much
    as the whole vector.
    """
    mean, width = vectors.mean(0, dtype=np.float64), vectors.shape[1]
    scale = np.maximum(vectors.std(0, dtype=np.float64), LITTLE) * np.sqrt(width)
    directions = np.eye(width)
    if width > DIRECTIONS:
        square = np.zeros((width, width))
        for block in blocks(vectors):
            rows = (block - mean) / scale
            square += rows.T @ rows
        directions = np.linalg.eigh(square)[1][:, -DIRECTIONS:]
    found = np.concatenate([((block - mean) / scale) @ directions for block in blocks(vectors)])
    return found if plain is None else np.hstack([found, standardised(plain)])


def blocks(rows: Floats) -> Iterator[Floats]:
    return (rows[at : at + AT_ONCE] for at in range(0, len(rows), AT_ONCE))


def with_kinds(rows: Floats, kinds: NDArray[Any]) -> Floats:
    """Rows with a column for each kind of response, such as the model that wrote it; an empty name is no kind.

    A kind is worth as much as a vector may be; where there are more than KINDS, the most frequent have a column.
    """
    names, counts = np.unique(kinds[kinds != ""], return_counts=True)
    names = names[np.argsort(-counts, kind="stable")][:KINDS]
    return np.hstack([rows, kinds[:, None] == names[None]]) if len(names) > 1 else rows


def standardised(rows: Floats) -> Floats:
    rows = np.asarray(rows, dtype=np.float64)
    found: Floats = (rows - rows.mean(0)) / np.maximum(rows.std(0), LITTLE)
    return found


def compared(rows: Floats, ends: Ints) -> Compared:
    """Pairs as the model reads them; responses are numbered anew, so that others cost nothing."""
    used, places = np.unique(ends, return_inverse=True)
    return Compared(rows[ends[:, 0]] - rows[ends[:, 1]], places.reshape(ends.shape), len(used))


def dealt(count: int, folds: int, seed: int) -> Ints:
    """The fold of each pair, folds of equal size."""
    return np.random.default_rng(seed).permutation(count) % min(folds, count)


def dealt_together(groups: Ints, folds: int, seed: int) -> Ints:
    """The fold of each pair, groups whole; the same as `dealt` where each is a group of its own."""
    found: Ints = dealt(int(groups.max()) + 1, folds, seed)[groups]
    return found


def alike(rows: Floats, ends: Ints) -> Ints:
    """A number for each pair, the same for those whose two responses have the same vectors, whichever is first."""
    texts: dict[bytes, int] = {}
    rounded = np.round(rows, 6) + 0.0  # a product may differ in its last digits from row to row; -0 is 0
    place = np.array([texts.setdefault(row.tobytes(), len(texts)) for row in rounded])
    both = np.sort(place[ends], axis=1)
    _, first, groups = np.unique(both, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(np.argsort(first))  # numbered as they come, so that pairs that differ are dealt as ever
    found: Ints = order[groups.reshape(-1)]
    return found


def chosen_strengths(pairs: Compared, groups: Ints, seed: int) -> Strengths:
    """Those by which labels out of fold are likeliest.

    Spread and noise together, for one makes up for the other; then responses' own worth; then the neighbours of each.
    """
    fold = dealt_together(groups, SEARCHED, seed + 1)

    def best(tried: Iterable[Strengths]) -> Strengths:
        return max(tried, key=lambda one: likelihood(out_of_fold(pairs, fold, one), one.noise))

    found = best(Strengths(spread, 0.0, noise) for spread in SPREADS[::2] for noise in NOISES)
    if np.bincount(pairs.ends.ravel()).max() > 1:  # responses that never meet again have no worth beside
        found = best(replace(found, own=own) for own in OWN)
    found = best(replace(found, spread=spread) for spread in (found.spread, found.spread / 2, found.spread * 2))
    return best(replace(found, noise=noise) for noise in NOISES)


def likelihood(margins: Floats, noise: float) -> float:
    return float(np.log(noise + (1 - 2 * noise) * sigmoid(margins)).sum())


def out_of_fold(pairs: Compared, fold: Ints, strengths: Strengths) -> Floats:
    """The margin of each pair by a model of all other folds."""
    margins = np.zeros(len(fold))
    start: Floats | None = None
    for number in range(int(fold.max()) + 1):
        held = fold == number
        start = fitted(pairs.part(~held), strengths, start)
        margins[held] = margins_by(start, pairs.part(held), strengths)
    return margins


def margins_by(weights: Floats, pairs: Compared, strengths: Strengths) -> Floats:
    width = pairs.differences.shape[1]
    worth = weights[width:]
    own = strengths.own * (worth[pairs.ends[:, 0]] - worth[pairs.ends[:, 1]]) if strengths.own else 0.0
    found: Floats = strengths.spread * (pairs.differences @ weights[:width]) + own
    return found


def fitted(pairs: Compared, strengths: Strengths, start: Floats | None = None) -> Floats:
    """Weights and responses' own worth in units of their spread, most likely under the labels of `pairs`.

    Without noise the loss is convex; with noise it is not, and begins at the solution without it.
    """
    from scipy.optimize import minimize

    width, noise = pairs.differences.shape[1], strengths.noise
    size = width + (pairs.responses if strengths.own else 0)

    def loss(weights: Floats, noise: float) -> tuple[float, Floats]:
        expected = sigmoid(margins_by(weights, pairs, strengths))
        told = noise + (1 - 2 * noise) * expected
        pull = -(1 - 2 * noise) * expected * (1 - expected) / told
        gradient = weights.copy()
        gradient[:width] += strengths.spread * (pull @ pairs.differences)
        if strengths.own:
            gradient[width:] += strengths.own * np.bincount(pairs.ends[:, 0], pull, pairs.responses)
            gradient[width:] -= strengths.own * np.bincount(pairs.ends[:, 1], pull, pairs.responses)
        return float(weights @ weights / 2 - np.log(told).sum()), gradient

    options = {"maxiter": STEPS, "gtol": 1e-3 * len(pairs.ends) ** 0.5}
    found = start if start is not None and len(start) == size else np.zeros(size)
    if start is None or not noise:
        found = minimize(loss, found, (0.0,), "L-BFGS-B", jac=True, options=options).x
    if noise:
        found = minimize(loss, found, (noise,), "L-BFGS-B", jac=True, options=options).x
    weights: Floats = found
    return weights


def likeliest(margins: Floats) -> tuple[float, float]:
    """Noise and scale under which margins out of fold explain the labels best; the noise is at most MOST."""
    from scipy.optimize import minimize

    def loss(told: Floats) -> float:
        noise = MOST * float(sigmoid(told[:1])[0])
        return -likelihood(float(np.exp(told[1])) * margins, noise)

    starts = [np.array([noise, 0.0]) for noise in (-2.0, 1.0)]
    best = min((minimize(loss, start, method="Nelder-Mead") for start in starts), key=lambda one: float(one.fun))
    return MOST * float(sigmoid(best.x[:1])[0]), float(np.exp(best.x[1]))


@dataclass(frozen=True, slots=True)
class Calibrated:
    """How likely each noise and each scale is, given margins out of fold; `shares` [scales, noises] add up to 1."""

    scales: Floats
    noises: Floats
    shares: Floats

    @property
    def low(self) -> float:
        return self.quantile(0.025)

    @property
    def high(self) -> float:
        return self.quantile(0.975)

    def quantile(self, share: float) -> float:
        return float(self.noises[int((self.shares.sum(0).cumsum() < share).sum())])

    def wrong(self, margins: Floats) -> Floats:
        """How likely each label is wrong, in the mean over noise and scale."""
        found = np.zeros(len(margins))
        for scale, row in zip(self.scales, self.shares, strict=True):
            likely = [(noise, share) for noise, share in zip(self.noises, row, strict=True) if share > LITTLE]
            for noise, share in likely:
                found += share * wrong_by(scale * margins, noise)
        return found


def calibrated(margins: Floats) -> Calibrated:
    """What noise and scale may be, given margins out of fold.

    Beforehand each noise up to MOST is as likely as any other, and the logarithm of the scale is normal around 0 with
    deviation 1: margins come from a model whose strengths were chosen to predict, and are seldom off by more.
    """
    logarithms, noises = np.linspace(-3, 3, SCALES), np.linspace(0, MOST, round(100 * MOST) + 1)
    scales, likely = np.exp(logarithms), np.empty((SCALES, len(noises)))
    for row, scale in zip(likely, scales, strict=True):
        row[:] = [likelihood(scale * margins, noise) for noise in noises]
    likely -= logarithms[:, None] ** 2 / 2
    shares = np.exp(likely - likely.max())
    return Calibrated(scales, noises, shares / shares.sum())


def wrong_by(margins: Floats, noise: float) -> Floats:
    """Bayes' rule: how likely a label is wrong, given its margin."""
    right = (1 - noise) * sigmoid(margins)
    wrong = noise * sigmoid(-margins)
    found: Floats = wrong / (right + wrong)
    return found


def confident(margins: Floats) -> NDArray[np.bool_]:
    """Confident learning: doubted where the other label is at least as likely as given labels are on average."""
    likely = sigmoid(margins)
    return (1 - likely >= likely.mean()) & (likely < 0.5)


def sigmoid(values: Floats) -> Floats:
    """Never quite zero, so that its logarithm is a number."""
    found: Floats = 0.5 * (1 + np.tanh(np.clip(values, -FAR, FAR) / 2))
    return found
