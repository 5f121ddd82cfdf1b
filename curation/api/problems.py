"""Every error of the API as application/problem+json (RFC 9457), with the path of each wrong field."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import orjson
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework.exceptions import APIException, AuthenticationFailed, NotAuthenticated, ValidationError

from curation.errors import DomainError, OverlapFull

AUTHENTICATE = 'Bearer realm="touchstone"'


def as_problem(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """DRF's exception handler: the response for `error`, or None for a fault in the code."""
    match error:
        case OverlapFull():
            return problem(error.status, error.detail, title=error.title, kept=True, annotation=error.annotation_id)
        case DomainError():
            errors = [{"field": error.field, "detail": error.detail}] if error.field else []
            return problem(error.status, error.detail, title=error.title, errors=errors)
        case ValidationError():
            return problem(400, "the request is not valid", title="Invalid request", errors=list(flat(error.detail)))
        case NotAuthenticated() | AuthenticationFailed():
            response = problem(401, str(error.detail))
            response["WWW-Authenticate"] = AUTHENTICATE
            return response
        case APIException():
            response = problem(error.status_code, str(error.detail))
            if wait := getattr(error, "wait", None):
                response["Retry-After"] = str(int(wait))
            return response
        case RecursionError():
            return problem(400, "the request is nested too deep")
        case Http404():
            return problem(404, "no such thing")
        case PermissionDenied():
            return problem(403, "not allowed")
    return None


@csrf_exempt
def nothing_here(request: HttpRequest, **_: Any) -> HttpResponse:
    """The answer to an address under the API that is none."""
    return problem(404, f"there is nothing at {request.path}")


def problem(status: int, detail: str, *, title: str = "", **more: Any) -> HttpResponse:
    """One problem document."""
    body = {
        "type": "about:blank",
        "title": title or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    return HttpResponse(
        orjson.dumps({**body, **{k: v for k, v in more.items() if v}}),
        status=status,
        content_type="application/problem+json",
    )


def flat(detail: Any, path: str = "") -> Iterator[dict[str, str]]:
    """DRF's nested error detail as a list of field paths: `items.3.prompt`."""
    if isinstance(detail, dict):
        for key, value in detail.items():
            yield from flat(value, f"{path}.{key}" if path else str(key))
    elif isinstance(detail, list) and any(isinstance(entry, dict | list) for entry in detail):
        for index, entry in enumerate(detail):
            yield from flat(entry, f"{path}.{index}" if path else str(index))
    elif isinstance(detail, list):
        for entry in detail:
            yield {"field": path, "detail": str(entry)}
    else:
        yield {"field": path, "detail": str(detail)}
