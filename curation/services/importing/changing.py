"""Items that were imported before and come again changed, many at once.

A response never changes: the same text by the same model is the response that is there, another text is a new
one, and what the new row does not have is put away with its pairs. Answers stay.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from django.db.models import F, QuerySet
from django.utils import timezone

from curation import bulk
from curation.models import Assignment, Change, Item, Pair, Progress, Project, Response, Task, TaskKind
from curation.services.importing.rows import Landing
from curation.services.importing.storing import first_task, insert_pairs, insert_responses, insert_tasks, tasks_of
from curation.services.importing.votes import Place, VoteBox
from curation.services.queueing import by_overlap

ITEM = ("prompt", "context", "metadata", "prompt_hash", "content_hash")
AT_ONCE = 5000
Two = tuple[int, int]
Same = tuple[int, str, str]
"""What makes a response the same: its item, its text and pictures, and its model."""


def change(project: Project, rows: Mapping[int, Landing], votes: VoteBox, source_id: int | None = None) -> int:
    """Bring items, given by id, up to their new rows; the change in the number of tasks.

    Without a source they stay of the source that they were of.
    """
    if not rows:
        return 0
    origin = () if source_id is None else (source_id,)
    contents = ((r.prompt, r.context, r.metadata, r.prompt_hash, r.content_hash, *origin, pk) for pk, r in rows.items())
    note(project, list(rows))
    bulk.update(Item, (*ITEM, "source_id") if origin else ITEM, contents)
    Item.objects.filter(pk__in=rows, deleted_at__isnull=False).update(deleted_at=None)
    responses, back = keep_responses(rows)
    if project.kind != TaskKind.PREFERENCE:
        return keep_answers(project, rows, responses, back, votes)
    wanted = {
        (min(own[a], own[b]), max(own[a], own[b])): item_id
        for item_id, own in responses.items()
        for a, b in rows[item_id].pairs
    }
    places, tasks = keep_pairs(project, rows, wanted)
    votes.unsure = votes.answers.unsure = True
    for item_id, row in rows.items():
        where = {(a, b): place_of(places, responses[item_id], a, b) for a, b in row.pairs}
        for vote in row.votes:
            votes.put(vote, where)
        votes.answers.put(row.answers, responses[item_id], first_task(where, responses[item_id]))
    return tasks


def note(project: Project, ids: list[int]) -> None:
    """Record what items were before they are brought up to their new rows."""
    kept = ("prompt", "context", "metadata", "prompt_hash", "source_id")
    Change.objects.bulk_create(
        Change(
            project=project,
            item_id=one.pk,
            kind=Change.Kind.RESTORED if one.deleted_at else Change.Kind.CORRECTED,
            before={name: getattr(one, name) for name in kept},
        )
        for one in Item.objects.filter(pk__in=ids).order_by("pk")
    )


def keep_answers(
    project: Project, rows: Mapping[int, Landing], responses: Mapping[int, list[int]], back: set[int], votes: VoteBox
) -> int:
    """Where responses or items are judged: a task on each that is wanted; the change in the number of tasks.

    A task that was set aside by hand stays so; those on responses that come `back` are taken up again.
    """
    kind = TaskKind(project.kind)
    wanted = list(rows) if kind == TaskKind.RANKING else [pk for own in responses.values() for pk in own]
    on = "item" if kind == TaskKind.RANKING else "response"
    among = {"item__in" if on == "item" else "response__item__in": list(rows)}
    known = dict(Task.objects.filter(project=project, kind=kind, **among).values_list(f"{on}_id", "pk"))
    new = [pk for pk in wanted if pk not in known]
    tasks = known | dict(zip(new, insert_tasks(project, new, kind), strict=True))
    retired = [task for some in slices(known.keys() - set(wanted)) for task in retire(on, some)]
    reopened = [task for some in slices(back if on == "response" else ()) for task in reopen(on, some)]
    settle(retired, reopened)
    for item_id, row in rows.items():
        own = responses[item_id]
        votes.answers.put(row.answers, own, tasks_of(kind, item_id, own, tasks))
    return len(new) + len(reopened) - len(retired)


def place_of(places: Mapping[Two, Two], own: list[int], a: int, b: int) -> Place:
    """Pair and task of two responses; the older one is the pair's first, whatever their order in the row."""
    swapped = own[a] > own[b]
    return Place(*places[(own[b], own[a]) if swapped else (own[a], own[b])], swapped)


