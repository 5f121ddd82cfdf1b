"""What preferences go by besides what the responses say: the report, and the items behind each figure."""

from __future__ import annotations

from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from curation import access
from curation.errors import DomainError, NotFound
from curation.models import BiasReport, DatasetVersion, Project
from curation.services import starting
from curation.services.bias import telling
from curation.services.bias.telling import TITLES
from curation.share_plots import share_interval
from curation.views.checks import style_of
from curation.views.items import first_words
from curation.views.people import own

SHOWN = 20
MOST_FIGURES = 40
"""So many properties of a signal are shown, those that most pairs speak of; the API has all."""
NOTES = {
    "length": "Whether the longer response is chosen, by how much longer it is.",
    "markdown": "Of pairs in which one response has it and the other not.",
    "refusal": "Of pairs in which one response begins with a phrase that models refuse with, in English.",
    "family": "Of pairs with responses of two families.",
    "position": "Of single answers; a coin decides the side, so that one half is what reading gives.",
    "annotator": "Of single answers on responses of different length.",
    "hour": "Of single answers on responses of different length, by the hour in which they were given.",
}


@require_http_methods(["GET", "HEAD", "POST"])
def index(request: HttpRequest, slug: str) -> HttpResponse:
    """One report: `?report=`, else the newest on the project, else the newest. POST starts a run."""
    if request.method == "POST":
        return start(request, access.project_for(request.user, slug, access.FREEZE))
    project = access.project_for(request.user, slug, access.READ)
    latest = list(telling.reports(project).defer("told")[:SHOWN])
    report = chosen(project, request.GET.get("report", "")) or telling.latest(project) or first(project)
    context = {
        "project": project,
        "reports": latest,
        "report": report,
        "live": telling.under_way(project),
        "signals": signals_of(report) if report else [],
        "style": style_of(report.told["style"]) if report and "style" in report.told else {},
        "versions": ready_versions(project),
        "may_start": access.FREEZE in access.capabilities(request.user, project),
    }
    return render(request, "bias/index.html", context)


def start(request: HttpRequest, project: Project) -> HttpResponse:
    name, _, number = request.POST.get("version", "").rpartition("@")
    params: dict[str, Any] = {"dataset": name, "number": int(number)} if name and number.isdecimal() else {}
    try:
        run = starting.start(project=project, method="bias-report", params=params, user=own(request))
    except DomainError as error:
        messages.error(request, error.detail[:1].upper() + error.detail[1:] + ".")
        return redirect("bias", project.slug)
    return redirect(run.address)


def ready_versions(project: Project) -> list[DatasetVersion]:
    """The newest versions that a report can be made of."""
    ready = DatasetVersion.objects.filter(dataset__project=project, state=DatasetVersion.State.READY)
    return list(ready.select_related("dataset").defer("card", "facts", "checks").order_by("-pk")[:SHOWN])


def chosen(project: Project, given: str) -> BiasReport | None:
    """The report of that number. Raises NotFound for one that the project has not."""
    if not given:
        return None
    found = telling.reports(project).filter(pk=int(given)).first() if given.isdecimal() and len(given) < 18 else None
    if found is None:
        raise NotFound("no such report")
    return found


def first(project: Project) -> BiasReport | None:
    """The newest of any version, where the project as a whole has none."""
    return telling.reports(project).first()


def signals_of(report: BiasReport) -> list[dict[str, Any]]:
    """The figures, signal by signal, drawn and in words, each with the address of its items."""
    root = reverse("bias-items", args=[report.project.slug])
    found = []
    for signal, rows in groupby(report.told["figures"], key=lambda row: row["signal"]):
        some = list(rows)
        shown = some[:MOST_FIGURES]
        lines = [line_of(row, f"{root}?{urlencode({'report': report.pk, 'signal': signal, 'name': row['name']})}")
                 for row in shown]  # fmt: skip
        found.append({"name": signal, "title": TITLES[signal], "note": NOTES[signal], "lines": lines,
                      "more": len(some) - len(shown), "sides": signal in ("markdown", "refusal")})  # fmt: skip
    return found


def line_of(row: dict[str, Any], href: str) -> dict[str, Any]:
    told = row["share"] is not None
    return {
        "name": row["name"],
        "n": row["n"],
        "marked": row["marked"],
        "value": percent(row["share"]),
        "range": f"{percent(row['low'])} to {percent(row['high'])}" if told else "",
        "plot": share_interval(row["low"], row["share"], row["high"]) if told else "",
        "chosen": percent(row["chosen"]["share"]),
        "rejected": percent(row["rejected"]["share"]),
        "for": f"{href}&side=chosen",
        "against": f"{href}&side=rejected",
    }


def percent(share: float | None) -> str:
    return "undefined" if share is None else f"{100 * share:.1f} %"


@require_safe
def items(request: HttpRequest, slug: str) -> HttpResponse:
    """The pairs behind a figure: those whose side with the property was chosen, or rejected."""
    project = access.project_for(request.user, slug, access.READ)
    given = {name: request.GET.get(name, "").replace("\0", "")[:300] for name in ("report", "signal", "name", "side")}
    report = chosen(project, given["report"]) or telling.latest(project)
    if report is None:
        raise NotFound("no such report")
    after = request.GET.get("after", "")
    key = int(after) if after.isdecimal() and len(after) < 18 else 0
    found = telling.items(report, given["signal"], given["name"], chosen=given["side"] != "rejected", after=key)
    kept = given | {"report": str(report.pk)}
    context = {
        "project": project,
        "report": report,
        "title": TITLES[given["signal"]],
        "given": given,
        "rejected": given["side"] == "rejected",
        "other": f"?{urlencode(kept | {'side': 'chosen' if given['side'] == 'rejected' else 'rejected'})}",
        "rows": [(row, first_words(row.item.prompt)) for row in found.rows],
        "found": found,
        "first": f"?{urlencode(kept)}" if key else "",
        "following": f"?{urlencode(kept | {'after': found.next})}" if found.next else "",
        "back": f"{reverse('bias', args=[slug])}?report={report.pk}",
    }
    return render(request, "bias/items.html", context)
