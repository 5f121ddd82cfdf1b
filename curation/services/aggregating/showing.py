"""What pages tell of fits: the latest ones, who is reliable, where two of them differ, and how an item was decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import F

from curation.models import Decision, Item, Project, Reliability, Run, Task, TaskKind
from curation.services import deciding, fits

SHOWN = 20
PEOPLE = 200
LOOKED_AT = 5000
DIFFERING = 50
AT_ONCE = 500
OF_ITEM = 200
"""Decisions of one item that are told; a ranking of many responses has thousands."""


def latest(project: Project) -> list[Run]:
    """The newest fits, the one in use among them however old it is."""
    found = list(fits.finished(project)[:SHOWN])
    if project.fit_id and all(run.pk != project.fit_id for run in found):
        found += fits.finished(project).filter(pk=project.fit_id)
    return found


def under_way(project: Project) -> Run | None:
    """A fit that is at work or waits, the newest."""
    return Run.objects.filter(project=project, method=fits.METHOD, state__in=Run.LIVE).order_by("-created_at").first()


def people(run: Run, kind: str = "", axis: str = "") -> list[Reliability]:
    """Annotators who are most surely unreliable first: by the upper end of the interval, so that somebody with a
    single answer does not stand before those with hundreds. Those of whom nothing can be said come last; PEOPLE of them
    at most."""
    rows = Reliability.objects.filter(run=run, kind=kind, axis=axis).select_related("annotator")
    return list(rows.order_by(F("high").asc(nulls_last=True), F("value").asc(nulls_last=True), "annotator_id")[:PEOPLE])


def of_annotator(run: Run, annotator_id: int) -> list[Reliability]:
    """What a fit says of one annotator, section by section."""
    rows = Reliability.objects.filter(run=run, annotator=annotator_id).exclude(kind="")
    return list(rows.select_related("annotator").order_by("pk"))


@dataclass(frozen=True, slots=True)
class Difference:
    """One place that two fits decide differently."""

    one: Decision
    other: Decision | None
    item: Item


@dataclass(frozen=True, slots=True)
class Differences:
    rows: list[Difference]
    looked: int
    """Decisions that were compared for them."""
    next: int | None


def differences(one: Run, other: Run, after: int) -> Differences:
    """The next places behind a decision of `one` where the outcomes differ; LOOKED_AT are compared at most."""
    mine = Decision.objects.filter(run=one, pk__gt=after).order_by("pk")
    found: list[tuple[Decision, Decision | None]] = []
    looked, last = 0, after
    while looked < LOOKED_AT and (some := list(mine.filter(pk__gt=last)[:AT_ONCE])):
        theirs = Decision.objects.filter(run=other, task__in={row.task_id for row in some})
        beside = {(row.task_id, row.place): row for row in theirs}
        for row in some:
            looked, last = looked + 1, row.pk
            against = beside.get((row.task_id, row.place))
            if against is None or against.outcome != row.outcome:
                found.append((row, against))
            if len(found) == DIFFERING:
                return Differences(with_items(found), looked, last)
    more = mine.filter(pk__gt=last).exists()
    return Differences(with_items(found), looked, last if more else None)


def with_items(found: Sequence[tuple[Decision, Decision | None]]) -> list[Difference]:
    tasks = Task.objects.filter(pk__in={row.task_id for row, _ in found})
    of = {task.pk: task for task in tasks.select_related("pair__item", "response__item", "item")}
    return [Difference(row, against, item_of(of[row.task_id])) for row, against in found]


def item_of(task: Task) -> Item:
    if task.pair is not None:
        return task.pair.item
    found = task.response.item if task.response is not None else task.item
    assert found is not None
    return found


@dataclass(frozen=True, slots=True)
class Told:
    """How one label of an item was decided."""

    kind: str
    name: str
    responses: tuple[int, ...]
    span: tuple[int, int] | None
    outcome: str
    confidence: float
    votes: int
    how: str
    answer: Any = None


def of_tasks(project: Project, tasks: Sequence[int]) -> list[Told]:
    """What is decided on an item's tasks: by the fit in use, else by the majority of people; by hand before both."""
    tasks = list(tasks[:OF_ITEM])
    run = project.fit_id
    rows = list(Decision.objects.filter(run=run, task__in=tasks).order_by("pk")[:OF_ITEM]) if run else []
    told = [from_row(row) for row in rows if row.kind not in (Decision.Kind.AXIS, Decision.Kind.RANK)]
    return [*compared(project, tasks), *told][:OF_ITEM]


def compared(project: Project, tasks: list[int]) -> list[Told]:
    """Preferences and rankings, axis by axis."""
    if project.kind == TaskKind.RESPONSE:
        return []
    ranked = project.kind == TaskKind.RANKING
    axes = ["overall"] if ranked or not project.protocol else project.protocol.axis_names
    by = str(project.fit_id) if project.fit_id else fits.MAJORITY
    pairs = {
        pk: (first, second)
        for pk, first, second in Task.objects.filter(pk__in=tasks, pair__isnull=False).values_list(
            "pk", "pair__first", "pair__second"
        )
    }
    found = []
    for axis in axes:
        for one in deciding.decisions(project, deciding.Filters(axis=axis, decided_by=by), tasks=tasks):
            responses: tuple[int, ...] = one.responses or pairs.get(one.task_id) or ()
            how = one.how.partition("@")[0]
            kind = Decision.Kind.RANK if ranked else Decision.Kind.AXIS
            found.append(Told(kind, axis, responses, None, one.outcome, one.confidence, one.votes, how))
    return found


def from_row(row: Decision) -> Told:
    span = None if row.start is None or row.end is None else (row.start, row.end)
    responses = (row.response_id,) if row.response_id else ()
    return Told(row.kind, row.name, responses, span, row.outcome, row.confidence, row.votes, row.how, row.answer)
