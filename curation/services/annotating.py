"""What an annotator commits: answers, skips and undos, as events that are only ever added.

Every commit carries an idempotency key: the same key again returns the first event and changes nothing.
Statements are written by hand where they run once per answer (see curation/statements.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from curation.errors import Conflict, Invalid, NotFound, OverlapFull, Withdrawn
from curation.models import GONE, Annotation, Assignment, Protocol, Task, TaskKind
from curation.models.repeats import REPEATED, repeat_of_event
from curation.services import assigning, reviewed, taking
from curation.services.answering import Answer, check, check_ranks
from curation.services.counting import (
    Held,
    bump,
    count_answer,
    count_fix,
    point,
    share,
    sit,
    tally,
    uncount_answer,
    untallied,
)
from curation.services.desk import Desk, ProgressNow, Scale, progress_now
from curation.services.gold import scoring
from curation.services.repeating import keeping
from curation.services.reviewing import Suggested, suggested_for, write
from curation.services.suggesting import answered_before, help_on
from curation.services.taking import Shown
from curation.services.tallying import tallied
from curation.statements import Statement, row, together

DAY_MS = 24 * 3600 * 1000
LONGEST_KEY = 100
BOTH_BAD = "both_bad"
NOTHING = Answer()
OWN_WORK = (Annotation.Source.WEB, Annotation.Source.API)
"""What is accepted in bulk, or said to correct somebody, tells nothing of what the help of models does."""
Event, State = Annotation.Event, Assignment.State


@dataclass(frozen=True, slots=True)
class Judgement:
    """One axis of an answer, in the order in which the pair was shown: negative prefers the left one."""

    axis: str
    value: int | None = None
    both_bad: bool = False

    def outcome(self, order: str) -> str:
        """As it is stored and tallied: in the order of the pair."""
        return "both_bad" if self.both_bad else str(self.stored(order))

    def stored(self, order: str) -> int | None:
        return -self.value if order == "ba" and self.value is not None else self.value


@dataclass(frozen=True, slots=True)
class Commit:
    """What comes with every event: its key, the time spent and where it was made."""

    key: str
    active_ms: int | None = None
    source: str = Annotation.Source.WEB


@dataclass(frozen=True, slots=True)
class Committed:
    """The event that was made, or had been made under the same key, and how far the annotator is now."""

    id: int
    event: str
    task_id: int
    progress: ProgressNow


def submit(
    *,
    desk: Desk,
    task_id: int,
    commit: Commit,
    judgements: Sequence[Judgement] = (),
    rationale: str = "",
    more: Answer = NOTHING,
) -> Committed:
    """Record an answer: preferences, a rationale, and more (critiques, verdicts, ranks).

    Another answer to the same task supersedes the first. Raises Invalid when the answer does not fit the
    protocol, NotFound when the task was never this annotator's, OverlapFull when enough others answered
    meanwhile: the answer is kept, but not counted.
    """
    check_commit(commit)
    if task_id >= REPEATED:
        return repeated_answer(desk, task_id, commit, judgements, rationale)
    try:
        return recorded(desk, task_id, commit, judgements, rationale, more)
    except Invalid:
        if repeated := earlier(desk, task_id, commit):  # it fitted the protocol of that time
            return repeated
        raise


def recorded(
    desk: Desk, task_id: int, commit: Commit, judgements: Sequence[Judgement], rationale: str, more: Answer
) -> Committed:
    check_answer(desk.scale, judgements, rationale)
    plain = desk.scale.plain and not more
    with transaction.atomic():
        held = own(desk, task_id)
        if held.review_id and (fixing := reviewed.fixing(desk, held)):
            held, commit = replace(held, current_id=fixing), replace(commit, source=Annotation.Source.REVIEW)
        extra = None if plain else extras(desk, held, more, commit.source)
        if held.state not in (State.RESERVED, State.ANSWERED) and (repeated := earlier(desk, task_id, commit)):
            return repeated
        counted = held.state == State.ANSWERED or seat(held)
        made = add_event(desk, held, Event.ANSWER, commit, rationale=rationale, counted=counted, extra=extra)
        if made is None:
            return told_before(desk, task_id, commit)
        said = [preferences(made, judgements, held.order)] if judgements else []
        if extra:
            write(made, extra.task.responses, extra.answer, extra.suggested, extra.task.order)
            said.append(no_draft(desk, task_id))
        tallies = [(j.axis, j.outcome(held.order)) for j in judgements] + (tallied(extra.answer) if extra else [])
        if commit.source == Annotation.Source.REVIEW:
            count_fix(desk, held, made, tallies, commit.active_ms or 0, said)
        elif counted:
            said += reviewed.drawn(desk, held, made, commit.source)
            count_answer(desk, held, made, tallies, commit.active_ms or 0, said)
            if desk.gold:
                scoring.settle(desk, held, made)
        else:
            together(said)
    if not counted:
        raise uncounted(task_id, made)
    return Committed(made, Event.ANSWER, task_id, after_answer(desk.progress, held.state))


def repeated_answer(
    desk: Desk, number: int, commit: Commit, judgements: Sequence[Judgement], rationale: str
) -> Committed:
    """Keep the answer to a repeat, in the order of the pair."""
    if keeping.known(desk.annotator_id, number, commit.key) is None:  # else it fitted the protocol of that time
        check_answer(desk.scale, judgements, rationale)
    order = keeping.find(desk.annotator_id, number - REPEATED).order
    said = {j.axis: BOTH_BAD if j.both_bad else j.stored(order) for j in judgements}
    given = {"preferences": said, "rationale": rationale}
    return again(desk, number - REPEATED, Event.ANSWER, commit, said=given)


def again(desk: Desk, repeat_id: int, event: str, commit: Commit, **more: Any) -> Committed:
    """Keep one event of a repeat; it is told as one of any task."""
    kept = keeping.commit(desk.annotator_id, repeat_id, event, commit.key, active_ms=commit.active_ms, **more)
    return Committed(kept.id, kept.event, kept.task_id, progress_now(desk.annotator_id))


@dataclass(frozen=True, slots=True)
class Extra:
    """What goes with an answer that is more than preferences."""

    task: Shown
    answer: Answer
    suggested: Suggested
    help: str


def extras(desk: Desk, held: Held, more: Answer, source: str) -> Extra:
    """The rest of an answer, checked against the task as it was shown."""
    task = taking.held(desk, held.task_id)
    if desk.scale.kind == TaskKind.RANKING:
        check_ranks(len(task.responses), more.ranks)
    elif more.ranks:
        raise Invalid("a ranking is not asked here", field="ranks")
    answered = held.state == State.ANSWERED or answered_before(desk, held.task_id)
    suggested = suggested_for(more, held.task_id, desk.scale.protocol_id)
    answer = check(desk.scale.asked, task.responses, more, task.context, whole=True, kept=suggested.critiques)
    help = help_on(desk, held.task_id, answered=answered) if source in OWN_WORK else ""
    return Extra(task, answer, suggested, help)


def no_draft(desk: Desk, task_id: int) -> Statement:
    return "DELETE FROM curation_draft WHERE task_id = %s AND annotator_id = %s", [task_id, desk.annotator_id]


def after_answer(progress: ProgressNow, state: str) -> ProgressNow:
    """The annotator's progress one answer later, without asking again."""
    if state == State.ANSWERED:
        return progress
    if state == State.SKIPPED:
        return replace(progress, done=progress.done + 1, skipped=progress.skipped - 1)
    return replace(progress, done=progress.done + 1, left=max(0, progress.left - 1))


