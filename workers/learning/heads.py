"""A linear Bradley–Terry head: P(second is better) = sigmoid(w . (v(second) - v(first))), with a Gaussian prior on w.

Differences are first turned to their main directions (principal components about zero), at most DIRECTIONS of them, and
scaled so that their mean squared length is 1; then Newton's method finds the one maximum. An ensemble is such heads on
rows weighed by a Poisson draw each, which is the bootstrap for streams (Oza and Russell 2001).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

DIRECTIONS = 96
PRIORS = (0.3, 1.0, 3.0, 10.0, 30.0)
"""Precisions of the prior that are tried; with 1 a pair's log odds are spread by about 1 before anything is known."""
FOLDS = 3
MEMBERS = 8
STEPS = 25
CLOSE = 1e-6


@dataclass(frozen=True)
class Turned:
    """How differences become the numbers that a head reads."""

    directions: Any
    scale: float

    def __call__(self, differences: Any) -> Any:
        return differences @ self.directions * self.scale


def turned(differences: Any, most: int = DIRECTIONS) -> Turned:
    """The main directions of differences, rows of one matrix; labels have no part in it."""
    import numpy as np

    given = np.asarray(differences, dtype=np.float64)
    values, vectors = np.linalg.eigh(given.T @ given / max(1, len(given)))
    kept = vectors[:, np.argsort(values)[::-1][:most]]
    size = float(np.mean(np.sum((given @ kept) ** 2, axis=1))) if len(given) else 0.0
    return Turned(kept, 1 / np.sqrt(size) if size > 0 else 1.0)


def sigmoid(values: Any) -> Any:
    import numpy as np

    return 1 / (1 + np.exp(-np.clip(values, -40, 40)))


def fitted(x: Any, y: Any, prior: float, weights: Any = None) -> Any:
    """The weights of most posterior probability; `y` is 1 where the second is better, `prior` the precision."""
    import numpy as np

    heavy = np.ones(len(x)) if weights is None else np.asarray(weights, dtype=np.float64)
    found = np.zeros(x.shape[1])
    for _ in range(STEPS):
        p = sigmoid(x @ found)
        slope = x.T @ (heavy * (p - y)) + prior * found
        bend = (x * (heavy * p * (1 - p))[:, None]).T @ x
        bend.flat[:: len(bend) + 1] += prior
        step = np.linalg.solve(bend, slope)
        found -= step
        if float(np.abs(step).max(initial=0.0)) < CLOSE:
            break
    return found


def likeliest_prior(x: Any, y: Any, groups: Any, seed: int = 0) -> float:
    """The precision of PRIORS whose heads give held-out groups the highest likelihood."""
    import numpy as np

    folds = np.random.default_rng(seed).integers(0, FOLDS, int(np.max(groups, initial=0)) + 1)[groups]
    losses = []
    for prior in PRIORS:
        loss = 0.0
        for fold in range(FOLDS):
            held = folds == fold
            if held.any() and not held.all():
                p = sigmoid(x[held] @ fitted(x[~held], y[~held], prior))
                loss -= float(np.log(np.where(y[held] > 0.5, p, 1 - p) + 1e-12).sum())
        losses.append((loss, prior))
    return min(losses)[1]


def ensemble(x: Any, y: Any, prior: float, seed: int = 0, members: int = MEMBERS) -> Any:
    """Weights of `members` bootstrapped heads, one a row."""
    import numpy as np

    chance = np.random.default_rng(seed)
    return np.stack([fitted(x, y, prior, chance.poisson(1.0, len(x))) for _ in range(members)])


def grouped(keys: Sequence[Any]) -> Any:
    """Numbers from 0 for keys, equal ones alike, in the order in which they come."""
    import numpy as np

    places: dict[Any, int] = {}
    return np.array([places.setdefault(key, len(places)) for key in keys], dtype=np.int64)
