"""What to do next, slice by slice: where the model errs, where people disagree, and whether labels still help.

From how often two people disagree follows how often one of them errs, if both err alike and by chance: d = 2 q (1 - q).
The majority of v such people errs with a probability that is binomial. Where that explains half of the held-out error
or more, more labels of the same kind cannot help: more answers to each can.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb, sqrt

from workers.intervals import Estimate, Share, wilson

THRESHOLD = 0.005
"""A gain of the next hundred labels that is surely below half a point is not worth them."""
FEWEST_CASES, FEWEST_VOTES = 20, 20
STOP, LABEL, OVERLAP, GO_ON, UNKNOWN = "stop", "label", "overlap", "go on", "too few"


@dataclass(frozen=True, slots=True)
class Slice:
    """One slice: labels, held-out cases with their error, and two people's answers to one pair with how many differ."""

    name: str
    labels: int
    error: Share
    disagreement: Share
    votes: float
    """Answers behind a label, in the mean."""

    @property
    def floor(self) -> float | None:
        """The held-out error that people's own disagreement explains; None where it is not known."""
        if self.disagreement.n < FEWEST_VOTES or self.disagreement.share is None:
            return None
        return majority_error(one_errs(self.disagreement.share), max(1, round(self.votes)))


def one_errs(disagreement: float) -> float:
    """How often one person errs, if two differ so often."""
    return (1 - sqrt(max(0.0, 1 - 2 * disagreement))) / 2


def majority_error(one: float, votes: int) -> float:
    """How often the majority of so many errs; half of the ties."""
    found = 0.0
    for wrong in range(votes + 1):
        chance = comb(votes, wrong) * one**wrong * (1 - one) ** (votes - wrong)
        found += chance * (1.0 if 2 * wrong > votes else 0.5 if 2 * wrong == votes else 0.0)
    return found


def shares(misses: list[float]) -> Share:
    """A share of cases that were missed by some of the heads only: as many as their sum, rounded."""
    return wilson(round(sum(misses)), len(misses))


def advice_of(one: Slice, overall: float, gain: Estimate, threshold: float = THRESHOLD) -> str:
    """What follows for a slice: `overlap`, `label`, `stop`, `go on`, or `too few` to tell."""
    if one.error.n < FEWEST_CASES or one.error.share is None or one.error.low is None:
        return UNKNOWN
    if one.floor is not None and one.error.share > 0 and one.floor >= one.error.share / 2:
        return OVERLAP
    if one.error.low > overall:
        return LABEL
    return STOP if gain.high < threshold else GO_ON


def overall_advice(slices: list[Slice], advice: list[str], gain: Estimate, threshold: float = THRESHOLD) -> str:
    """What follows for the whole: stop where no hundred labels would help; else the slice that needs it first."""
    if gain.high < threshold:
        return STOP
    worst = [
        (one.error.share or 0.0, said) for one, said in zip(slices, advice, strict=True) if said in (LABEL, OVERLAP)
    ]
    return max(worst)[1] if worst else GO_ON
