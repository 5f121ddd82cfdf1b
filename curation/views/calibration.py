"""The part of a model's page that says how far its probabilities can be trusted, project by project."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from curation import access
from curation.errors import DomainError
from curation.models import Calibration, ModelVersion, Project
from curation.reliability_plot import floor_of, reliability
from curation.services import calibrating, registry, starting
from curation.views.people import own

HARDLY = 1e-6
MOST = 12
"""So many projects are shown, the latest in which the model was at work."""


@require_http_methods(["GET", "HEAD", "POST"])
def section(request: HttpRequest, model_id: int) -> HttpResponse:
    """The section as a fragment; POST starts a calibration in the project that it names."""
    model = registry.find(request.user, model_id)
    if request.method == "POST":
        return calibrate(request, model)
    projects = registry.readable(request.user)
    made = calibrating.latest(model, projects)
    known = {row.project_id for row in made}
    open_to = [project for project in calibrating.concerned(model, projects)[:MOST] if project.pk not in known]
    context = {
        "model": model,
        "calibrates": model.kind in calibrating.KINDS,
        "calibrations": [drawn(row, may_start(request, row.project)) for row in made[:MOST]],
        "uncalibrated": [(project, may_start(request, project)) for project in open_to],
        "fewest": calibrating.FEWEST,
    }
    return render(request, "models/_calibration.html", context)


def may_start(request: HttpRequest, project: Project) -> bool:
    return access.FREEZE in access.capabilities(request.user, project)


def calibrate(request: HttpRequest, model: ModelVersion) -> HttpResponse:
    project = access.project_for(request.user, request.POST.get("project", ""), access.FREEZE)
    params: dict[str, Any] = {"model": model.pk}
    params |= {name: given for name in ("method", "axis") if (given := request.POST.get(name))}
    try:
        run = starting.start(project=project, method="calibrate", params=params, user=own(request))
    except DomainError as error:
        messages.error(request, error.detail[:1].upper() + error.detail[1:] + ".")
        return redirect("runs", project.slug)
    return redirect("run", project.slug, run.pk)


def drawn(row: Calibration, may_act: bool) -> dict[str, Any]:
    """One calibration with its picture, its words and its table."""
    report = row.report
    before, after = report["bins_before"], report["bins_after"]
    return {
        "row": row,
        "may_act": may_act,
        "plot": reliability(f"Reliability of {row.model} in {row.project}. {in_words(row)}", before, after),
        "low": round(100 * floor_of(before, after)),
        "words": in_words(row),
        "figures": figures(report),
        "table": [cells(*both) for both in zip_longest(before, after)],
        "temperature": row.params.get("temperature"),
    }


def in_words(row: Calibration) -> str:
    """What the numbers come to, in two sentences."""
    report = row.report
    off, off_after = report["ece_before"], report["ece_after"]
    better = "better" if report["accuracy"] > report["length_accuracy"] + HARDLY else "no better"
    return (
        f"It is right in {percent(report['accuracy'])} of {report['n']} decided pairs, {better} than “the longer one” "
        f"({percent(report['length_accuracy'])}). What it says of its own sureness is off by {points(off)} points on "
        f"average, after calibration by {points(off_after)}."
    )


def figures(report: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(name, before, after) of each measure of calibration."""
    names = (("ECE, 15 bins of equal mass", "ece"), ("Brier score", "brier"), ("Log loss, nats", "nll"))
    return [(title, f"{report[f'{name}_before']:.3f}", f"{report[f'{name}_after']:.3f}") for title, name in names]


def cells(before: dict[str, Any] | None, after: dict[str, Any] | None) -> list[str]:
    """Pairs, and how sure and how often right before and after, of one bin."""
    told = [str((before or after or {}).get("count", ""))]
    for one in (before, after):
        told += [percent(one["confidence"]), percent(one["accuracy"])] if one else ["–", "–"]
    return told


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def points(share: float) -> str:
    return f"{100 * share:.1f}"
