"""Gold into hands, unseen among the other tasks: whose turn it is, which one, and on which side the right answer is.

Everything here follows from the project's seed, the annotator and how many tasks they have had, and takes as many
statements in any project; where there is no gold, none.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from curation.models import GONE, Assignment, Gold, Progress, Task, TaskKind
from curation.services.desk import Desk
from curation.services.gold import counters
from curation.services.gold.ahead import GoldDesk
from curation.services.taking import Shown, held
from curation.statements import row, rows
from workers.gold import number, order_for, wanted

LOOKED_AT = 64
"""Gold tasks that are looked at for one that somebody has not seen yet."""
Turn = tuple[Shown | None]
MOST_PLACES = 2**31


def turn(desk: Desk, kind: str, exclude: Sequence[int], expires: datetime) -> Turn | None:
    """The gold task whose turn it is, in a tuple of one, or a tuple of None where nothing is to be given out.

    None itself: it is an ordinary task's turn. What is in hand already always comes first.
    """
    gold = desk.gold
    assert gold is not None
    if gold.paused:
        return (None,)
    if gold.training:
        return training(desk, gold, exclude, expires)
    if not gold.due or desk.progress.left <= gold.in_hand:  # all that was told of is in hand: more would tell itself
        return None
    with transaction.atomic():
        if in_hand(desk, exclude):
            return None
        found = draw(desk, gold)
        if found is None:
            if gold.gold_ever >= gold.count or gold.count <= LOOKED_AT:
                Progress.objects.filter(annotator=desk.annotator_id).update(gold_spent=gold.count)
            return None
        task_id, order = found
        if not reserve(desk, task_id, order, expires):
            return None
        Progress.objects.filter(annotator=desk.annotator_id).update(gold_served=F("gold_served") + 1)
    return (held(desk, task_id),)


def training(desk: Desk, gold: GoldDesk, exclude: Sequence[int], expires: datetime) -> Turn | None:
    """One task at a time, since what follows from its answer comes before the next. Without any left, all is done."""
    with transaction.atomic():
        mine = Assignment.objects.filter(annotator=desk.annotator_id, state=Assignment.State.RESERVED)
        now = list(mine.order_by("pk").values_list("task_id", flat=True)[:50])
        if now:
            free = [task_id for task_id in now if task_id not in exclude]
            return (held(desk, free[0]) if free else None,)
        found = unseen(desk, Q(phase=Gold.Phase.TRAINING), start=0)
        if found is None:
            counters.trained(Progress.objects.filter(annotator=desk.annotator_id))
            return None
        task_id, side = found
        shown = ("left", "right")[number(f"{gold.seed}:train:{task_id}") & 1]
        reserve(desk, task_id, order_for(side, shown, f"{gold.seed}:{task_id}"), expires)
    return (held(desk, task_id),)


def in_hand(desk: Desk, exclude: Sequence[int]) -> bool:
    """Whether a live reservation is to be shown first."""
    mine = Assignment.objects.filter(annotator=desk.annotator_id, state=Assignment.State.RESERVED)
    return mine.exclude(task__in=list(exclude)).exists()


def draw(desk: Desk, gold: GoldDesk) -> tuple[int, str] | None:
    """A gold task that this annotator has not seen, and in which order it is shown.

    Sides take turns: which response is right, and where the right one stands. If there is none of the side whose turn
    it is, any other is taken.
    """
    side, shown = wanted(gold.served, gold.seed)
    start = number(f"{gold.seed}:{gold.served}") % MOST_PLACES
    hidden = Q(phase=Gold.Phase.HIDDEN)
    found = None
    if desk.scale.kind == TaskKind.PREFERENCE and not odd_turn(gold):
        found = unseen(desk, hidden & Q(side=side), start)
    found = found or unseen(desk, hidden, start)
    if found is None:
        return None
    return found[0], order_for(found[1], shown, f"{gold.seed}:{found[0]}")


def odd_turn(gold: GoldDesk) -> bool:
    """Every fifth time any side will do, so that ties, and pairs of which both are bad, have their turn too."""
    return number(f"{gold.seed}:odd:{gold.served}") % 5 == 0


def unseen(desk: Desk, among: Q, start: int) -> tuple[int, str] | None:
    """Task and side of the first gold from a place on, then from the front, that was never in these hands."""
    live = Gold.objects.filter(among, project=desk.project_id, retired_at=None, suspect_at=None)
    for part in (Q(place__gte=start), Q(place__lt=start)):
        some = list(live.filter(part).order_by("place").values_list("task_id", "side")[:LOOKED_AT])
        known = seen(desk, [task_id for task_id, _ in some])
        for task_id, side in some:
            if task_id not in known:
                return task_id, side
    return None


def seen(desk: Desk, tasks: Sequence[int]) -> set[int]:
    """Those of the tasks that this annotator had in hand, or whose item was taken out."""
    mine = Assignment.objects.filter(annotator=desk.annotator_id, task__in=tasks)
    had = set(mine.exclude(state=Assignment.State.RELEASED).values_list("task_id", flat=True))
    return had | set(Task.objects.filter(GONE, pk__in=tasks).values_list("pk", flat=True))


def reserve(desk: Desk, task_id: int, order: str, expires: datetime) -> bool:
    """Put a task into these hands, as `taking` does, whatever its overlap; False when another tab was faster."""
    made = row(
        'INSERT INTO curation_assignment (task_id, annotator_id, state, "order", expires_at, created_at)'
        " VALUES (%s, %s, 'reserved', %s, %s, %s) ON CONFLICT (task_id, annotator_id)"
        " DO UPDATE SET state = 'reserved', expires_at = excluded.expires_at, created_at = excluded.created_at,"
        ' current_id = NULL, "order" = excluded."order"'
        " WHERE curation_assignment.state = 'released' RETURNING id",
        [task_id, desk.annotator_id, order, expires, timezone.now()],
    )
    if made is None:
        return False
    rows("UPDATE curation_task SET taken = taken + 1 WHERE id = %s", [task_id])
    return True
