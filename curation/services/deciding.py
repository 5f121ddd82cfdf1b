"""From answers to decided labels: the majority of the answers that stand, per pair and axis.

Answers stream in the order of their tasks, so deciding a project of any size takes constant memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from django.db.models import Max
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from curation.errors import Invalid
from curation.models import Annotation, Project
from curation.services.reading import stream

FIRST, SECOND, TIE, BOTH_BAD, UNDECIDED = "first", "second", "tie", "both_bad", "undecided"

WHO: dict[str, str] = {
    "people": "r.kind = 'person'",
    "signed-in": "r.kind = 'person' AND r.user_id IS NOT NULL",
    "imported": "r.kind = 'person' AND r.user_id IS NULL",
    "models": "r.kind = 'model'",
    "all": "1 = 1",
}
"""Whose answers decide, as a condition on the annotator."""


class Filters(BaseModel):
    """What is selected for a version, and when a label counts as decided."""

    model_config = ConfigDict(extra="forbid")

    axis: str = Field(default="overall", max_length=40, description="the axis whose preference is exported")
    annotators: Literal["people", "signed-in", "imported", "models", "all"] = Field(
        default="people", description="whose answers decide"
    )
    min_annotations: int = Field(default=1, ge=1, le=1000, description="fewest answers on a pair")
    min_confidence: float = Field(default=0.0, ge=0, le=1, description="smallest share of the answers for the winner")
    min_margin: float = Field(default=0.0, ge=0, le=3, description="smallest strength of the decided preference")


@dataclass(frozen=True, slots=True)
class Decision:
    """The decided label of one pair on one axis."""

    task_id: int
    pair_id: int
    axis: str
    outcome: str
    value: float | None
    confidence: float
    votes: int
    annotations: list[int]
    how: str = "majority"


def filters_from(given: Any) -> Filters:
    """Checked filters. Raises Invalid naming the field."""
    try:
        return Filters.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"])
        raise Invalid(first["msg"], field=f"filters.{path}".rstrip(".")) from None


def last_annotation(project: Project) -> int:
    """The id up to which answers are taken: what comes later does not change a version under way."""
    return Annotation.objects.filter(project=project).aggregate(n=Max("pk"))["n"] or 0


STANDING = """
FROM curation_annotation a
JOIN curation_annotator r ON r.id = a.annotator_id
JOIN curation_preference p ON p.annotation_id = a.id
JOIN curation_task t ON t.id = a.task_id
WHERE a.project_id = %s AND a.event = 'answer' AND a.counted AND a.id <= %s
  AND NOT EXISTS (SELECT 1 FROM curation_annotation later WHERE later.supersedes_id = a.id AND later.id <= %s)
"""


def annotated_tasks(project: Project, *, after: int, most: int) -> list[int]:
    """The ids of the next tasks behind `after` on which anybody did anything, in order."""
    rows = (
        Annotation.objects.filter(project=project, task_id__gt=after)
        .order_by("task_id")
        .values_list("task_id", flat=True)
    )
    return list(rows.distinct()[:most])


def decisions(
    project: Project, filters: Filters, *, as_of: int | None = None, tasks: Sequence[int] | None = None
) -> Iterator[Decision]:
    """The decision of every pair that has an answer, in the order of its task.

    `as_of` leaves out annotations with a higher id; `tasks` leaves out all other tasks.
    """
    if tasks is not None and not tasks:
        return
    upto = last_annotation(project) if as_of is None else as_of
    some = f" AND a.task_id IN ({', '.join(['%s'] * len(tasks))})" if tasks else ""
    rows = stream(
        f"SELECT a.task_id, t.pair_id, a.id, p.value, p.both_bad {STANDING}"
        f" AND p.axis = %s AND {WHO[filters.annotators]}{some} ORDER BY a.task_id, a.id",
        [project.pk, upto, upto, filters.axis, *(tasks or ())],
    )
    for (task_id, pair_id), votes in groupby(rows, key=lambda row: row[:2]):
        yield decide(task_id, pair_id, filters.axis, [(pk, value, bool(bad)) for _, _, pk, value, bad in votes])


def decide(task_id: int, pair_id: int, axis: str, votes: Sequence[tuple[int, int | None, bool]]) -> Decision:
    """Majority over first, second, tie and both bad. The value is the mean strength of the winning side's answers,
    negative when the first is better; without a majority the pair is undecided."""
    if len(votes) == 1:
        pk, strength, bad = votes[0]
        given_value = None if bad or strength is None else float(strength)
        return Decision(task_id, pair_id, axis, side(strength, bad), given_value, 1.0, 1, [pk])
    sides = Counter(side(value, bad) for _, value, bad in votes)
    (winner, most), *others = sides.most_common()
    drawn = bool(others) and others[0][1] == most
    outcome = UNDECIDED if drawn else winner
    value = None
    if outcome in (FIRST, SECOND, TIE):
        given = [v for _, v, bad in votes if side(v, bad) == outcome and v is not None]
        value = sum(given) / len(given)
    ids = [pk for pk, _, _ in votes]
    return Decision(task_id, pair_id, axis, outcome, value, most / len(votes), len(votes), ids)


def side(value: int | None, both_bad: bool) -> str:
    if both_bad or value is None:
        return BOTH_BAD
    return TIE if value == 0 else FIRST if value < 0 else SECOND


def dropped_because(decision: Decision, filters: Filters) -> str | None:
    """Why a decision does not become a row, or None when it does."""
    if decision.votes < filters.min_annotations:
        return "too few answers"
    if decision.outcome not in (FIRST, SECOND):
        return {TIE: "tie", BOTH_BAD: "both bad", UNDECIDED: "no majority"}[decision.outcome]
    if decision.confidence < filters.min_confidence:
        return "below the confidence"
    if abs(decision.value or 0) < filters.min_margin:
        return "below the margin"
    return None
