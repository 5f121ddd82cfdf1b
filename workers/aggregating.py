"""From votes to labels: what a method of aggregation takes and gives, and the shelf of them in `workers/aggregators/`.

A method sees votes as numbers: (task, annotator, label). It gives a distribution over labels for each task and, for
each vote, how likely an annotator says that label under each true one. From these two everything else follows in the
same way for every method: the decided label, its confidence, and how reliable each annotator is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from workers.shelf import Shelf

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Whole = NDArray[np.int64]
    Real = NDArray[np.float64]

NO_LABEL = -1
GRID = 400
"""Points at which the posterior of a reliability is taken."""
HARDLY = 1e-9
"""Two labels whose probabilities differ by less are drawn, and the task is undecided."""
FIRST, SECOND, TIE, BOTH_BAD = 0, 1, 2, 3
"""Labels of pairs: the places of `PAIR_LABELS`."""
PAIR_LABELS = ("first", "second", "tie", "both_bad")


class Missing(Exception):
    """A library that a method needs is not installed."""


@dataclass(frozen=True)
class Votes:
    """One place in each array for each vote; tasks, annotators and labels are numbered from 0, in any order."""

    task: Whole
    annotator: Whole
    label: Whole
    tasks: int
    annotators: int
    labels: int
    pairs: Whole | None = None
    """[tasks, 2]: of pairs, the numbers of the two responses; the same response has the same one in every pair."""
    left: Whole | None = None
    """Of votes on pairs: 1 where the first response stood on the left, -1 where the second did, 0 unknown."""

    @staticmethod
    def of(rows: Iterable[Sequence[int]], *, tasks: int, annotators: int, labels: int, **more: Any) -> Votes:
        """From rows of (task, annotator, label)."""
        np = numpy()
        given = np.array(list(rows), dtype=np.int64).reshape(-1, 3)
        return Votes(given[:, 0], given[:, 1], given[:, 2], tasks, annotators, labels, **more)

    def __len__(self) -> int:
        return len(self.task)

    def counts(self) -> Real:
        """[tasks, labels]: how many votes each label has."""
        np = numpy()
        flat = np.bincount(self.task * self.labels + self.label, minlength=self.tasks * self.labels)
        found: Real = flat.reshape(self.tasks, self.labels).astype(float)
        return found


@dataclass(frozen=True)
class Fit:
    """What a method made of votes."""

    posterior: Real
    """[tasks, labels]: how likely each label is the right one; rows sum to 1, or to 0 where nothing can be said."""
    others: Real
    """[votes]: how likely the label that was voted for is right by the other votes on the task alone; NaN where there
    are none. An annotator's own vote never vouches for itself."""
    own: dict[str, list[float]] = field(default_factory=dict)
    """The method's own parameters by annotator, such as `competence`."""


