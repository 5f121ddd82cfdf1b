"""What page and API tell of a project's safety gate: thresholds with what they rest on, and what gates did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from curation.models import Gold, Item, ModelVersion, Project, Response, Run
from curation.services.guarding import asking, learning, moderating
from curation.services.guarding.said import OF_RESPONSE
from workers.spans import said

LATEST = 10
NEAR_SHOWN = 50
OPENING = 200


def gates(project: Project) -> list[Run]:
    """Finished gates, the newest first."""
    runs = Run.objects.filter(project=project, method=moderating.METHOD.name, state=Run.State.SUCCEEDED)
    return list(runs.select_related("model").order_by("-created_at")[:LATEST])


def under_way(project: Project) -> Run | None:
    names = (learning.METHOD.name, moderating.METHOD.name)
    return Run.objects.filter(project=project, method__in=names, state__in=Run.LIVE).order_by("-created_at").first()


def learnt(project: Project) -> list[Run]:
    return list(asking.learnt(project).select_related("model")[:LATEST])


def models(project: Project, kind: str) -> list[ModelVersion]:
    """Ready models of a kind that the project may use."""
    visible = ModelVersion.objects.filter(Q(project=None) | Q(project=project), retired_at=None, kind=kind)
    return list(visible.filter(state=ModelVersion.State.READY).order_by("name", "-number")[:100])


def asks(project: Project) -> bool:
    """Whether the protocol asks what is safe, or gold may say it."""
    questions = project.protocol.questions if project.protocol else []
    if any(one["name"] in OF_RESPONSE for one in questions):
        return True
    return Gold.objects.filter(project=project, retired_at=None).exists()


@dataclass(frozen=True, slots=True)
class Near:
    """A text whose cost is near the boundary."""

    item: Item
    place: int | None
    """Of the response among those of its item, from 1; None: the prompt is meant."""
    cost: float
    text: str


def near(project: Project, rows: Sequence[Sequence[float]]) -> list[Near]:
    """The nearest of what a gate kept, as far as they are still there."""
    some = rows[:NEAR_SHOWN]
    items = Item.objects.filter(project=project, deleted_at=None).in_bulk([int(item) for *_, item in some])
    responses = Response.objects.filter(deleted_at=None).in_bulk([int(pk) for _, _, pk, _ in some if pk])
    found = []
    for _, cost, pk, item_id in some:
        item, response = items.get(int(item_id)), responses.get(int(pk))
        if item is None or (pk and response is None):
            continue
        text = response.text if response else said(item.prompt[-1:])
        found.append(Near(item, response.position + 1 if response else None, cost, text[:OPENING]))
    return found


def settings_of(project: Project) -> dict[str, Any]:
    """The gate as it would act now, by the thresholds last learnt, and what it did last."""
    run, last = next(iter(learnt(project)), None), next(iter(gates(project)), None)
    return {
        "learnt": told(run) if run else None,
        "last": told(last) if last else None,
    }


def told(run: Run) -> dict[str, Any]:
    assert run.model is not None
    model = {"id": run.model.pk, "name": run.model.name, "number": run.model.number}
    return {"run": run.pk, "model": model, "params": run.params, "result": run.result, "ended_at": run.ended_at}
