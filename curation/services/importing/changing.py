"""Items that were imported before and come again changed, many at once.

A response never changes: the same text by the same model is the response that is there, another text is a new
one, and what the new row does not have is put away with its pairs. Answers stay.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from django.utils import timezone

from curation import bulk
from curation.models import Item, Pair, Project, Response, Run, Task, TaskKind
from curation.services.changes import note, states
from curation.services.importing.rows import Landing, Stored
from curation.services.importing.storing import first_task, insert_pairs, insert_responses, insert_tasks, tasks_of
from curation.services.importing.votes import Place, VoteBox
from curation.services.removing import bring_back
from curation.services.retiring import reopen, retire, settle, slices

ITEM = ("prompt", "context", "metadata", "prompt_hash", "content_hash")
Two = tuple[int, int]
Same = tuple[int, str, str]
"""What makes a response the same: its item, its text and pictures, and its model."""


def change(
    project: Project,
    rows: Mapping[int, Landing],
    votes: VoteBox,
    source_id: int | None = None,
    run: Run | None = None,
) -> int:
    """Bring items, given by id, up to their new rows; the change in the number of tasks.

    Without a source they stay of the source that they were of. What they were is kept beside the `run`.
    """
    if not rows:
        return 0
    before = states(rows)
    gone = [pk for pk, was in before.items() if was["gone"]]
    tasks = bring_back(project, gone) if gone else 0
    tasks += brought_up(project, rows, votes, source_id)
    note(project, before, user=run.created_by if run else None, run=run)
    return tasks


def brought_up(project: Project, rows: Mapping[int, Landing], votes: VoteBox, source_id: int | None) -> int:
    origin = () if source_id is None else (source_id,)
    contents = ((r.prompt, r.context, r.metadata, r.prompt_hash, r.content_hash, *origin, pk) for pk, r in rows.items())
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
        votes.answers.put(row.answers, responses[item_id], on := first_task(where, responses[item_id]))
        votes.gold.put(row.gold, responses[item_id], on, where)
    return tasks


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
        votes.answers.put(row.answers, own, mine := tasks_of(kind, item_id, own, tasks))
        votes.gold.put(row.gold, own, mine)
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
    new: list[tuple[int, int, Stored]] = []
    unknown: list[tuple[Same, int]] = []
    wanted: dict[int, list[tuple[Same, int]]] = {}
    for item_id, row in rows.items():
        alike = Counter()
        wanted[item_id] = [numbered((item_id, r.text_hash, r.model), alike) for r in row.stored]
        for name, response in zip(wanted[item_id], row.stored, strict=True):
            if name not in existing:
                last[item_id] += 1
                new.append((item_id, last[item_id], response))
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
