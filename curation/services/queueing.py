"""Tasks moved as a set: priority, overlap, set aside and taken up again; with the counters that follow from it.

Order of locks: projects, then tasks, then progress rows by id; an annotator's submit takes the last two likewise.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from django.db import connection, transaction
from django.db.models import Case, Count, F, Q, QuerySet, Sum, Value, When

from curation import bulk
from curation.errors import Invalid
from curation.models import GONE, Assignment, Progress, Project, Queue, Share, Task, queue_position
from curation.services.desk import FRONT
from curation.statements import rows

STEP = 10
"""How much one "raise" adds to a priority."""

HIGHEST = 2**20
MOST_ANSWERS = 50


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
    moved = Progress.objects.filter(project_id=project_id).exclude(cursor=FRONT, looking=True)
    moved.update(cursor=FRONT, looking=True)


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
    checked(overlap)
    projects = projects_of(tasks)
    live = tasks.exclude(state__in=(Task.State.RETIRED, Task.State.GOLD)).exclude(overlap=overlap).exclude(GONE)
    changed = live.update(overlap=overlap, state=by_overlap(Value(overlap)))
    for project_id in projects:
        recount(project_id=project_id)
    start_over(projects)
    return changed


@transaction.atomic
def ask_again(*, tasks: QuerySet[Task]) -> int:
    """Open complete tasks for one answer more, up to the most that a task may ask for; how many were opened."""
    projects = projects_of(tasks)
    complete = tasks.filter(state=Task.State.COMPLETE, done__lt=MOST_ANSWERS).exclude(GONE)
    changed = complete.update(overlap=F("done") + 1, state=Task.State.OPEN)
    for project_id in projects:
        recount(project_id=project_id)
    start_over(projects)
    return changed


@transaction.atomic
def set_cap(*, tasks: QuerySet[Task], cap: int | None) -> int:
    """Let the overlap of tasks grow up to `cap` while they are undecided, from the next answer on; None: not at all."""
    if cap is not None:
        checked(cap, "cap")
    projects_of(tasks)
    live = tasks.exclude(state=Task.State.RETIRED)
    return (live.exclude(cap=None) if cap is None else live.filter(~Q(cap=cap) | Q(cap=None))).update(cap=cap)


def checked(answers: int, field: str = "overlap") -> None:
    """Raises Invalid for a number of answers that no task may ask for."""
    if not 1 <= answers <= MOST_ANSWERS:
        raise Invalid(f"must be from 1 to {MOST_ANSWERS}", field=field)


def usual_in(project: Project, queue: Queue | None) -> tuple[int, int | None]:
    """Overlap and cap of the tasks of a queue, or of the project's own (None), that have none of their own."""
    if queue is None:
        return project.overlap, project.cap
    overlap = project.overlap if queue.overlap is None else queue.overlap
    return overlap, project.cap if queue.cap is None else queue.cap


def by_overlap(wanted: F | Value) -> Case:
    return Case(When(done__gte=wanted, then=Value(Task.State.COMPLETE)), default=Value(Task.State.OPEN))


def projects_of(tasks: QuerySet[Task]) -> list[int]:
    """The projects of tasks, locked before the tasks themselves, as an import does."""
    ids = list(tasks.order_by().values_list("project_id", flat=True).distinct())
    locked = Project.objects.select_for_update(no_key=True, of=("self",)).filter(pk__in=ids).order_by("pk")
    return [project.pk for project in locked]


def start_over(projects: list[int]) -> None:
    """Let everyone's search for the next task begin anew, with the choice of a queue: something may have opened."""
    Progress.objects.filter(project_id__in=projects).update(cursor=FRONT, looking=True)


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
    recount_queues(project_id=project_id)


SAID = """
SELECT t.queue_id, a.annotator_id,
       SUM(CASE WHEN a.state = 'answered' THEN 1 ELSE 0 END), SUM(CASE WHEN a.state = 'skipped' THEN 1 ELSE 0 END),
       SUM(CASE WHEN t.state <> 'open' THEN 1 ELSE 0 END)
FROM curation_task t JOIN curation_assignment a ON a.task_id = t.id AND a.state IN ('answered', 'skipped')
WHERE t.queue_id {} GROUP BY t.queue_id, a.annotator_id
"""


@transaction.atomic
def recount_queues(*, project_id: int, only: Collection[int] | None = None) -> None:
    """Set the counters of queues (`only` some, or all of a project), and everyone's share of them, from the tasks."""
    queues = Queue.objects.filter(project=project_id)
    ids = list((queues if only is None else queues.filter(pk__in=only)).order_by("pk").values_list("pk", flat=True))
    if not ids:
        return
    list(Progress.objects.filter(project_id=project_id).order_by("pk").select_for_update())
    states: defaultdict[int, dict[str, int]] = defaultdict(dict)
    tasks = Task.objects.filter(queue__in=ids).order_by().values_list("queue", "state")
    for queue_id, state, count in tasks.annotate(Count("pk")):
        states[queue_id][state] = count
    among, given = bulk.one_of(ids)
    said = {(queue, person): numbers for queue, person, *numbers in rows(SAID.format(among), [given])}
    shares = {(one.queue_id, one.annotator_id): one for one in Share.objects.filter(queue__in=ids).order_by("pk")}
    for key in sorted(said.keys() - shares.keys()):
        shares[key] = Share(queue_id=key[0], annotator_id=key[1])
    for key, share in shares.items():
        share.done, share.skipped, share.settled = said.get(key, (0, 0, 0))
    for queue_id in ids:
        here = [share for (queue, _), share in shares.items() if queue == queue_id]
        complete = states[queue_id].get(Task.State.COMPLETE, 0)
        if here:
            here[0].closed += complete - sum(share.closed for share in here)
        live = complete + states[queue_id].get(Task.State.OPEN, 0)
        Queue.objects.filter(pk=queue_id).update(task_count=live)
    kept = [share for share in shares.values() if share.pk]
    Share.objects.bulk_create(share for share in shares.values() if share.pk is None)
    Share.objects.bulk_update(kept, ["done", "skipped", "settled", "closed"], batch_size=500)
    add_up(project_id)


def add_up(project_id: int) -> None:
    """Set what a project and its people have in queues from the counters of the queues."""
    queued = Queue.objects.filter(project=project_id).aggregate(sum=Sum("task_count"))["sum"] or 0
    Project.objects.filter(pk=project_id).update(queued_count=queued)
    shares = Share.objects.filter(queue__project=project_id).order_by().values_list("annotator")
    waiting = Sum(F("done") + F("skipped") - F("settled"))
    sums = {annotator: (closed, left) for annotator, closed, left in shares.annotate(Sum("closed"), waiting=waiting)}
    everyone = list(Progress.objects.filter(project_id=project_id))
    for progress in everyone:
        progress.queue_closed, progress.queue_waiting = sums.get(progress.annotator_id, (0, 0))
    Progress.objects.bulk_update(everyone, ["queue_closed", "queue_waiting"], batch_size=500)


def settled(annotator_id: int) -> int:
    """How many tasks that this annotator answered or skipped need nobody any more."""
    mine = Q(annotator_id=annotator_id, state__in=[Assignment.State.ANSWERED, Assignment.State.SKIPPED])
    return Assignment.objects.filter(mine).exclude(task__state=Task.State.OPEN).count()