def skip(*, desk: Desk, task_id: int, reason: str, commit: Commit) -> Committed:
    """Set a task aside with a reason; somebody else may still answer it."""
    check_commit(commit)
    if task_id >= REPEATED:
        return again(desk, task_id - REPEATED, Event.SKIP, commit, said={"reason": reason[:300]})
    with transaction.atomic():
        held = own(desk, task_id)
        if repeated := earlier(desk, task_id, commit):
            return repeated
        if held.state == State.ANSWERED:
            raise Conflict("this task is answered; undo the answer before you skip it")
        made = add_event(desk, held, Event.SKIP, commit, reason=reason[:300])
        if made is None:
            return told_before(desk, task_id, commit)
        over, queue_id = sit(task_id, -1 if held.state == State.RESERVED else 0)
        if held.state != State.SKIPPED:
            steps = {"skipped": 1, "settled": int(over)}
            counters = bump(desk, queue_id, active_ms=commit.active_ms or 0, **steps)
            together([counters, *share(desk, queue_id, **steps), tally(desk, "", "skip")])
        together([point(held, State.SKIPPED, made)])
        if desk.gold:
            scoring.skipped(desk, held)
    return Committed(made, Event.SKIP, task_id, progress_now(desk.annotator_id))


def undo(*, desk: Desk, annotation_id: int, commit: Commit) -> Committed:
    """Take back the latest answer or skip on a task; the task is in the annotator's hands again."""
    check_commit(commit)
    if annotation_id >= REPEATED:
        return again(desk, repeat_of_event(annotation_id), Event.UNDO, commit, of=annotation_id)
    with transaction.atomic():
        undone = Annotation.objects.filter(pk=annotation_id, annotator_id=desk.annotator_id).first()
        if undone is None:
            raise NotFound("this annotation is not yours")
        held = own(desk, undone.task_id)
        if repeated := earlier(desk, undone.task_id, commit):
            return repeated
        if held.current_id != undone.pk:
            raise Conflict("a later annotation on this task already took its place")
        made = add_event(desk, held, Event.UNDO, commit)
        if made is None:
            return told_before(desk, undone.task_id, commit)
        if undone.event == Event.SKIP:
            over, queue_id = sit(undone.task_id, 1)
            steps = {"skipped": -1, "settled": -int(over)}
            together([bump(desk, queue_id, **steps), *share(desk, queue_id, **steps)])
        else:
            uncount_answer(desk, held)
        if desk.gold:
            scoring.settle(desk, held, None)
        together([*untallied(desk, undone), point(held, State.RESERVED, None), reviewed.overtaken(undone.pk)])
        Assignment.objects.filter(pk=held.id).update(expires_at=timezone.now() + assigning.lease())
    assigning.keep_alive(annotator_id=desk.annotator_id)  # not above: it locks what other tabs hold
    return Committed(made, Event.UNDO, undone.task_id, progress_now(desk.annotator_id))


