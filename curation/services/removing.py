"""Items taken out by people, and brought back: out of queues, lists, counters and new versions. What was said stays.

Nothing is erased: the texts and every answer are kept, and versions that hold the item are as they were.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from curation.errors import Invalid
from curation.models import Act, Change, Item, Project, Task, TaskKind, User
from curation.services import auditing
from curation.services.changes import note, states
from curation.services.retiring import reopen, resume, retire, settle, slices

LONGEST = 300
ITEM_OF = {TaskKind.PREFERENCE: "pair__item", TaskKind.RESPONSE: "response__item", TaskKind.RANKING: "item"}


@transaction.atomic
def remove(*, project: Project, ids: Collection[int], user: User | None, reason: str = "") -> int:
    """Take those of the items out that are there; how many. Raises Invalid for a reason that cannot be kept.

    Open tasks on them leave the queue and every hand. Who still has one on the screen is told when they send their
    answer, which is kept and does not count.
    """
    checked(reason)
    wanted = found(project, ids, gone=False)
    if not wanted:
        return 0
    before = states(wanted)
    Item.objects.filter(pk__in=wanted).update(deleted_at=timezone.now())
    tasks = open_on(project, wanted)
    retired = [task for some in slices(tasks) for task in retire("pk", some)]
    settle(retired, [])
    went: defaultdict[int, list[int]] = defaultdict(list)
    for task in retired:
        went[tasks[task]].append(task)
    note(project, before, user=user, reason=reason, more={pk: {"retired": went[pk]} for pk in wanted})
    count(project, items=-len(wanted), tasks=-len(retired))
    auditing.record(Act.ITEMS_REMOVED, project=project, by=user, items=len(wanted), reason=reason)
    return len(wanted)


@transaction.atomic
def restore(*, project: Project, ids: Collection[int], user: User | None, reason: str = "") -> int:
    """Bring those of the items back that were taken out; how many. Raises Invalid as `remove` does.

    The tasks that went with them are asked again, of those who have not answered.
    """
    checked(reason)
    wanted = found(project, ids, gone=True)
    if not wanted:
        return 0
    before = states(wanted)
    Item.objects.filter(pk__in=wanted).update(deleted_at=None)
    count(project, items=0, tasks=bring_back(project, wanted))
    note(project, before, user=user, reason=reason)
    auditing.record(Act.ITEMS_RESTORED, project=project, by=user, items=len(wanted), reason=reason)
    return len(wanted)


def bring_back(project: Project, ids: Collection[int]) -> int:
    """Count items among the project's again, and ask the tasks that went with them; the change in their number.

    A task that was set aside by hand before stays so.
    """
    kept: dict[int, list[int]] = {}
    removals = Change.objects.filter(item__in=ids, kind=Change.Kind.DELETED).order_by("pk")
    for item_id, retired in removals.values_list("item_id", "before__retired"):
        kept[item_id] = retired or []
    went = [task for tasks in kept.values() for task in tasks]
    reopened = [task for some in slices(went) for task in reopen("pk", some)]
    settle([], reopened)
    resume(Task.objects.filter(project=project, **{f"{ITEM_OF[TaskKind(project.kind)]}__in": ids}))
    count(project, items=len(ids), tasks=0)
    return len(reopened)


def removal_of(item: Item) -> Change | None:
    """Who took an item out, when and why; None while it is there."""
    if item.deleted_at is None:
        return None
    removals = Change.objects.filter(item=item, kind=Change.Kind.DELETED).select_related("made_by")
    return removals.order_by("-pk").first()


def checked(reason: str) -> None:
    if len(reason) > LONGEST:
        raise Invalid(f"at most {LONGEST} characters", field="reason")
    if "\0" in reason:
        raise Invalid("the NUL character cannot be stored", field="reason")


def found(project: Project, ids: Collection[int], *, gone: bool) -> list[int]:
    """Those of the ids that are items of the project, there or taken out."""
    lock(project)
    items = Item.objects.filter(project=project, pk__in=ids, deleted_at__isnull=not gone)
    return list(items.order_by("pk").values_list("pk", flat=True))


def lock(project: Project) -> None:
    """Let nobody else change items of the project until the commit, as an import does."""
    list(Project.objects.select_for_update(no_key=True, of=("self",)).filter(pk=project.pk))


def open_on(project: Project, ids: Collection[int]) -> dict[int, int]:
    """The open tasks on items, each with its item."""
    item = ITEM_OF[TaskKind(project.kind)]
    tasks = Task.objects.filter(project=project, state=Task.State.OPEN, **{f"{item}__in": ids})
    return dict(tasks.values_list("pk", item))


def count(project: Project, *, items: int, tasks: int) -> None:
    Project.objects.filter(pk=project.pk).update(item_count=F("item_count") + items, task_count=F("task_count") + tasks)
