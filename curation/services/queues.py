"""Queues of a project: made, changed, paused, filled and taken away; a batch is a queue with a deadline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count, Q, QuerySet, Sum, Value
from django.utils import timezone

from curation.errors import Invalid, NotFound
from curation.models import GONE, Annotator, Group, Item, Project, Queue, Share, Task, User
from curation.services.queueing import by_overlap, checked, recount, set_cap, set_overlap, start_over, usual_in

FIELDS = ("name", "about", "overlap", "cap", "priority", "deadline", "quota")
AT_ONCE = 5000
MOST_QUEUES = 500


def of(project: Project) -> QuerySet[Queue]:
    """The queues of a project, those to be worked in first in front."""
    return project.queues.select_related("skill").order_by("-priority", "deadline", "pk")


def find(project: Project, queue_id: int) -> Queue:
    found = project.queues.select_related("project", "skill").filter(pk=queue_id).first() if queue_id < 2**63 else None
    if found is None:
        raise NotFound("no such queue")
    return found


@dataclass(frozen=True, slots=True)
class Counts:
    """What was done in a queue, from the shares of its people."""

    complete: int = 0
    answers: int = 0
    skips: int = 0
    people: int = 0


def counts(queues: Sequence[Queue]) -> dict[int, Counts]:
    """What was done in each queue, by its id."""
    shares = Share.objects.filter(queue__in=queues).order_by().values_list("queue")
    begun = Count("pk", filter=Q(done__gt=0))
    sums = shares.annotate(Sum("closed"), Sum("done"), Sum("skipped"), begun=begun)
    found = {queue_id: Counts(*numbers) for queue_id, *numbers in sums}
    return {queue.pk: found.get(queue.pk, Counts()) for queue in queues}


@transaction.atomic
def add(*, project: Project, user: User | None, name: str, **given: Any) -> Queue:
    """A queue without tasks; `given` as in `change`. Raises Invalid naming the field."""
    if project.queues.count() >= MOST_QUEUES:
        raise Invalid(f"a project has at most {MOST_QUEUES} queues; take some away first", field="name")
    queue = Queue(project=project, created_by=user)
    return change(queue, name=name, **given)


@transaction.atomic
def change(queue: Queue, **given: Any) -> Queue:
    """Change what is given: the FIELDS, `groups`, `people` and `skill` by their ids, `paused`.

    Another overlap opens or completes the tasks that have none of their own. Raises Invalid naming the field.
    """
    project = Project.objects.select_for_update(no_key=True, of=("self",)).get(pk=queue.project_id)
    before = usual_in(project, queue)
    for field in FIELDS:
        if field in given:
            setattr(queue, field, given[field])
    if "skill" in given:
        [queue.skill] = groups_in(project, [given["skill"]], "skill") if given["skill"] else [None]
    if "paused" in given and given["paused"] != bool(queue.paused_at):
        queue.paused_at = timezone.now() if given["paused"] else None
    check(queue)
    try:
        with transaction.atomic():
            queue.save()
    except IntegrityError as error:
        raise Invalid("another queue of this project has this name", field="name") from error
    if "groups" in given:
        queue.groups.set(groups_in(project, given["groups"], "groups"))
    if "people" in given:
        queue.people.set(people_in(project, given["people"]))
    overlap, cap = usual_in(project, queue)
    if overlap != before[0]:
        set_overlap(tasks=queue.tasks.filter(overlap=before[0]), overlap=overlap)
    if cap != before[1]:
        set_cap(tasks=queue.tasks.filter(cap=before[1]), cap=cap)
    start_over([project.pk])
    return queue


def check(queue: Queue) -> None:
    queue.name = queue.name.strip()
    if not queue.name or len(queue.name) > 120:
        raise Invalid("needs 1 to 120 characters", field="name")
    if len(queue.about) > 500:
        raise Invalid("at most 500 characters", field="about")
    for field in ("overlap", "cap"):
        if getattr(queue, field) is not None:
            checked(getattr(queue, field), field)
    if not -1000 <= queue.priority <= 1000:
        raise Invalid("must be from -1000 to 1000", field="priority")
    if queue.quota is not None and not 1 <= queue.quota < 2**31:
        raise Invalid("must be at least 1", field="quota")


def groups_in(project: Project, ids: Sequence[int], field: str) -> list[Group]:
    found = {group.pk: group for group in project.groups.filter(pk__in=ids)}
    if len(found) < len(set(ids)):
        raise Invalid("names a group that is not of this project", field=field)
    return [found[pk] for pk in ids]


def people_in(project: Project, ids: Sequence[int], field: str = "people") -> list[Annotator]:
    """People who annotate in a project, by the ids of their annotators."""
    found = list(project.annotators.filter(pk__in=ids, kind=Annotator.Kind.PERSON))
    if len(found) < len(set(ids)):
        raise Invalid("names somebody who is no annotator of this project", field=field)
    return found


def ask_item(item: Item, overlap: int) -> int:
    """Ask for another number of answers on each task of one item, whatever its queue has; how many tasks changed."""
    on = {"preference": "pair__item", "response": "response__item", "ranking": "item"}[item.project.kind]
    return set_overlap(tasks=item.project.tasks.filter(**{on: item}), overlap=overlap)


def ask_task(task: Task, overlap: int) -> int:
    """Ask for another number of answers on one task; 1, or 0 where it asks for so many or is out of the queue."""
    return set_overlap(tasks=Task.objects.filter(pk=task.pk), overlap=overlap)


@transaction.atomic
def remove(queue: Queue) -> None:
    """Take a queue away; its tasks go back into the project's own, with every answer."""
    move(project=queue.project, ids=list(queue.tasks.order_by("pk").values_list("pk", flat=True)), queue=None)
    queue.delete()


@transaction.atomic
def move(*, project: Project, ids: Sequence[int], queue: Queue | None) -> int:
    """Put tasks into a queue, or (None) back into the project's own; how many moved.

    They ask for as many answers as is usual there, but for those that were given a number of their own. What is in
    hand stays in hand.
    """
    project = Project.objects.select_for_update(no_key=True, of=("self",)).get(pk=project.pk)
    usual, moved = usual_in(project, queue), 0
    for start in range(0, len(ids), AT_ONCE):
        tasks = Task.objects.filter(project=project, pk__in=ids[start : start + AT_ONCE])
        tasks = tasks.filter(queue__isnull=False) if queue is None else tasks.filter(~Q(queue=queue) | Q(queue=None))
        for source in list(tasks.order_by().values_list("queue", flat=True).distinct()):
            before = usual_in(project, Queue.objects.get(pk=source) if source else None)
            there = tasks.filter(queue=source)
            live = there.filter(overlap=before[0]).exclude(overlap=usual[0]).exclude(state=Task.State.RETIRED)
            live.exclude(GONE).update(overlap=usual[0], state=by_overlap(Value(usual[0])))
            there.filter(cap=before[1]).update(cap=usual[1])
            moved += there.update(queue=queue)
    recount(project_id=project.pk)
    start_over([project.pk])
    return moved
