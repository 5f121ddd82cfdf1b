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

from curation.models import GONE, Annotation, Assignment, Progress, Share, Task
from curation.services import adapting, reviewed, telling
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
    review_id: int | None = None
    """What put the task into these hands, where that was a review."""


@dataclass(frozen=True, slots=True)
class Filled:
    """What one more answer made of a task."""

    closed: bool
    """Whether it was the last one wanted."""
    over: bool
    """Whether the task waits for nobody now."""
    hooked: bool
    """Whether the project has webhooks to tell of it."""
    queue_id: int | None


def count_answer(
    desk: Desk, held: Held, made: int, outcomes: Sequence[tuple[str, str]], spent: int, said: Sequence[Statement]
) -> None:
    """Write what was `said` and keep the counters: of the task, the annotator and the day.

    Locks are taken in this order everywhere, so that two tabs of one person cannot wait for each other.
    """
    filled = None
    if held.state == State.ANSWERED:
        together(said)
        counters = [bump(desk, active_ms=spent)]
    else:
        filled = close_if_full(desk, held.task_id, said)
        if filled.closed:
            settle(desk, held, 1, filled.queue_id)
        skipped = -1 if held.state == State.SKIPPED else 0
        mine = int(filled.over and not skipped)
        counters = [
            bump(
                desk, filled.queue_id, active_ms=spent, done=1, skipped=skipped, closed=int(filled.closed), settled=mine
            ),
            *share(desk, filled.queue_id, done=1, skipped=skipped, closed=int(filled.closed), settled=mine),
        ]
    before = []
    if held.current_id:
        before = [*untallied(desk, Annotation.objects.get(pk=held.current_id)), reviewed.overtaken(held.current_id)]
    tallies = [tally(desk, axis, outcome, step=n) for (axis, outcome), n in Counter(outcomes).items()]
    together([*counters, point(held, State.ANSWERED, made), *before, *tallies])
    if filled and filled.hooked and filled.closed:
        telling.task_completed(desk.project_id, held.task_id)


def count_fix(
    desk: Desk, held: Held, made: int, outcomes: Sequence[tuple[str, str]], spent: int, said: Sequence[Statement]
) -> None:
    """Write what a reviewer says in place of an answer: it takes over that answer's place in every counter but those
    of the person who gave it."""
    together(said)
    assert held.current_id is not None and held.review_id is not None
    gone = untallied(desk, Annotation.objects.get(pk=held.current_id))
    tallies = [tally(desk, axis, outcome, step=n) for (axis, outcome), n in Counter(outcomes).items()]
    sit(held.task_id, -1)
    together([bump(desk, active_ms=spent), point(held, State.MOVED, None), *gone, *tallies])
    reviewed.fixed(held.review_id, made)


def close_if_full(desk: Desk, task_id: int, said: Sequence[Statement]) -> Filled:
    """Count one answer of a task. One that is still undecided and may ask more people asks one more."""
    update = (
        "UPDATE curation_task SET done = done + 1,"
        " state = CASE WHEN state = 'open' AND done + 1 >= overlap THEN 'complete' ELSE state END"
        " WHERE id = %s RETURNING state, done, overlap, cap, queue_id,"
        " (SELECT p.webhook_count FROM curation_project p WHERE p.id = project_id)"
    )
    [(state, done, overlap, cap, queue_id, webhooks)] = together([*said, (update, [task_id])])[-1]
    closed = state == Task.State.COMPLETE and done == overlap
    if closed and cap is not None and done < cap and adapting.undecided(desk, task_id):
        rows("UPDATE curation_task SET overlap = overlap + 1, state = 'open' WHERE id = %s", [task_id])
        closed, state = False, Task.State.OPEN
    return Filled(closed, state != Task.State.OPEN, bool(webhooks), queue_id)


def sit(task_id: int, step: int) -> tuple[bool, int | None]:
    """One more (or less) live place of a task is taken: whether the task waits for nobody, and its queue."""
    [(state, queue_id)] = rows(
        "UPDATE curation_task SET taken = taken + %s WHERE id = %s RETURNING state, queue_id", [step, task_id]
    )
    return state != Task.State.OPEN, queue_id


def over(task_id: int) -> bool:
    """Whether a task waits for nobody: complete or retired."""
    return Task.objects.filter(pk=task_id).exclude(state=Task.State.OPEN).exists()


