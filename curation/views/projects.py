"""The list of projects, a project's overview and its settings."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from curation import access, plots
from curation.errors import Forbidden, Invalid
from curation.models import Project, TaskKind
from curation.presets import grouped
from curation.rendering import markdown
from curation.services import helping, overview, projects
from curation.views.forms import NewProject, ProjectSettings, RemoveProject, refusals_into
from curation.views.people import invalid, own

SHOWN = 200


@login_required
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    user = own(request)
    rows = Project.objects.filter(deleted_at__isnull=True).order_by("-created_at")
    if not user.is_superuser:
        rows = rows.filter(memberships__user=user, memberships__deactivated_at=None)
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
            given = dict(form.cleaned_data)
            sample = given.pop("sample")
            made = projects.create_project(user=own(request), **given)
            messages.success(request, f"The project is made. {'' if sample else 'Import data to begin.'}".strip())
            return sampled(request, made) if sample else redirect("project", made.slug)
    context = {"form": form, "groups": grouped()}
    return render(request, "projects/new.html", context, status=422 if invalid(form) else 200)


def sampled(request: HttpRequest, project: Project) -> HttpResponse:
    """Import what Touchstone ships for the project's preset."""
    run = projects.load_sample(project=project, user=own(request))
    messages.success(request, f"{run.result.get('created', 0)} items of the sample are in.")
    return redirect("project", project.slug)


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest, slug: str) -> HttpResponse:
    """The overview. Who may not read answers sees the own progress and the guidelines only; POST loads the sample."""
    project = access.project_for(request.user, slug, access.SEE)
    if request.method == "POST":
        access.allow(request.user, project, access.FEED)
        return redirect("project", project.slug) if project.task_count else sampled(request, project)
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
        context["help_of_models"] = helping.concerns(project)
        context["has_answers"] = bool(context["totals"].answers or project.vote_count)
    return render(request, "projects/page.html", context)


def numbers(project: Project) -> dict[str, Any]:
    """Totals, plots and the table of annotators."""
    days = overview.per_day(project)
    axes = project.protocol.axes if project.protocol and project.kind == TaskKind.PREFERENCE else []
    return {
        "totals": overview.totals_of([project])[project.pk],
        "days": days,
        "days_plot": plots.per_day(days),
        "days_top": plots.nice_top(max(count for _, count in days)),
        "days_words": plots.days_in_words(days),
        "axes": [distribution(project, axis) for axis in axes],
        "counted": [(counted, bars(counted)) for counted in overview.answers_to(project)],
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


def bars(counted: overview.Counted) -> list[tuple[str, int, float, Any]]:
    """Label, count, percent and bar of each answer; the longest bar is the whole width."""
    most, total = max((count for _, count in counted.rows), default=0), counted.total
    return [
        (label, count, 100 * count / total if total else 0, plots.share_bar(count / most if most else 0))
        for label, count in counted.rows
    ]


def settings(request: HttpRequest, slug: str) -> HttpResponse:
    """Two forms, the project and its removal; and what the protocol asks, with the way to its editor."""
    project = access.project_for(request.user, slug, access.MANAGE)
    action = request.POST.get("action", "") if request.method == "POST" else ""
    may_own = access.OWN in access.capabilities(request.user, project)
    general = ProjectSettings(request.POST if action == "general" else None, initial=current(project), may_own=may_own)
    remove = RemoveProject(request.POST if action == "remove" else None, prefix="remove")
    if general.is_bound and general.is_valid():
        with refusals_into(general):
            given = dict(general.cleaned_data)
            wanted = given.get("two_factor", project.two_factor)
            if wanted != project.two_factor:
                projects.check_may_ask_two_steps(own(request), wanted)
            share = given.pop("review_percent") / 100
            projects.change_project(project=project, review_share=share, **given)
            return saved(request, project, "Saved.")
    if remove.is_bound and remove.is_valid():
        access.allow(request.user, project, access.OWN)
        with refusals_into(remove):
            return removed(request, project, remove.cleaned_data["slug"])
    context = {"project": project, "general": general, "remove": remove, "asked": asked(project)}
    context["may_own"] = may_own
    status = 422 if invalid(general, remove) else 200
    return render(request, "projects/settings.html", context, status=status)


def current(project: Project) -> dict[str, Any]:
    same = (*ProjectSettings.SAME, "two_factor")
    return {name: getattr(project, name) for name in same} | {"review_percent": round(100 * project.review_share)}


def asked(project: Project) -> list[tuple[str, list[str]]]:
    """What the protocol asks, in a few words."""
    protocol = project.protocol
    if protocol is None:
        return []
    critiques: dict[str, Any] = protocol.critiques
    types = [label["label"] or label["name"] for label in critiques.get("types", [])] if critiques.get("on") else []
    told = [("One task is to", [project.get_kind_display()])]
    if project.kind != TaskKind.RESPONSE:
        told.append(("Preference", [axis["question"] for axis in protocol.axes]))
    if critiques.get("on"):
        told.append(("Critiques", [", ".join(types) or "without types"]))
    if protocol.questions:
        told.append(("Questions", [question["question"] for question in protocol.questions]))
    return [*told, ("A reason in words", [protocol.get_rationale_display()])]


def removed(request: HttpRequest, project: Project, typed: str) -> HttpResponse:
    if typed.strip() != project.slug:
        raise Invalid("this is not the address of the project", field="slug")
    projects.remove_project(project=project)
    messages.success(request, f"{project.name} is removed. An administrator can restore it.")
    return redirect("projects")


def saved(request: HttpRequest, project: Project, text: str) -> HttpResponse:
    messages.success(request, text)
    return redirect("project-settings", project.slug)
