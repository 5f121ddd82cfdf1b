"""The tasks on which answers differ, those that differ most first: a window at a time, never the whole project.

A window is LOOKED_AT tasks with two standing answers or more; its tasks are ordered by how far their answers are apart,
and the next window begins behind it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

from django.db.models import Count, Max

from curation.models import Annotation, Annotator, Project, Task
from curation.services.agreeing import Content, contents, order, overlap_f1, side
from curation.services.deciding import annotated_tasks

LOOKED_AT = 400
MOST_ANSWERS = 12
"""Of a task with more answers the first are compared with each other: their number grows with the square."""


@dataclass(frozen=True, slots=True)
class Disputed:
    """A task with how far its answers are apart, from 0 to 1, and who answered."""

    task: Task
    distance: float
    people: int
    machines: int


@dataclass(frozen=True, slots=True)
class Found:
    """The disputed tasks of a window, and the key of the next one; None at the end."""

    tasks: list[Disputed]
    next: int | None


def disputed(project: Project, *, after: int = 0, decided: bool = False) -> Found:
    """A window of tasks behind the task `after`; `decided`: also those that were adjudicated since the last answer."""
    ids = annotated_tasks(project, after=after, most=LOOKED_AT)
    answers = Annotation.objects.answers().filter(task__in=ids)
    many = answers.values("task").annotate(n=Count("pk"), last=Max("pk")).filter(n__gt=1)
    last = {row["task"]: row["last"] for row in many}
    if not decided:
        done = adjudicated(list(last))
        last = {task: pk for task, pk in last.items() if done.get(task, 0) < pk}
    rows = answers.filter(task__in=last).order_by("task_id", "pk").values_list("task_id", "pk", "annotator__kind")
    by_task: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for task, pk, kind in rows:
        by_task[task].append((pk, kind))
    said = contents(project, [pk for each in by_task.values() for pk, _ in each])
    apart = {task: distance([said[pk] for pk, _ in each[:MOST_ANSWERS]]) for task, each in by_task.items()}
    tasks = Task.objects.filter(pk__in=[task for task, far in apart.items() if far > 0], state__in=("open", "complete"))
    shown = tasks.select_related("pair__item", "response__item", "item")
    found = [Disputed(task, apart[task.pk], *kinds(by_task[task.pk])) for task in shown]
    found.sort(key=lambda one: (-one.distance, one.task.pk))
    return Found(found, ids[-1] if len(ids) == LOOKED_AT else None)


def kinds(answers: Sequence[tuple[int, str]]) -> tuple[int, int]:
    people = sum(kind == Annotator.Kind.PERSON for _, kind in answers)
    return people, len(answers) - people


def adjudicated(tasks: Sequence[int]) -> dict[int, int]:
    """The last annotation by which each of some tasks was adjudicated."""
    from curation.models import Adjudication

    rows = Adjudication.objects.filter(annotation__task__in=tasks, undone_at=None)
    return dict(rows.values_list("annotation__task").annotate(last=Max("annotation_id")))


def distance(said: Sequence[Content]) -> float:
    """The mean over all pairs of answers of how far they are apart."""
    pairs = list(combinations(said, 2))
    return fmean(apart(one, other) for one, other in pairs) if pairs else 0.0


def apart(one: Content, other: Content) -> float:
    """From 0 to 1, the mean over what both say: sides of preferences, verdicts, order of ranks, marked characters."""
    parts: list[float] = []
    if axes := one.preferences.keys() & other.preferences.keys():
        parts.append(fmean(steps(one.preferences[axis], other.preferences[axis]) for axis in axes))
    if keys := one.verdicts.keys() & other.verdicts.keys():
        parts.append(fmean(one.verdicts[key] != other.verdicts[key] for key in keys))
    if pairs := list(combinations(sorted(one.ranks.keys() & other.ranks.keys()), 2)):
        parts.append(fmean(order(one.ranks, pair) != order(other.ranks, pair) for pair in pairs))
    if one.spans or other.spans:
        parts.append(1 - overlap_f1(one.spans, other.spans))
    elif one.critiques or other.critiques:
        parts.append(float(one.critiques != other.critiques))
    return fmean(parts) if parts else 0.0


def steps(one: str, other: str) -> float:
    """Of two outcomes: 1 for other sides, a third for other strengths of one side."""
    if one == other:
        return 0.0
    return 1 / 3 if side(one) == side(other) else 1.0
