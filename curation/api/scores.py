"""Scores of models on the responses of a project, by cursor, or all as NDJSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.http import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response as Reply

from curation import access
from curation.api.datasets import Rows, Streamable
from curation.api.pages import CURSOR, LIMIT, LIMITED, MOST, number
from curation.api.streaming import streamed, wants_stream
from curation.errors import Invalid
from curation.models import ModelVersion, Project, Score
from curation.services import browsing, registry

MODEL = OpenApiParameter("model", str, description="a model version: its id, its name, or its name with @ and number")
AT_ONCE = 500


class ScoresView(Streamable):
    """Scores as models said them, by item: a page is of `limit` items, its cursor the last one's id.

    Of a cost model higher is worse. `position` is the response's place in the import, from 0; `truncated` tells that
    the model did not see all of it.
    """

    @extend_schema(operation_id="list_scores", parameters=[CURSOR, LIMITED, MODEL], responses=Rows)
    def get(self, request: Request, slug: str) -> HttpResponseBase:
        project = access.project_for(request.user, slug, access.READ)
        models = wanted(request)
        if wants_stream(request):
            return streamed(everything(project, models), project, "scores")
        limit = max(1, number(request, "limit", LIMIT, most=MOST))
        items = items_after(project, number(request, "cursor", 0), limit)
        following = str(items[-1]) if len(items) == limit else None
        return Reply({"results": [score(row) for row in scores_of(items, models)], "next": following})


def wanted(request: Request) -> list[int] | None:
    """The ids of the versions that the query names; None for all. Raises Invalid when it names none."""
    given = request.query_params.get("model", "").replace("\0", "")
    if not given:
        return None
    found = registry.visible(request.user)
    name, at, version = given.partition("@")
    if given.isascii() and given.isdigit() and len(given) < 19:
        found = found.filter(pk=int(given))
    elif at and version.isascii() and version.isdigit() and len(version) < 10:
        found = found.filter(name=name, number=int(version))
    else:
        found = found.filter(name=given)
    if not (ids := list(found.values_list("pk", flat=True))):
        raise Invalid("there is no such model", field="model")
    return ids


def items_after(project: Project, after: int, most: int) -> list[int]:
    return list(browsing.behind(project, after).values_list("pk", flat=True)[:most])


def scores_of(items: Sequence[int], models: Sequence[int] | None) -> Iterator[Score]:
    rows = Score.objects.filter(response__item__in=items).select_related("model", "response__item")
    if models is not None:
        rows = rows.filter(model__in=models)
    only = rows.only(
        "head", "value", "spread", "tokens", "truncated", "created_at", "run_id",
        "model__name", "model__number", "response__position", "response__item__external_id",
    )  # fmt: skip
    yield from only.order_by("response__item_id", "response__position", "model_id", "head")


def everything(project: Project, models: Sequence[int] | None) -> Iterator[dict[str, Any]]:
    last = 0
    while items := items_after(project, last, AT_ONCE):
        yield from (score(row) for row in scores_of(items, models))
        last = items[-1]


def score(row: Score) -> dict[str, Any]:
    model: ModelVersion = row.model
    return {
        "item": row.response.item.external_id,
        "response": row.response_id,
        "position": row.response.position,
        "model": {"id": model.pk, "name": model.name, "number": model.number},
        "head": row.head,
        "value": row.value,
        "spread": row.spread,
        "tokens": row.tokens,
        "truncated": row.truncated,
        "run": row.run_id,
        "created_at": row.created_at,
    }
