"""Keyset pagination: `?cursor=&limit=`; the cursor is the last key seen, so no page costs more than another."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from curation.errors import Invalid

M = TypeVar("M", bound=Model)
LIMIT, MOST = 50, 1000
BIGGEST = 2**63 - 1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

LIMIT_SCHEMA = {"type": "integer", "minimum": 0, "maximum": BIGGEST}
LIMITED = OpenApiParameter("limit", LIMIT_SCHEMA, description=f"rows per page, {LIMIT} unless told, {MOST} at most")


def cursor_of(pattern: str) -> OpenApiParameter:
    """The parameter by which a list is paged, as its schema has it."""
    return OpenApiParameter(
        "cursor", {"type": "string", "pattern": pattern}, description="the `next` of the page before"
    )


CURSOR = cursor_of("^[0-9]{0,18}$")
TWO_KEYS = cursor_of("^([0-9]{1,18}-[0-9]{1,18})?$")


def number(request: Request, name: str, default: int, *, most: int = BIGGEST) -> int:
    """A non-negative whole number of the query. Raises Invalid, naming the parameter."""
    given = request.query_params.get(name)
    if given is None or (name == "cursor" and not given):
        return default
    if not (given.isascii() and given.isdigit() and len(given) < 20) or int(given) > BIGGEST:
        raise Invalid("must be a whole number", field=name)
    return min(int(given), most)


def page(request: Request, rows: QuerySet[M], show: Callable[[M], dict[str, Any]]) -> Response:
    """One page of `rows` in the order of their ids, with the cursor of the next one (null at the end)."""
    limit = max(1, number(request, "limit", LIMIT, most=MOST))
    cursor = number(request, "cursor", 0)
    found = list(rows.filter(pk__gt=cursor).order_by("pk")[: limit + 1])
    more = len(found) > limit
    shown = found[:limit]
    return Response({"results": [show(row) for row in shown], "next": str(shown[-1].pk) if more else None})


NEWEST = cursor_of("^([0-9]{1,17}-[0-9a-f-]{36})?$")


def newest(request: Request, rows: QuerySet[M], show: Callable[[M], dict[str, Any]]) -> Response:
    """One page of `rows` whose ids are no order, the newest first by `created_at`."""
    limit = max(1, number(request, "limit", LIMIT, most=MOST))
    if given := request.query_params.get("cursor", ""):
        at, pk = instant(given)
        rows = rows.filter(Q(created_at__lt=at) | Q(created_at=at, pk__lt=pk))
    found = list(rows.order_by("-created_at", "-pk")[: limit + 1])
    shown = found[:limit]
    last: Any = shown[-1] if len(found) > limit else None
    following = f"{microseconds(last.created_at)}-{last.pk}" if last else None
    return Response({"results": [show(row) for row in shown], "next": following})


def instant(cursor: str) -> tuple[datetime, UUID]:
    """The moment and id of a cursor. Raises Invalid for what no page gave as its next."""
    at, _, pk = cursor.partition("-")
    try:
        return EPOCH + timedelta(microseconds=int(at)), UUID(pk)
    except (ValueError, OverflowError):
        raise Invalid("must be the `next` of a page before", field="cursor") from None


def microseconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)