def uncount_answer(desk: Desk, held: Held) -> None:
    """Take one counted answer back; its place in the overlap stays with the annotator."""
    task = Task.objects.filter(pk=held.task_id)
    [(queue_id,)] = rows("UPDATE curation_task SET done = done - 1 WHERE id = %s RETURNING queue_id", [held.task_id])
    short = task.filter(state=Task.State.COMPLETE, done__lt=F("overlap"))
    reopened = short.exclude(GONE).update(state=Task.State.OPEN)
    if reopened:
        settle(desk, held, -1, queue_id)
    settled = -int(reopened or over(held.task_id))
    steps = {"done": -1, "closed": -reopened, "settled": settled}
    together([bump(desk, queue_id, **steps), *share(desk, queue_id, **steps)])


def settle(desk: Desk, held: Held, step: int, queue_id: int | None) -> None:
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
        others = Progress.objects.filter(annotator_id__in=ids)
        if queue_id is None:
            others.update(settled=F("settled") + step)
        else:
            others.update(settled=F("settled") + step, queue_waiting=F("queue_waiting") - step)
            shares = Share.objects.filter(queue_id=queue_id, annotator_id__in=ids)
            list(shares.order_by("pk").select_for_update())
            shares.update(settled=F("settled") + step)


def point(held: Held, state: str, current: int | None) -> Statement:
    """Move the assignment to its new state and its latest event; an answer is what a review that returned it asked."""
    review = None if state == State.ANSWERED else held.review_id
    return (
        "UPDATE curation_assignment SET state = %s, current_id = %s, review_id = %s WHERE id = %s",
        [state, current, review, held.id],
    )


def bump(
    desk: Desk,
    queue_id: int | None = None,
    *,
    done: int = 0,
    skipped: int = 0,
    closed: int = 0,
    settled: int = 0,
    active_ms: int = 0,
) -> Statement:
    """Move the annotator's own counters; `queue_id` is that of the task, where it is in one."""
    queued, waiting = (closed, done + skipped - settled) if queue_id is not None else (0, 0)
    return (
        "UPDATE curation_progress SET done = done + %s, skipped = skipped + %s, closed = closed + %s,"
        " settled = settled + %s, active_ms = active_ms + %s, last_at = %s,"
        " queue_closed = queue_closed + %s, queue_waiting = queue_waiting + %s WHERE annotator_id = %s",
        [done, skipped, closed, settled, active_ms, timezone.now(), queued, waiting, desk.annotator_id],
    )


def share(
    desk: Desk, queue_id: int | None, *, done: int = 0, skipped: int = 0, closed: int = 0, settled: int = 0
) -> list[Statement]:
    """Move the annotator's counters in the queue of a task; nothing for one of the project's own queue."""
    if queue_id is None:
        return []
    statement = (
        "INSERT INTO curation_share (queue_id, annotator_id, done, skipped, closed, settled)"
        " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (queue_id, annotator_id) DO UPDATE SET"
        " done = curation_share.done + excluded.done, skipped = curation_share.skipped + excluded.skipped,"
        " closed = curation_share.closed + excluded.closed, settled = curation_share.settled + excluded.settled"
    )
    return [(statement, [queue_id, desk.annotator_id, done, skipped, closed, settled])]


def untallied(desk: Desk, annotation: Annotation) -> list[Statement]:
    """Take the outcomes of an earlier annotation out of its day and its annotator's."""
    day = annotation.created_at.date()
    if annotation.event == Annotation.Event.SKIP:
        gone = [("", "skip")]
    else:
        gone = outcomes_of(annotation)
    whose = annotation.annotator_id
    return [tally(desk, axis, outcome, step=-n, day=day, whose=whose) for (axis, outcome), n in Counter(gone).items()]


def tally(
    desk: Desk, axis: str, outcome: str, *, step: int = 1, day: Any = None, whose: int | None = None
) -> Statement:
    """One more (or less) of an outcome on a day."""
    return (
        'INSERT INTO curation_tally (project_id, annotator_id, day, axis, outcome, "count")'
        " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (annotator_id, day, axis, outcome)"
        ' DO UPDATE SET "count" = curation_tally."count" + %s',
        [desk.project_id, whose or desk.annotator_id, day or timezone.now().date(), axis, outcome, max(step, 0), step],
    )
