"""A batch of checked items into the tables: new ones and changed ones, the rest untouched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from django.db.models import F
from django.utils import timezone

from curation import bulk
from curation.models import Item, Pair, Project, Response, Run, Source, Task, TaskKind
from curation.services.importing.changing import change
from curation.services.importing.rows import TEXTS, Landing
from curation.services.importing.storing import first_task, insert_pairs, insert_responses, insert_tasks, tasks_of
from curation.services.importing.votes import Place, VoteBox


def land(
    project: Project,
    batch: Sequence[Landing],
    votes: VoteBox,
    source_id: int | None = None,
    run: Run | None = None,
    perhaps: Collection[str] | None = None,
) -> Counter[str]:
    """Write a batch of one source inside the caller's transaction; how many were created, updated and unchanged.

    `perhaps` are those of its items that the project may have already; None: any of them.
    """
    names = [row.external_id for row in batch if perhaps is None or row.external_id in perhaps]
    wanted = ("external_id", "id", "content_hash", "deleted_at")
    found = bulk.matching(Item, wanted, project.pk, "external_id", names) if names else []
    known = {external_id: (pk, "" if gone else content_hash) for external_id, pk, content_hash, gone in found}
    fresh = [row for row in batch if row.external_id not in known]
    changed = [row for row in batch if row.external_id in known and known[row.external_id][1] != row.content_hash]
    counts = Counter(created=len(fresh), updated=len(changed), unchanged=len(batch) - len(fresh) - len(changed))
    with bulk.keys_at_once((Item, Response, Pair, Task), {Project: project.pk, Source: source_id}):
        counts["tasks"] = create(project, fresh, votes, source_id)
    counts["tasks"] += change(project, {known[row.external_id][0]: row for row in changed}, votes, source_id, run)
    if fresh or counts["tasks"]:
        Project.objects.filter(pk=project.pk).update(
            item_count=F("item_count") + len(fresh), task_count=F("task_count") + counts["tasks"]
        )
    counts["votes"] = votes.flush()
    counts["answers"] = votes.answers.flush()
    counts["gold"] = votes.gold.flush()
    return counts


def create(project: Project, fresh: Sequence[Landing], votes: VoteBox, source_id: int | None = None) -> int:
    """New items with everything on them; how many tasks."""
    if not fresh:
        return 0
    now: Any = bulk.moment(timezone.now())
    item_ids = bulk.allocate_ids(Item, len(fresh))
    bulk.insert_alike(
        Item,
        ("id",),
        ((pk, row.ready.item) for pk, row in zip(item_ids, fresh, strict=True)),
        fixed={"project_id": project.pk, "source_id": source_id, "created_at": now},
        texts=TEXTS,
    )
    ids = insert_responses(
        [
            (item_id, position, response)
            for item_id, row in zip(item_ids, fresh, strict=True)
            for position, response in enumerate(row.ready.responses)
        ]
    )
    drawn = iter(ids)
    own = [[next(drawn) for _ in row.stored] for row in fresh]
    kind = TaskKind(project.kind)
    if kind == TaskKind.PREFERENCE:
        return put_pairs(project, list(zip(item_ids, own, fresh, strict=True)), votes)
    on = item_ids if kind == TaskKind.RANKING else ids
    tasks = dict(zip(on, insert_tasks(project, on, kind), strict=True))
    for item_id, mine, row in zip(item_ids, own, fresh, strict=True):
        asked = tasks_of(kind, item_id, mine, tasks)
        votes.answers.put(row.answers, mine, asked)
        votes.gold.put(row.gold, mine, asked)
    return len(tasks)


def put_pairs(project: Project, made: Sequence[tuple[int, list[int], Landing]], votes: VoteBox) -> int:
    """Pairs and tasks of new items, given with the ids of their responses; how many."""
    pairs = [(item_id, own[a], own[b]) for item_id, own, row in made for a, b in row.pairs]
    places, at = insert_pairs(project, pairs), 0
    for _, own, row in made:
        here, at = places[at : at + len(row.pairs)], at + len(row.pairs)
        if not row.votes and not row.answers and not row.gold:
            continue
        where = {pair: Place(*place) for pair, place in zip(row.pairs, here, strict=True)}
        for vote in row.votes:
            votes.put(vote, where)
        votes.answers.put(row.answers, own, on := first_task(where, own))
        votes.gold.put(row.gold, own, on, where)
    return len(pairs)
