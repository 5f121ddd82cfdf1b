"""Items as critics read them, and the critiques and verdicts of everybody; by cursor, or all as NDJSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response as Reply

from curation import access
from curation.api import imports
from curation.api.datasets import Rows, Streamable
from curation.api.pages import BIGGEST, CURSOR, LIMIT, LIMITED, MOST, TWO_KEYS, number
from curation.api.streaming import streamed, wants_stream
from curation.errors import Invalid
from curation.models import Annotator, Critique, Project, Response, TaskKind, Verdict
from curation.segmenting import units_of
from curation.services import browsing
from curation.services.browsing import Key, Listed, Saying, Wanted
from curation.services.desk import asked
from curation.services.locating import On

REVIEWS = {"own": "", **{name: name for name in ("accepted", "edited", "rejected")}}
KIND = OpenApiParameter("annotator_kind", str, enum=Annotator.Kind.values)
REVIEW = OpenApiParameter(
    "review", str, enum=list(REVIEWS), description="what became of a suggestion; own: written by the annotator"
)
TYPE = OpenApiParameter("type", str, description="a type of critiques; of verdicts a question")
WITHOUT = OpenApiParameter(
    "without", str, description="an annotator's name: only tasks on which it has not spoken, and items with such tasks"
)
REMOVED = OpenApiParameter(
    "removed", str, enum=["yes", "no"], description="yes: items that were taken out, instead of those that are there"
)


class CritiquesView(Streamable):
    """Critiques of everybody whose answers stand, rejected suggestions among them (`review`)."""

    @extend_schema(operation_id="list_critiques", parameters=[TWO_KEYS, LIMITED, KIND, REVIEW, TYPE], responses=Rows)
    def get(self, request: Request, slug: str) -> HttpResponseBase:
        project = access.project_for(request.user, slug, access.READ)
        return told(request, Saying(Critique, project, wanted(request)), critique)


class VerdictsView(Streamable):
    """Verdicts of everybody whose answers stand."""

    @extend_schema(operation_id="list_verdicts", parameters=[TWO_KEYS, LIMITED, KIND, REVIEW, TYPE], responses=Rows)
    def get(self, request: Request, slug: str) -> HttpResponseBase:
        project = access.project_for(request.user, slug, access.READ)
        return told(request, Saying(Verdict, project, wanted(request)), verdict)


class ItemsView(imports.ItemsView):
    """Items with their responses and tasks, by cursor; POST inserts or updates up to 1 000 by external id."""

    @extend_schema(operation_id="list_items", parameters=[CURSOR, LIMITED, WITHOUT, REMOVED], responses=Rows)
    def get(self, request: Request, slug: str) -> Reply:
        project = access.project_for(request.user, slug, access.READ)
        limit = max(1, number(request, "limit", LIMIT, most=MOST))
        without = request.query_params.get("without", "").replace("\0", "")
        removed = request.query_params.get("removed", "no")
        if removed not in ("yes", "no"):
            raise Invalid("must be yes or no", field="removed")
        after = number(request, "cursor", 0)
        found, following = browsing.items_after(project, after, limit, without, removed=removed == "yes")
        unit = asked(project.protocol).unit if project.protocol else "span"
        rows = [item(project, one, unit) for one in found]
        return Reply({"results": rows, "next": None if following is None else str(following)})


def wanted(request: Request) -> Wanted:
    """The filters of the query. Raises Invalid naming one that has no such value."""
    kind, review = request.query_params.get("annotator_kind"), request.query_params.get("review")
    if kind is not None and kind not in Annotator.Kind.values:
        raise Invalid(f"must be one of: {', '.join(Annotator.Kind.values)}", field="annotator_kind")
    if review is not None and review not in REVIEWS:
        raise Invalid(f"must be one of: {', '.join(REVIEWS)}", field="review")
    chosen = request.query_params.get("type", "").replace("\0", "")
    return Wanted(kind or "", REVIEWS[review] if review else None, chosen)


def told(request: Request, saying: Saying[Any], show: Callable[[Any, int], dict[str, Any]]) -> HttpResponseBase:
    if wants_stream(request):
        what = "critiques" if saying.table is Critique else "verdicts"
        return streamed((show(row, place) for row, place in saying.all()), saying.project, what)
    limit = max(1, number(request, "limit", LIMIT, most=MOST))
    rows, following = saying.page(key(request), limit)
    results = [show(row, place) for row, place in browsing.with_places(rows)]
    return Reply({"results": results, "next": str(following) if following else None})


def key(request: Request) -> Key:
    """Where the page begins. Raises Invalid for what no page gave as its next."""
    given = request.query_params.get("cursor", "")
    if not given:
        return Key()
    parts = given.split("-")
    if len(parts) != 2 or not all(
        part.isascii() and part.isdigit() and len(part) < 20 and int(part) <= BIGGEST for part in parts
    ):
        raise Invalid("must be the `next` of a page before", field="cursor")
    return Key(*map(int, parts))


def common(row: Critique | Verdict, place: int) -> dict[str, Any]:
    """What critiques and verdicts say alike. A response that is no longer there has no place."""
    origin = row.derived_from
    return {
        "id": row.pk,
        "annotation": row.annotation_id,
        "annotator": who(row.annotation.annotator),
        "version": row.annotation.version,
        "score": row.annotation.score,
        "source": row.annotation.source,
        "help": row.annotation.help,
        "task": row.annotation.task_id,
        "item": row.response.item.external_id,
        "response": place if place >= 0 else None,
        "start": row.start,
        "end": row.end,
        "comment": row.comment,
        "evidence": row.evidence,
        "review": row.review or "own",
        "review_ms": row.review_ms,
        "derived_from": origin
        and {
            "id": origin.pk,
            "annotator": who(origin.annotation.annotator),
            "version": origin.annotation.version,
        },
        "created_at": row.annotation.created_at,
    }


def who(annotator: Annotator) -> dict[str, str]:
    return {"kind": annotator.kind, "name": annotator.name}


CRITIQUE = ("message", "unit", "quote", "type", "severity", "polarity", "edit", "omission", "edit_distance")


def critique(row: Critique, place: int) -> dict[str, Any]:
    return common(row, place) | {name: getattr(row, name) for name in CRITIQUE}


def verdict(row: Verdict, place: int) -> dict[str, Any]:
    return common(row, place) | {"question": row.question, "answer": row.answer}


def item(project: Project, one: Listed, unit: str) -> dict[str, Any]:
    places = {response.pk: place for place, response in enumerate(one.responses)}
    return {
        "id": one.item.pk,
        "external_id": one.item.external_id,
        "prompt": one.item.prompt,
        "context": one.item.context,
        "responses": [response(of, place, unit) for place, of in enumerate(one.responses)],
        "tasks": [task(project, pk, on, places) for pk, on in one.tasks],
    }


def response(one: Response, place: int, unit: str) -> dict[str, Any]:
    """A response with its texts; where sentences or steps are judged, with their boundaries."""
    units = one.units if one.unit == unit and one.units else None
    if unit in ("sentence", "step") and units is None:
        units = list(units_of(str(one.as_messages()[0].get("content", "")), unit))
    return {
        "place": place,
        "text": one.text,
        "messages": one.as_messages(),
        "model": one.model,
        "unit": unit if units else None,
        "units": units,
    }


def task(project: Project, pk: int, on: On, places: dict[int, int]) -> dict[str, Any]:
    """A task by the places of what it is on: one response, two, or all of them."""
    about = [places[pk] for pk in on.responses if pk in places]
    if project.kind == TaskKind.RESPONSE:
        return {"id": pk, "kind": project.kind, "response": about[0] if about else None}
    return {"id": pk, "kind": project.kind, "responses": about or list(places.values())}
