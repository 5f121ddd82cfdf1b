"""Pages of evaluations: the leaderboard with the form that starts one, one evaluation with its figures, its rows."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from curation import access
from curation.downloads import send
from curation.errors import DomainError
from curation.models import Evaluation, Membership, ModelVersion, Project
from curation.services import registry, starting
from curation.services.evaluating import asking, showing
from curation.services.evaluating.closing import rows_of
from curation.services.exporting import Content
from curation.views.people import own
from workers.benchmarking import benchmarks

HARDEST = 25
"""So many of the rows that a model gets most wrong are shown."""


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def leaderboard(request: HttpRequest) -> HttpResponse:
    """Models by benchmarks, `?sort=` one of them; POST starts an evaluation in the project that it names."""
    if request.method == "POST":
        return start(request)
    retired = "retired" in request.GET
    down = request.GET.get("order") != "up"
    board = showing.board(request.user, sort=request.GET.get("sort", "model"), down=down, retired=retired)
    context = {
        "board": board,
        "rows": [(row.model, [cell(one) for one in row.cells]) for row in board.rows],
        "retired": retired,
        "projects": startable(request),
        "models": offered(request),
        "benchmarks": list(benchmarks),
        "chosen": request.GET.get("model", ""),
    }
    return render(request, "models/leaderboard.html", context)


def startable(request: HttpRequest) -> list[Project]:
    """Projects in which the person may start runs."""
    projects = registry.readable(request.user).order_by("name")
    if own(request).is_superuser:
        return list(projects)
    roles = [role for role, can in access.CAN.items() if access.FREEZE in can]
    mine = Membership.objects.filter(user=own(request), role__in=roles, deactivated_at=None)
    return list(projects.filter(pk__in=mine.values("project")))


def offered(request: HttpRequest) -> list[ModelVersion]:
    """Models that some benchmark is for."""
    ready = registry.visible(request.user).filter(retired_at=None, state=ModelVersion.State.READY)
    return list(ready.filter(kind__in=asking.KINDS).defer("card").order_by("name", "-number")[:500])


def start(request: HttpRequest) -> HttpResponse:
    project = access.project_for(request.user, request.POST.get("project", ""), access.FREEZE)
    params: dict[str, Any] = {name: given for name in ("benchmark", "limit") if (given := request.POST.get(name))}
    try:
        params["model"] = registry.find(request.user, number(request.POST.get("model", ""))).pk
        run = starting.start(project=project, method="evaluate", params=params, user=own(request))
    except DomainError as error:
        messages.error(request, error.detail[:1].upper() + error.detail[1:] + ".")
        return redirect("leaderboard")
    return redirect("run", project.slug, run.pk)


def number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def cell(one: Evaluation | None) -> dict[str, Any] | None:
    """What a place of the board shows, in percent."""
    return {"evaluation": one, **in_percent(one.figure)} if one else None


def in_percent(figure: dict[str, Any]) -> dict[str, Any]:
    told = {name: f"{100 * figure[name]:.1f}" for name in ("value", "low", "high") if figure[name] is not None}
    return {**told, "n": figure["n"]}


@login_required
@require_safe
def page(request: HttpRequest, evaluation_id: int) -> HttpResponse:
    found = showing.find(request.user, evaluation_id)
    benchmark = next((one for one in benchmarks if one.name == found.benchmark), None)
    context = {
        "evaluation": found,
        "model": found.model,
        "title": showing.title_of(found.benchmark),
        "benchmark": benchmark,
        "main": in_percent(found.figure),
        "figures": [(name, in_percent(figure)) for name, figure in found.scores.items()],
        "may_read_run": found.run.project in registry.readable(request.user),
        "hardest": hardest(found),
        "commits": found.source.get("commits", {}),
    }
    return render(request, "models/evaluation.html", context)


def hardest(found: Evaluation) -> list[dict[str, Any]]:
    """Of two responses, those pairs whose better one scores furthest below the other."""
    rows = []
    for row in rows_of(found):
        best, scores = row["truth"].get("gold"), row["scores"]
        if best is None or len(scores) != 2 or None in scores:
            continue
        if (margin := scores[best] - scores[1 - best]) <= 0:
            rows.append({**row, "margin": margin, "best": scores[best], "other": scores[1 - best]})
    return sorted(rows, key=lambda row: row["margin"])[:HARDEST]


@login_required
@require_safe
def results(request: HttpRequest, evaluation_id: int) -> HttpResponseBase:
    """What the model said of each case, as JSON lines."""
    found = showing.find(request.user, evaluation_id)
    path = showing.results_file(found)
    return send(request, Content.of(path, found.source["bytes"], found.source["results"]))
