"""People at work: the manager's page of everybody and of one person, and everybody's own page."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from curation import access, plots
from curation.errors import DomainError, NotFound
from curation.models import Annotation, Annotator
from curation.services import overview, team
from curation.services.checking import telling
from curation.services.looks import looked_ms
from curation.services.team import SORTS, Row, Team
from curation.views.items import outcome_words
from curation.views.people import own
from workers.forecast import Forecast

HISTORY = 30
SORTED = {
    "answers": "Most answers",
    "name": "Name",
    "pace": "Fastest",
    "time": "Most time",
    "agreement": "Most as the others",
    "reliability": "Most reliable",
    "returned": "Most sent back",
    "seen": "Seen last",
}


@require_http_methods(["GET", "HEAD", "POST"])
def index(request: HttpRequest, slug: str) -> HttpResponse:
    """Everybody, `?sort=` and `?q=`; POST sets what an hour of work costs."""
    project = access.project_for(request.user, slug, access.MANAGE)
    if request.method == "POST":
        try:
            team.set_hourly_cost(project=project, amount=request.POST.get("hourly_cost", ""))
        except DomainError as error:
            messages.error(request, error.detail[:1].upper() + error.detail[1:] + ".")
        return redirect("people", slug)
    sort, query = request.GET.get("sort", "answers"), request.GET.get("q", "").replace("\0", "")[:100]
    found = team.team(project, sort=sort, query=query)
    context = {
        "project": project,
        "team": found,
        "rows": [shown(row, found.hourly) for row in found.rows],
        "sort": sort if sort in SORTS else "answers",
        "query": query,
        "sorts": [(name, SORTED[name]) for name in SORTS],
        "forecast": forecast_words(found),
        "plot": plots.per_day(found.per_day),
        "top": plots.nice_top(max((count for _, count in found.per_day), default=0)),
        "first": found.per_day[0][0],
        "days_words": plots.days_in_words(found.per_day),
    }
    return render(request, "team/index.html", context)


def shown(row: Row, hourly: float | None) -> dict[str, Any]:
    """A row with its numbers as they are said."""
    return {
        "row": row,
        "per_hour": f"{row.per_hour:.0f}" if row.per_hour is not None else "–",
        "cost": said_cost(row.cost(hourly)),
        "agreement": in_percent(row.agreement),
        "reliability": in_percent(row.reliability),
        "flags": [telling.TITLES.get(flag, flag) for flag in row.flags],
    }


def said_cost(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def in_percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"


def forecast_words(found: Team) -> str:
    """When it will be done, in a sentence."""
    told: Forecast | None = found.forecast
    if not found.left:
        return "Everything is answered."
    if told is None:
        return "Too few days with answers to tell when it will be done."
    today = timezone.now().date()
    if told.late and told.low >= 3_650:
        return "At the pace of the last four weeks it would take more than ten years."
    low, middle, high = (day_words(today + timedelta(days=days)) for days in (told.low, told.days, told.high))
    return f"At the pace of the last four weeks about {middle}; between {low} and {high} in four of five draws."


def day_words(day: date) -> str:
    return f"{day:%-d %B %Y}"


@require_safe
def person(request: HttpRequest, slug: str, annotator_id: int) -> HttpResponse:
    """One person: weeks, answers, signals, what reviewers sent back."""
    project = access.project_for(request.user, slug, access.MANAGE)
    annotator = Annotator.objects.filter(project=project, pk=annotator_id).select_related("user").first()
    if annotator is None:
        raise NotFound("no such annotator")
    found = team.person(project, annotator)
    check = telling.row_of(found.check) if found.check else None
    context = {
        "project": project,
        "person": found,
        "one": shown(found.row, project.hourly_cost),
        "plot": plots.per_day(found.per_day),
        "top": plots.nice_top(max((count for _, count in found.per_day), default=0)),
        "first": found.per_day[0][0],
        "signals": list(zip(telling.TITLES.values(), check.cells, strict=True)) if check else [],
        "why": check.why if check else [],
        "answers": answered(team.history(annotator, before=None, most=HISTORY)),
    }
    return render(request, "team/person.html", context)


@require_safe
def me(request: HttpRequest, slug: str) -> HttpResponse:
    """Own progress, what came back from reviewers, own answers to look at again."""
    project = access.project_for(request.user, slug, access.ANNOTATE)
    user = own(request)
    annotator = access.annotator_for(user, project)
    before = request.GET.get("before", "")
    key = int(before) if before.isascii() and before.isdigit() and len(before) < 19 else None
    answers = team.history(annotator, before=key, most=HISTORY + 1)
    today = timezone.now().date()
    days = team.days_of(project, annotator, today - timedelta(days=team.DAYS - 1))
    context = {
        "project": project,
        "annotator": annotator,
        "progress": overview.own_progress(project, user),
        "row": team.own_row(project, annotator, days, team.check_of(project, annotator)),
        "plot": plots.per_day(days),
        "top": plots.nice_top(max((count for _, count in days), default=0)),
        "first": days[0][0],
        "words": plots.days_in_words(days),
        "answers": answered(answers[:HISTORY]),
        "next": answers[HISTORY - 1].pk if len(answers) > HISTORY else None,
        "reviews": team.returned(annotator)[:20],
        "can": access.capabilities(user, project),
    }
    return render(request, "team/me.html", context)


def answered(answers: list[Annotation]) -> list[dict[str, Any]]:
    """Answers in a line each, with the time of all looks that led to them."""
    took = looked_ms(answers)
    return [{**told(one), "took": took[one.pk]} for one in answers]


def told(annotation: Annotation) -> dict[str, Any]:
    """An answer: the item, when, and what was said."""
    task = annotation.task
    item = task.pair.item if task.pair else task.response.item if task.response else task.item
    prompt = str(item.prompt[-1].get("content", "")) if item and item.prompt else ""
    said = [f"{one.axis}: {outcome_words(one, [])}" for one in annotation.preferences.all()]
    said += [f"{one.question}: {one.answer}" for one in annotation.verdicts.all()][:4]
    critiques = len(annotation.critiques.all())
    if critiques:
        said.append(f"{critiques} critique{'' if critiques == 1 else 's'}")
    if annotation.ranks.all():
        said.append("ranked")
    return {"annotation": annotation, "item": item, "prompt": " ".join(prompt.split())[:160], "told": said}
