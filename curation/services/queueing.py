"""Tasks moved as a set: priority, overlap, set aside and taken up again; with the counters that follow from it.

Order of locks: projects, then tasks, then progress rows by id; an annotator's submit takes the last two likewise.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection, transaction
from django.db.models import Case, Count, F, Q, QuerySet, Sum, Value, When

from curation.errors import Invalid
from curation.models import GONE, Assignment, Progress, Project, Task, queue_position
from curation.services.desk import FRONT

STEP = 10
"""How much one "raise" adds to a priority."""

HIGHEST = 2**20


@transaction.atomic
def raise_priority(*, tasks: QuerySet[Task], by: int = STEP) -> int:
    """Move tasks ahead in the queue (or back, if negative); how many moved."""
    new = Case(
        When(priority__gt=HIGHEST - by, then=Value(HIGHEST)),
        When(priority__lt=-HIGHEST - by, then=Value(-HIGHEST)),
        default=F("priority") + by,
    )
    projects = projects_of(tasks)
    changed = tasks.update(priority=new, position=-new * Value(2**42) + F("id"))
    start_over(projects)
    return changed


@transaction.atomic
def place(*, project_id: int, rows: Sequence[tuple[int, int, str]]) -> None:
    """Set the priority of open tasks of one project and what it came from: (task, priority, pick) by rising id."""
    list(Project.objects.select_for_update(no_key=True, of=("self",)).filter(pk=project_id))
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE curation_task SET priority = %s, position = %s, pick = %s"
            " WHERE id = %s AND project_id = %s AND state = 'open'",
            [(priority, queue_position(priority, task), pick, task, project_id) for task, priority, pick in rows],
        )
    Progress.objects.filter(project_id=project_id).exclude(cursor=FRONT).update(cursor=FRONT)


@transaction.atomic
def retire(*, tasks: QuerySet[Task]) -> int:
    """Take open tasks out of the queue; how many. Answers in hand may still be given."""
    projects = projects_of(tasks)
    changed = tasks.filter(state=Task.State.OPEN).update(state=Task.State.RETIRED)
    for project_id in projects:
        recount(project_id=project_id)
    return changed


@transaction.atomic
def reopen(*, tasks: QuerySet[Task]) -> int:
    """Put retired tasks back, but for those whose item was taken out; how many."""
    projects = projects_of(tasks)
    changed = tasks.filter(state=Task.State.RETIRED).exclude(GONE).update(state=by_overlap(F("overlap")))
    for project_id in projects:
        recount(project_id=project_id)
    start_over(projects)
    return changed


@transaction.atomic
def set_overlap(*, tasks: QuerySet[Task], overlap: int) -> int:
    """Ask for another number of answers: tasks open or complete accordingly; how many changed."""
    if not 1 <= overlap <= 50:
        raise Invalid("must be from 1 to 50", field="overlap")
    projects = projects_of(tasks)
    live = tasks.exclude(state__in=(Task.State.RETIRED, Task.State.GOLD)).exclude(overlap=overlap).exclude(GONE)
    changed = live.update(overlap=overlap, state=by_overlap(Value(overlap)))
    for project_id in projects:
        recount(project_id=project_id)
    start_over(projects)
    return changed


def by_overlap(wanted: F | Value) -> Case:
    return Case(When(done__gte=wanted, then=Value(Task.State.COMPLETE)), default=Value(Task.State.OPEN))


def projects_of(tasks: QuerySet[Task]) -> list[int]:
    """The projects of tasks, locked before the tasks themselves, as an import does."""
    ids = list(tasks.order_by().values_list("project_id", flat=True).distinct())
    locked = Project.objects.select_for_update(no_key=True, of=("self",)).filter(pk__in=ids).order_by("pk")
    return [project.pk for project in locked]


def start_over(projects: list[int]) -> None:
    """Let everyone's search for the next task begin at the front, where something may have opened."""
    Progress.objects.filter(project_id__in=projects).update(cursor=FRONT)


@transaction.atomic
def recount(*, project_id: int) -> None:
    """Set the counters that tell what is left from the tasks themselves. Retired tasks count nowhere."""
    everyone = list(Progress.objects.filter(project_id=project_id).order_by("pk").select_for_update())
    states = dict(Task.objects.filter(project_id=project_id).values_list("state").annotate(Count("pk")))
    live = states.get(Task.State.OPEN, 0) + states.get(Task.State.COMPLETE, 0)
    Project.objects.filter(pk=project_id).update(task_count=live)
    for progress in everyone:
        Progress.objects.filter(pk=progress.pk).update(settled=settled(progress.annotator_id))
    if everyone:
        counted = Progress.objects.filter(project_id=project_id).aggregate(sum=Sum("closed"))["sum"]
        missing = states.get(Task.State.COMPLETE, 0) - counted
        Progress.objects.filter(pk=everyone[0].pk).update(closed=F("closed") + missing)


def settled(annotator_id: int) -> int:
    """How many tasks that this annotator answered or skipped need nobody any more."""
    mine = Q(annotator_id=annotator_id, state__in=[Assignment.State.ANSWERED, Assignment.State.SKIPPED])
    return Assignment.objects.filter(mine).exclude(task__state=Task.State.OPEN).count()