@dataclass(frozen=True, slots=True)
class Reliability:
    """How often an annotator's votes are right, as the other votes tell: with its 95 % interval, all from 0 to 1."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    """Votes on tasks that others voted on too; without any the value is undefined."""
    confusion: list[list[float]]
    """[true label, label said]: votes, by how likely each label was the right one."""
    own: dict[str, float]


@dataclass(frozen=True, slots=True)
class Aggregator:
    """A method: `fit(votes, seed)` gives a Fit. Raises Missing where its library is not there.

    One of spans has `spans` instead: (texts, threshold, seed), see `aggregators/span_vote.py`.
    """

    name: str
    title: str
    about: str
    fit: Callable[[Votes, int], Fit] | None = None
    spans: Callable[..., Any] | None = None
    pairs_only: bool = False
    """Whether it compares responses; questions of a project are then decided by majority."""


aggregators: Shelf[Aggregator] = Shelf("workers.aggregators", "aggregator")


def numpy() -> Any:
    return library("numpy")


def library(name: str) -> Any:
    """A module that only workers have. Raises Missing, saying how to install it."""
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise Missing(f"{error}; it comes with `pip install -r requirements-models.txt`") from error


def frame(votes: Votes) -> Any:
    """Votes as crowd-kit takes them: a data frame of task, worker and label."""
    pandas = library("pandas")
    return pandas.DataFrame({"task": votes.task, "worker": votes.annotator, "label": votes.label})


def fitted(method: Aggregator, votes: Votes, seed: int) -> Fit:
    """What a method makes of votes. Labels that nobody gave are out of the running: models that spread over all labels
    would else give them a part. Raises Missing, and ValueError where there are no votes."""
    np = numpy()
    if method.fit is None or not len(votes):
        raise ValueError("there are no votes" if method.fit else f"{method.name} is for spans")
    given = np.unique(votes.label)
    if method.pairs_only or len(given) == votes.labels:
        return method.fit(votes, seed)
    few = replace(votes, label=np.searchsorted(given, votes.label), labels=len(given))
    fit = method.fit(few, seed)
    posterior = np.zeros((votes.tasks, votes.labels))
    posterior[:, given] = fit.posterior
    return replace(fit, posterior=posterior)


def decided(fit: Fit) -> tuple[Whole, Real]:
    """The label of each task and its probability; NO_LABEL where two are equally likely, or none is."""
    np = numpy()
    posterior = fit.posterior
    best = posterior.argmax(1)
    confidence = posterior[np.arange(len(posterior)), best] if posterior.size else np.zeros(len(posterior))
    drawn = (posterior >= confidence[:, None] - HARDLY).sum(1) > 1
    return np.where(drawn | (confidence <= 0), NO_LABEL, best), confidence


def vouched(votes: Votes, prior: Real, likelihood: Real) -> tuple[Real, Real]:
    """The posterior and `others` of a model in which votes are independent given the label.

    `prior` is [labels], `likelihood` [votes, labels]: P(this vote | label). In logarithms, so that a task with a
    thousand votes is no matter; a vote is taken out by subtracting its own.
    """
    np = numpy()
    logs = np.log(np.maximum(likelihood, 1e-12))
    total = np.tile(np.log(np.maximum(prior, 1e-12)), (votes.tasks, 1))
    np.add.at(total, votes.task, logs)
    without = normalised(total[votes.task] - logs)
    others: Real = without[np.arange(len(votes)), votes.label]
    alone = np.bincount(votes.task, minlength=votes.tasks)[votes.task] < 2
    return normalised(total), np.where(alone, np.nan, others)


def normalised(logs: Real) -> Real:
    np = numpy()
    shifted = np.exp(logs - logs.max(1, keepdims=True))
    found: Real = shifted / shifted.sum(1, keepdims=True)
    return found


def reliabilities(votes: Votes, fit: Fit) -> list[Reliability]:
    """One for each annotator: how often their votes are right, given how likely the others say that each one is.

    The others are not sure either, so the mean of what they say would pull everybody towards chance. Instead, of a vote
    whose label is right with probability p by the others, an annotator who is right with probability a says it with
    a p + (1 - a) (1 - p) / (K - 1), as in a one-coin model. The posterior of a under Jeffreys' prior is taken on a
    grid; its mean is the value, its middle 95 % the interval.
    """
    np = numpy()
    told = ~np.isnan(fit.others)
    who, right = votes.annotator[told], np.clip(fit.others[told], 0.0, 1.0)
    n = np.bincount(who, minlength=votes.annotators)
    wrong = (1 - right) / max(1, len(np.unique(votes.label[told])) - 1)
    logs = np.stack([np.bincount(who, np.log(a * right + (1 - a) * wrong), votes.annotators) for a in grid()], axis=1)
    value, low, high = in_the_middle(logs)
    tables = confusions(votes, fit)
    return [
        Reliability(
            value=float(value[a]) if n[a] else None,
            low=float(low[a]) if n[a] else None,
            high=float(high[a]) if n[a] else None,
            n=int(n[a]),
            confusion=[[round(float(x), 3) for x in row] for row in tables[a]],
            own={name: float(values[a]) for name, values in fit.own.items()},
        )
        for a in range(votes.annotators)
    ]


def grid() -> Real:
    """Shares at equal steps of Jeffreys' prior Beta(½, ½), so that each has the same weight: sin² of equal angles."""
    np = numpy()
    found: Real = np.sin((np.arange(GRID) + 0.5) / GRID * np.pi / 2) ** 2
    return found


def in_the_middle(logs: Real) -> tuple[Real, Real, Real]:
    """Mean and the ends of the middle 95 % of each row of log likelihoods over `grid`."""
    np = numpy()
    weights = normalised(logs)
    reached = weights.cumsum(1)
    at = [np.minimum((reached < level).sum(1), GRID - 1) for level in (0.025, 0.975)]
    return weights @ grid(), grid()[at[0]], grid()[at[1]]


def confusions(votes: Votes, fit: Fit) -> Real:
    """[annotators, true label, label said]: sums of the posterior over an annotator's votes."""
    np = numpy()
    found: Real = np.zeros((votes.annotators, votes.labels, votes.labels))
    np.add.at(found, (votes.annotator, slice(None), votes.label), fit.posterior[votes.task])
    return found
