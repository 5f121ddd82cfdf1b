"""Responses, pairs and their tasks into the tables, many at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from curation import bulk
from curation.models import Pair, Project, Response, Task, TaskKind, queue_position
from curation.services.importing.rows import Stored

RESPONSE, OF_RESPONSE = ("id", "item_id", "position"), Stored._fields
PAIR = ("id", "item_id", "first_id", "second_id")
ON = {TaskKind.PREFERENCE: "pair_id", TaskKind.RESPONSE: "response_id", TaskKind.RANKING: "item_id"}
"""What a task of each kind is on."""
TASK = ("id", "position")


def insert_responses(responses: Sequence[tuple[int, int, Any]]) -> Sequence[int]:
    """The ids of new responses, given as item, position and Stored, or what `bulk.ready` made of that."""
    ids = bulk.allocate_ids(Response, len(responses))
    rows = ((pk, *response) for pk, response in zip(ids, responses, strict=True))
    if responses:
        bulk.insert_alike(Response, RESPONSE, rows, texts=OF_RESPONSE)
    return ids


def insert_pairs(project: Project, pairs: Sequence[tuple[int, int, int]]) -> list[tuple[int, int]]:
    """New pairs, given as item and its two responses, each with an open task; the ids of pair and task."""
    ids = bulk.allocate_ids(Pair, len(pairs))
    if pairs:
        bulk.insert_alike(Pair, PAIR, ((pk, *pair) for pk, pair in zip(ids, pairs, strict=True)))
    return list(zip(ids, insert_tasks(project, ids), strict=True))


def insert_tasks(project: Project, ids_on: Sequence[int], kind: TaskKind = TaskKind.PREFERENCE) -> Sequence[int]:
    """An open task on each pair, response or item, as `kind` says; their ids."""
    ids = bulk.allocate_ids(Task, len(ids_on))
    fixed = {"project_id": project.pk, "kind": kind.value, "state": Task.State.OPEN.value, "overlap": project.overlap}
    fixed |= {"cap": project.cap} if project.cap is not None else {}
    rows = ((pk, queue_position(0, pk), on) for pk, on in zip(ids, ids_on, strict=True))
    if ids_on:
        bulk.insert_alike(Task, (*TASK, ON[kind]), rows, fixed={**fixed, "priority": 0, "taken": 0, "done": 0})
    return ids


def tasks_of(kind: TaskKind, item_id: int, own: Sequence[int], tasks: Mapping[int, int]) -> dict[int, int]:
    """The task on which something said of each response of an item is kept, by the response's id."""
    return {pk: tasks[item_id if kind == TaskKind.RANKING else pk] for pk in own}


def first_task(where: Mapping[tuple[int, int], Any], own: Sequence[int]) -> dict[int, int]:
    """The first task in which each response is compared, by the response's id."""
    found: dict[int, int] = {}
    for (a, b), place in sorted(where.items()):
        for n in (a, b):
            found.setdefault(own[n], place.task_id)
    return found
