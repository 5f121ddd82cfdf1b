"""ETag on what can be edited: an edit that names the state it read is refused once somebody else has changed it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import wraps
from typing import Any

import orjson
from django.db import transaction
from django.http import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response as Reply

from curation.errors import DomainError

View = Callable[..., HttpResponseBase]


class Changed(DomainError):
    status = 412
    title = "Changed meanwhile"


def tagged(data: Any, *, status: int = 200) -> Reply:
    """An answer with the ETag of what it shows."""
    return Reply(data, status=status, headers={"ETag": tag_of(data)})


def tag_of(data: Any) -> str:
    """A strong tag: equal representations, and only these, have the same."""
    return f'"{hashlib.sha256(orjson.dumps(data, default=str, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]}"'


def guarded(edit: View) -> View:
    """Wrap a `patch`, `put` or `delete` of a view whose `shown_now` gives what its GET shows, its row locked.

    With If-Match the edit is made only if that is still what the header names. Raises Changed.
    """

    @wraps(edit)
    def wrapper(self: Any, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        wanted = request.headers.get("If-Match", "")
        if not wanted:
            return edit(self, request, *args, **kwargs)
        with transaction.atomic():
            now = tag_of(self.shown_now(request, *args, **kwargs))
            if wanted.strip() != "*" and now not in [tag.strip() for tag in wanted.split(",")]:
                raise Changed(f"it was changed since you read it; it is {now} now")
            return edit(self, request, *args, **kwargs)

    wrapper.guarded = True  # type: ignore[attr-defined]
    return wrapper


def conditional(request: Request, data: Any) -> Reply:
    """The answer to a GET: 304 without a body if the caller has it already."""
    reply = tagged(data)
    if reply["ETag"] in [tag.strip() for tag in request.headers.get("If-None-Match", "").split(",")]:
        return Reply(status=304, headers={"ETag": reply["ETag"]})
    return reply
