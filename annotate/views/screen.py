"""The annotation screen: its page, and the task that it shows as a fragment."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import orjson
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_GET, require_POST

from annotate.choices import choices
from curation.errors import NotFound
from curation.models import Protocol
from curation.rendering import conversation, markdown
from curation.services import annotating, assigning
from curation.services.desk import Desk, desk_in
from curation.services.taking import Shown, held

LONGEST_ID = 19
"""Digits: a number of so many or more may be none that a database knows."""


@never_cache
@login_required
@ensure_csrf_cookie
@require_GET
def page(request: HttpRequest, slug: str) -> HttpResponse:
    desk = desk_in(request.user, slug)
    task = assigning.next_shown(desk=desk)
    guidelines = Protocol.objects.values_list("guidelines", flat=True).get(pk=desk.scale.protocol_id)
    context = fragment_context(desk, task) | {
        "choices": choices(desk.scale),
        "axes": orjson.dumps(desk.scale.axes).decode(),
        "guidelines": markdown(guidelines) if guidelines.strip() else "",
        "scope": scope(request, slug),
    }
    return render(request, "annotate/page.html", context)


@login_required
@require_POST
def next_task(request: HttpRequest, slug: str) -> HttpResponse:
    desk = desk_in(request.user, slug)
    named = request.POST.get("exclude", "").split(",")
    exclude = [int(part) for part in named if part.isascii() and part.isdigit() and len(part) < LONGEST_ID]
    return fragment(request, desk, assigning.next_shown(desk=desk, exclude=exclude[: assigning.IN_HAND_MOST]))


@login_required
@require_POST
def alive(request: HttpRequest, slug: str) -> HttpResponse:
    """Somebody still reads: what is in hand stays there."""
    assigning.keep_alive(annotator_id=desk_in(request.user, slug).annotator_id)
    return HttpResponse(status=204)


@login_required
@require_GET
def task(request: HttpRequest, slug: str, task_id: int) -> HttpResponse:
    desk = desk_in(request.user, slug)
    if len(str(task_id)) >= LONGEST_ID:
        raise NotFound("no such task")
    return fragment(request, desk, held(desk, task_id))


@never_cache
@login_required
@require_GET
def last(request: HttpRequest, slug: str) -> JsonResponse:
    """Whose screen this is now, and what an undo after a reload takes back."""
    found = annotating.last_of(desk=desk_in(request.user, slug))
    standing = {"annotation": found.pk, "task": found.task_id, "rationale": found.rationale} if found else {}
    return JsonResponse({"scope": scope(request, slug), **standing})


def scope(request: HttpRequest, slug: str) -> str:
    """Under which name the browser keeps what this person decides here."""
    return f"touchstone:{request.user.pk}:{slug}"


def fragment(request: HttpRequest, desk: Desk, task: Shown | None) -> HttpResponse:
    return render(request, "annotate/_task.html" if task else "annotate/_rest.html", fragment_context(desk, task))


def fragment_context(desk: Desk, task: Shown | None) -> dict[str, Any]:
    """What the fragment shows: the task without model names, ids of responses or answers of others."""
    context: dict[str, Any] = {
        "desk": desk,
        "task": task,
        "progress": progress(desk),
        "rationale": desk.scale.rationale,
    }
    if task is not None:
        turns = orjson.loads(task.prompt)
        context["system"] = conversation([turn for turn in turns if turn.get("role") == "system"])
        context["prompt"] = conversation([turn for turn in turns if turn.get("role") != "system"])
        context["responses"] = [
            conversation(orjson.loads(several)) if several else conversation([{"role": "assistant", "content": text}])
            for text, several in zip(task.texts, task.messages, strict=True)
        ]
        context["question"] = desk.scale.axes[0]["question"]
    return context


def progress(desk: Desk) -> dict[str, int]:
    return asdict(desk.progress) | {"total": desk.progress.total}