def last_of(*, desk: Desk) -> Annotation | None:
    """The annotator's latest answer or skip that still stands: what an undo after a reload takes back."""
    mine = Annotation.objects.filter(annotator_id=desk.annotator_id).select_related("superseded_by")
    recent = list(mine.order_by("-id")[:50])
    standing = (a for a in recent if a.event != Event.UNDO and a.counted and not hasattr(a, "superseded_by"))
    return next((a for a in standing if a.source != Annotation.Source.REVIEW), None)


def check_commit(commit: Commit) -> None:
    if not commit.key or len(commit.key) > LONGEST_KEY or "\0" in commit.key:
        raise Invalid(f"an Idempotency-Key of 1 to {LONGEST_KEY} characters is needed", field="Idempotency-Key")
    if commit.active_ms is not None and not 0 <= commit.active_ms <= DAY_MS:
        raise Invalid("must be between 0 and 24 hours", field="active_ms")


def check_answer(scale: Scale, judgements: Sequence[Judgement], rationale: str) -> None:
    """Every axis exactly once, within the protocol's scale."""
    names = [axis["name"] for axis in scale.axes] if scale.kind == TaskKind.PREFERENCE else []
    if sorted(j.axis for j in judgements) != sorted(names):
        asked = f"answer each axis once: {', '.join(names)}" if names else "no preference is asked here"
        raise Invalid(asked, field="preferences")
    for j in judgements:
        if j.both_bad:
            if not scale.allow_both_bad or j.value is not None:
                raise Invalid("both bad is not asked here, or came with a value", field="preferences")
        elif j.value is None or abs(j.value) > scale.strengths:
            raise Invalid(f"a value from -{scale.strengths} to {scale.strengths} is needed", field="preferences")
        elif j.value == 0 and not scale.allow_tie:
            raise Invalid("a tie is not allowed here", field="preferences")
    if scale.rationale == Protocol.Rationale.REQUIRED and not rationale.strip():
        raise Invalid("say why, in a few words", field="rationale")
    if "\0" in rationale:
        raise Invalid("the NUL character cannot be stored", field="rationale")


