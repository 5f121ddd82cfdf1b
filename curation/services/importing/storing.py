"""Responses, pairs and their tasks into the tables, many at once."""

from __future__ import annotations

from collections.abc import Sequence

from curation import bulk
from curation.models import Pair, Project, Response, Task, queue_position
from curation.services.importing.rows import Stored

RESPONSE = ("id", "item_id", "position", "text", "messages", "model", "metadata", "text_hash")
PAIR = ("id", "item_id", "first_id", "second_id")
TASK = ("id", "project_id", "kind", "pair_id", "priority", "position", "overlap", "taken", "done", "state")


def insert_responses(responses: Sequence[tuple[int, int, Stored]]) -> Sequence[int]:
    """The ids of new responses, given as item, position and content."""
    ids = bulk.allocate_ids(Response, len(responses))
    rows = ((pk, item_id, position, *r) for pk, (item_id, position, r) in zip(ids, responses, strict=True))
    if responses:
        bulk.insert(Response, RESPONSE, rows)
    return ids


def insert_pairs(project: Project, pairs: Sequence[tuple[int, int, int]]) -> list[tuple[int, int]]:
    """New pairs, given as item and its two responses, each with an open task; the ids of pair and task."""
    ids = bulk.allocate_ids(Pair, len(pairs))
    if pairs:
        bulk.insert(Pair, PAIR, ((pk, *pair) for pk, pair in zip(ids, pairs, strict=True)))
    return list(zip(ids, insert_tasks(project, ids), strict=True))


def insert_tasks(project: Project, pair_ids: Sequence[int]) -> Sequence[int]:
    """An open task for each pair; their ids."""
    ids = bulk.allocate_ids(Task, len(pair_ids))
    kind, state, overlap, own = Task.Kind.PREFERENCE.value, Task.State.OPEN.value, project.overlap, project.pk
    rows = (
        (pk, own, kind, pair_id, 0, queue_position(0, pk), overlap, 0, 0, state)
        for pk, pair_id in zip(ids, pair_ids, strict=True)
    )
    if pair_ids:
        bulk.insert(Task, TASK, rows)
    return ids
