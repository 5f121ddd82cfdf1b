"""A safety gate: from the cost of a text to a level, and from levels to what becomes of a response.

Safe RLHF-V (arXiv 2503.17682) has a guard name a level of the prompt and of the response, and act on it. Here the level
is where a cost model's number lies between thresholds; a cost model puts its boundary at zero (Safe RLHF, arXiv
2310.12773), and what people said moves it to where it separates best, or to where enough of the unsafe is found.

    threshold of a level = argmax  TPR - FPR                      (Youden 1950, Cancer 3:32-35), or
                           the highest with TPR >= a stated recall

over texts of that level and worse against those below it. How often a learnt threshold is right is told by
cross-fitting: each text by thresholds that were learnt without its item.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

import numpy as np

from workers.intervals import Share, estimate, wilson

LEVELS = ("safe", "minor", "moderate", "severe")
WORSE = LEVELS[1:]
BOUNDARY = 0.0
"""Where a cost model itself puts it: costs above are harmful."""
FEWEST = 20
"""With fewer texts on either side of a boundary its threshold is not learnt."""
FOLDS = 5
RESAMPLES = 200
BINS = 24

Action = Literal["allow", "regenerate", "refuse"]
Flags = np.ndarray[Any, np.dtype[np.bool_]]
Numbers = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """A cost above one of them is at least of that level. None: nothing is said to be that bad."""

    minor: float = BOUNDARY
    moderate: float | None = None
    severe: float | None = None

    def of(self, level: str) -> float | None:
        found: float | None = getattr(self, level)
        return found

    def level(self, cost: float) -> str:
        """The worst level whose threshold the cost is above."""
        reached = [name for name in WORSE if (least := self.of(name)) is not None and cost > least]
        return reached[-1] if reached else LEVELS[0]

    def as_dict(self) -> dict[str, float | None]:
        return {name: self.of(name) for name in WORSE}


def at_least(level: str, least: str) -> bool:
    """Whether a level is as bad as another, or worse."""
    return LEVELS.index(level) >= LEVELS.index(least)


def action(prompt: str | None, response: str, *, refuse_at: str, flag_at: str, again: bool) -> Action:
    """What becomes of a response: `again` says whether another one can be written; a prompt that nobody looked at has
    no level. A prompt that is too bad is refused whatever the response."""
    if prompt is not None and at_least(prompt, refuse_at):
        return "refuse"
    if not at_least(response, flag_at):
        return "allow"
    return "regenerate" if again else "refuse"


# --- Learning on gold ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Case:
    """A text of which people said whether it is safe. `severity` is the place of its level, None where only unsafe was
    said; `words` its length, for the baseline that holds long texts to be unsafe."""

    cost: float
    unsafe: bool
    severity: int | None
    group: int = 0
    words: float = 0.0


@dataclass(frozen=True, slots=True)
class Learnt:
    """One boundary: its threshold with the interval over resampled items, and how often cross-fitted ones are right.

    `why_not` says why nothing was learnt; `caught` is the share of the texts at that level or worse that lie above
    (TPR), `alarms` of the others (FPR).
    """

    level: str
    positives: int
    negatives: int
    why_not: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    caught: Share = field(default_factory=lambda: Share(0, 0))
    alarms: Share = field(default_factory=lambda: Share(0, 0))
    auc: float | None = None
    length_auc: float | None = None


def side(case: Case, level: str) -> bool | None:
    """Whether a text is of a level or worse; None where people did not say how bad it is."""
    if level == WORSE[0] or not case.unsafe:
        return case.unsafe
    return None if case.severity is None else case.severity >= LEVELS.index(level)


def learn(
    cases: Sequence[Case], *, recall: float | None = None, fewest: int = FEWEST, seed: int = 0
) -> tuple[Thresholds, list[Learnt]]:
    """Thresholds that rise from level to level, and what is known of each. Where the first cannot be learnt it stays at
    the cost model's own boundary; one that cannot be learnt for a worse level leaves that level unsaid."""
    found: dict[str, float | None] = {}
    told = []
    floor = -np.inf
    for level in WORSE:
        one = boundary(cases, level, recall=recall, fewest=fewest, seed=seed)
        told.append(one)
        found[level] = None if one.value is None else max(one.value, floor)
        floor = floor if one.value is None else max(one.value, floor)
    minor = found.pop("minor")
    return Thresholds(BOUNDARY if minor is None else minor, **found), told


def boundary(cases: Sequence[Case], level: str, *, recall: float | None, fewest: int, seed: int) -> Learnt:
    """The threshold of one level from the cases of which it is known on which side they are."""
    sides = [(case, worse) for case in cases if (worse := side(case, level)) is not None]
    positive = np.array([worse for _, worse in sides], dtype=bool)
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if min(positives, negatives) < fewest:
        return Learnt(level, positives, negatives, why_not=too_few(level, positives, negatives, fewest))
    costs = np.array([case.cost for case, _ in sides], dtype=float)
    groups = np.array([case.group for case, _ in sides])
    value = cut(costs, positive, recall)
    drawn = estimate(value, resampled(costs, positive, groups, recall, seed))
    flagged = crossed(costs, positive, groups, recall, seed)
    return Learnt(
        level, positives, negatives, "", value, drawn.low, drawn.high,
        caught=wilson(int((flagged & positive).sum()), positives),
        alarms=wilson(int((flagged & ~positive).sum()), negatives),
        auc=auc(costs, positive),
        length_auc=auc(np.array([case.words for case, _ in sides], dtype=float), positive),
    )  # fmt: skip


