"""What is said of a sentence judge on held-out answers: each stage for itself, and the four cells of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from workers.held_marks import rounded
from workers.held_out import share
from workers.measures import auroc, average_precision, balanced_accuracy, f_score
from workers.sentenced import CELLS, UNKNOWN

CUTS = 200
"""So many thresholds are tried."""


@dataclass(frozen=True, slots=True)
class Sifted:
    """One held-out answer: of each sentence the probabilities that it is faithful and correct, and what people say."""

    split: str
    row: int
    item: str
    faithful: list[float]
    correct: list[float]
    is_faithful: list[float]
    is_correct: list[float]
    words: list[int]


def known(rows: Sequence[Sifted], stage: str) -> list[tuple[float, bool, int]]:
    """Of every sentence whose label is known: the probability of yes, the label, its words."""
    return [
        (value, label == 1, words)
        for one in rows
        for value, label, words in zip(
            getattr(one, stage), getattr(one, f"is_{stage}"), one.words, strict=True
        )
        if label != UNKNOWN
    ]  # fmt: skip


def best_cut(rows: Sequence[Sifted], stage: str) -> float | None:
    """The threshold with the best balanced accuracy of a stage; None where it has one class only."""
    told = known(rows, stage)
    truth = [good for _, good, _ in told]
    values = sorted({value for value, _, _ in told})
    best: tuple[float, float] | None = None
    for cut in values[:: max(1, len(values) // CUTS)]:
        found = balanced_accuracy([value >= cut for value, _, _ in told], truth)
        if found is not None and (best is None or found > best[1]):
            best = (cut, found)
    return best[0] if best and best[0] > 0 else None


def summed(rows: Sequence[Sifted], stage: str, threshold: float) -> dict[str, Any]:
    """What the page of a run shows; `stage` is the one that the model's score speaks of, cut at the threshold."""
    if not rows:
        return {}
    cuts = {"faithful": 0.5, "correct": 0.5} | {stage: threshold}
    return {
        **by_answer(rows, stage, threshold),
        "threshold": rounded(threshold),
        "faithful": by_stage(known(rows, "faithful"), cuts["faithful"]),
        "correct": by_stage(known(rows, "correct"), cuts["correct"]),
        **({"cells": cells(rows, cuts["correct"])} if both(rows) else {}),
        **({"unfaithful_is_wrong": rule(rows, cuts["faithful"])} if known(rows, "correct") else {}),
    }


def by_answer(rows: Sequence[Sifted], stage: str, threshold: float) -> dict[str, Any]:
    """Whether an answer holds a bad sentence: said if any is below the threshold. `majority`: the commoner one."""
    told, truth = [], []
    for one in rows:
        labels = [label for label in getattr(one, f"is_{stage}") if label != UNKNOWN]
        if labels:
            told.append(min(getattr(one, stage)) < threshold)
            truth.append(0.0 in labels)
    if not truth:
        return {}
    majority = max(sum(truth), len(truth) - sum(truth)) / len(truth)
    right = sum(said == bad for said, bad in zip(told, truth, strict=True))
    return {"held_out": {**share(right, len(truth)), "majority": rounded(majority)}}


def by_stage(told: Sequence[tuple[float, bool, int]], cut: float) -> dict[str, Any]:
    """A "no" is what is looked for: unfaithful, or wrong."""
    if not told:
        return {}
    bad = [not good for _, good, _ in told]
    said = [value < cut for value, _, _ in told]
    return {
        "n": len(told),
        "no": rounded(sum(bad) / len(bad)),
        "balanced_accuracy": rounded(balanced_accuracy(said, bad)),
        "f1": rounded(f1(said, bad)),
        "always_no": rounded(f1([True] * len(bad), bad)),
        "auroc": rounded(auroc([-value for value, _, _ in told], bad)),
        "average_precision": rounded(average_precision([-value for value, _, _ in told], bad)),
        "longer": rounded(auroc([float(words) for _, _, words in told], bad)),
    }


def f1(said: Sequence[bool], true: Sequence[bool]) -> float | None:
    hits = sum(one and other for one, other in zip(said, true, strict=True))
    return f_score(hits, sum(said) - hits, sum(true) - hits)


def both(rows: Sequence[Sifted]) -> list[tuple[float, bool, bool]]:
    """Sentences of which both labels are known: the probability of correct, faithful, correct."""
    return [
        (value, faithful == 1, correct == 1)
        for one in rows
        for value, faithful, correct in zip(one.correct, one.is_faithful, one.is_correct, strict=True)
        if UNKNOWN not in (faithful, correct)
    ]


def cells(rows: Sequence[Sifted], cut: float) -> dict[str, Any]:
    """In each of the four cells the share of sentences whose truth is said rightly; one stage alone fails in two."""
    found: dict[str, Any] = {}
    for number, name in enumerate(CELLS):
        wanted = (number < 2, number % 2 == 0)
        told = [(value >= cut) == correct for value, faithful, correct in both(rows) if (faithful, correct) == wanted]
        found[name] = {"n": len(told), "right": rounded(sum(told) / len(told)) if told else None}
    return found


def rule(rows: Sequence[Sifted], cut: float) -> dict[str, Any]:
    """The shortcut that takes what the documents do not support for wrong, by the model's own first stage."""
    told = [
        (faithful < cut, label == 0)
        for one in rows
        for faithful, label in zip(one.faithful, one.is_correct, strict=True)
        if label != UNKNOWN
    ]
    said, bad = [one for one, _ in told], [other for _, other in told]
    return {"balanced_accuracy": rounded(balanced_accuracy(said, bad)), "f1": rounded(f1(said, bad))}
