"""Which task is asked again, and when: into hands as gold is, unseen among the others, in the opposite order.

Everything here follows from the project's seed, the annotator and how many tasks they have had. Only plain preferences
are asked again: nobody marks spans twice for this. Guests of crowd links are asked as anybody is, and their quota
counts what they answer again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Min
from django.utils import timezone

from curation.errors import NotFound
from curation.models import (
    GONE,
    Annotation,
    Annotator,
    Assignment,
    Comment,
    Gold,
    Pair,
    Repeat,
    Task,
    TaskKind,
)
from curation.models.repeats import REPEATED
from curation.services.desk import Desk
from curation.services.taking import CONTENT, Shown, shown
from curation.statements import rows
from workers.gold import number

LOOKED_AT = 64
"""Answers that are looked at for one that can be asked again."""
OPPOSITE = {"ab": "ba", "ba": "ab"}
SHOWN_AGAIN = """
SELECT e.id AS task_id, e."order" AS ord, e.asked_at AS expires_at, t.kind, t.pair_id, t.response_id, t.item_id,
       NULL AS review_id
FROM curation_repeat e JOIN curation_task t ON t.id = e.task_id
WHERE e.id = %s AND e.annotator_id = %s AND e.project_id = %s
"""


def turn(desk: Desk, exclude: Sequence[int], expires: datetime) -> Shown | None:
    """The repeat whose turn it is; None where an ordinary task's turn is it. What is in hand already comes first."""
    again = desk.again
    if again is None or not desk.scale.plain or desk.scale.kind != TaskKind.PREFERENCE:
        return None
    if desk.gold and (desk.gold.training or desk.gold.paused):
        return None
    mine = Repeat.objects.filter(annotator=desk.annotator_id, state=Repeat.State.OPEN)
    if again.open:
        waiting = mine.order_by("pk").first()
        if waiting is None or waiting.number in exclude or in_hand(desk, exclude, waiting.asked_at):
            return None
        if Task.objects.filter(GONE, pk=waiting.task_id).exists():
            mine.filter(pk=waiting.pk).update(state=Repeat.State.SKIPPED, reason="its item was taken out")
            return None
        return held(desk, waiting.number, expires)
    if not again.due or desk.progress.left <= again.in_hand or in_hand(desk, exclude):
        return None
    found = draw(desk)
    if found is None:
        return None
    task_id, first_id, order = found
    try:
        with transaction.atomic():
            asked = Repeat.objects.create(
                project_id=desk.project_id,
                annotator_id=desk.annotator_id,
                task_id=task_id,
                first_id=first_id,
                order=order,
                place=again.place,
            )
    except IntegrityError:  # another tab was faster
        return None
    return held(desk, asked.number, expires)


def in_hand(desk: Desk, exclude: Sequence[int], before: datetime | None = None) -> bool:
    """Whether a live reservation is to be shown first."""
    mine = Assignment.objects.filter(annotator=desk.annotator_id, state=Assignment.State.RESERVED)
    if before is not None:
        mine = mine.filter(created_at__lt=before)
    return mine.exclude(task__in=list(exclude)).exists()


def draw(desk: Desk) -> tuple[int, int, str] | None:
    """Task, standing answer and opposite order of something that this person answered long enough ago."""
    again = desk.again
    assert again is not None
    own = Annotation.objects.filter(annotator=desk.annotator_id, event=Annotation.Event.ANSWER)
    latest = list(own.order_by("-pk").values_list("pk", flat=True)[: again.after])
    if len(latest) < again.after or not asked_of(desk.annotator_id):
        return None
    standing = Assignment.objects.filter(
        annotator=desk.annotator_id,
        state=Assignment.State.ANSWERED,
        current__lt=latest[-1],
        current__counted=True,
        current__protocol=desk.scale.protocol_id,
        current__source__in=(Annotation.Source.WEB, Annotation.Source.API),
        current__order__in=list(OPPOSITE),
        task__kind=TaskKind.PREFERENCE,
    ).exclude(task__state=Task.State.RETIRED)
    front = standing.aggregate(front=Min("current"))["front"]
    if front is None:
        return None
    start = front + number(f"{again.seed}:{again.place}") % (latest[-1] - front)
    for part in (standing.filter(current__gte=start), standing.filter(current__lt=start)):
        some = list(part.order_by("current").values_list("task", "current", "current__order")[:LOOKED_AT])
        known = unfit(desk, [task_id for task_id, _, _ in some])
        for task_id, annotation_id, order in some:
            if task_id not in known:
                return task_id, annotation_id, OPPOSITE[order]
    return None


def asked_of(annotator_id: int) -> bool:
    """Whether somebody is asked anything twice: people are, models and programs are not."""
    return Annotator.objects.filter(pk=annotator_id, kind=Annotator.Kind.PERSON).exists()


def unfit(desk: Desk, tasks: Sequence[int]) -> set[int]:
    """Those of the tasks that are gold or were, that are gone, that were asked again already, and those beside which
    this person wrote a comment, which would tell."""
    again = Repeat.objects.filter(annotator=desk.annotator_id, task__in=tasks)
    known = set(Gold.objects.filter(task__in=tasks).values_list("task_id", flat=True))
    known |= set(Task.objects.filter(GONE, pk__in=tasks).values_list("pk", flat=True))
    known |= set(again.values_list("task_id", flat=True))
    items = dict(Pair.objects.filter(tasks__in=tasks).values_list("tasks", "item"))
    said = Comment.objects.filter(item__in=set(items.values()), author__annotators=desk.annotator_id, deleted_at=None)
    commented = set(said.values_list("item_id", flat=True))
    return known | {task_id for task_id, item in items.items() if item in commented}


def held(desk: Desk, task_number: int, expires: datetime | None = None) -> Shown:
    """A repeat that is or was in this annotator's hands, as it is shown. Raises NotFound for anybody else's."""
    sql = f"WITH chosen AS ({SHOWN_AGAIN}) {CONTENT[Task.Kind.PREFERENCE]}"
    found = rows(sql, [task_number - REPEATED, desk.annotator_id, desk.project_id])
    if not found:
        raise NotFound("this task is not yours")
    until = expires or timezone.now() + timedelta(minutes=settings.ASSIGNMENT_MINUTES)
    return replace(shown(desk, found), task_id=task_number, expires_at=until)
