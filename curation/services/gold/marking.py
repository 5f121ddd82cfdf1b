"""Tasks made gold, one or many at a time, corrected, and taken back.

A task that is gold leaves the queue: who answers it from then on was asked to be checked.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from curation.errors import Conflict, Invalid, NotFound
from curation.models import GONE, Annotation, Gold, Progress, Project, Task, User
from curation.services.gold.apart import put_back, set_apart
from curation.services.gold.counters import begin_anew, count_gold, hold
from curation.services.gold.expecting import checked, expected_from, first_side
from curation.services.gold.reading import Said, with_all
from curation.services.gold.scoring import rescore
from workers.gold import PARTS

LONGEST_EXPLANATION = 10_000
AT_ONCE = 500
WHOLE = ("pair__first", "pair__second", "pair__item", "response__item", "item", "project__protocol")


@dataclass(frozen=True, slots=True)
class Marked:
    """A task to be made gold, and what is right there."""

    task_id: int
    expected: Said
    annotation_id: int | None = None
    explanation: str = ""


@transaction.atomic
def mark(
    *,
    project: Project,
    rows: Sequence[Marked],
    made_from: str,
    phase: str = Gold.Phase.HIDDEN,
    by: User | None = None,
) -> list[Gold]:
    """Make tasks gold; those that are gold already stay as they are. What is expected was checked by the caller."""
    if phase not in Gold.Phase.values:
        raise Invalid(f"must be one of {', '.join(Gold.Phase.values)}", field="phase")
    locked = Project.objects.select_for_update(no_key=True, of=("self",)).get(pk=project.pk)
    if locked.protocol_id is None:
        raise Conflict("this project has no protocol yet")
    wanted = {row.task_id: row for row in rows if row.expected}
    taken = set(Gold.objects.filter(task__in=wanted, retired_at=None).values_list("task_id", flat=True))
    tasks = Task.objects.filter(project=locked, pk__in=wanted.keys() - taken)
    before = set_apart(locked.pk, list(tasks.values_list("pk", flat=True)))
    chance = random.SystemRandom()
    made = [
        Gold(
            project=locked,
            task_id=pk,
            protocol_id=locked.protocol_id,
            phase=phase,
            expected=wanted[pk].expected,
            explanation=wanted[pk].explanation.strip()[:LONGEST_EXPLANATION],
            side=first_side(wanted[pk].expected),
            place=chance.randrange(2**31),
            made_from=made_from,
            annotation_id=wanted[pk].annotation_id,
            made_by=by,
            before=state,
        )
        for pk, state in sorted(before.items())
    ]
    Gold.objects.bulk_create(made, batch_size=AT_ONCE)
    begin_anew(Progress.objects.filter(project=locked, gold_spent__gt=0))
    count_gold(locked.pk)
    return made


def task_of(project: Project, task_id: int) -> Task:
    """A task that may be made gold. Raises NotFound, and Conflict for one that is gold already or out of use."""
    found = Task.objects.select_related(*WHOLE).filter(project=project, pk=task_id).first()
    if found is None:
        raise NotFound("no such task")
    if Gold.objects.filter(task=found, retired_at=None).exists():
        raise Conflict("this task is gold already")
    if Task.objects.filter(GONE, pk=found.pk).exists():
        raise Conflict("what this task asks of was taken out")
    return found


def mark_by_hand(
    *, project: Project, task_id: int, expected: Any, phase: str, explanation: str = "", by: User | None = None
) -> Gold:
    """A task made gold with what somebody says is right. Raises Invalid with the path of what does not fit."""
    task = task_of(project, task_id)
    rows = [Marked(task.pk, checked(task, expected), None, clean(explanation))]
    return only(mark(project=project, rows=rows, made_from=Gold.MadeFrom.HAND, phase=phase, by=by))


def mark_from_answer(
    *,
    project: Project,
    annotation_id: int,
    parts: Sequence[str] = PARTS,
    phase: str = Gold.Phase.HIDDEN,
    explanation: str = "",
    made_from: str = Gold.MadeFrom.ANNOTATION,
    by: User | None = None,
) -> Gold:
    """A task made gold with what one standing answer says; its rationale explains it, unless something else does."""
    found = answer(project, annotation_id)
    task = task_of(project, found.task_id)
    expected = expected_from(found, parts)
    if not expected:
        raise Invalid("says nothing that could be expected of others", field="annotation")
    rows = [Marked(task.pk, expected, found.pk, clean(explanation) or found.rationale)]
    return only(mark(project=project, rows=rows, made_from=made_from, phase=phase, by=by))


def mark_decided(
    *, project: Project, task_id: int, phase: str = Gold.Phase.HIDDEN, explanation: str = "", by: User | None = None
) -> Gold:
    """A task made gold with what most people said there. Raises Conflict where nothing has a majority."""
    from curation.services.gold.clear import clear

    task = task_of(project, task_id)
    found = next(iter(clear(project, [task.pk], votes=1, confidence=0.501)), None)
    if found is None:
        raise Conflict("nothing is decided on this task: nobody answered, or no answer has a majority")
    rows = [Marked(task.pk, found.expected, None, clean(explanation))]
    return only(mark(project=project, rows=rows, made_from=Gold.MadeFrom.DECISION, phase=phase, by=by))


def answer(project: Project, annotation_id: int) -> Annotation:
    rows = Annotation.objects.answers().filter(project=project, pk=annotation_id).select_related("protocol")
    found = with_all(rows).first()
    if found is None:
        raise NotFound("no such answer, or it was taken back")
    return found


def only(made: list[Gold]) -> Gold:
    if not made:
        raise Conflict("this task is gold already")
    return made[0]


def clean(words: str) -> str:
    if "\0" in words or len(words) > LONGEST_EXPLANATION:
        raise Invalid(f"must be text of at most {LONGEST_EXPLANATION} characters", field="explanation")
    return words.strip()


# --- Later ----------------------------------------------------------------------------------------------


def find(project: Project, gold_id: int) -> Gold:
    found = Gold.objects.select_related(*(f"task__{one}" for one in WHOLE), "made_by").filter(
        project=project, pk=gold_id
    )
    if (one := found.first()) is None:
        raise NotFound("no such gold")
    return one


@transaction.atomic
def retire(*, golds: QuerySet[Gold]) -> int:
    """Take gold back; how many. It counts for nobody from then on; open tasks go back to the queue."""
    live = list(golds.filter(retired_at=None).order_by("pk").values_list("pk", "project_id", "task_id", "before"))
    projects = sorted({project_id for _, project_id, _, _ in live})
    list(Project.objects.select_for_update(no_key=True, of=("self",)).filter(pk__in=projects).order_by("pk"))
    for project_id in projects:
        mine = [(task_id, before) for _, home, task_id, before in live if home == project_id]
        retired = [task_id for task_id, before in mine if before == Task.State.RETIRED]
        put_back(project_id, [task_id for task_id, _ in mine], retired)
    ids = [pk for pk, *_ in live]
    hold(ids)
    Gold.objects.filter(pk__in=ids).update(retired_at=timezone.now())
    rescore(ids)
    for project_id in projects:
        count_gold(project_id)
    return len(ids)


@transaction.atomic
def correct(*, gold: Gold, expected: Any = None, explanation: str | None = None) -> Gold:
    """Say anew what is right, or why. All answers to it are judged again, and it is suspect no more."""
    hold([gold.pk])
    locked = Gold.objects.select_for_update(of=("self",)).get(pk=gold.pk)
    if locked.retired_at:
        raise Conflict("this gold was taken back")
    if explanation is not None:
        locked.explanation = clean(explanation)
    if expected is not None:
        task = Task.objects.select_related(*WHOLE).get(pk=locked.task_id)
        locked.expected = checked(task, expected)
        locked.side = first_side(locked.expected)
        locked.protocol = task.project.protocol  # type: ignore[assignment]
        locked.corrected_at = timezone.now()
        locked.made_from = Gold.MadeFrom.HAND
        unsuspect(locked)
    locked.save()
    if expected is not None:
        rescore([locked.pk])
        count_gold(locked.project_id)
    return locked


@transaction.atomic
def correct_from(*, gold: Gold, annotation_id: int, parts: Sequence[str] = PARTS) -> Gold:
    """Take what is right from another answer on the same task."""
    found = answer(gold.project, annotation_id)
    if found.task_id != gold.task_id:
        raise Invalid("is an answer to another task", field="annotation")
    return correct(gold=gold, expected=expected_from(found, parts))


@transaction.atomic
def keep(*, golds: QuerySet[Gold]) -> int:
    """Say that suspect gold is right after all; it is asked and counts again."""
    hold(list(golds.filter(suspect_at__isnull=False).values_list("pk", flat=True)))
    suspect = list(golds.select_for_update(of=("self",)).filter(suspect_at__isnull=False, retired_at=None))
    for one in suspect:
        unsuspect(one)
        one.kept_at = timezone.now()
        one.save(update_fields=["suspect_at", "suspicion", "kept_at"])
    rescore([one.pk for one in suspect])
    for project_id in sorted({one.project_id for one in suspect}):
        count_gold(project_id)
    return len(suspect)


def unsuspect(gold: Gold) -> None:
    gold.suspect_at, gold.suspicion = None, {}


def golds_on(tasks: Iterable[int]) -> dict[int, Gold]:
    """The gold that stands on some tasks, by task."""
    found = Gold.objects.filter(Q(task__in=list(tasks)), retired_at=None).select_related("made_by")
    return {one.task_id: one for one in found}
