"""The hardest held-out rows of a training, and open tasks with prompts like theirs, put at the head of the queue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import orjson
from django.db import transaction
from pydantic import Field

from curation import access
from curation.errors import Conflict, Invalid
from curation.models import Project, Run, Task
from curation.services import queueing
from curation.services.method import Method, Params
from curation.services.reading import stream
from curation.services.running import Report
from workers.held_out import hardest, kept
from workers.likeness import nearest
from workers.rows import Message

PICK = "hard"
MOST_OVERLAP = 50
OPEN = """
SELECT t.id, i.prompt FROM curation_task t
LEFT JOIN curation_pair p ON p.id = t.pair_id
JOIN curation_item i ON i.id = COALESCE(p.item_id, t.item_id)
WHERE t.project_id = %s AND t.state = 'open' AND i.deleted_at IS NULL
ORDER BY t.id
"""


class SendParams(Params):
    training: UUID = Field(description="the run whose held-out rows are looked at")
    hardest: int = Field(20, ge=1, le=1000, description="so many that it gets most wrong: one more answer each")
    like: int = Field(50, ge=0, le=10_000, description="open tasks with prompts like theirs")


def execute(run: Run, report: Report) -> dict[str, Any]:
    """Raise the priority of tasks; a completed one is opened for one more answer. Done twice it changes no more."""
    params = SendParams.model_validate(run.params)
    training = Run.objects.filter(pk=params.training, project=run.project).first()
    rows = [row for row in kept(training.folder) if row.get("task")] if training else []
    if not rows:
        raise Conflict("this run kept no held-out rows that lead back to tasks")
    hard = list(Task.objects.filter(project=run.home, pk__in=[row["task"] for row in hardest(rows, params.hardest)]))
    again = run.checkpoint.get("again")
    if again is None:
        again = [[task.pk, min(MOST_OVERLAP, task.done + 1)] for task in hard if task.state == Task.State.COMPLETE]
    prompts = [prompt_of(task) for task in hard]
    report.log(f"{len(hard)} tasks of the hardest rows; looking for {params.like} like them")
    others = {task.pk for task in hard}
    like = [key for key in nearest(prompts, opened(run.home), params.like + len(hard)) if key not in others]
    like = like[: params.like]
    with transaction.atomic():
        for task, overlap in again:
            queueing.set_overlap(tasks=Task.objects.filter(pk=task), overlap=overlap)
        chosen = sorted([*others, *like])
        queueing.place(project_id=run.home.pk, rows=[(task, queueing.HIGHEST // 2 + 1, PICK) for task in chosen])
        report.checkpoint(done=len(chosen), total=len(chosen), at={"again": again})
    return {"hardest": len(hard), "asked_again": len(again), "like_them": len(like)}


def prompt_of(task: Task) -> str:
    item = task.item or (task.pair.item if task.pair else None)
    return said(item.prompt) if item else ""


def said(prompt: list[Message]) -> str:
    return "\n".join(str(one.get("content") or "") for one in prompt)


def opened(project: Project) -> Iterator[tuple[int, str]]:
    """Every open task with the words of its prompt."""
    for task, prompt in stream(OPEN, [project.pk]):
        yield task, said(orjson.loads(prompt))


def settle(project: Project | None, params: Any) -> Any:
    """Raises Invalid when there is no such training in the project."""
    if not Run.objects.filter(pk=params.training, project=project, method__startswith="train-").exists():
        raise Invalid("no training of this project", field="params.training")
    return params


METHOD = Method(
    name="ask-about-hardest",
    title="Ask people about the hardest rows of a training",
    about="The held-out rows that a trained model gets most wrong, and open tasks like them, come first in the queue.",
    params=SendParams,
    unit="tasks",
    execute=execute,
    settle=settle,
    capability=access.FREEZE,
)
