"""Tasks into hands: reserve the next one, give it back, return what expired.

Nothing here grows with the project. The next open task is the first row of a partial index of tasks, the queue's, after
the annotator's cursor, so that tasks already answered under overlap are not walked again; when nothing follows the
cursor, a queue is chosen anew (`choosing.py`), and the search starts over once from its front.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from curation.errors import Conflict, Invalid, NotFound, Paused
from curation.models import Annotator, Assignment, Project, Task
from curation.models.repeats import REPEATED
from curation.services.choosing import choose
from curation.services.desk import FRONT, Desk, desk_of
from curation.services.gold import serving
from curation.services.repeating import keeping
from curation.services.repeating import serving as repeating
from curation.services.taking import BEHIND, Shown, shown_order, take

IN_HAND_MOST = 20
"""How many tasks one annotator may hold at a time, so that nobody hoards a queue."""


def next_shown(*, desk: Desk, kind: str = "", exclude: Sequence[int] = ()) -> Shown | None:
    """The annotator's oldest live reservation outside `exclude` (task ids), else a newly reserved task.

    Asking again without answering gives the same task: a reload or a second tab loses and takes nothing.
    Returns None when nothing is open to this annotator. Raises Conflict when too many tasks are in hand, and Paused
    while this annotator is to get none.
    """
    if desk.paused is not None:
        raise Paused(desk.paused or "a manager of the project paused you")
    kind = kind or desk.scale.kind
    if kind not in Task.Kind.values:
        raise Invalid(f"no such kind; there is: {', '.join(Task.Kind.values)}", field="kind")
    if kind != desk.scale.kind:
        return None
    if len(exclude) >= IN_HAND_MOST:
        raise Conflict(f"you may hold {IN_HAND_MOST} tasks; answer or release some first")
    expires = timezone.now() + lease()
    if desk.again and (again := repeating.turn(desk, exclude, expires)):
        return again
    if desk.gold and (gold := serving.turn(desk, kind, exclude, expires)):
        return gold[0]
    found = None if desk.looking else take(desk, kind, exclude, expires, desk.cursor, desk.place)
    if found is None:  # or another tab of this person was faster
        found = from_the_front(desk, kind, exclude)
    if found is None and return_expired(project_id=desk.project_id):
        found = from_the_front(desk, kind, exclude)
    return found


def from_the_front(desk: Desk, kind: str, exclude: Sequence[int]) -> Shown | None:
    """As `next_shown`, in the first queue that has something for this annotator."""
    waits, place = choose(desk, kind)
    return take(desk, kind, exclude, timezone.now() + lease(), FRONT if waits else BEHIND, place)


def next_for(
    *, project: Project, annotator: Annotator, kind: str = "", exclude: Sequence[int] = ()
) -> Assignment | None:
    """As `next_shown`, as an assignment with its task, pair, item and responses."""
    found = next_shown(desk=desk_of(project, annotator), kind=kind, exclude=exclude)
    return with_content().get(task_id=found.task_id, annotator=annotator) if found else None


def with_content() -> QuerySet[Assignment]:
    """Assignments with all that a screen shows, in one query."""
    related = ("task__pair__item", "task__pair__first", "task__pair__second", "task__response__item", "task__item")
    return Assignment.objects.select_related(*related)


def held(*, project: Project, annotator: Annotator, task_id: int) -> Assignment:
    """The annotator's own assignment of a task, in any state. Raises NotFound for anybody else's."""
    found = with_content().filter(task_id=task_id, annotator=annotator, task__project=project).first()
    if found is None:
        raise NotFound("this task is not yours")
    return found


def lease() -> timedelta:
    return timedelta(minutes=settings.ASSIGNMENT_MINUTES)


def keep_alive(*, annotator_id: int) -> int:
    """Renew the lease of everything the annotator holds; how many. What is theirs for longer stays so."""
    until = timezone.now() + lease()
    held = Assignment.objects.filter(annotator_id=annotator_id, state=Assignment.State.RESERVED, expires_at__lt=until)
    return held.update(expires_at=until)


def release(*, annotator_id: int, task_id: int) -> None:
    """Give a reserved task back to the queue. Releasing twice is the same as once."""
    if task_id >= REPEATED:
        keeping.release(annotator_id, task_id)
        return
    with transaction.atomic():
        mine = Assignment.objects.filter(task_id=task_id, annotator_id=annotator_id)
        if mine.filter(state=Assignment.State.RESERVED).update(state=Assignment.State.RELEASED):
            Task.objects.filter(pk=task_id).update(taken=F("taken") - 1)
        elif not mine.exists():
            raise NotFound("this task is not yours")


@transaction.atomic
def claim(*, desk: Desk, task_id: int) -> bool:
    """Put one task into this annotator's hands, if there is room in its overlap and they have not had it; whether."""
    given = {"order": shown_order(desk.seed, task_id, desk.annotator_id), "expires_at": timezone.now() + lease()}
    mine, _ = Assignment.objects.select_for_update().get_or_create(
        task_id=task_id, annotator_id=desk.annotator_id, defaults={**given, "state": Assignment.State.RELEASED}
    )
    if mine.state == Assignment.State.RESERVED:
        return True
    room = Task.objects.filter(pk=task_id, project=desk.project_id, state=Task.State.OPEN, taken__lt=F("overlap"))
    if mine.state != Assignment.State.RELEASED or not room.update(taken=F("taken") + 1):
        return False
    Assignment.objects.filter(pk=mine.pk).update(state=Assignment.State.RESERVED, current=None, **given)
    return True


def return_expired(*, project_id: int | None = None, most: int = 200) -> int:
    """Give back reserved tasks whose lease ran out; how many. Safe to run anywhere, any time."""
    late = Assignment.objects.filter(state=Assignment.State.RESERVED, expires_at__lt=timezone.now())
    if project_id is not None:
        late = late.filter(task__project_id=project_id)
    returned = 0
    for assignment_id, task_id in late.order_by("expires_at").values_list("pk", "task_id")[:most]:
        with transaction.atomic():
            if late.filter(pk=assignment_id).update(state=Assignment.State.RELEASED):
                Task.objects.filter(pk=task_id).update(taken=F("taken") - 1)
                returned += 1
    return returned
