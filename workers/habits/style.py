"""Style-controlled Bradley–Terry: how much of a preference is length and Markdown, and what is left of the models.

P(second is better) = sigmoid(beta . x + theta_second - theta_first) with x the difference of the two responses in
length, headers, lists and bold text, each as (s - f) / (s + f) and then scaled to unit variance, as LMArena's style
control has it (Li, Angelopoulos, Chiang 2024, "Does style matter?"). Fitted by scikit-learn with a weak L2 prior.
Intervals are bootstrapped over the rows. A tie counts half for each side.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from workers.intervals import Estimate, estimate

FEATURES = ("length", "headers", "lists", "bold")
DRAWS = 200
FEWEST = 30
HEADER = re.compile(r"^#{1,6}[ \t]", re.M)
LISTED = re.compile(r"^[ \t]*(?:[-*+]|\d+[.)])[ \t]", re.M)
BOLD = re.compile(r"\*\*[^*\n]+\*\*|__[^_\n]+__")


@dataclass(frozen=True, slots=True)
class Compared:
    """One preference: the texts, who wrote them where known; 1 where the second is better, 0 the first, .5 a tie."""

    first: str
    second: str
    first_model: str
    second_model: str
    outcome: float


@dataclass(frozen=True, slots=True)
class Styled:
    """The pull of each feature in logits per standard deviation, and each model's strength raw and controlled."""

    n: int
    pulls: dict[str, Estimate]
    raw: dict[str, Estimate]
    controlled: dict[str, Estimate]


def features(text: str) -> tuple[int, int, int, int]:
    """Characters, headers, list entries and bold passages of a text."""
    return len(text), len(HEADER.findall(text)), len(LISTED.findall(text)), len(BOLD.findall(text))


def styled(rows: Sequence[Compared], *, seed: int = 0, draws: int = DRAWS) -> Styled | None:
    """The fit with and without style. None with fewer than FEWEST rows, or where all went one way.

    Raises ImportError where scikit-learn is not installed.
    """
    import numpy as np

    if len(rows) < FEWEST or len({row.outcome for row in rows}) < 2:
        return None
    models = sorted({name for row in rows for name in (row.first_model, row.second_model) if name})
    style, who = design(rows, models)
    spread = style.std(axis=0)
    style = style / np.where(spread > 0, spread, 1.0)
    outcome = np.array([row.outcome for row in rows])
    both = np.hstack([style, who])
    chance = np.random.default_rng(seed)
    at_all = fitted(both, outcome)
    alone = fitted(who, outcome) if models else None
    drawn_all, drawn_alone = [], []
    for _ in range(draws):
        some = chance.integers(0, len(rows), len(rows))
        if len(np.unique(outcome[some])) > 1:
            drawn_all.append(fitted(both[some], outcome[some]))
            if models:
                drawn_alone.append(fitted(who[some], outcome[some]))
    width = len(FEATURES)
    return Styled(
        len(rows),
        told(FEATURES, at_all[:width], [drawn[:width] for drawn in drawn_all]),
        told(models, alone, drawn_alone) if alone is not None else {},
        told(models, at_all[width:], [drawn[width:] for drawn in drawn_all]),
    )


def design(rows: Sequence[Compared], models: Sequence[str]) -> tuple[Any, Any]:
    """The style differences, one row each, and +1 for the second's model, -1 for the first's."""
    import numpy as np

    place = {name: n for n, name in enumerate(models)}
    style = np.zeros((len(rows), len(FEATURES)))
    who = np.zeros((len(rows), len(models)))
    for n, row in enumerate(rows):
        for k, (f, s) in enumerate(zip(features(row.first), features(row.second), strict=True)):
            style[n, k] = (s - f) / (s + f) if s + f else 0.0
        if row.first_model in place and row.second_model in place:
            who[n, place[row.second_model]] += 1
            who[n, place[row.first_model]] -= 1
    return style, who


def fitted(design: Any, outcome: Any) -> Any:
    """Coefficients of a logistic regression without intercept; a tie is half a row each way."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    twice = np.vstack([design, design])
    sides = np.r_[np.ones(len(design)), np.zeros(len(design))]
    weights = np.r_[outcome, 1 - outcome]
    kept = weights > 0
    model = LogisticRegression(C=100.0, fit_intercept=False, max_iter=500)
    return model.fit(twice[kept], sides[kept], sample_weight=weights[kept]).coef_[0]


def told(names: Sequence[str], values: Any, drawn: Sequence[Any]) -> dict[str, Estimate]:
    return {
        name: estimate(float(values[n]), [float(one[n]) for one in drawn] or [float(values[n])])
        for n, name in enumerate(names)
    }