def too_few(level: str, positives: int, negatives: int, fewest: int) -> str:
    worse = "unsafe" if level == WORSE[0] else level if level == WORSE[-1] else f"{level} or worse"
    return f"people called {positives} {worse} and {negatives} not; {fewest} of either are needed"


def cut(costs: Numbers, positive: Flags, recall: float | None = None) -> float:
    """The threshold with the greatest TPR - FPR, of several the lowest; with `recall` the highest that reaches it."""
    order = np.argsort(costs, kind="stable")
    sizes, ups = costs[order], positive[order].astype(float)
    # caught[i] and alarms[i] are the shares from place i on: what a threshold below that cost lets through to the flag
    caught = 1 - np.concatenate([[0.0], np.cumsum(ups)]) / ups.sum()
    alarms = 1 - np.concatenate([[0.0], np.cumsum(1 - ups)]) / (1 - ups).sum()
    apart = np.concatenate([[True], sizes[1:] > sizes[:-1], [True]])
    if recall is None:
        place = int(np.argmax(np.where(apart, np.round(caught - alarms, 12), -np.inf)))
    else:
        place = int(np.flatnonzero(apart & (caught >= recall - 1e-12))[-1])
    if place == 0:
        return float(np.nextafter(sizes[0], -np.inf))
    return float(sizes[-1]) if place == len(sizes) else float((sizes[place - 1] + sizes[place]) / 2)


def resampled(costs: Numbers, positive: Flags, groups: Any, recall: float | None, seed: int) -> list[float]:
    """Thresholds of resamples by item; those of which one side is empty are left out."""
    members = [np.flatnonzero(groups == group) for group in dict.fromkeys(groups.tolist())]
    chance = np.random.default_rng(seed)
    found = []
    for _ in range(RESAMPLES):
        rows = np.concatenate([members[n] for n in chance.integers(len(members), size=len(members))])
        if positive[rows].any() and not positive[rows].all():
            found.append(cut(costs[rows], positive[rows], recall))
    return found or [cut(costs, positive, recall)]


def crossed(costs: Numbers, positive: Flags, groups: Any, recall: float | None, seed: int) -> Flags:
    """Which cases lie above a threshold that was learnt on the other folds; items stay together."""
    fold = folds_of(groups.tolist(), seed)
    flagged = np.zeros(len(costs), dtype=bool)
    for number in range(FOLDS):
        held = fold == number
        if not held.any():
            continue
        rest = positive[~held]
        at = cut(costs[~held], rest, recall) if rest.any() and not rest.all() else BOUNDARY
        flagged[held] = costs[held] > at
    return flagged


def folds_of(groups: Sequence[int], seed: int) -> Any:
    """The fold of each case; equal groups share one."""
    names = sorted(set(groups))
    Random(seed).shuffle(names)
    place = {group: n % FOLDS for n, group in enumerate(names)}
    return np.array([place[group] for group in groups])


def auc(numbers: Numbers, positive: Flags) -> float:
    """How often a text on the worse side has the higher number; a tie is half (Mann and Whitney 1947)."""
    _, inverse, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    ups = int(positive.sum())
    return float((ranks[positive].sum() - ups * (ups + 1) / 2) / (ups * (len(numbers) - ups)))


# --- What is shown of it ------------------------------------------------------------------------------


def table(cases: Sequence[Case], thresholds: Thresholds) -> list[list[int]]:
    """How many texts of each level (a row; the last: unsafe, but people did not say how bad) came to each level."""
    rows = [[0] * len(LEVELS) for _ in range(len(LEVELS) + 1)]
    for case in cases:
        place = 0 if not case.unsafe else len(LEVELS) if case.severity is None else case.severity
        rows[place][LEVELS.index(thresholds.level(case.cost))] += 1
    return rows


def spread(cases: Sequence[Case], bins: int = BINS) -> Mapping[str, Any]:
    """Costs of safe and of unsafe texts in the same equal bins, ends included; empty without cases."""
    if not cases:
        return {}
    costs = np.array([case.cost for case in cases], dtype=float)
    unsafe = np.array([case.unsafe for case in cases], dtype=bool)
    low, high = float(costs.min()), float(costs.max())
    edges = (low, high) if high > low else (low - 0.5, high + 0.5)
    counted = [np.histogram(costs[some], bins=bins, range=edges)[0].tolist() for some in (~unsafe, unsafe)]
    return {"low": edges[0], "high": edges[1], "safe": counted[0], "unsafe": counted[1]}
