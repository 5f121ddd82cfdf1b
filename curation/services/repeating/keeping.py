"""What becomes of a repeat: its answer, skip and undo, kept in its own row and nowhere else.

A commit's key makes it once, as with annotations. No counter of a task, a person, a queue or a day is touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from curation.errors import Conflict, NotFound
from curation.models import Annotation, Annotator, Repeat, User
from curation.models.repeats import MOST_COMMITS, REPEATED, event_number, repeat_of_event

Event, State = Annotation.Event, Repeat.State
AFTER = {Event.ANSWER: State.ANSWERED, Event.SKIP: State.SKIPPED, Event.UNDO: State.OPEN}


@dataclass(frozen=True, slots=True)
class Kept:
    """An event of a repeat as its annotator is told of it: by numbers, as of any annotation and task."""

    id: int
    event: str
    task_id: int


def known(annotator_id: int, task_number: int, key: str) -> Kept | None:
    """The event that this key already made, if any."""
    repeat = find(annotator_id, task_number - REPEATED)
    return told(repeat, key)


def find(annotator_id: int, repeat_id: int, *, lock: bool = False) -> Repeat:
    """An annotator's own repeat. Raises NotFound for anybody else's."""
    mine = Repeat.objects.filter(pk=repeat_id, annotator=annotator_id)
    found = (mine.select_for_update(of=("self",)) if lock else mine).first()
    if found is None:
        raise NotFound("this task is not yours")
    return found


def told(repeat: Repeat, key: str) -> Kept | None:
    for place, commit in enumerate(repeat.commits):
        if commit["key"] == key:
            return Kept(event_number(repeat.pk, place), commit["event"], repeat.number)
    return None


@transaction.atomic
def commit(
    annotator_id: int,
    repeat_id: int,
    event: str,
    key: str,
    *,
    active_ms: int | None = None,
    of: int | None = None,
    said: Mapping[str, Any] | None = None,
) -> Kept:
    """Keep one event; `said` are fields of the row (preferences, rationale, reason), `of` the event that is undone.

    Raises Conflict when it does not fit what went before: a skip of what is answered, an undo of what is not the last.
    """
    repeat = find(annotator_id, repeat_id, lock=True)
    if before := told(repeat, key):
        return before
    if event == Event.SKIP and repeat.state == State.ANSWERED:
        raise Conflict("this task is answered; undo the answer before you skip it")
    if event == Event.UNDO and (repeat.state == State.OPEN or of != repeat.last_event):
        raise Conflict("a later annotation on this task already took its place")
    if len(repeat.commits) >= MOST_COMMITS:
        raise Conflict("this task was answered too often")
    now = timezone.now()
    given = {"preferences": {}, "rationale": "", "reason": "", **(said or {})}
    for name, value in given.items():
        setattr(repeat, name, value)
    repeat.state, repeat.active_ms, repeat.committed_at = AFTER[Event(event)], active_ms, now
    entry = {"key": key, "event": str(event), "at": now.isoformat(), "active_ms": active_ms}
    entry |= {name: given[name] for name in ("preferences", "rationale") if given[name]}
    repeat.commits = [*repeat.commits, entry]
    repeat.save()
    return Kept(repeat.last_event, str(event), repeat.number)


def release(annotator_id: int, task_number: int) -> None:
    """Give a repeat back that nothing was said of. Releasing twice is the same as once."""
    Repeat.objects.filter(pk=task_number - REPEATED, annotator=annotator_id, state=State.OPEN, commits=[]).delete()


def last_of(annotator_id: int) -> Repeat | None:
    """The repeat that was answered or skipped last, what an undo after a reload may take back."""
    mine = Repeat.objects.filter(annotator=annotator_id).exclude(state=State.OPEN)
    return mine.order_by("-committed_at").first()


def whose(user: User, event: int) -> Annotator:
    """The annotator, with the project, whose event it is. Raises NotFound unless it is the user's own."""
    mine = Repeat.objects.filter(pk=repeat_of_event(event), annotator__user=user)
    found = mine.select_related("annotator__project__protocol").first() if event < 2**63 else None
    if found is None:
        raise NotFound("this annotation is not yours")
    return found.annotator
