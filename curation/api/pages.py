"""Keyset pagination: `?cursor=&limit=`; the cursor is the last key seen, so no page costs more than another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from curation.errors import Invalid

M = TypeVar("M", bound=Model)
LIMIT, MOST = 50, 1000
BIGGEST = 2**63 - 1


def number(request: Request, name: str, default: int, *, most: int = BIGGEST) -> int:
    """A non-negative whole number of the query. Raises Invalid, naming the parameter."""
    given = request.query_params.get(name, "")
    if not given:
        return default
    if not (given.isascii() and given.isdigit()) or int(given) > BIGGEST:
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
