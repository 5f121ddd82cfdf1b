"""Tasks chosen by what is known of their items and put into a queue, as a run: a filter over a project of any size."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from django.db import transaction
from pydantic import Field

from curation import access
from curation.errors import Invalid
from curation.models import Item, Project, Response, Run, Task, TaskKind
from curation.services import queues
from curation.services.filtering import Condition, Filters
from curation.services.freezing.narrowing import Known, holds
from curation.services.freezing.selecting import Candidate, Selection
from curation.services.locating import COLUMNS
from curation.services.method import Method, Params
from curation.services.prioritising import coin
from curation.services.running import Report
from workers.writers import targets

AT_ONCE = 500
MOST_NAMED = 10_000


class AssignParams(Params):
    queue: int | None = Field(
        default=None,
        title="Queue",
        description="where the tasks go; none: back into the project's own",
        json_schema_extra={"choose": "queue"},
    )
    source: Literal["own", "any"] = Field(
        default="own", title="From", description="own: only tasks that are in no queue yet; any: from any queue"
    )
    state: Literal["unanswered", "open", "any"] = Field(
        default="open", title="Tasks", description="unanswered: of which nobody has answered; open: not yet complete"
    )
    items: list[str] = Field(
        default_factory=list, max_length=MOST_NAMED, title="Items", description="only these, by their ids, one a line"
    )
    where: list[Condition] = Field(
        default_factory=list,
        max_length=20,
        title="Conditions",
        description='all must hold, such as [{"field": "item.metadata.topic", "op": "eq", "value": "code"}]',
    )
    most: int | None = Field(default=None, ge=1, le=2**31 - 1, title="At most", description="so many tasks")
    order: Literal["queue", "random"] = Field(
        default="queue", title="Which", description="queue: the first in the queue's order; random: drawn by the seed"
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """What a condition on a prompt reads."""

    prompt: list[dict[str, Any]]


def execute(run: Run, report: Report) -> dict[str, Any]:
    """Choose, then move all in one transaction with the counters that follow."""
    params = AssignParams.model_validate(run.params)
    queue = queues.find(run.home, params.queue) if params.queue is not None else None
    chosen = array("q")
    total = run.home.task_count
    for some, looked in chosen_of(run.home, params):
        chosen.extend(some)
        report.checkpoint(done=min(looked, total), total=total)
    picked = drawn(list(chosen), params, run.seed)
    with transaction.atomic():
        moved = queues.move(project=run.home, ids=picked, queue=queue)
        report.checkpoint(done=total, total=total)
    return {"moved": moved, "queue": queue.name if queue else "the project's own", "fitting": len(chosen)}


def chosen_of(project: Project, params: AssignParams) -> Iterator[tuple[list[int], int]]:
    """The tasks that fit, some at a time by rising id, with how many were looked at."""
    kind = TaskKind(project.kind)
    tasks = Task.objects.filter(project=project, kind=kind).exclude(state=Task.State.RETIRED)
    if params.source == "own":
        tasks = tasks.filter(queue=None)
    if params.state != "any":
        tasks = tasks.filter(state=Task.State.OPEN)
    if params.state == "unanswered":
        tasks = tasks.filter(taken=0)
    if params.items:
        item = COLUMNS[kind][0].removesuffix("_id")
        named = Item.objects.filter(project=project, external_id__in=params.items)
        tasks = tasks.filter(**{f"{item}__in": named})
    last, looked = 0, 0
    while rows := list(tasks.filter(pk__gt=last).order_by("pk").values_list("pk", *COLUMNS[kind])[:AT_ONCE]):
        last, looked = rows[-1][0], looked + len(rows)
        yield fitting(project, params.where, rows), looked


def fitting(project: Project, where: Sequence[Condition], rows: Sequence[tuple[Any, ...]]) -> list[int]:
    """The tasks whose item, prompt and responses meet every condition."""
    if not where:
        return [row[0] for row in rows]
    items = {row[1] for row in rows}
    prompts = dict(Item.objects.filter(pk__in=items).values_list("pk", "prompt")) if prompted(where) else {}
    responses: dict[int, list[int]] = {}
    if project.kind == TaskKind.RANKING:
        for item_id, pk in Response.objects.filter(item__in=items, deleted_at=None).values_list("item_id", "pk"):
            responses.setdefault(item_id, []).append(pk)
    some = [
        Candidate("", Asked(prompts.get(item, [])), item_id=item, responses=tuple(ids or responses.get(item, [])))
        for _, item, *ids in rows
    ]
    known = Known(Selection(project, targets.get("touchstone"), Filters(where=list(where)), 0), some)
    return [row[0] for row, one in zip(rows, some, strict=True) if meets(known, where, one)]


def prompted(where: Sequence[Condition]) -> bool:
    return any(condition.field.startswith("prompt.") for condition in where)


def meets(known: Known, where: Sequence[Condition], one: Candidate) -> bool:
    return all(holds(condition, known.values(condition.field, one)) for condition in where)


def drawn(tasks: list[int], params: AssignParams, seed: int) -> list[int]:
    """At most as many as are wanted: the first in the order of the queue, or any by the seed; by rising id."""
    if params.most is None or len(tasks) <= params.most:
        return tasks
    if params.order == "random":
        return sorted(sorted(tasks, key=lambda task: coin(seed, task, "assign"))[: params.most])
    places: dict[int, int] = {}
    for start in range(0, len(tasks), 5000):
        some = Task.objects.filter(pk__in=tasks[start : start + 5000])
        places.update(some.values_list("pk", "position"))
    return sorted(sorted(tasks, key=places.__getitem__)[: params.most])


def settle(project: Project | None, params: AssignParams) -> AssignParams:
    """Raises Invalid for a queue of another project, and for conditions on a side that a task does not have."""
    assert project is not None
    if params.queue is not None and not project.queues.filter(pk=params.queue).exists():
        raise Invalid("no such queue in this project", field="params.queue")
    for number, condition in enumerate(params.where):
        if condition.field.startswith(("chosen.", "rejected.")):
            raise Invalid("a task has no chosen side; name response", field=f"params.where.{number}.field")
    return params


METHOD = Method(
    name="assign",
    title="Put tasks into a queue",
    about="Chooses tasks by what is known of their items and puts them into a queue, or back into the project's own. "
    "Answers and what is in hand stay as they are.",
    params=AssignParams,
    unit="tasks",
    execute=execute,
    settle=settle,
    capability=access.MANAGE,
)
