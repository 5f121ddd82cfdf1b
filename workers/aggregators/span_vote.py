"""Overlap voting on spans: a character is marked where enough of those who looked marked it.

The character-level vote of span annotation (as in Da San Martino et al. 2019, EMNLP, who evaluate spans by characters),
with weights: an annotator's weight is how far they agree with the decision of all others. Three steps, all exact:
decide with equal weights; weigh each annotator by the soft F1 (Dice 1945, over characters) of their spans against the
decision of the others alone; decide again. A stretch that is marked by `threshold` of the weight or more is a span; its
type and its severity are the weightiest ones in it, its confidence is the share of the weight that marks it, averaged
over its characters. Simplified: two spans of one type that touch become one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from workers.aggregating import Aggregator, aggregators
from workers.intervals import Estimate, estimate

LEAST = 0.05
"""No weight is lower, so that two who never agree still decide something together."""
RESAMPLES = 400


class Mark(NamedTuple):
    """What one annotator marked: [start, end) in code points, and as what."""

    start: int
    end: int
    type: str = ""
    severity: str = ""
    polarity: int | None = None
    annotation: int = 0


@dataclass(frozen=True, slots=True)
class Decided:
    """A span that is decided, with the share of the weight behind it."""

    start: int
    end: int
    type: str
    severity: str
    polarity: int | None
    confidence: float
    annotations: list[int]


Text = Mapping[int, Sequence[Mark]]
"""Of one text: the marks of every annotator who looked at it, an empty list of one who found nothing."""


@dataclass(frozen=True, slots=True)
class SpanFit:
    """What came of several texts: the spans of each, and how far each annotator agrees with the others."""

    spans: list[list[Decided]]
    reliability: dict[int, Estimate | None]
    """None where neither an annotator nor the others ever marked anything."""
    n: dict[int, int]
    """Texts on which an annotator can be held against others."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """Characters of an annotator's own spans, of the others' decision, and of both."""

    own: int
    theirs: int
    both: int


def fit(texts: Sequence[Text], threshold: float, seed: int) -> SpanFit:
    """Weigh each annotator by the others, then decide every text with these weights."""
    each: dict[int, list[Overlap]] = defaultdict(list)
    for text in texts:
        for who, overlap in overlaps(text, threshold).items():
            each[who].append(overlap)
    found = {who: reliability(mine, seed) for who, mine in sorted(each.items())}
    weights = {who: told.value for who, told in found.items() if told is not None}
    spans = [decide(text, weights, threshold) for text in texts]
    return SpanFit(spans, found, {who: len(mine) for who, mine in each.items()})


def decide(text: Text, weights: Mapping[int, float] | None = None, threshold: float = 0.5) -> list[Decided]:
    """The spans of one text, in their order."""
    total = sum(weight(weights, who) for who in text)
    if not total:
        return []
    edges = sorted({edge for marks in text.values() for mark in marks for edge in (mark.start, mark.end)})
    found: list[Decided] = []
    for low, high in zip(edges, edges[1:], strict=False):
        over = {who: [m for m in marks if m.start < high and m.end > low] for who, marks in text.items()}
        share = sum(weight(weights, who) for who, marks in over.items() if marks) / total
        if share < threshold - 1e-9:
            continue
        kind = weightiest((mark.type, weight(weights, who)) for who, marks in over.items() for mark in marks)
        if found and found[-1].end == low and found[-1].type == kind:
            last = found.pop()
            mean = (last.confidence * (low - last.start) + share * (high - low)) / (high - last.start)
            found.append(Decided(last.start, high, kind, "", None, mean, []))
        else:
            found.append(Decided(low, high, kind, "", None, share, []))
    return [labelled(one, text, weights) for one in found]


def labelled(one: Decided, text: Text, weights: Mapping[int, float] | None) -> Decided:
    """A span with the severity and polarity that those who marked it as its type say, by weight times overlap."""
    said = [
        (mark, weight(weights, who) * (min(mark.end, one.end) - max(mark.start, one.start)))
        for who, marks in text.items()
        for mark in marks
        if mark.start < one.end and mark.end > one.start
    ]
    mine = [(mark, w) for mark, w in said if mark.type == one.type]
    severity = weightiest((mark.severity, w) for mark, w in mine)
    pole = weightiest((str(mark.polarity), w) for mark, w in mine if mark.polarity is not None)
    behind = sorted({mark.annotation for mark, _ in said if mark.annotation})
    return Decided(
        one.start, one.end, one.type, severity, int(pole) if pole else None, min(1.0, one.confidence), behind
    )


def weightiest(said: Iterable[tuple[str, float]]) -> str:
    """The label with most weight; of equals the first by name, so that nothing hangs on an order."""
    sums: dict[str, float] = defaultdict(float)
    for label, w in said:
        sums[label] += w
    return min(sums, key=lambda label: (-round(sums[label], 9), label)) if sums else ""


def weight(weights: Mapping[int, float] | None, who: int) -> float:
    return 1.0 if weights is None else max(LEAST, weights.get(who, 0.5))


def overlaps(text: Text, threshold: float = 0.5) -> dict[int, Overlap]:
    """How far each annotator of a text agrees with what the others alone decide; of at least two annotators."""
    if len(text) < 2:
        return {}
    found = {}
    for who, marks in text.items():
        theirs = decide({other: given for other, given in text.items() if other != who}, None, threshold)
        own = merged([(mark.start, mark.end) for mark in marks])
        other = merged([(span.start, span.end) for span in theirs])
        found[who] = Overlap(width(own), width(other), common(own, other))
    return found


def soft_f1(each: Sequence[Overlap]) -> float | None:
    """Over all texts together; None where neither side marked anything, for then there is nothing to agree on."""
    marked = sum(one.own + one.theirs for one in each)
    return 2 * sum(one.both for one in each) / marked if marked else None


def reliability(each: Sequence[Overlap], seed: int) -> Estimate | None:
    """The soft F1 of one annotator over texts, with the interval of a bootstrap over texts."""
    value = soft_f1(each)
    if value is None:
        return None
    chance = Random(seed)
    drawn = [soft_f1(chance.choices(each, k=len(each))) for _ in range(RESAMPLES)]
    told = [one for one in drawn if one is not None]
    return estimate(value, told) if len(told) > 1 else Estimate(value, value, value)


def merged(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        elif end > start:
            found.append((start, end))
    return found


def width(spans: Sequence[tuple[int, int]]) -> int:
    return sum(end - start for start, end in spans)


def common(one: Sequence[tuple[int, int]], other: Sequence[tuple[int, int]]) -> int:
    """Characters in both of two lists of spans that are apart and in order."""
    i = j = found = 0
    while i < len(one) and j < len(other):
        found += max(0, min(one[i][1], other[j][1]) - max(one[i][0], other[j][0]))
        if one[i][1] < other[j][1]:
            i += 1
        else:
            j += 1
    return found


aggregators.add(
    Aggregator(
        name="span_vote",
        title="Overlap vote",
        about="A character is marked where enough of those who looked marked it, weighed by how far they agree.",
        spans=fit,
    )
)
