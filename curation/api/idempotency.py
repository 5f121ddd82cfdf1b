"""Idempotency-Key on writes: a repeat of the same request gets the first answer and does nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import wraps
from typing import Any

import orjson
from django.db import IntegrityError, transaction
from django.http import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from curation.api.auth import caller
from curation.errors import Conflict, Invalid
from curation.models import IdempotentReply

View = Callable[..., HttpResponseBase]


def idempotent(view: View) -> View:
    """Wrap a `post` method. Without the header nothing changes; errors are not remembered."""

    @wraps(view)
    def wrapper(self: Any, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        key = request.headers.get("Idempotency-Key", "")
        if not key:
            return view(self, request, *args, **kwargs)
        if len(key) > 200:
            raise Invalid("at most 200 characters", field="Idempotency-Key")
        row, first = remember(request, key)
        if not first:
            return replay(row, fingerprint(request))
        try:
            response = view(self, request, *args, **kwargs)
        except BaseException:
            row.delete()
            raise
        data = getattr(response, "data", None)
        row.status, row.body = response.status_code, orjson.loads(orjson.dumps(data, default=str))
        row.save(update_fields=["status", "body"])
        return response

    wrapper.idempotent = True  # type: ignore[attr-defined]
    return wrapper


def remember(request: Request, key: str) -> tuple[IdempotentReply, bool]:
    """The row of this key, and whether this request is the first to bring it."""
    try:
        with transaction.atomic():
            made = IdempotentReply.objects.create(
                user=caller(request), key=key, endpoint=request.path[:300], body_hash=fingerprint(request)
            )
        return made, True
    except IntegrityError:
        return IdempotentReply.objects.get(user=caller(request), key=key), False


def replay(row: IdempotentReply, print_now: str) -> Response:
    if row.body_hash != print_now:
        raise Invalid("this key was used for another request", field="Idempotency-Key")
    if row.status is None:
        raise Conflict("the first request with this key is still under way")
    return Response(row.body, status=row.status, headers={"Idempotency-Replayed": "true"})


def fingerprint(request: Request) -> str:
    """What makes two requests the same: method, full path and JSON body (uploads: their length)."""
    head = f"{request.method} {request.get_full_path()} {request.META.get('CONTENT_LENGTH', '')}".encode()
    is_json = (request.content_type or "").startswith("application/json")
    body = json.dumps(request.data, default=str).encode() if is_json else b""
    return hashlib.sha256(head + body).hexdigest()
