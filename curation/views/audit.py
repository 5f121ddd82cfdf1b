"""The audit log: of a project for its owners, of everything for superusers; on pages and as files."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from curation import access
from curation.audit_files import written
from curation.errors import Forbidden
from curation.models import Act, Project
from curation.services import auditing

SHOWN = 50


class Filters(forms.Form):
    """Each may be left out; what is no date is no filter."""

    act = forms.ChoiceField(
        label="What",
        required=False,
        choices=[("", "Everything")]
        + [
            (words, [(kind, "All of these"), *((a.value, a.label) for a in Act if a.value.startswith(f"{kind}."))])
            for kind, words in auditing.KINDS.items()
        ],
    )
    who = forms.CharField(label="User name", required=False, max_length=150)
    since = forms.DateField(label="From", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(label="To", required=False, widget=forms.DateInput(attrs={"type": "date"}))

    def wanted(self) -> auditing.Wanted:
        self.is_valid()
        given = self.cleaned_data
        until = given.get("until")
        return auditing.Wanted(
            act=given.get("act", ""),
            who=given.get("who", "").replace("\0", ""),
            since=midnight(given.get("since")),
            until=midnight(until + timedelta(days=1) if until and until < date.max else None),
        )


def midnight(day: date | None) -> datetime | None:
    return datetime(day.year, day.month, day.day, tzinfo=timezone.get_current_timezone()) if day else None


@require_safe
def of_project(request: HttpRequest, slug: str) -> HttpResponse:
    return shown(request, access.project_for(request.user, slug, access.OWN))


@login_required
@require_safe
def of_all(request: HttpRequest) -> HttpResponse:
    for_superusers(request)
    return shown(request, None)


@require_safe
def file_of_project(request: HttpRequest, slug: str, kind: str) -> HttpResponseBase:
    return as_file(request, access.project_for(request.user, slug, access.OWN), kind)


@login_required
@require_safe
def file_of_all(request: HttpRequest, kind: str) -> HttpResponseBase:
    for_superusers(request)
    return as_file(request, None, kind)


def for_superusers(request: HttpRequest) -> None:
    if not request.user.is_superuser:  # type: ignore[union-attr]
        raise Forbidden("the log of everything is for superusers")


def shown(request: HttpRequest, project: Project | None) -> HttpResponse:
    filters = Filters(request.GET)
    rows = auditing.events(project, filters.wanted())
    before = request.GET.get("before", "")
    if before.isascii() and before.isdigit() and len(before) < 19:
        rows = rows.filter(pk__lt=int(before))
    found = list(rows[: SHOWN + 1])
    names = {} if project else auditing.slugs_of(found)
    asked = {name: value for name, value in request.GET.items() if name in filters.fields and value}
    context: dict[str, Any] = {
        "project": project,
        "filters": filters,
        "events": [(event, names.get(event.project_id or 0, "")) for event in found[:SHOWN]],
        "older": urlencode({**asked, "before": found[SHOWN - 1].pk}) if len(found) > SHOWN else "",
        "asked": urlencode(asked),
        "before": before,
    }
    return render(request, "audit/page.html", context)


def as_file(request: HttpRequest, project: Project | None, kind: str) -> HttpResponseBase:
    rows = auditing.events(project, Filters(request.GET).wanted())
    name = f"audit-{project.slug}" if project else "audit"
    return written(rows, kind, name)