def keep_responses(rows: Mapping[int, Landing]) -> tuple[dict[int, list[int]], set[int]]:
    """The ids of each item's responses in the order of its row, those that are new made, the others put away.

    Beside them the ids of those that had been put away and are back.
    """
    existing: dict[tuple[Same, int], int] = {}
    positions: dict[int, int] = {}
    alike: Counter[Same] = Counter()
    last: Counter[int] = Counter()
    away: set[int] = set()
    known = Response.objects.filter(item__in=rows).order_by("pk")
    for pk, item_id, digest, model, position, gone in known.values_list(
        "pk", "item_id", "text_hash", "model", "position", "deleted_at"
    ):
        existing[numbered((item_id, digest, model), alike)] = pk
        positions[pk] = position
        last[item_id] = max(last[item_id], position)
        if gone:
            away.add(pk)
    new: list[tuple[int, int, Any]] = []
    unknown: list[tuple[Same, int]] = []
    wanted: dict[int, list[tuple[Same, int]]] = {}
    for item_id, row in rows.items():
        alike = Counter()
        wanted[item_id] = [numbered((item_id, r.text_hash, r.model), alike) for r in row.stored]
        for name, response in zip(wanted[item_id], row.stored, strict=True):
            if name not in existing:
                last[item_id] += 1
                new.append((item_id, last[item_id], bulk.pack(response)))
                unknown.append(name)
    for pk, name, (_, position, _) in zip(insert_responses(new), unknown, new, strict=True):
        existing[name] = pk
        positions[pk] = position
    ids = {item_id: [existing[name] for name in names] for item_id, names in wanted.items()}
    kept = {pk for own in ids.values() for pk in own}
    put_away(Response, set(existing.values()), away, kept)
    reorder(ids, positions, last)
    return ids, away & kept


def numbered(same: Same, seen: Counter[Same]) -> tuple[Same, int]:
    """A response by what makes it the same, and how many of these were there before it."""
    seen[same] += 1
    return same, seen[same]


def reorder(ids: Mapping[int, list[int]], positions: Mapping[int, int], last: Counter[int]) -> None:
    """Move responses to the end until they stand in the order of the row: judgements name them by their places."""
    moved: list[Two] = []
    for item_id, own in ids.items():
        before = -1
        for pk in own:
            place = positions[pk]
            if place < before:
                place = last[item_id] = last[item_id] + 1
                moved.append((place, pk))
            before = place
    if moved:
        bulk.update(Response, ("position",), moved)


def put_away(table: type[Response] | type[Pair], known: set[int], away: set[int], wanted: set[int]) -> None:
    """Mark what is no longer wanted as deleted, and bring back what is wanted again."""
    for some in slices(known - wanted - away):
        table.objects.filter(pk__in=some).update(deleted_at=timezone.now())
    for some in slices(away & wanted):
        table.objects.filter(pk__in=some).update(deleted_at=None)


