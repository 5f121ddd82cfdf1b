"""Pages of decided labels: fits with what they say of labels and annotators, and where two of them differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.text import capfirst
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from curation import access
from curation.errors import DomainError, NotFound
from curation.models import Decision, Project, Reliability, Run
from curation.services import fits, starting
from curation.services.aggregating import asking, showing
from curation.services.aggregating.showing import Told
from curation.services.browsing import PUT_AWAY
from curation.share_plots import histogram, share_interval
from curation.views.people import own
from workers.aggregating import aggregators

WHOSE = {
    "people": "people",
    "signed-in": "people who signed in",
    "imported": "imported answers",
    "all": "people, models and programs",
}
KINDS = {"axis": "Preference", "rank": "Ranking", "question": "Question", "span": "Spans"}
BY_HAND = {"adjudicated": "adjudicated", "gold": "gold", "majority": "majority", "settled": "median or most named"}


@require_http_methods(["GET", "HEAD", "POST"])
def index(request: HttpRequest, slug: str) -> HttpResponse:
    """The fits, and one of them in full: `?fit=`, else the one in use, else the newest. POST starts another one."""
    if request.method == "POST":
        return start(request, access.project_for(request.user, slug, access.FREEZE))
    project = access.project_for(request.user, slug, access.READ)
    runs = showing.latest(project)
    run = chosen(project, request.GET.get("fit", ""), runs)
    section = request.GET.get("section", "")
    context = {
        "project": project,
        "fits": [row_of(one, project) for one in runs],
        "run": run,
        "live": showing.under_way(project),
        "methods": [one for one in aggregators if one.name in asking.NAMES],
        "whose": WHOSE,
        "can": access.capabilities(request.user, project),
        **(in_full(project, run, section, request.GET.get("annotator", "")) if run else {}),
    }
    return render(request, "decisions/index.html", context)


def start(request: HttpRequest, project: Project) -> HttpResponse:
    params = {name: given for name in ("method", "annotators") if (given := request.POST.get(name))}
    try:
        run = starting.start(project=project, method=fits.METHOD, params=params, user=own(request))
    except DomainError as error:
        messages.error(request, error.detail[:1].upper() + error.detail[1:] + ".")
        return redirect("decisions", project.slug)
    return redirect("run", project.slug, run.pk)


@require_POST
def use(request: HttpRequest, slug: str) -> HttpResponse:
    """Put a fit in use; without one the majority decides again."""
    project = access.project_for(request.user, slug, access.MANAGE)
    given = request.POST.get("run", "")
    try:
        fits.use(project, fits.find(project, given, "run") if given else None)
    except DomainError as error:
        messages.error(request, error.detail[:1].upper() + error.detail[1:] + ".")
    else:
        messages.success(request, "This fit is in use now." if given else "The majority decides now.")
    return redirect(f"{reverse('decisions', args=[project.slug])}{f'?fit={given}' if given else ''}")


@require_safe
def differences(request: HttpRequest, slug: str) -> HttpResponse:
    """Where two fits decide differently, with the items: `?one=&other=&after=`."""
    project = access.project_for(request.user, slug, access.READ)
    one, other = (named(project, request.GET.get(name, "")) for name in ("one", "other"))
    given = request.GET.get("after", "")
    after = int(given) if given.isascii() and given.isdigit() and len(given) < 19 else 0
    found = showing.differences(one, other, after)
    context = {
        "project": project,
        "one": row_of(one, project),
        "other": row_of(other, project),
        "rows": [
            {
                "item": row.item,
                "what": in_words(row.one.kind, row.one.name, row.one.start),
                "one": cell(row.one),
                "other": cell(row.other),
            }
            for row in found.rows
        ],
        "found": found,
        "following": f"?one={one.pk}&other={other.pk}&after={found.next}" if found.next else "",
    }
    return render(request, "decisions/differences.html", context)


def chosen(project: Project, given: str, runs: Sequence[Run]) -> Run | None:
    if given:
        return named(project, given)
    used = [run for run in runs if run.pk == project.fit_id]
    return next(iter([*used, *runs]), None)


def named(project: Project, given: str) -> Run:
    """Raises NotFound for what is no fit of the project."""
    try:
        return fits.find(project, given[:40], "fit")
    except DomainError:
        raise NotFound("no such fit") from None


def row_of(run: Run, project: Project) -> dict[str, Any]:
    """A fit as lists tell it."""
    sections = run.result.get("sections", [])
    decided = sum(one["decisions"] - one["undecided"] for one in sections)
    sure = sum((one["confidence"] or 0) * (one["decisions"] - one["undecided"]) for one in sections)
    only = run.params.get("axis", "")
    return {
        "run": run,
        "method": run.result.get("method", ""),
        "whose": WHOSE.get(run.params.get("annotators", "people"), ""),
        "only": only,
        "upto": run.result.get("answers up to", 0),
        "in_use": run.pk == project.fit_id,
        "decisions": run.result.get("decisions", 0),
        "undecided": sum(one["undecided"] for one in sections),
        "confidence": percent(sure / decided) if decided else "–",
    }


def in_full(project: Project, run: Run, section: str, annotator: str) -> dict[str, Any]:
    """Sections with their histograms, people with their intervals, and one of them in detail."""
    told = run.result.get("sections", [])
    sections = [
        {
            **one,
            "title": in_words(one["kind"], one["name"]),
            "key": f"{one['kind']}:{one['name']}",
            "mean": "–" if one["confidence"] is None else percent(one["confidence"]),
            "method": method_title(one["how"]),
            "plot": histogram(in_words(one["kind"], one["name"]), one["bins"]) if one["decisions"] else "",
        }
        for one in told
    ]
    kind, _, name = section.partition(":")
    known = any(one["key"] == section for one in sections)
    people = showing.people(run, kind, name) if known else showing.people(run)
    pk = int(annotator) if annotator.isascii() and annotator.isdigit() and len(annotator) < 19 else 0
    details = showing.of_annotator(run, pk) if pk else []
    return {
        "fit": row_of(run, project),
        "sections": sections,
        "section": section if known else "",
        "spans_only": bool(told) and all(one["kind"] == "span" or not one["votes"] for one in told),
        "people": [person(one) for one in people],
        "most": showing.PEOPLE,
        "details": [detail(one) for one in details],
        "detailed": details[0].annotator if details else None,
    }


def person(row: Reliability) -> dict[str, Any]:
    if row.value is None or row.low is None or row.high is None:
        return {"row": row, "value": "", "plot": ""}
    return {
        "row": row,
        "value": percent(row.value),
        "interval": f"{100 * row.low:.0f} to {percent(row.high)}",
        "plot": share_interval(row.low, row.value, row.high),
    }


def detail(row: Reliability) -> dict[str, Any]:
    """One annotator in one section: the confusion as a table, and the method's own parameters."""
    labels, rows = row.confusion.get("labels", []), row.confusion.get("rows", [])
    used = [n for n in range(len(labels)) if any(one[n] for one in rows) or any(rows[n])]
    table = [(words_of(labels[n]), [f"{rows[n][m]:.1f}" for m in used], sum(rows[n])) for n in used]
    return {
        **person(row),
        "title": in_words(row.kind, row.axis),
        "labels": [words_of(labels[n]) for n in used],
        "table": [
            (name, [(value, place == at) for at, value in enumerate(cells)])
            for place, (name, cells, _) in enumerate(table)
        ],
        "own": [(name, f"{value:.2f}") for name, value in row.confusion.get("own", {}).items()],
    }


