"""The list of projects, a project's overview and its settings."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from curation import access, plots
from curation.errors import Forbidden, Invalid
from curation.models import Project
from curation.presets import PRESETS
from curation.rendering import markdown
from curation.services import overview, projects
from curation.views.forms import NewProject, ProjectSettings, ProtocolSettings, RemoveProject, refusals_into
from curation.views.people import invalid, own

SHOWN = 200


@login_required
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    user = own(request)
    rows = Project.objects.filter(deleted_at__isnull=True).order_by("-created_at")
    if not user.is_superuser:
        rows = rows.filter(memberships__user=user)
    found = list(rows[:SHOWN])
    totals = overview.totals_of(found)
    roles = {membership.project_id: membership.get_role_display() for membership in user.memberships.all()}
    cards = [{"project": project, "totals": totals[project.pk], "role": roles.get(project.pk)} for project in found]
    return render(request, "projects/index.html", {"cards": cards, "may_create": user.is_staff})


@login_required
def new(request: HttpRequest) -> HttpResponse:
    if not own(request).is_staff:
        raise Forbidden("only staff may create projects")
    form = NewProject(request.POST or None)
    if form.is_valid():
        with refusals_into(form):
            made = projects.create_project(user=own(request), **form.cleaned_data)
            messages.success(request, "The project is made. Import pairs to begin.")
            return redirect("project", made.slug)
    context = {"form": form, "presets": PRESETS.values()}
    return render(request, "projects/new.html", context, status=422 if invalid(form) else 200)


@require_safe
def page(request: HttpRequest, slug: str) -> HttpResponse:
    """The overview. Who may not read answers sees the own progress and the guidelines only."""
    project = access.project_for(request.user, slug, access.SEE)
    can = access.capabilities(request.user, project)
    guidelines = project.protocol.guidelines if project.protocol else ""
    context: dict[str, Any] = {
        "project": project,
        "can": can,
        "guidelines": markdown(guidelines) if guidelines.strip() else "",
        "mine": overview.own_progress(project, own(request)) if access.ANNOTATE in can else None,
    }
    if access.READ in can:
        context |= numbers(project)
        context["has_answers"] = bool(context["totals"].answers or project.vote_count)
    return render(request, "projects/page.html", context)


def numbers(project: Project) -> dict[str, Any]:
    """Totals, plots and the table of annotators."""
    days = overview.per_day(project)
    axes = project.protocol.axes if project.protocol else []
    return {
        "totals": overview.totals_of([project])[project.pk],
        "days": days,
        "days_plot": plots.per_day(days),
        "days_top": plots.nice_top(max(count for _, count in days)),
        "days_words": plots.days_in_words(days),
        "axes": [distribution(project, axis) for axis in axes],
        "people": overview.people_of(project),
        "most_people": overview.MOST_PEOPLE,
    }


def distribution(project: Project, axis: dict[str, str]) -> dict[str, Any]:
    outcomes = overview.outcomes(project, axis["name"])
    total = sum(outcome.count for outcome in outcomes)
    rows = [
        {"outcome": outcome, "css": plots.css(outcome), "percent": 100 * outcome.count / total if total else 0}
        for outcome in outcomes
    ]
    return {"axis": axis, "total": total, "rows": rows, "plot": plots.balance(outcomes)}


def settings(request: HttpRequest, slug: str) -> HttpResponse:
    """Three forms: the project, its protocol, and its removal."""
    project = access.project_for(request.user, slug, access.MANAGE)
    action = request.POST.get("action", "") if request.method == "POST" else ""
    general = ProjectSettings(request.POST if action == "general" else None, initial=current(project))
    protocol = ProtocolSettings(request.POST if action == "protocol" else None, initial=asked(project), prefix="p")
    remove = RemoveProject(request.POST if action == "remove" else None, prefix="remove")
    if general.is_bound and general.is_valid():
        with refusals_into(general):
            projects.change_project(project=project, **general.cleaned_data)
            return saved(request, project, "Saved.")
    if protocol.is_bound and protocol.is_valid():
        with refusals_into(protocol):
            return revised(request, project, protocol.cleaned_data)
    if remove.is_bound and remove.is_valid():
        access.allow(request.user, project, access.OWN)
        with refusals_into(remove):
            return removed(request, project, remove.cleaned_data["slug"])
    context = {"project": project, "general": general, "protocol": protocol, "remove": remove}
    context["may_own"] = access.OWN in access.capabilities(request.user, project)
    context["many_axes"] = bool(project.protocol and len(project.protocol.axes) > 1)
    status = 422 if invalid(general, protocol, remove) else 200
    return render(request, "projects/settings.html", context, status=status)


def current(project: Project) -> dict[str, Any]:
    return {"name": project.name, "description": project.description, "overlap": project.overlap}


def asked(project: Project) -> dict[str, Any]:
    protocol = project.protocol
    if protocol is None:
        return {}
    names = ("strengths", "rationale", "allow_tie", "allow_both_bad", "guidelines")
    return {"question": protocol.axes[0]["question"]} | {name: getattr(protocol, name) for name in names}


def revised(request: HttpRequest, project: Project, given: dict[str, Any]) -> HttpResponse:
    """A new protocol version; the question belongs to the first axis."""
    changes = dict(given)
    question = changes.pop("question")
    axes = [dict(axis) for axis in project.protocol.axes] if project.protocol else [{"name": "overall"}]
    axes[0]["question"] = question
    before = project.protocol_id
    changes["guidelines"] = changes["guidelines"].replace("\r\n", "\n")
    made = projects.revise_protocol(project=project, axes=axes, **changes)
    told = f"Saved as version {made.version} of the protocol; earlier answers keep theirs."
    return saved(request, project, told if made.pk != before else "Nothing was changed.")


def removed(request: HttpRequest, project: Project, typed: str) -> HttpResponse:
    if typed.strip() != project.slug:
        raise Invalid("this is not the address of the project", field="slug")
    projects.remove_project(project=project)
    messages.success(request, f"{project.name} is removed. An administrator can restore it.")
    return redirect("projects")


def saved(request: HttpRequest, project: Project, text: str) -> HttpResponse:
    messages.success(request, text)
    return redirect("project-settings", project.slug)