def keep_pairs(project: Project, rows: Iterable[int], wanted: Mapping[Two, int]) -> tuple[dict[Two, Two], int]:
    """Pair and task of each wanted pair of responses, made or brought back; the change in the number of tasks."""
    known: dict[Two, int] = {}
    away: set[int] = set()
    found = Pair.objects.filter(item__in=list(rows)).values_list("pk", "first_id", "second_id", "deleted_at")
    for pk, first, second, gone in found:
        known[first, second] = pk
        if gone:
            away.add(pk)
    back = {known[two] for two in wanted if two in known}
    put_away(Pair, set(known.values()), away, back)
    tasks = dict(Task.objects.filter(pair__item__in=list(rows)).values_list("pair_id", "pk"))
    places = {two: (known[two], tasks[known[two]]) for two in wanted if two in known}
    new = [two for two in wanted if two not in known]
    made = insert_pairs(project, [(wanted[two], *two) for two in new])
    places.update(zip(new, made, strict=True))
    retired = [task for some in slices(set(known.values()) - back - away) for task in retire("pair", some)]
    reopened = [task for some in slices(back & away) for task in reopen("pair", some)]
    settle(retired, reopened)
    return places, len(new) + len(reopened) - len(retired)


def retire(on: str, ids: list[int]) -> list[int]:
    """Take the open tasks of pairs, responses or items out of the queue; which.

    A complete one stays complete: it was done.
    """
    still_open = Task.objects.filter(**{f"{on}__in": ids}, state=Task.State.OPEN)
    take_back(still_open)
    tasks = list(still_open.order_by("pk").select_for_update().values_list("pk", flat=True))
    Task.objects.filter(pk__in=tasks).update(state=Task.State.RETIRED)
    return tasks


def take_back(tasks: QuerySet[Task]) -> None:
    """Take tasks out of the hands that hold them. As in a submit, an assignment is locked before its task."""
    reserved = Assignment.objects.filter(task__in=tasks, state=Assignment.State.RESERVED)
    hands = dict(reserved.order_by("pk").select_for_update().values_list("pk", "task_id"))
    Assignment.objects.filter(pk__in=hands).update(state=Assignment.State.RELEASED)
    for task_id, number in sorted(Counter(hands.values()).items()):
        Task.objects.filter(pk=task_id).update(taken=F("taken") - number)


def reopen(on: str, ids: list[int]) -> list[int]:
    """Put retired tasks back into the queue, or among those that are complete; which."""
    retired = Task.objects.filter(**{f"{on}__in": ids}, state=Task.State.RETIRED).order_by("pk")
    tasks = list(retired.select_for_update().values_list("pk", flat=True))
    Task.objects.filter(pk__in=tasks).update(state=by_overlap(F("overlap")))
    return tasks


def settle(retired: list[int], reopened: list[int]) -> None:
    """Tell those who answered or skipped tasks that these wait for nobody any more, or do again."""
    for some in slices(reopened):
        complete = Task.objects.filter(pk__in=some, state=Task.State.COMPLETE)
        for task, project_id in complete.values_list("pk", "project"):
            reopened = [one for one in reopened if one != task]
            close(project_id)
    over = [Assignment.State.ANSWERED, Assignment.State.SKIPPED]
    steps: Counter[int] = Counter()
    for tasks, step in ((retired, 1), (reopened, -1)):
        for some in slices(tasks):
            found = Assignment.objects.filter(task__in=some, state__in=over)
            for annotator_id in found.values_list("annotator_id", flat=True):
                steps[annotator_id] += step
    everyone = Progress.objects.filter(annotator__in=steps).order_by("pk").select_for_update()
    for progress_id, annotator_id in list(everyone.values_list("pk", "annotator_id")):
        Progress.objects.filter(pk=progress_id).update(settled=F("settled") + steps[annotator_id])


def close(project_id: int) -> None:
    """Count a task as complete that was answered while it was set aside; whose counter holds it does not matter."""
    first = Progress.objects.filter(project=project_id).order_by("pk").first()
    assert first is not None
    Progress.objects.filter(pk=first.pk).update(closed=F("closed") + 1)


def slices(ids: Iterable[int]) -> Iterator[list[int]]:
    """Ids in rising order, no more at a time than a statement may have parameters."""
    rest = iter(sorted(ids))
    while some := list(islice(rest, AT_ONCE)):
        yield some
