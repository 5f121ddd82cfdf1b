"""Tasks that are gold out of the queue, and back again; with the counters that follow from it.

Called under the lock of the project's row. A task that is gold counts neither as one to do nor as one that is done: it
is work for nobody, and never complete.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import F, Q

from curation.models import GONE, Progress, Project, Task
from curation.services.queueing import by_overlap, recount, start_over
from curation.services.retiring import close, settle

State = Task.State


def set_apart(project_id: int, tasks: Sequence[int]) -> dict[int, str]:
    """Take tasks out of the queue, and out of what is complete; the state that each had. Answers in hand may still be
    given."""
    before = states(tasks)
    Task.objects.filter(pk__in=tasks).update(state=State.GOLD)
    was_open = [pk for pk, state in before.items() if state == State.OPEN]
    complete = sum(state == State.COMPLETE for state in before.values())
    settle(was_open, [])
    counted(project_id, -len(was_open) - complete, -complete)
    return before


def put_back(project_id: int, tasks: Sequence[int], retired: Sequence[int]) -> None:
    """Put tasks back where they stand by their answers; those that were `retired`, or whose item went, stay out."""
    away = Q(pk__in=retired) | Q(pk__in=Task.objects.filter(GONE, pk__in=tasks).values("pk"))
    apart = Task.objects.filter(pk__in=tasks, state=State.GOLD)
    back = list(apart.exclude(away).order_by("pk").select_for_update(of=("self",)).values_list("pk", flat=True))
    apart.exclude(pk__in=back).update(state=State.RETIRED)
    Task.objects.filter(pk__in=back).update(state=by_overlap(F("overlap")))
    settle([], back)
    counted(project_id, len(back), 0)
    start_over([project_id])


def states(tasks: Sequence[int]) -> dict[int, str]:
    locked = Task.objects.filter(pk__in=tasks).order_by("pk").select_for_update(of=("self",))
    return dict(locked.values_list("pk", "state"))


def counted(project_id: int, tasks: int, complete: int) -> None:
    """So many tasks more (or, if negative, fewer), and so many more that are complete."""
    Project.objects.filter(pk=project_id).update(task_count=F("task_count") + tasks)
    if not complete:
        return
    if Progress.objects.filter(project=project_id).exists():
        close(project_id, complete)
    else:
        recount(project_id=project_id)
