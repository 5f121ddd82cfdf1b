"""How people and models answer: the newest checks, and the button that makes them anew."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from curation import access, plots
from curation.errors import DomainError
from curation.services import starting
from curation.services.checking import telling
from curation.services.checking.telling import TITLES, Board
from curation.views.people import own
from workers.intervals import Estimate

ATTACKS = {
    "none": "Models’ words as they are",
    "reference": "Tuned on half of the people’s texts",
    "critic 1": "… and on the detector’s answers, once",
    "critic 2": "… twice",
    "critic 3": "… three times",
    "best of 8": "… and the best of eight tries",
}
PULLS = {"length": "Length", "headers": "Headers", "lists": "List entries", "bold": "Bold text"}


@require_http_methods(["GET", "HEAD", "POST"])
def index(request: HttpRequest, slug: str) -> HttpResponse:
    """POST starts a run that checks anew."""
    if request.method == "POST":
        project = access.project_for(request.user, slug, access.FREEZE)
        try:
            run = starting.start(project=project, method="check", params={}, user=own(request))
        except DomainError as error:
            messages.error(request, error.detail[:1].upper() + error.detail[1:] + ".")
            return redirect("checks", slug)
        return redirect("run", slug, run.pk)
    project = access.project_for(request.user, slug, access.READ)
    board = telling.board(project)
    context = {
        "project": project,
        "board": board,
        "titles": list(TITLES.values()),
        "style": style_of(board.style),
        "origin": origin_of(board),
        "may_check": access.FREEZE in access.capabilities(request.user, project),
    }
    return render(request, "checks/index.html", context)


def style_of(style: dict[str, Any]) -> dict[str, Any]:
    """The pull of each feature as a drawn interval, and models raw beside controlled, the strongest first."""
    if "pulls" not in style:
        return {"why_not": style.get("why_not", "")}
    pulls = {name: Estimate(**figure) for name, figure in style["pulls"].items()}
    reach = max([1.0, *(max(abs(one.low), abs(one.high)) for one in pulls.values())])
    drawn = [
        (PULLS[name], said(one), plots.interval(f"pull-{name}", PULLS[name], said(one), one, reach))
        for name, one in pulls.items()
    ]
    models = [
        (name, said(Estimate(**style["raw"][name])), said(Estimate(**figure)))
        for name, figure in sorted(style["controlled"].items(), key=lambda pair: -pair[1]["value"])
    ]
    return {"n": style["n"], "of": style["of"], "pulls": drawn, "models": models, "reach": f"{reach:.1f}"}


def said(one: Estimate) -> str:
    if max(abs(one.value), abs(one.low), abs(one.high)) < 1e-9:
        return "undefined"  # no two responses differ in it
    return f"{one.value:+.2f} ({one.low:+.2f} to {one.high:+.2f})".replace("-", "−")


def origin_of(board: Board) -> dict[str, Any]:
    """The detector's error rates, and a row for each round of the attack."""
    origin = board.origin
    if "attacks" not in origin:
        return {"why_not": origin.get("why_not", "")}
    rounds = [
        (
            ATTACKS.get(one["attack"], one["attack"]),
            f"{one['auc']:.3f}",
            f"{100 * (one['caught']['share'] or 0):.0f} %",
            f"{one['auc_retrained']:.3f}",
        )
        for one in origin["attacks"]
    ]
    return {
        **origin,
        "rounds": rounds,
        "caught": in_percent(origin["caught"]),
        "accused": in_percent(origin["accused"]),
    }


def in_percent(share: dict[str, Any]) -> str:
    return f"{100 * share['share']:.1f} % ({100 * share['low']:.1f} to {100 * share['high']:.1f}) of {share['n']}"
