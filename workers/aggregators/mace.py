"""MACE: an annotator either knows the label or answers out of habit; who does which is found by variational EM.

Hovy, Berg-Kirkpatrick, Vaswani and Hovy 2013, Learning Whom to Trust with MACE, NAACL-HLT, 1120-1130. With
probability `competence` a vote is the true label, else it is drawn from the annotator's own habit. Fitted by crowd-kit
(Apache-2.0), of whose release 1.4.2 two things are worked around: it reads the habits in the order of sorted names but
keeps them in that of first appearance, so votes are numbered by first appearance here, where both are the same; and
its restarts all begin at the same place, so here each has a seed of its own, and the likeliest is kept.
"""

from __future__ import annotations

from typing import Any

from workers.aggregating import Aggregator, Fit, Votes, aggregators, frame, library, numpy, vouched

RESTARTS = 3


def fit(votes: Votes, seed: int) -> Fit:
    """The likeliest of RESTARTS fits, each from other starting values that follow from the seed."""
    np = numpy()
    data = frame(votes)
    numbers = {}
    for column in ("task", "worker", "label"):
        data[column], numbers[column] = library("pandas").factorize(data[column])
    best, found = -np.inf, None
    for restart in range(RESTARTS):
        model = library("crowdkit.aggregation").MACE(n_restarts=1, random_state=seed * RESTARTS + restart).fit(data)
        competence, habits = in_order(votes, model, numbers)
        likelihood = of_votes(votes, competence, habits)
        likely = log_likelihood(votes, likelihood)
        if found is None or likely > best + 1e-9:
            best, found = likely, (competence, likelihood)
    assert found is not None
    competence, likelihood = found
    posterior, others = vouched(votes, np.full(votes.labels, 1 / votes.labels), likelihood)
    posterior[votes.counts().sum(1) == 0] = 0.0
    return Fit(posterior, others, {"competence": competence.tolist()})


def in_order(votes: Votes, model: Any, numbers: dict[str, Any]) -> tuple[Any, Any]:
    """Competence [annotators] and habits [annotators, labels] under our own numbers; the variational step leaves them
    short of summing to 1, which is made good."""
    np = numpy()
    spamming = model.spamming_ / model.spamming_.sum(1, keepdims=True)
    drawn = model.thetas_ / model.thetas_.sum(1, keepdims=True)
    competence, habits = np.full(votes.annotators, 0.5), np.full((votes.annotators, votes.labels), 1 / votes.labels)
    competence[numbers["worker"]] = spamming[:, 1]
    habits[np.ix_(numbers["worker"], numbers["label"])] = drawn
    return competence, habits


def of_votes(votes: Votes, competence: Any, habits: Any) -> Any:
    """[votes, labels]: P(vote | true label)."""
    np = numpy()
    by_habit = (1 - competence[votes.annotator]) * habits[votes.annotator, votes.label]
    likelihood = np.repeat(by_habit[:, None], votes.labels, axis=1)
    likelihood[np.arange(len(votes)), votes.label] += competence[votes.annotator]
    return likelihood


def log_likelihood(votes: Votes, likelihood: Any) -> float:
    np = numpy()
    total = np.zeros((votes.tasks, votes.labels))
    np.add.at(total, votes.task, np.log(np.maximum(likelihood, 1e-12)))
    top = total.max(1)
    return float((top + np.log(np.exp(total - top[:, None]).mean(1))).sum())


aggregators.add(
    Aggregator(
        name="mace",
        title="MACE",
        about="Tells annotators who know from those who answer out of habit; good with few answers of each.",
        fit=fit,
    )
)
