"""Runs by the clock: the list of a project's schedules, and the form of one."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import OuterRef, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from curation import access
from curation.errors import DomainError, NotFound
from curation.models import Project, Run, Schedule, User
from curation.services import scheduling, starting
from curation.services.method import Method
from curation.services.methods import METHODS
from curation.views.run_forms import RunForm

EXAMPLES = (("0 3 * * *", "every night at 3"), ("*/30 * * * *", "every half hour"), ("0 6 * * 1", "on Mondays at 6"))


class ScheduleForm(RunForm):
    """The method's own fields, and when."""

    run_cron = forms.CharField(
        label="When",
        max_length=100,
        initial="0 3 * * *",
        help_text="Minute, hour, day, month, weekday, in UTC; both a day and a weekday must fit.",
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["run_queue"], self.fields["run_seed"]

    def blame(self, field: str, detail: str) -> None:
        super().blame("run_cron" if field == "cron" else field, detail)


@require_safe
def index(request: HttpRequest, slug: str) -> HttpResponse:
    project = access.project_for(request.user, slug, access.READ)
    latest = Run.objects.filter(schedule=OuterRef("pk")).order_by("-created_at").values("pk")[:1]
    schedules = list(
        Schedule.objects.filter(project=project)
        .select_related("created_by")
        .order_by("pk")
        .annotate(latest=Subquery(latest))
    )
    runs = Run.objects.in_bulk([schedule.latest for schedule in schedules if schedule.latest])
    context = {
        "project": project,
        "rows": [(schedule, title_of(schedule), runs.get(schedule.latest)) for schedule in schedules],
        "may_act": access.FREEZE in access.capabilities(request.user, project),
        "now": timezone.now(),
    }
    return render(request, "schedules/index.html", context)


def title_of(schedule: Schedule) -> str:
    found = METHODS.get(schedule.method)
    return found.title if found else schedule.method.capitalize()


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest, slug: str) -> HttpResponse:
    """First which method, then its form."""
    project = access.project_for(request.user, slug, access.FREEZE)
    name = request.GET.get("method", "")
    if not name:
        return render(request, "schedules/methods.html", {"project": project, "methods": offered(request, project)})
    method = starting.startable(name)
    form = ScheduleForm(request.POST or None, method=method, project=project)
    return filled_in(request, project, method, form, None)


@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, slug: str, schedule_id: int) -> HttpResponse:
    project = access.project_for(request.user, slug, access.FREEZE)
    schedule = schedule_in(project, schedule_id)
    method = starting.startable(schedule.method)
    initial = {**schedule.params, "run_cron": schedule.cron}
    form = ScheduleForm(request.POST or None, method=method, project=project, initial=initial)
    return filled_in(request, project, method, form, schedule)


def filled_in(
    request: HttpRequest, project: Project, method: Method, form: ScheduleForm, schedule: Schedule | None
) -> HttpResponse:
    """Save what was filled in and go back to the list; or show the form with what is wrong."""
    if form.is_bound and form.is_valid():
        assert isinstance(request.user, User)
        given: dict[str, Any] = {"params": form.params(), "cron": form.cleaned_data["run_cron"], "user": request.user}
        try:
            if schedule:
                scheduling.change(schedule, **given)
            else:
                scheduling.add(project=project, method=method.name, **given)
        except DomainError as error:
            form.blame(error.field, error.detail)
        else:
            messages.success(request, "The schedule is changed." if schedule else "The schedule is made.")
            return redirect("schedules", project.slug)
    context = {"project": project, "method": method, "form": form, "schedule": schedule, "examples": EXAMPLES}
    return render(request, "schedules/form.html", context, status=422 if form.is_bound else 200)


def offered(request: HttpRequest, project: Project) -> list[Method]:
    """The methods that this person may start here."""
    can = access.capabilities(request.user, project)
    startable = [method for method in METHODS.values() if method.startable and method.capability in can]
    return sorted(startable, key=lambda method: method.title)


@require_POST
def pause(request: HttpRequest, slug: str, schedule_id: int) -> HttpResponse:
    """Pause one that is on, go on with one that is paused."""
    project = access.project_for(request.user, slug, access.FREEZE)
    schedule = schedule_in(project, schedule_id)
    assert isinstance(request.user, User)
    try:
        scheduling.change(schedule, user=request.user, enabled=not schedule.enabled)
        messages.success(request, "The schedule goes on." if schedule.enabled else "The schedule is paused.")
    except DomainError as error:
        messages.error(request, f"It cannot go on: {error.detail}.")
    return redirect("schedules", slug)


@require_POST
def delete(request: HttpRequest, slug: str, schedule_id: int) -> HttpResponse:
    project = access.project_for(request.user, slug, access.FREEZE)
    scheduling.remove(schedule_in(project, schedule_id))
    messages.success(request, "The schedule is deleted; its runs stay.")
    return redirect("schedules", slug)


def schedule_in(project: Project, schedule_id: int) -> Schedule:
    found = Schedule.objects.select_related("project").filter(project=project, pk=schedule_id).first()
    if found is None:
        raise NotFound("no such schedule")
    return found
