"""From a model's numbers to what it suggests: a preference, an order, spans or verdicts, as the protocol asks them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from math import floor
from statistics import fmean

from curation.models import Protocol
from curation.protocols import Asked, Question
from curation.services.answering import Judged as Verdict
from curation.services.answering import Said, units_in
from curation.services.suggestions import Leaning
from curation.services.taking import ShownResponse
from workers.calibration import Curve
from workers.judging import Mapped
from workers.readout import spans_of

STEPS: dict[int, tuple[float, ...]] = {1: (), 2: (0.9,), 3: (0.7, 0.9)}
"""By the protocol's strengths: the probabilities from which a preference is said one step stronger."""
MOST_SPANS = 100
"""So many spans of one response at most, those that the model feels most strongly about."""
SPAN_THRESHOLD, GOOD = 0.5, 0.5

Spans = Sequence[tuple[int, int]]


def leaning(axis: str, probability: float, protocol: Protocol, tie: float) -> Leaning | None:
    """A preference on the protocol's scale. `tie`: within so much of one half nothing is better, if ties are asked.

    None where the model has no side and the protocol no tie.
    """
    sure = max(probability, 1 - probability)
    if sure == 0.5 and not protocol.allow_tie:
        return None
    if protocol.allow_tie and (sure == 0.5 or sure - 0.5 < tie):
        return Leaning(axis, value=0, probability=probability)
    strength = 1 + sum(sure >= step for step in STEPS[protocol.strengths])
    return Leaning(axis, value=strength if probability > 0.5 else -strength, probability=probability)


def ranked(goodness: Sequence[float]) -> list[int]:
    """Places as in a race: 1 is best, equals share one."""
    return [1 + sum(other > mine for other in goodness) for mine in goodness]


def sureness(goodness: Sequence[float], probability: Curve) -> float:
    """How sure an order is: the mean confidence in its neighbours."""
    ordered = sorted(goodness)
    return fmean(max(p, 1 - p) for p in (probability(high - low) for low, high in pairwise(ordered)))


# --- Spans ------------------------------------------------------------------------------------------


def critiques(
    asked: Asked, response: int, mapped: Iterable[tuple[int, Mapped]], threshold: float, type: str, severity: str
) -> Iterator[Said]:
    """Spans of a response beyond a threshold, by message: poor ones, and good ones where the protocol asks for them."""
    polarities = asked.critiques.polarities
    found = []
    for message, one in mapped:
        if not polarities or "poor" in polarities:
            found += [(message, -1, *span) for span in spans_of(one, -threshold)]
        if "good" in polarities:
            found += [(message, 1, *span) for span in spans_of(one, threshold)]
    strongest = sorted(found, key=lambda span: -abs(span[4]))[:MOST_SPANS]
    for message, sign, start, end, _ in sorted(strongest):
        yield Said(
            response=response,
            message=message,
            start=start,
            end=end,
            type=type,
            severity=severity,
            polarity=sign if polarities else None,
        )


# --- Verdicts ---------------------------------------------------------------------------------------


def question_for(asked: Asked, name: str) -> Question | None:
    """The question that a judge of steps answers: the one named, else the first of a fitting kind, on units first."""
    fitting = [q for q in asked.questions if q.kind in ("yesno", "rating") and (q.name == name or not name)]
    free = [q for q in fitting if name or not q.when]
    return next((q for q in free if q.scope == "unit"), free[0] if free else None)


def verdicts(
    asked: Asked, question: Question, place: int, response: ShownResponse, one: Mapped, threshold: float
) -> Iterator[Verdict]:
    """The question answered for each unit, or for the whole, which is as good as its weakest place."""
    if question.scope == "response":
        if one.values:
            yield Verdict(question.name, answer_of(question, min(one.values), threshold), place)
        return
    for (start, end), value in over_units(units_in(response, asked.unit), one):
        answer = answer_of(question, value, threshold)
        yield Verdict(question.name, answer, place, start=start, end=end)
        if question.stop is not None and answer == question.stop:
            return


def over_units(units: Spans, one: Mapped) -> Iterator[tuple[tuple[int, int], float]]:
    """The value of each unit that the model spoke of: the smallest that overlaps with it."""
    told = list(zip(one.offsets, one.values, strict=True))
    for start, end in units:
        inside = [value for (first, last), value in told if first < end and start < last]
        if inside:
            yield (start, end), min(inside)


def answer_of(question: Question, good: float, threshold: float) -> bool | int:
    """The answer that a probability of being good comes to; on a scale, its place between the two ends."""
    if question.kind == "yesno":
        return good >= threshold
    return question.low + floor(min(1.0, max(0.0, good)) * (question.high - question.low) + 0.5)


def worth(values: Mapping[int, float], responses: Sequence[int], *, cost: bool) -> list[float] | None:
    """The scores of responses so that higher is better, or None if one has none."""
    if any(response not in values for response in responses):
        return None
    return [-values[response] if cost else values[response] for response in responses]
