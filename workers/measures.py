"""How well scores of tokens, steps and sentences say what people marked: pure functions of scores and labels.

Ties are counted as in scikit-learn: no order within equal scores is better than another. What is not defined (one
class only, nothing marked) is None, never a number.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

Span = tuple[int, int]


def auroc(scores: Sequence[float], labels: Sequence[bool]) -> float | None:
    """The chance that a true one scores above a false one, ties as a half (Mann and Whitney 1947)."""
    positive = sum(labels)
    negative = len(labels) - positive
    if not positive or not negative:
        return None
    below = won = 0.0
    for _, group in groupby(sorted(zip(scores, labels, strict=True), key=lambda one: one[0]), key=lambda one: one[0]):
        told = [label for _, label in group]
        hits = sum(told)
        misses = len(told) - hits
        won += hits * (below + misses / 2)
        below += misses
    return won / (positive * negative)


def average_precision(scores: Sequence[float], labels: Sequence[bool]) -> float | None:
    """The sum of (R_n - R_n-1) P_n over the distinct scores, from the highest; by chance the share of true ones."""
    positive = sum(labels)
    if not positive:
        return None
    found = taken = 0
    total = 0.0
    ordered = sorted(zip(scores, labels, strict=True), key=lambda one: -one[0])
    for _, group in groupby(ordered, key=lambda one: one[0]):
        told = [label for _, label in group]
        found += sum(told)
        taken += len(told)
        total += sum(told) / positive * found / taken
    return total


def f_score(hits: float, wrong: float, missed: float, beta: float = 1.0) -> float | None:
    """F of precision and recall; a beta below 1 asks for precision. None where nothing is true and nothing marked."""
    square = beta * beta
    whole = (1 + square) * hits + square * missed + wrong
    return (1 + square) * hits / whole if whole else None


def best_threshold(scores: Sequence[float], labels: Sequence[bool], beta: float = 1.0) -> tuple[float, float] | None:
    """The score at or above which marking gives the highest F, and that F; of equal ones the highest score."""
    positive = sum(labels)
    best: tuple[float, float] | None = None
    found = taken = 0
    ordered = sorted(zip(scores, labels, strict=True), key=lambda one: -one[0])
    for score, group in groupby(ordered, key=lambda one: one[0]):
        told = [label for _, label in group]
        found += sum(told)
        taken += len(told)
        value = f_score(found, taken - found, positive - found, beta) or 0.0
        if value > 0 and (best is None or value > best[1]):
            best = (score, value)
    return best


def balanced_accuracy(told: Sequence[bool], labels: Sequence[bool]) -> float | None:
    """The mean of the shares that are right among the true and among the false; by chance a half."""
    both = list(zip(told, labels, strict=True))
    right = [[said == label for said, label in both if label == wanted] for wanted in (True, False)]
    if not all(right):
        return None
    return sum(sum(part) / len(part) for part in right) / 2


def covered(spans: Iterable[Span]) -> set[int]:
    """The places that spans cover."""
    return {place for start, end in spans for place in range(start, end)}


def marks(found: Iterable[Span], true: Iterable[Span], left_out: Iterable[Span] = ()) -> tuple[int, int, int]:
    """Places marked rightly, marked wrongly and missed; what `left_out` covers besides the true ones counts nowhere."""
    wanted, said = covered(true), covered(found)
    said -= covered(left_out) - wanted
    return len(said & wanted), len(said - wanted), len(wanted - said)


def first_wrong(good: Sequence[float], threshold: float = 0.5) -> int | None:
    """The first step whose probability of being good is below the threshold."""
    return next((place for place, value in enumerate(good) if value < threshold), None)


def first_errors(told: Sequence[int | None], true: Sequence[int | None]) -> dict[str, float | int | None]:
    """ProcessBench (arXiv 2412.06559): the share of wrong solutions whose first error is named exactly, the share of
    right ones that are said to be right, and their harmonic mean."""
    both = list(zip(told, true, strict=True))
    wrong = [said == place for said, place in both if place is not None]
    right = [said is None for said, place in both if place is None]
    on_wrong = sum(wrong) / len(wrong) if wrong else None
    on_right = sum(right) / len(right) if right else None
    f1 = None
    if on_wrong is not None and on_right is not None:
        f1 = 2 * on_wrong * on_right / (on_wrong + on_right) if on_wrong + on_right else 0.0
    return {"on_wrong": on_wrong, "on_right": on_right, "f1": f1, "wrong": len(wrong), "right": len(right)}