def earlier(desk: Desk, task_id: int, commit: Commit) -> Committed | None:
    """The event that this key already made, if any. Raises OverlapFull again if that is what it was told."""
    found = Annotation.objects.filter(annotator_id=desk.annotator_id, idempotency_key=commit.key).first()
    if found is None:
        return None
    if found.task_id != task_id:
        raise Invalid("this key was used for another task", field="Idempotency-Key")
    if not found.counted:
        raise uncounted(task_id, found.pk)
    return Committed(found.pk, found.event, task_id, progress_now(desk.annotator_id))


def uncounted(task_id: int, made: int) -> OverlapFull:
    """Why an answer is kept but does not count."""
    if Task.objects.filter(GONE, pk=task_id).exists():
        return Withdrawn("this item was taken out meanwhile; your answer is kept but not counted", made)
    return OverlapFull("others answered this task meanwhile; your answer is kept but not counted", made)


def told_before(desk: Desk, task_id: int, commit: Commit) -> Committed:
    found = earlier(desk, task_id, commit)
    assert found is not None
    return found


def own(desk: Desk, task_id: int) -> Held:
    """The annotator's assignment of a task, locked until the commit."""
    lock = " FOR UPDATE" if connection.vendor == "postgresql" else ""
    found = row(
        'SELECT id, task_id, state, "order", current_id, review_id FROM curation_assignment'
        f" WHERE task_id = %s AND annotator_id = %s{lock}",
        [task_id, desk.annotator_id],
    )
    if found is None:
        raise NotFound("this task is not yours")
    return Held(*found)


def seat(held: Held) -> bool:
    """Whether this answer has a place in the overlap: a held lease has one, a lost one takes a free one."""
    if held.state == State.RESERVED:
        return True
    free = Task.objects.filter(pk=held.task_id, state=Task.State.OPEN, taken__lt=F("overlap"))
    return free.update(taken=F("taken") + 1) == 1


def add_event(
    desk: Desk,
    held: Held,
    event: str,
    commit: Commit,
    *,
    rationale: str = "",
    reason: str = "",
    counted: bool = True,
    extra: Extra | None = None,
) -> int | None:
    """The id of the new event, or None when this key had made one before."""
    values: dict[str, Any] = {
        "project_id": desk.project_id,
        "task_id": held.task_id,
        "annotator_id": desk.annotator_id,
        "protocol_id": desk.scale.protocol_id,
        "event": event,
        "source": commit.source,
        '"order"': extra.task.order if extra else held.order,
        "help": extra.help if extra else "",
        "active_ms": commit.active_ms,
        "rationale": rationale,
        "reason": reason,
        "counted": counted,
        "idempotency_key": commit.key,
        "supersedes_id": held.current_id if counted else None,
        "created_at": timezone.now(),
    }
    made = row(
        f"INSERT INTO curation_annotation ({', '.join(values)}) VALUES ({', '.join(['%s'] * len(values))})"
        " ON CONFLICT (annotator_id, idempotency_key) DO NOTHING RETURNING id",
        list(values.values()),
    )
    return made[0] if made else None


def preferences(annotation_id: int, judgements: Sequence[Judgement], order: str) -> Statement:
    """Judgements in shown order as preferences in stored order."""
    values = [v for j in judgements for v in (annotation_id, j.axis, j.stored(order), j.both_bad)]
    slots = ", ".join(["(%s, %s, %s, %s)"] * len(judgements))
    return f"INSERT INTO curation_preference (annotation_id, axis, value, both_bad) VALUES {slots}", values
