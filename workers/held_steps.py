"""What is said of a judge of steps or sentences on rows that it has not seen, beside what costs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from workers.held_marks import rounded
from workers.held_out import share
from workers.measures import auroc, average_precision, balanced_accuracy, first_errors, first_wrong


@dataclass(frozen=True, slots=True)
class Walked:
    """One held-out response: of each judged step the probability that it is right, and whether people say so."""

    split: str
    row: int
    item: str
    values: list[float]
    truth: list[bool]
    words: list[int]

    @property
    def wrong(self) -> int | None:
        return next((n for n, good in enumerate(self.truth) if not good), None)


def summed(rows: Sequence[Walked], threshold: float) -> dict[str, Any]:
    """What the page of a run shows of held-out responses; a step below the threshold is wrong."""
    if not rows:
        return {}
    told, true = [first_wrong(one.values, threshold) for one in rows], [one.wrong for one in rows]
    right = sum(said == place for said, place in zip(told, true, strict=True))
    majority = sum(place is None for place in true)
    return {
        "held_out": {**share(right, len(rows)), "always_right": rounded(majority / len(rows))},
        "first_errors": {name: tidy(value) for name, value in first_errors(told, true).items()},
        "steps": by_step(rows, threshold),
        "threshold": rounded(threshold),
    }


def tidy(value: float | int | None) -> float | int | None:
    return value if isinstance(value, int) else rounded(value)


def by_step(rows: Sequence[Walked], threshold: float) -> dict[str, Any]:
    """Wrong steps among all: by the judge, by the length of a step, by how late it comes."""
    truth = [not good for one in rows for good in one.truth]
    said = [value < threshold for one in rows for value in one.values]
    bad = [-value for one in rows for value in one.values]
    right = sum(label == told for label, told in zip(truth, said, strict=True))
    return {
        "n": len(truth),
        "wrong": rounded(sum(truth) / len(truth)),
        "accuracy": rounded(right / len(truth)),
        "balanced_accuracy": rounded(balanced_accuracy(said, truth)),
        "auroc": rounded(auroc(bad, truth)),
        "average_precision": rounded(average_precision(bad, truth)),
        "longer": rounded(auroc([float(count) for one in rows for count in one.words], truth)),
        "later": rounded(auroc([float(place) for one in rows for place in range(len(one.truth))], truth)),
    }


def best_cut(rows: Sequence[Walked]) -> float | None:
    """The threshold with the highest F1 of first errors; None where nothing is wrong, or nothing is right."""
    true = [one.wrong for one in rows]
    values = sorted({value for one in rows for value in one.values})
    cuts = values[:: max(1, len(values) // CUTS)]
    best: tuple[float, float] | None = None
    for cut in cuts:
        f1 = first_errors([first_wrong(one.values, cut) for one in rows], true)["f1"]
        if f1 is not None and (best is None or f1 > best[1]):
            best = (cut, f1)
    return best[0] if best and best[1] > 0 and best[0] > 0 else None


CUTS = 200
"""So many thresholds are tried."""
