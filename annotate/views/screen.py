"""The annotation screen: its page, and the task that it shows as a fragment."""

from __future__ import annotations

from collections.abc import Sequence
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
from annotate.content import content, protocol_for_screen, what_was_said, why_here
from curation.errors import NotFound
from curation.models import Annotation, Annotator, Assignment, Protocol, Repeat
from curation.models.repeats import REPEATED
from curation.rendering import markdown
from curation.services import annotating, assigning, crowd, drafting, pausing
from curation.services.desk import Desk, desk_in
from curation.services.gold import telling
from curation.services.repeating import keeping
from curation.services.repeating import serving as repeating
from curation.services.taking import Shown, held

LONGEST_ID = 19
"""Digits: a number of so many or more may be none that a database knows."""


@never_cache
@login_required
@ensure_csrf_cookie
@require_GET
def page(request: HttpRequest, slug: str) -> HttpResponse:
    desk = desk_in(request.user, slug)
    task = asked_for(request, desk) or next_of(request, desk)
    guidelines = Protocol.objects.values_list("guidelines", flat=True).get(pk=desk.scale.protocol_id)
    context = fragment_context(request, desk, task) | {
        "choices": choices(desk.scale),
        "protocol": protocol_for_screen(desk),
        "keys": orjson.dumps(getattr(request.user, "keys", {})).decode(),
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
    exclude = exclude[: assigning.IN_HAND_MOST]
    return fragment(request, desk, next_of(request, desk, exclude), in_hand=len(exclude))


def asked_for(request: HttpRequest, desk: Desk) -> Shown | None:
    """The task in this person's hands that the address names, such as one that they are about to fix."""
    named = request.GET.get("task", "")
    if not (named.isascii() and named.isdigit() and len(named) < LONGEST_ID):
        return None
    mine = Assignment.objects.filter(task=int(named), annotator=desk.annotator_id, state=Assignment.State.RESERVED)
    return held(desk, int(named)) if mine.exists() else None


def next_of(request: HttpRequest, desk: Desk, exclude: Sequence[int] = ()) -> Shown | None:
    """The next task; none for who is paused or has had all of a link's tasks, as the fragment says then."""
    if desk.paused is not None or not crowd.wants_more(request.user, exclude):
        return None
    return assigning.next_shown(desk=desk, exclude=exclude)


@login_required
@require_POST
def alive(request: HttpRequest, slug: str) -> HttpResponse:
    """Somebody still reads: what is in hand stays there."""
    assigning.keep_alive(annotator_id=desk_in(request.user, slug).annotator_id)
    return HttpResponse(status=204)


@login_required
@require_GET
def task(request: HttpRequest, slug: str, task_id: int) -> HttpResponse:
    """A task that is or was in the caller's hands; an answered one may show now what was held back before."""
    desk = desk_in(request.user, slug)
    check_id(task_id)
    if task_id >= REPEATED:
        return fragment(request, desk, repeating.held(desk, task_id))
    mine = Assignment.objects.filter(task=task_id, annotator=desk.annotator_id, state=Assignment.State.ANSWERED)
    return fragment(request, desk, held(desk, task_id), answered=not desk.scale.plain and mine.exists())


@login_required
@require_POST
def draft(request: HttpRequest, slug: str, task_id: int) -> HttpResponse:
    """Keep an answer under way, so that it can be gone on with on another device."""
    desk = desk_in(request.user, slug)
    check_id(task_id)
    drafting.keep(annotator_id=desk.annotator_id, task_id=task_id, body=request.body)
    return HttpResponse(status=204)


@never_cache
@login_required
@require_GET
def last(request: HttpRequest, slug: str) -> JsonResponse:
    """Whose screen this is now, and what an undo after a reload takes back."""
    desk = desk_in(request.user, slug)
    found = annotating.last_of(desk=desk)
    again = keeping.last_of(desk.annotator_id) if desk.again else None
    standing: dict[str, Any] = {}
    if again and later(again, found):
        standing = {"annotation": again.last_event, "task": again.number, "rationale": again.rationale}
    elif found:
        standing = {"annotation": found.pk, "task": found.task_id, "rationale": found.rationale}
        if not desk.scale.plain and found.event == found.Event.ANSWER:
            standing["body"] = what_was_said(desk, found, held(desk, found.task_id))
    return JsonResponse({"scope": scope(request, slug), **standing})


def later(again: Repeat, annotation: Annotation | None) -> bool:
    """Whether a repeat was committed after everything else that stands."""
    return annotation is None or (again.committed_at is not None and again.committed_at > annotation.created_at)


def check_id(number: int) -> None:
    if len(str(number)) >= LONGEST_ID:
        raise NotFound("no such task")


def scope(request: HttpRequest, slug: str) -> str:
    """Under which name the browser keeps what this person decides here."""
    return f"touchstone:{request.user.pk}:{slug}"


def fragment(
    request: HttpRequest, desk: Desk, task: Shown | None, *, answered: bool = False, in_hand: int = 0
) -> HttpResponse:
    template = "annotate/_task.html" if task else "annotate/_rest.html"
    context = fragment_context(request, desk, task, answered=answered) | {"in_hand": in_hand}
    return render(request, template, context)


def fragment_context(request: HttpRequest, desk: Desk, task: Shown | None, *, answered: bool = False) -> dict[str, Any]:
    """What the fragment shows: the task without model names, ids of responses or answers of others."""
    context: dict[str, Any] = {
        "desk": desk,
        "task": task,
        "progress": progress(request, desk),
        "seat": crowd.seat_of(request.user),
        "rationale": desk.scale.rationale,
        "training": telling.training_of(desk, task),
    }
    if task and task.review_id:
        context |= why_here(desk, task)
    if desk.paused is not None and not task:
        asked = Annotator.objects.select_related("project").get(pk=desk.annotator_id)
        context["to_ask"] = pausing.to_ask(asked.project, asked.pk)
    return context | content(desk, task, answered=answered) if task else context


def progress(request: HttpRequest, desk: Desk) -> dict[str, int]:
    now = crowd.measured(request.user, desk.progress)
    return asdict(now) | {"total": now.total}
