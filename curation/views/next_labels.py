"""What to label next: the learning curve, what the next labels would bring and cost, and what follows."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from curation import access, plots
from curation.errors import DomainError, Invalid
from curation.learning_plot import learning_curve, percents
from curation.models import LearningCurve, ModelVersion, Project
from curation.services import starting
from curation.services.concord.showing import fields_of
from curation.services.learning import telling
from curation.services.learning.telling import WORDS
from curation.share_plots import share_interval
from curation.views.people import own
from curation.views.run_forms import models_for
from workers.intervals import Estimate
from workers.learning import advising

BADGES = {advising.LABEL: "badge--accent", advising.OVERLAP: "badge--warn", advising.STOP: "badge--good"}
SHORT = {
    advising.STOP: "stop", advising.LABEL: "label this slice", advising.OVERLAP: "raise overlap here",
    advising.GO_ON: "go on", advising.UNKNOWN: "too few to tell",
}  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
def index(request: HttpRequest, slug: str) -> HttpResponse:
    """The newest curve. POST makes another one, or with `act=order` starts the run that is advised."""
    if request.method == "POST":
        return start(request, access.project_for(request.user, slug, access.FREEZE))
    project = access.project_for(request.user, slug, access.READ)
    curve = telling.latest(project)
    can = access.capabilities(request.user, project)
    context: dict[str, Any] = {
        "project": project,
        "curve": curve,
        "live": telling.under_way(project),
        "can": can,
        "embedders": models_for(project, [ModelVersion.Kind.EMBEDDER]),
        "fields": fields_of(project),
    }
    return render(request, "next/index.html", context | (told_of(curve) if curve else {}))


def start(request: HttpRequest, project: Project) -> HttpResponse:
    try:
        method, params = asked(request, project)
        run = starting.start(project=project, method=method, params=params, user=own(request))
    except DomainError as error:
        messages.error(request, error.detail[:1].upper() + error.detail[1:] + ".")
        return redirect("next", project.slug)
    return redirect(run.address)


def asked(request: HttpRequest, project: Project) -> tuple[str, dict[str, Any]]:
    """Method and parameters of what a button of the page starts."""
    if request.POST.get("act") == "order":
        curve = telling.latest(project)
        advised = telling.advised(curve, request.POST.get("slice")) if curve else None
        if advised is None or not advised.method:
            raise Invalid("nothing is advised that a run could do", field="act")
        return advised.method, advised.params
    model = request.POST.get("model", "")
    params: dict[str, Any] = {"slices": request.POST.get("slices", "")[:200]}
    return "learning-curve", params | ({"model": int(model)} if model.isdecimal() and len(model) < 10 else {})


def told_of(curve: LearningCurve) -> dict[str, Any]:
    told = curve.told
    cost, back = told["cost"], told["back"]
    return {
        "told": told,
        "advice": WORDS[told["advice"]],
        "advised": telling.advised(curve),
        "plot": learning_curve(told),
        "now": percents(**told["now"]),
        "gains": [(one["labels"], points(one), paid(cost, one["labels"])) for one in told["gains"]],
        "per_unit": points(cost["gain_per_unit"]) if cost else "",
        "unit": ("unit of cost" if cost["amount"] else "hour of work") if cost else "",
        "back": back_of(back) if back else None,
        "slices": [slice_of(one) for one in told["slices"]],
        "threshold": f"{100 * told['threshold']:g}",
        "points_told": [(n, percents(value, low, high)) for n, value, low, high in told["points"]],
    }


def points(one: dict[str, Any]) -> str:
    """A gain in points of error, with its interval."""
    return f"{100 * one['value']:.2f} ({100 * one['low']:.2f} to {100 * one['high']:.2f})".replace("-", "−")


def paid(cost: dict[str, Any] | None, labels: int) -> str:
    """What so many labels take: money where an hour's cost is known, else hours, or minutes where these are few."""
    if not cost:
        return ""
    if cost["amount"]:
        return f"{cost['amount'] * labels / 100:,.2f}".replace(",", "\u202f")
    hours = cost["hours"] * labels / 100
    return f"{hours:.1f} h" if hours >= 1 else f"{60 * hours:.0f} min"


def back_of(back: dict[str, Any]) -> dict[str, Any]:
    """The gain that was foretold and the one there was, on one scale."""
    each = {name: Estimate(**back[name]) for name in ("predicted", "actual")}
    reach = max([0.01, *(max(abs(one.low), abs(one.high)) for one in each.values())])
    titles = {"predicted": "Foretold by the first half", "actual": "What the second half brought"}
    rows = [
        (titles[name], points(back[name]), plots.interval(f"back-{name}", titles[name], points(back[name]), one, reach))
        for name, one in each.items()
    ]
    return {**back, "rows": rows, "apart": points(back["off"])}


def slice_of(one: dict[str, Any]) -> dict[str, Any]:
    error, disagreement = one["error"], one["disagreement"]
    known = error["share"] is not None
    return {
        "name": one["name"],
        "title": one["title"] or "not given",
        "labels": one["labels"],
        "error": percents(error["share"], error["low"], error["high"]) if known else "undefined",
        "n": error["n"],
        "plot": share_interval(error["low"], error["share"], error["high"]) if known else "",
        "disagreement": percents(disagreement["share"], disagreement["low"], disagreement["high"])
        if disagreement["n"]
        else "unknown: nobody answered the same pair",
        "compared": disagreement["n"],
        "floor": "" if one["floor"] is None else f"{100 * one['floor']:.1f} %",
        "advice": SHORT[one["advice"]],
        "badge": BADGES.get(one["advice"], ""),
        "overlap": one["advice"] == advising.OVERLAP,
        "label": one["advice"] in (advising.LABEL, advising.GO_ON, advising.UNKNOWN),
    }
