"""Tasks out of the queue because what they ask of went, and back again; with the counters that follow from it.

Called under the lock of the project's row, as everything that moves tasks as a set (see `queueing.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice

from django.db.models import F, QuerySet

from curation.models import Assignment, Progress, Task
from curation.services.queueing import by_overlap, recount_queues

AT_ONCE = 5000


def retire(on: str, ids: list[int]) -> list[int]:
    """Take the open tasks of pairs, responses or items out of the queue; which.

    A complete one stays complete: it was done.
    """
    still_open = Task.objects.filter(**{f"{on}__in": ids}, state=Task.State.OPEN)
    take_back(still_open)
    tasks = list(still_open.order_by("pk").select_for_update().values_list("pk", flat=True))
    Task.objects.filter(pk__in=tasks).update(state=Task.State.RETIRED)
    return tasks


def take_back(tasks: QuerySet[Task]) -> None:
    """Take tasks out of the hands that hold them."""
    take_from(Assignment.objects.filter(task__in=tasks))


def take_from(assignments: QuerySet[Assignment]) -> None:
    """Give what is reserved back to the queue. As in a submit, an assignment is locked before its task."""
    reserved = assignments.filter(state=Assignment.State.RESERVED)
    hands = dict(reserved.order_by("pk").select_for_update().values_list("pk", "task_id"))
    Assignment.objects.filter(pk__in=hands).update(state=Assignment.State.RELEASED)
    for task_id, number in sorted(Counter(hands.values()).items()):
        Task.objects.filter(pk=task_id).update(taken=F("taken") - number)


def reopen(on: str, ids: list[int]) -> list[int]:
    """Put retired tasks back into the queue, or among those that are complete; which."""
    retired = Task.objects.filter(**{f"{on}__in": ids}, state=Task.State.RETIRED).order_by("pk")
    tasks = list(retired.select_for_update().values_list("pk", flat=True))
    Task.objects.filter(pk__in=tasks).update(state=by_overlap(F("overlap")))
    return tasks


def resume(tasks: QuerySet[Task]) -> None:
    """Ask those of the tasks again that were complete, until an answer was taken back while nobody was asked them."""
    short = tasks.filter(state=Task.State.COMPLETE, done__lt=F("overlap")).order_by("pk")
    ids = list(short.select_for_update(of=("self",)).values_list("pk", flat=True))
    for some in slices(ids):
        for project_id in Task.objects.filter(pk__in=some).values_list("project", flat=True):
            close(project_id, -1)
        Task.objects.filter(pk__in=some).update(state=Task.State.OPEN)
    settle([], ids)


def settle(retired: list[int], reopened: list[int]) -> None:
    """Tell those who answered or skipped tasks that these wait for nobody any more, or do again."""
    queues = queues_of([*retired, *reopened])
    for project_id in queues:
        list(Progress.objects.filter(project=project_id).order_by("pk").select_for_update())
    for some in slices(reopened):
        complete = Task.objects.filter(pk__in=some, state=Task.State.COMPLETE)
        for task, project_id in complete.values_list("pk", "project"):
            reopened = [one for one in reopened if one != task]
            close(project_id)
    over = [Assignment.State.ANSWERED, Assignment.State.SKIPPED]
    steps: Counter[int] = Counter()
    for tasks, step in ((retired, 1), (reopened, -1)):
        for some in slices(tasks):
            found = Assignment.objects.filter(task__in=some, state__in=over)
            for annotator_id in found.values_list("annotator_id", flat=True):
                steps[annotator_id] += step
    everyone = Progress.objects.filter(annotator__in=steps).order_by("pk").select_for_update()
    for progress_id, annotator_id in list(everyone.values_list("pk", "annotator_id")):
        Progress.objects.filter(pk=progress_id).update(settled=F("settled") + steps[annotator_id])
    for project_id, ids in queues.items():
        recount_queues(project_id=project_id, only=ids)


def queues_of(tasks: Iterable[int]) -> dict[int, list[int]]:
    """The queues of tasks, by project; nothing for those in a project's own."""
    found: dict[int, list[int]] = {}
    for some in slices(tasks):
        queued = Task.objects.filter(pk__in=some, queue__isnull=False).order_by()
        for project_id, queue_id in queued.values_list("project", "queue").distinct():
            found.setdefault(project_id, []).append(queue_id)
    return found


def close(project_id: int, step: int = 1) -> None:
    """Count a task as complete that was answered while it was set aside (or, if negative, as complete no more); whose
    counter holds it does not matter."""
    first = Progress.objects.filter(project=project_id).order_by("pk").first()
    assert first is not None
    Progress.objects.filter(pk=first.pk).update(closed=F("closed") + step)


def slices(ids: Iterable[int]) -> Iterator[list[int]]:
    """Ids in rising order, no more at a time than a statement may have parameters."""
    rest = iter(sorted(ids))
    while some := list(islice(rest, AT_ONCE)):
        yield some
