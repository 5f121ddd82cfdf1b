"""Long work of a project: the list, and one run as it goes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_POST, require_safe

from curation import access
from curation.errors import Conflict, NotFound
from curation.models import Project, Run
from curation.services import health, running

SHOWN = 50


@require_safe
def index(request: HttpRequest, slug: str) -> HttpResponse:
    project = access.project_for(request.user, slug, access.READ)
    runs = Run.objects.filter(project=project).select_related("created_by").defer("checkpoint", "result")
    before = moment(request.GET.get("before", ""))
    if before is not None:
        runs = runs.filter(created_at__lt=before)
    found = list(runs[: SHOWN + 1])
    older = found[SHOWN - 1].created_at.isoformat() if len(found) > SHOWN else ""
    context = {"project": project, "runs": found[:SHOWN], "older": older, "newer": before is not None}
    return render(request, "runs/index.html", context)


def moment(text: str) -> datetime | None:
    """A time with its zone out of an address, or None."""
    try:
        found = parse_datetime(text.replace(" ", "+"))
    except ValueError:
        return None
    return found if found is not None and found.tzinfo else None


@require_safe
def page(request: HttpRequest, slug: str, run_id: UUID) -> HttpResponse:
    """The run; for htmx, which asks every second while it is live, only what changes."""
    project = access.project_for(request.user, slug, access.READ)
    run = run_in(project, run_id)
    may_act = access.FREEZE in access.capabilities(request.user, project)
    context = {"project": project, "run": run, "may_act": may_act, "waiting": waiting(run), "log": running.log_of(run)}
    return render(request, "runs/_run.html" if getattr(request, "htmx", False) else "runs/page.html", context)


@require_safe
def work(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """A run on the installation itself; for staff."""
    run = Run.objects.select_related("created_by", "model").filter(pk=run_id, project=None).first()
    if run is None or not request.user.is_staff:
        raise NotFound("no such run")
    context = {"project": None, "run": run, "may_act": False, "waiting": waiting(run), "log": running.log_of(run)}
    return render(request, "runs/_run.html" if getattr(request, "htmx", False) else "runs/page.html", context)


def waiting(run: Run) -> str:
    """Why a queued run does not start, if no worker gives a sign of life."""
    if run.state != Run.State.QUEUED:
        return ""
    check = health.worker()
    return "" if check.ok else check.words


@require_POST
def cancel(request: HttpRequest, slug: str, run_id: UUID) -> HttpResponse:
    return act(request, slug, run_id, running.cancel, "The run is asked to stop.")


@require_POST
def retry(request: HttpRequest, slug: str, run_id: UUID) -> HttpResponse:
    return act(request, slug, run_id, running.retry, "The run is queued again and goes on where it stood.")


def act(request: HttpRequest, slug: str, run_id: UUID, verb: Callable[[Run], Run], told: str) -> HttpResponse:
    project = access.project_for(request.user, slug, access.FREEZE)
    run = run_in(project, run_id)
    try:
        verb(run)
        messages.success(request, told)
    except Conflict as error:
        messages.error(request, error.detail[:1].upper() + error.detail[1:] + ".")
    return redirect("run", slug, run.pk)


def run_in(project: Project, run_id: UUID) -> Run:
    found = Run.objects.select_related("created_by").filter(project=project, pk=run_id).first()
    if found is None:
        raise NotFound("no such run")
    return found
