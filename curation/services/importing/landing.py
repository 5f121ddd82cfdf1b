"""A batch of checked items into the tables: new ones and changed ones, the rest untouched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.db.models import F
from django.utils import timezone

from curation import bulk
from curation.models import Item, Project
from curation.services.importing.changing import change
from curation.services.importing.rows import Landing
from curation.services.importing.storing import insert_pairs, insert_responses
from curation.services.importing.votes import Place, VoteBox

ITEM = ("id", "project_id", "external_id", "prompt", "context", "metadata", "prompt_hash", "content_hash", "created_at")


def land(project: Project, batch: Sequence[Landing], votes: VoteBox) -> Counter[str]:
    """Write a batch inside the caller's transaction; how many were created, updated and unchanged."""
    names = [row.external_id for row in batch]
    found = bulk.matching(Item, ("external_id", "id", "content_hash", "deleted_at"), project.pk, "external_id", names)
    known = {external_id: (pk, "" if gone else content_hash) for external_id, pk, content_hash, gone in found}
    fresh = [row for row in batch if row.external_id not in known]
    changed = [row for row in batch if row.external_id in known and known[row.external_id][1] != row.content_hash]
    counts = Counter(created=len(fresh), updated=len(changed), unchanged=len(batch) - len(fresh) - len(changed))
    counts["tasks"] = create(project, fresh, votes)
    counts["tasks"] += change(project, {known[row.external_id][0]: row for row in changed}, votes)
    if fresh or counts["tasks"]:
        Project.objects.filter(pk=project.pk).update(
            item_count=F("item_count") + len(fresh), task_count=F("task_count") + counts["tasks"]
        )
    counts["votes"] = votes.flush()
    return counts


def create(project: Project, fresh: Sequence[Landing], votes: VoteBox) -> int:
    """New items with everything on them; how many tasks."""
    if not fresh:
        return 0
    now: Any = bulk.moment(timezone.now())
    item_ids = bulk.allocate_ids(Item, len(fresh))
    bulk.insert(
        Item,
        ITEM,
        (
            (pk, project.pk, row.external_id, row.prompt, row.context, row.metadata)
            + (row.prompt_hash, row.content_hash, now)
            for pk, row in zip(item_ids, fresh, strict=True)
        ),
    )
    ids = insert_responses(
        [
            (item_id, position, response)
            for item_id, row in zip(item_ids, fresh, strict=True)
            for position, response in enumerate(row.stored)
        ]
    )
    drawn = iter(ids)
    own = [[next(drawn) for _ in row.stored] for row in fresh]
    pairs = [
        (item_id, mine[a], mine[b])
        for item_id, mine, row in zip(item_ids, own, fresh, strict=True)
        for a, b in row.pairs
    ]
    places = iter(insert_pairs(project, pairs))
    for row in fresh:
        where = {pair: Place(*next(places)) for pair in row.pairs}
        for vote in row.votes:
            votes.put(vote, where)
    return len(pairs)
