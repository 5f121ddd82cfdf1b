"""What happened, told to webhooks: rows of an outbox, written in the transaction of what they tell.

Nothing is looked up for projects without webhooks (`Project.webhook_count`).
"""

from __future__ import annotations

import uuid
from typing import Any

from django.db import transaction
from django.utils import timezone

from curation import queue
from curation.models import Annotation, DatasetVersion, Delivery, Project, Run, Task, TaskKind, Webhook
from curation.services import deciding

EVENTS = {
    "task.completed": "a task has all the answers that are wanted",
    "batch.finished": "no task of the project is open any more",
    "dataset.version.ready": "a dataset version can be pulled",
    "dataset.version.failed": "a dataset version could not be made",
    "run.ended": "a run ended, however it did",
}
PING = "ping"


def tell(project: Project, event: str, data: dict[str, Any], *, once: str = "") -> None:
    """Put an event into the outbox of every webhook that wants it; what `once` names is there once."""
    if not project.webhook_count:
        return
    live = Webhook.objects.filter(project=project, active=True, deleted_at=None)
    send([webhook for webhook in live if event in webhook.events], event, data, once)


def send(webhooks: list[Webhook], event: str, data: dict[str, Any], once: str = "") -> list[Delivery]:
    now = timezone.now()
    payload = {"type": event, "timestamp": now.isoformat(), "data": data}
    made = [Delivery(webhook=webhook, event=event, payload=payload, due_at=now) for webhook in webhooks]
    for delivery in made:
        if once:
            delivery.message = uuid.uuid5(uuid.NAMESPACE_URL, f"{delivery.webhook_id}:{event}:{once}")
    Delivery.objects.bulk_create(made, ignore_conflicts=bool(once))
    if made:
        queue.wake_deliveries()
    return made


def task_completed(project_id: int, task_id: int) -> None:
    """A task has its wanted answers; and, once that is committed, whether it was the last."""
    project = Project.objects.select_related("protocol").get(pk=project_id)
    task = Task.objects.select_related("item", "pair__item", "response__item").get(pk=task_id)
    item = task.item or (task.pair or task.response).item  # type: ignore[union-attr]
    answers = Annotation.objects.answers().filter(task=task).order_by("pk").values_list("pk", flat=True)
    data = {
        "project": project.slug,
        "task": task.pk,
        "kind": task.kind,
        "item": item.external_id,
        "pair": task.pair_id,
        "response": task.response_id,
        "annotations": list(answers),
        "decisions": decisions(project, task),
    }
    tell(project, "task.completed", data)
    transaction.on_commit(lambda: batch_finished(project_id))


def decisions(project: Project, task: Task) -> list[dict[str, Any]]:
    """What the answers of people come to, by axis."""
    if task.kind != TaskKind.PREFERENCE or not project.protocol:
        return []
    found = []
    for axis in project.protocol.axis_names:
        for one in deciding.decisions(project, deciding.Filters(axis=axis), tasks=[task.pk]):
            told = {"axis": axis, "outcome": one.outcome, "value": one.value, "confidence": one.confidence}
            found.append({**told, "votes": one.votes})
    return found


def batch_finished(project_id: int) -> None:
    """If no task is open: told once, whoever of several that finish together looks first."""
    if Task.objects.filter(project=project_id, state=Task.State.OPEN).exists():
        return
    project = Project.objects.get(pk=project_id)
    last = deciding.last_annotation(project)
    data = {"project": project.slug, "tasks": project.task_count, "last_annotation": last}
    tell(project, "batch.finished", data, once=str(last))


def version_told(version: DatasetVersion, event: str) -> None:
    """A version is ready, or failed."""
    project = version.dataset.project
    project.refresh_from_db(fields=["webhook_count"])
    data = {
        "project": project.slug,
        "dataset": version.dataset.name,
        "number": version.number,
        "target": version.target,
        "hash": version.hash,
        "rows": version.counts.get("rows", {}),
        "error": version.run.error if version.run else "",
    }
    tell(project, event, data)


def run_ended(run: Run) -> None:
    """A run has ended; of work on the installation itself nobody is told."""
    if run.project_id is None:
        return
    project = Project.objects.only("slug", "webhook_count").get(pk=run.project_id)
    if not project.webhook_count:
        return
    now = Run.objects.get(pk=run.pk)
    data = {
        "project": project.slug,
        "run": str(now.pk),
        "method": now.method,
        "state": now.state,
        "error": now.error,
        "result": {name: value for name, value in now.result.items() if not isinstance(value, list | dict)},
    }
    tell(project, "run.ended", data)