def cell(row: Decision | None) -> dict[str, str]:
    return (
        {"outcome": words_of(row.outcome), "sure": percent(row.confidence)}
        if row
        else {"outcome": "nothing", "sure": ""}
    )


def in_words(kind: str, name: str, start: int | None = None) -> str:
    """`Preference: overall`, `Spans`, `Spans at 120`."""
    at = "" if start is None else f" at {start}"
    return f"{KINDS[kind]}{f': {name}' if name and name != 'overall' else ''}{at}"


def words_of(label: Any) -> str:
    given = {True: "yes", False: "no"}.get(label, label) if isinstance(label, bool) else label
    return str(given).replace("_", " ") if given != "" else "no type"


def method_title(name: str) -> str:
    if name in BY_HAND:
        return BY_HAND[name]
    found = next((one for one in aggregators if one.name == name), None)
    return found.title if found else name


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def of_item(told: Sequence[Told], names: dict[int, str]) -> list[dict[str, str]]:
    """How labels of an item were decided, as its page tells it; `names` are what its responses are called there."""
    return [
        {
            "what": in_words(one.kind, one.name),
            "about": about(one, names),
            "outcome": outcome(one, names),
            "sure": percent(one.confidence),
            "votes": str(one.votes),
            "how": method_title(one.how),
        }
        for one in told
    ]


def about(one: Told, names: dict[int, str]) -> str:
    named = " and ".join(names.get(pk, PUT_AWAY) for pk in one.responses)
    return capfirst(named) + (f", {one.span[0]} to {one.span[1]}" if one.span else "")


def outcome(one: Told, names: dict[int, str]) -> str:
    if one.outcome in ("first", "second") and len(one.responses) == 2:
        named = names.get(one.responses[one.outcome == "second"], PUT_AWAY)
        return f"{capfirst(named)} is better"
    severity = one.answer.get("severity") if one.kind == "span" and isinstance(one.answer, dict) else ""
    told = one.answer if one.kind == "question" and one.answer is not None else one.outcome
    return words_of(told) + (f", {severity}" if severity else "")
