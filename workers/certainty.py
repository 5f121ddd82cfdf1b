"""How sure a label is after some answers: the posterior of the likeliest class, annotators erring alike on all.

Each annotator says the true one of K classes with probability a, and each of the others with (1 - a) / (K - 1): the
one-parameter model of Dawid & Skene (1979, "Maximum likelihood estimation of observer error-rates using the EM
algorithm"), with a uniform prior over the classes. Votes are taken to be independent given the truth. An annotator of
whom nothing is known yet has the mean of a Beta(3, 1), 0.75.

Simplified: one accuracy for all classes, taken as known; nothing is learnt about the annotators here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from math import exp, log

UNKNOWN = 0.75
"""Mean of the Beta(3, 1) prior on an annotator's accuracy."""
SUREST = 0.99
"""No annotator is taken to be right more often, so that no single answer settles everything."""
Vote = tuple[Hashable, float | None]
"""A label, and how often its annotator is right (0 to 1), None when that is unknown."""


def likeliest(votes: Sequence[Vote], classes: int) -> float:
    """The posterior probability of the likeliest of `classes` labels, from 1 / classes without votes up to 1."""
    classes = max(classes, 2, len({label for label, _ in votes}))
    scores: defaultdict[Hashable, float] = defaultdict(float)
    for label, accuracy in votes:
        scores[label] += weight(UNKNOWN if accuracy is None else accuracy, classes)
    top = max(scores.values(), default=0.0)  # never below 0, which is what a class without a vote has
    return 1 / (sum(exp(score - top) for score in scores.values()) + (classes - len(scores)) * exp(-top))


def weight(accuracy: float, classes: int) -> float:
    """The log-odds that one vote adds to its label; none for one who guesses or errs more than a guess."""
    right = min(max(accuracy, 1 / classes), SUREST)
    return log(right * (classes - 1) / (1 - right))
