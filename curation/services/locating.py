"""Which task is meant: by its id, or by an item and the places of its responses in the order of the import."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from curation.errors import Invalid
from curation.models import Item, Project, Response, Task, TaskKind
from curation.services.taking import CONTENT, ShownResponse
from curation.statements import rows

Named = tuple[int | None, str, Sequence[int]]
"""A task's id, or an item's external id with the places of its responses."""
CHOSEN = """
WITH chosen AS (
  SELECT t.id AS task_id, '' AS ord, '' AS expires_at, t.kind, t.pair_id, t.response_id, t.item_id,
         NULL AS review_id
  FROM curation_task t WHERE t.project_id = %s AND t.state <> 'retired' AND t.kind = %s AND t.id IN ({ids})
)
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A task with its responses in stored order, or, with `order` ba, in the other one, in which they were named."""

    task_id: int
    context: str
    responses: tuple[ShownResponse, ...]
    order: str = ""


def places_of(project: Project, named: Sequence[Named]) -> list[Place | Invalid]:
    """The task that each names, or why it names none; in as many statements for many as for one."""
    known = tasks_by_responses(project, {item for task, item, _ in named if task is None})
    wanted = [task_of(project, known, *one) for one in named]
    places = loaded(project, {task for task, _ in filter_found(wanted)})
    return [found_in(places, one) for one in wanted]


Found = tuple[int, str]
"""A task and the order in which its responses were named."""


def filter_found(wanted: Iterable[Found | Invalid]) -> list[Found]:
    return [one for one in wanted if not isinstance(one, Invalid)]


def found_in(places: Mapping[int, Place], one: Found | Invalid) -> Place | Invalid:
    if isinstance(one, Invalid):
        return one
    task_id, order = one
    place = places.get(task_id)
    if place is None:
        return Invalid("there is no such task here, or nobody is asked it any more", field="task")
    return replace(place, responses=place.responses[::-1], order=order) if order == "ba" else place


@dataclass(frozen=True, slots=True)
class Known:
    """An item with the ids of its live responses in order, and its tasks by what they are on."""

    item_id: int
    responses: list[int]
    tasks: dict[tuple[int, ...], int]


def tasks_by_responses(project: Project, names: Collection[str]) -> dict[str, Known]:
    items = dict(
        Item.objects.filter(project=project, external_id__in=names, deleted_at=None).values_list("pk", "external_id")
    )
    own: defaultdict[int, list[int]] = defaultdict(list)
    live = Response.objects.filter(item__in=items, deleted_at=None).order_by("item_id", "position")
    for item_id, pk in live.values_list("item_id", "pk"):
        own[item_id].append(pk)
    tasks: defaultdict[int, dict[tuple[int, ...], int]] = defaultdict(dict)
    for task_id, on in tasks_on(project, items):
        tasks[on.item_id][on.responses] = task_id
    return {name: Known(pk, own[pk], tasks[pk]) for pk, name in items.items()}


@dataclass(frozen=True, slots=True)
class On:
    """What a task is on: one response, two, or (none named) all of an item."""

    item_id: int
    responses: tuple[int, ...]


COLUMNS = {
    TaskKind.PREFERENCE: ("pair__item_id", "pair__first_id", "pair__second_id"),
    TaskKind.RESPONSE: ("response__item_id", "response_id"),
    TaskKind.RANKING: ("item_id",),
}


def tasks_on(project: Project, items: Iterable[int]) -> list[tuple[int, On]]:
    """The tasks of items that are asked, or were answered; by item and id."""
    columns = COLUMNS[TaskKind(project.kind)]
    live = Task.objects.filter(**{f"{columns[0].removesuffix('_id')}__in": list(items)}, kind=project.kind)
    found = live.exclude(state=Task.State.RETIRED).order_by("pk").values_list("pk", *columns)
    return [(pk, On(item_id, tuple(responses))) for pk, item_id, *responses in found]


def task_of(
    project: Project, known: Mapping[str, Known], task: int | None, item: str, places: Sequence[int]
) -> Found | Invalid:
    if task is not None:
        return (task, "") if not item else Invalid("name a task or an item, not both", field="task")
    if not item:
        return Invalid("name a task or an item", field="task")
    if item not in known:
        return Invalid("no item has this id here", field="item")
    return on_item(project.kind, known[item], places)


def on_item(kind: str, item: Known, places: Sequence[int]) -> Found | Invalid:
    """The task on the responses at `places`; without places the only one there is."""
    field = "responses" if kind == TaskKind.PREFERENCE else "response"
    count = len(item.responses)
    if any(not 0 <= place < count for place in places):
        return Invalid(f"there are {count} responses, counted from 0", field=field)
    if not places:
        if len(item.tasks) == 1:
            return next(iter(item.tasks.values())), ""
        return Invalid(f"this item has {len(item.tasks)} tasks; say which responses are meant", field=field)
    ids = tuple(item.responses[place] for place in places)
    if kind == TaskKind.PREFERENCE:
        if ids in item.tasks:
            return item.tasks[ids], ""
        if ids[::-1] in item.tasks:
            return item.tasks[ids[::-1]], "ba"
    elif kind == TaskKind.RESPONSE and ids in item.tasks:
        return item.tasks[ids], ""
    asked = {TaskKind.PREFERENCE: "two responses are compared", TaskKind.RESPONSE: "one response is judged"}
    return Invalid(f"nothing is asked about these; {asked.get(TaskKind(kind), 'all are ranked')}", field=field)


def loaded(project: Project, tasks: Collection[int]) -> dict[int, Place]:
    """Tasks of a project with the texts of their responses in stored order."""
    if not tasks:
        return {}
    kind = TaskKind(project.kind)
    chosen = CHOSEN.format(ids=", ".join(["%s"] * len(tasks)))
    found: dict[int, Place] = {}
    for task_id, context, columns in map(split, rows(chosen + CONTENT[kind], [project.pk, kind, *tasks])):
        before = found[task_id].responses if task_id in found else ()
        found[task_id] = Place(task_id, context, (*before, *several(columns)))
    return found


def split(row: tuple[Any, ...]) -> tuple[Any, Any, list[Any]]:
    """Task, context and the columns of responses."""
    return row[0], row[6], list(row[8:])


def several(columns: Sequence[Any]) -> list[ShownResponse]:
    return [ShownResponse(*columns[n : n + 5]) for n in range(0, len(columns), 5)]
