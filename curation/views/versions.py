"""Pages behind a dataset version: one row traced back, and two versions compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from curation import access
from curation.errors import Invalid, NotFound
from curation.models import Annotation, Preference, Project, Run
from curation.services import exporting, starting
from curation.services.freezing import contrast, tracing
from curation.views.datasets import version_of
from workers.critics.pairwise import STEPS


@require_GET
def row(request: HttpRequest, slug: str, name: str, number: int, split: str, row: int) -> HttpResponse:
    """A training row with everything behind it."""
    project = access.project_for(request.user, slug, access.READ)
    version = version_of(project, name, number)
    found = tracing.trace(version, split, row)
    context = {
        "project": project,
        "version": version,
        "split": split,
        "number": row,
        "trace": found,
        "rows": version.counts["rows"].get(split, 0),
        "columns": [(column, as_words(value)) for column, value in found.row.items()],
        "annotations": [(one, says(one, sides_of(found.lines)), found.looked[one.pk]) for one in found.annotations],
        "decided": found.lines[0] if "votes" in found.lines[0] else None,
    }
    return render(request, "datasets/row.html", context)


def as_words(value: Any) -> list[tuple[str, str]]:
    """A cell as pieces with a label each: a conversation by its turns, everything else as one piece of JSON or text."""
    if isinstance(value, list) and value and all(isinstance(one, dict) and "role" in one for one in value):
        return [(str(one["role"]), str(one["content"])) for one in value]
    return [("", value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())]


def sides_of(lines: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """What the row makes of responses, by their ids: the chosen and the rejected one, where it has such."""
    return {line[side]: side for line in lines for side in ("chosen", "rejected") if line.get(side)}


def says(answer: Annotation, sides: Mapping[int, str]) -> list[str]:
    """Preferences and ranks of an answer in terms of the row: `chosen much better`."""
    preferences = list(answer.preferences.all())
    named = len(preferences) > 1 or any(one.axis != "overall" for one in preferences)
    told = [(f"{one.axis}: " if named else "") + preference_words(one, answer, sides) for one in preferences]
    ranks = {sides[one.response_id]: one.rank for one in answer.ranks.all() if one.response_id in sides}
    return told + ([", ".join(f"{side} in place {ranks[side]}" for side in sorted(ranks))] if ranks else [])


def preference_words(one: Preference, answer: Annotation, sides: Mapping[int, str]) -> str:
    if one.both_bad or one.value is None:
        return "both bad"
    if not one.value:
        return "tie"
    pair, second = answer.task.pair, one.value > 0
    better = sides.get(pair.second_id if second else pair.first_id) if pair else None
    steps = STEPS[answer.protocol.strengths]
    return f"{better or ('first', 'second')[second]} {steps[min(abs(one.value), len(steps)) - 1]}"


@require_GET
def find_row(request: HttpRequest, slug: str, name: str, number: int) -> HttpResponse:
    """From the small form on the version's page to the row it names."""
    project = access.project_for(request.user, slug, access.READ)
    version = version_of(project, name, number)
    split, wanted = request.GET.get("split", ""), request.GET.get("row", "")
    if split not in version.splits or not (wanted.isascii() and wanted.isdigit() and len(wanted) < 12):
        raise NotFound("no such row")
    return HttpResponseRedirect(reverse("version-row", args=[slug, name, number, split, int(wanted)]))


@require_POST
def verify(request: HttpRequest, slug: str, name: str, number: int) -> HttpResponse:
    """Start a check of its files; the run's page shows how it goes."""
    project = access.project_for(request.user, slug, access.FREEZE)
    version_of(project, name, number)
    user = request.user if request.user.is_authenticated else None
    run = starting.start(project=project, method="verify", params={"dataset": name, "number": number}, user=user)
    return HttpResponseRedirect(run.address)


@require_POST
def compare(request: HttpRequest, slug: str, name: str, number: int) -> HttpResponse:
    """Hold the older of two versions against the newer one, from whichever's page it is asked."""
    project = access.project_for(request.user, slug, access.FREEZE)
    version = version_of(project, name, number)
    other_name, _, other = request.POST.get("other", "").rpartition("@")
    if not (other.isascii() and other.isdigit() and len(other) < 10):
        raise Invalid("choose a version", field="other")
    first, second = (name, number), (other_name or name, int(other))
    if contrast.in_order(version, exporting.find_version(project, *second)):
        first, second = second, first
    params = {"dataset": first[0], "number": first[1], "other": second[1], "other_dataset": second[0]}
    user = request.user if request.user.is_authenticated else None
    run = starting.start(project=project, method="compare", params=params, user=user)
    return HttpResponseRedirect(reverse("compared", args=[slug, run.pk]))


@require_POST
def push(request: HttpRequest, slug: str, name: str, number: int) -> HttpResponse:
    """Start a push; the run's page shows how it goes, and the version's where it went."""
    project = access.project_for(request.user, slug, access.FREEZE)
    version_of(project, name, number)
    params: dict[str, Any] = {"dataset": name, "number": number}
    params |= {field: request.POST.get(field, "").strip() for field in ("repo", "endpoint", "tag")}
    params["branch"] = request.POST.get("branch", "").strip() or "main"
    params |= {field: field in request.POST for field in ("private", "companions", "names")}
    user = request.user if request.user.is_authenticated else None
    return HttpResponseRedirect(starting.start(project=project, method="push", params=params, user=user).address)


@require_GET
def compared(request: HttpRequest, slug: str, run_id: str) -> HttpResponse:
    """What a comparison found. While it is at work, htmx asks again every second."""
    project = access.project_for(request.user, slug, access.READ)
    run = comparison(project, run_id)
    older, newer, _ = contrast.between(run)
    context = {"project": project, "run": run, "older": older, "newer": newer}
    if run.state == Run.State.SUCCEEDED:
        context["told"] = contrast.told(run)
    fragment = request.headers.get("HX-Request") and request.headers.get("HX-Target") == "compared"
    return render(request, "datasets/_compared.html" if fragment else "datasets/compared.html", context)


@require_GET
def differences(request: HttpRequest, slug: str, run_id: str) -> HttpResponseBase:
    run = comparison(access.project_for(request.user, slug, access.READ), run_id)
    path = run.folder / "differences.jsonl"
    if not path.is_file():
        raise NotFound("this comparison has no result")
    return FileResponse(
        path.open("rb"), as_attachment=True, filename="differences.jsonl", content_type="application/x-ndjson"
    )


def comparison(project: Project, run_id: str) -> Run:
    run = Run.objects.filter(project=project, pk=run_id, method="compare").first()
    if run is None:
        raise NotFound("no such comparison")
    return run
