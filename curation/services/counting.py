"""The counters that follow from an answer, a skip or an undo: of the task, the annotator and the day.

They are kept by the commit that changes them, so that no page counts anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import F
from django.utils import timezone

from curation.models import GONE, Annotation, Assignment, Progress, Task
from curation.services import telling
from curation.services.desk import Desk
from curation.services.tallying import outcomes_of
from curation.statements import Statement, rows, together

State = Assignment.State


@dataclass(frozen=True, slots=True)
class Held:
    """An assignment as the submit found it, locked until the commit."""

    id: int
    task_id: int
    state: str
    order: str
    current_id: int | None


def count_answer(
    desk: Desk, held: Held, made: int, outcomes: Sequence[tuple[str, str]], spent: int, said: Sequence[Statement]
) -> None:
    """Write what was `said` and keep the counters: of the task, the annotator and the day.

    Locks are taken in this order everywhere, so that two tabs of one person cannot wait for each other.
    """
    closed = hooked = False
    if held.state == State.ANSWERED:
        together(said)
        counters = bump(desk, active_ms=spent)
    else:
        closed, settled, hooked = close_if_full(held.task_id, said)
        if closed:
            settle(desk, held, 1)
        skipped = -1 if held.state == State.SKIPPED else 0
        mine = int(settled and not skipped)
        counters = bump(desk, active_ms=spent, done=1, skipped=skipped, closed=int(closed), settled=mine)
    before = untallied(desk, Annotation.objects.get(pk=held.current_id)) if held.current_id else []
    tallies = [tally(desk, axis, outcome, step=n) for (axis, outcome), n in Counter(outcomes).items()]
    together([counters, point(held, State.ANSWERED, made), *before, *tallies])
    if hooked and closed:
        telling.task_completed(desk.project_id, held.task_id)


def close_if_full(task_id: int, said: Sequence[Statement]) -> tuple[bool, bool, bool]:
    """Count one answer of a task: whether it was the last one wanted, whether the task waits for nobody now, and
    whether the project has webhooks to tell of it."""
    update = (
        "UPDATE curation_task SET done = done + 1,"
        " state = CASE WHEN state = 'open' AND done + 1 >= overlap THEN 'complete' ELSE state END"
        " WHERE id = %s RETURNING state, done, overlap,"
        " (SELECT p.webhook_count FROM curation_project p WHERE p.id = project_id)"
    )
    [(state, done, overlap, webhooks)] = together([*said, (update, [task_id])])[-1]
    return state == Task.State.COMPLETE and done == overlap, state != Task.State.OPEN, bool(webhooks)


def over(task_id: int) -> bool:
    """Whether a task waits for nobody: complete or retired."""
    return Task.objects.filter(pk=task_id).exclude(state=Task.State.OPEN).exists()


def uncount_answer(desk: Desk, held: Held) -> None:
    """Take one counted answer back; its place in the overlap stays with the annotator."""
    task = Task.objects.filter(pk=held.task_id)
    task.update(done=F("done") - 1)
    short = task.filter(state=Task.State.COMPLETE, done__lt=F("overlap"))
    reopened = short.exclude(GONE).update(state=Task.State.OPEN)
    if reopened:
        settle(desk, held, -1)
    together([bump(desk, done=-1, closed=-reopened, settled=-int(reopened or over(held.task_id)))])


def settle(desk: Desk, held: Held, step: int) -> None:
    """Tell the others who answered or skipped a task that it is complete now (or open again).

    Rows are locked in one order, so that two tasks completed at once cannot wait for each other.
    """
    found = rows(
        "SELECT annotator_id FROM curation_assignment WHERE task_id = %s AND state IN ('answered', 'skipped')",
        [held.task_id],
    )
    ids = [annotator_id for (annotator_id,) in found]
    if held.state != State.SKIPPED:
        ids = [annotator_id for annotator_id in ids if annotator_id != desk.annotator_id]
    if ids:
        everyone = Progress.objects.filter(annotator_id__in=[*ids, desk.annotator_id])
        list(everyone.order_by("pk").select_for_update())
        Progress.objects.filter(annotator_id__in=ids).update(settled=F("settled") + step)


def point(held: Held, state: str, current: int | None) -> Statement:
    """Move the assignment to its new state and its latest event."""
    return "UPDATE curation_assignment SET state = %s, current_id = %s WHERE id = %s", [state, current, held.id]


def bump(
    desk: Desk, *, done: int = 0, skipped: int = 0, closed: int = 0, settled: int = 0, active_ms: int = 0
) -> Statement:
    """Move the annotator's own counters."""
    return (
        "UPDATE curation_progress SET done = done + %s, skipped = skipped + %s, closed = closed + %s,"
        " settled = settled + %s, active_ms = active_ms + %s, last_at = %s WHERE annotator_id = %s",
        [done, skipped, closed, settled, active_ms, timezone.now(), desk.annotator_id],
    )


def untallied(desk: Desk, annotation: Annotation) -> list[Statement]:
    """Take the outcomes of an earlier annotation out of its day."""
    day = annotation.created_at.date()
    if annotation.event == Annotation.Event.SKIP:
        gone = [("", "skip")]
    else:
        gone = outcomes_of(annotation)
    return [tally(desk, axis, outcome, step=-n, day=day) for (axis, outcome), n in Counter(gone).items()]


def tally(desk: Desk, axis: str, outcome: str, *, step: int = 1, day: Any = None) -> Statement:
    """One more (or less) of an outcome on a day."""
    return (
        'INSERT INTO curation_tally (project_id, annotator_id, day, axis, outcome, "count")'
        " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (annotator_id, day, axis, outcome)"
        ' DO UPDATE SET "count" = curation_tally."count" + %s',
        [desk.project_id, desk.annotator_id, day or timezone.now().date(), axis, outcome, max(step, 0), step],
    )
