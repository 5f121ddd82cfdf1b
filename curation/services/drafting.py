"""Drafts: answers under way, kept beside the browser's own copy so that another device can go on with them."""

from __future__ import annotations

import re
from typing import Any

import orjson
from django.utils import timezone

from curation.errors import Invalid, NotFound
from curation.models import Assignment, Draft

LONGEST = 2**20
DEEPEST = 50
LARGEST = 2**53
NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def keep(*, annotator_id: int, task_id: int, body: bytes) -> None:
    """Keep the draft in place of the one before; an empty one goes. Raises NotFound for tasks of others."""
    if len(body) > LONGEST:
        raise Invalid("the draft is longer than 1 MB", field="body")
    try:
        said = orjson.loads(body or b"null")
    except orjson.JSONDecodeError:
        raise Invalid("is no JSON", field="body") from None
    if NUL.search(body):
        raise Invalid("the NUL character cannot be stored", field="body")
    if not readable(said):
        raise Invalid("is nested too deep, or has a number too large", field="body")
    if not Assignment.objects.filter(task=task_id, annotator=annotator_id).exists():
        raise NotFound("this task is not yours")
    if not said:
        Draft.objects.filter(task=task_id, annotator=annotator_id).delete()
        return
    Draft.objects.update_or_create(
        task_id=task_id, annotator_id=annotator_id, defaults={"body": said, "saved_at": timezone.now()}
    )


def readable(said: Any, deep: int = 0) -> bool:
    """Whether the screen can be told it again: JSON is written less deep than it is read, and numbers smaller."""
    if isinstance(said, dict | list):
        inner = said.values() if isinstance(said, dict) else said
        return deep < DEEPEST and all(readable(one, deep + 1) for one in inner)
    return not isinstance(said, int | float) or abs(said) < LARGEST


def of(*, annotator_id: int, task_id: int) -> dict[str, Any] | None:
    """The draft with the time of its saving, or None."""
    found = Draft.objects.filter(task=task_id, annotator=annotator_id).values_list("body", "saved_at").first()
    return {"body": found[0], "saved": int(found[1].timestamp() * 1000)} if found else None
