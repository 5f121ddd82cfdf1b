"""What is said of a span model on responses that it has not seen: sums over the rows kept in `held_out.jsonl`.

Beside every number stands what costs nothing: marking everything, the commonest class, the length of a token or of a
response, and people against each other where several marked one response.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from workers.held_out import share
from workers.judging import Mapped
from workers.marked import Marked, poor, runs
from workers.measures import Span, auroc, average_precision, f_score, marks
from workers.readout import spans_of


@dataclass(frozen=True, slots=True)
class Pointed:
    """One held-out response: what the model says of its tokens, and what people marked."""

    split: str
    row: int
    item: str
    characters: int
    words: int
    places: list[tuple[int, int]]
    values: list[float]
    """The expected worth of each token; below zero it is poor."""
    truth: list[bool]
    """Whether at least half of the annotators marked it as poor."""
    spans: list[list[tuple[int, int, str]]]
    """Of each annotator the poor spans, with their types."""

    @classmethod
    def of(cls, one: Marked, places: list[tuple[int, int]], values: Sequence[float]) -> Pointed:
        spans = [[(m.start, m.end, m.type) for m in marks if m.worth < 0] for marks in one.opinions]
        return cls(
            one.split, one.row, one.item, len(one.response), len(one.response.split()), places,
            [round(value, 5) for value in values], [poor(one, place) for place in places], spans,
        )  # fmt: skip

    @property
    def wanted(self) -> list[Span]:
        return agreed(self.spans)

    def found(self, threshold: float) -> list[Span]:
        """What is read out of it: runs of tokens at or below minus the threshold."""
        mapped = Mapped("token", self.places, self.values)
        return [(start, end) for start, end, _ in spans_of(mapped, -threshold)]


def agreed(opinions: Sequence[Iterable[tuple[int, int, str]]]) -> list[Span]:
    """Places that at least half of the annotators mark."""
    counts: dict[int, int] = {}
    for spans in opinions:
        for place in {place for start, end, _ in spans for place in range(start, end)}:
            counts[place] = counts.get(place, 0) + 1
    return runs(place for place, count in counts.items() if 2 * count >= len(opinions))


def summed(rows: Sequence[Pointed], threshold: float) -> dict[str, Any]:
    """What the page of a run shows of held-out responses."""
    if not rows:
        return {}
    return {
        **pointing(rows),
        "tokens": by_token(rows),
        "spans": by_span(rows, threshold),
        "by_type": by_type(rows, threshold),
        "responses": by_response(rows),
        "people": by_person(rows, threshold),
    }


def pointing(rows: Sequence[Pointed]) -> dict[str, Any]:
    """Of responses with a poor span and something beside it: whether the worst token lies in one; by chance as often
    as a token does."""
    asked = [one for one in rows if any(one.truth) and not all(one.truth)]
    right = sum(one.truth[min(range(len(one.values)), key=one.values.__getitem__)] for one in asked)
    chance = round(fmean(sum(one.truth) / len(one.truth) for one in asked), 4) if asked else None
    return {"held_out": {**share(right, len(asked)), "chance": chance}}


def by_token(rows: Sequence[Pointed]) -> dict[str, Any]:
    truth = [label for one in rows for label in one.truth]
    bad = [-value for one in rows for value in one.values]
    long = [float(end - start) for one in rows for start, end in one.places]
    share = sum(truth) / len(truth) if truth else None
    return {
        "n": len(truth),
        "poor": rounded(share),
        "average_precision": rounded(average_precision(bad, truth)),
        "auroc": rounded(auroc(bad, truth)),
        "longer_token": {
            "average_precision": rounded(average_precision(long, truth)),
            "auroc": rounded(auroc(long, truth)),
        },
    }


def by_span(rows: Sequence[Pointed], threshold: float) -> dict[str, Any]:
    """Characters of the spans that are read out, beside marking everything; marking nothing has an F1 of 0."""
    counts = [marks(one.found(threshold), one.wanted) for one in rows]
    whole = [marks([(0, one.characters)], one.wanted) for one in rows]
    hits, wrong, missed = (sum(column) for column in zip(*counts, strict=True))
    return {
        "threshold": rounded(threshold),
        "precision": rounded(hits / (hits + wrong)) if hits + wrong else None,
        "recall": rounded(hits / (hits + missed)) if hits + missed else None,
        "f1": rounded(f1(counts)),
        "everything": rounded(f1(whole)),
    }


def by_type(rows: Sequence[Pointed], threshold: float) -> dict[str, dict[str, Any]]:
    """F1 on each type of critique: characters under other types count neither for nor against."""
    types = sorted({type for one in rows for spans in one.spans for _, _, type in spans if type})
    return {type: of_type(rows, threshold, type) for type in types}


def of_type(rows: Sequence[Pointed], threshold: float, type: str) -> dict[str, Any]:
    counts, whole, n = [], [], 0
    for one in rows:
        mine = agreed([[span for span in spans if span[2] == type] for spans in one.spans])
        others = [(start, end) for spans in one.spans for start, end, kind in spans if kind != type]
        counts.append(marks(one.found(threshold), mine, others))
        whole.append(marks([(0, one.characters)], mine, others))
        n += len(mine)
    return {"n": n, "f1": rounded(f1(counts)), "everything": rounded(f1(whole))}


def by_response(rows: Sequence[Pointed]) -> dict[str, Any]:
    """Whether the mean over its tokens tells a response with a poor span from one without."""
    truth = [any(one.truth) for one in rows]
    mean = [-fmean(one.values) if one.values else 0.0 for one in rows]
    return {
        "n": len(rows),
        "poor": sum(truth),
        "auroc": rounded(auroc(mean, truth)),
        "longer": rounded(auroc([float(one.words) for one in rows], truth)),
    }


def by_person(rows: Sequence[Pointed], threshold: float) -> dict[str, Any]:
    """Each annotator against what at least half of the others mark; the model against the same."""
    several = [one for one in rows if len(one.spans) > 1]
    people, model, whole = [], [], []
    for one in several:
        found = one.found(threshold)
        for number, mine in enumerate(one.spans):
            others = agreed(one.spans[:number] + one.spans[number + 1 :])
            people.append(marks([(start, end) for start, end, _ in mine], others))
            model.append(marks(found, others))
            whole.append(marks([(0, one.characters)], others))
    if not several:
        return {}
    return {
        "responses": len(several),
        "f1": rounded(f1(people)),
        "model": rounded(f1(model)),
        "everything": rounded(f1(whole)),
    }


def f1(counts: Sequence[tuple[int, int, int]]) -> float | None:
    """Over all rows together."""
    hits, wrong, missed = (sum(column) for column in zip(*counts, strict=True))
    return f_score(hits, wrong, missed)


def rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
