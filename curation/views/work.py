"""Who works on what: queues, groups, and people who are paused."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from curation import access
from curation.errors import DomainError, NotFound
from curation.models import Annotation, Group, Item, Progress, Project, Queue, Run
from curation.services import accepting, browsing, grouping, overview, pausing, projects, queues
from curation.services.gold import checking
from curation.views.forms import refusals_into
from curation.views.people import own
from curation.views.version_form import Moments

PEOPLE = 200
SHOWN = 50


class Several(forms.TypedMultipleChoiceField):
    """Some of the rows of a project, by their ids."""

    widget = forms.CheckboxSelectMultiple

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(coerce=int, required=False, **kwargs)


class QueueForm(forms.Form):
    name = forms.CharField(max_length=120)
    about = forms.CharField(
        label="What it is for", required=False, max_length=500, widget=forms.Textarea(attrs={"rows": 2})
    )
    groups = Several(label="Groups")
    people = Several(label="People")
    skill = forms.TypedChoiceField(
        label="Needed skill", required=False, coerce=int, empty_value=None, help_text="Only for those in this group."
    )
    overlap = forms.IntegerField(label="Answers per task", required=False, min_value=1, max_value=50)
    cap = forms.IntegerField(
        label="At most, while undecided",
        required=False,
        min_value=1,
        max_value=50,
        help_text="Empty: as in the project's settings.",
    )
    quota = forms.IntegerField(
        label="Most answers of one person",
        required=False,
        min_value=1,
        max_value=2**31 - 1,
        help_text="Empty: no limit.",
    )
    priority = forms.IntegerField(
        initial=0,
        min_value=-1000,
        max_value=1000,
        help_text="Higher comes first; the project's own queue has 0 and comes last of its equals.",
    )
    deadline = forms.DateTimeField(
        required=False,
        widget=Moments,
        help_text="UTC. It orders queues and is shown; nothing stops when it has passed.",
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        groups = [(group.pk, group.name) for group in project.groups.order_by("name")]
        self.fields["groups"].choices = groups  # type: ignore[attr-defined]
        self.fields["skill"].choices = [("", "None"), *groups]  # type: ignore[attr-defined]
        people = [(one.pk, str(one.user)) for one in grouping.people(project)]
        self.fields["people"].choices = people  # type: ignore[attr-defined]
        self.fields["overlap"].help_text = f"Empty: {project.overlap}, as in the project."


class GroupForm(forms.Form):
    name = forms.CharField(max_length=80)
    about = forms.CharField(label="What it stands for", required=False, max_length=300)
    members = Several(label="Members")

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = [(one.pk, str(one.user)) for one in grouping.people(project)]
        self.fields["members"].choices = people  # type: ignore[attr-defined]


@require_safe
def index(request: HttpRequest, slug: str) -> HttpResponse:
    """Queues with how far they are, the people with who is paused, and the groups."""
    project = access.project_for(request.user, slug, access.MANAGE)
    rows = list(queues.of(project).prefetch_related("groups", "people__user"))
    counts = queues.counts(rows)
    totals = overview.totals_of([project])[project.pk]
    queued = sum(one.complete for one in counts.values())
    people = grouping.people(project)
    progress = Progress.objects.filter(annotator__in=[one.pk for one in people]).in_bulk(field_name="annotator_id")
    context = {
        "project": project,
        "rows": [(queue, counts[queue.pk], queue.deadline and queue.deadline < timezone.now()) for queue in rows],
        "own": {"tasks": project.task_count - project.queued_count, "complete": max(0, totals.complete - queued)},
        "people": [(one, progress.get(one.pk)) for one in people[:PEOPLE]],
        "more_people": len(people) - PEOPLE,
        "groups": project.groups.order_by("name").prefetch_related("members__user"),
    }
    return render(request, "work/index.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest, slug: str) -> HttpResponse:
    project = access.project_for(request.user, slug, access.MANAGE)
    form = QueueForm(request.POST or None, project=project)
    if form.is_bound and form.is_valid():
        with refusals_into(form):
            made = queues.add(project=project, user=own(request), **form.cleaned_data)
            messages.success(request, "The queue is made. Put tasks into it.")
            return redirect("queue", slug, made.pk)
    context = {"project": project, "form": form, "queue": None}
    return render(request, "work/queue.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def queue(request: HttpRequest, slug: str, queue_id: int) -> HttpResponse:
    """One queue: its form, and what each person did in it."""
    project = access.project_for(request.user, slug, access.MANAGE)
    found = queues.find(project, queue_id)
    form = QueueForm(request.POST or None, project=project, initial=as_initial(found))
    if form.is_bound and form.is_valid():
        with refusals_into(form):
            queues.change(found, **form.cleaned_data)
            messages.success(request, "The queue is changed.")
            return redirect("queue", slug, found.pk)
    context = {
        "project": project,
        "form": form,
        "queue": found,
        "counts": queues.counts([found])[found.pk],
        "shares": found.shares.select_related("annotator__user").order_by("-done", "pk")[:PEOPLE],
    }
    return render(request, "work/queue.html", context, status=422 if form.errors else 200)


def as_initial(queue: Queue) -> dict[str, Any]:
    kept = {field: getattr(queue, field) for field in queues.FIELDS}
    several = {name: list(getattr(queue, name).values_list("pk", flat=True)) for name in ("groups", "people")}
    return {**kept, **several, "skill": queue.skill_id}


@require_POST
def act(request: HttpRequest, slug: str, queue_id: int) -> HttpResponse:
    """Pause a queue, let it go on, or take it away."""
    project = access.project_for(request.user, slug, access.MANAGE)
    found = queues.find(project, queue_id)
    if "remove" in request.POST:
        queues.remove(found)
        messages.success(request, "The queue is taken away. Its tasks are in the project's own queue again.")
        return redirect("queues", slug)
    queues.change(found, paused=not found.paused_at)
    messages.success(request, "The queue is paused: nobody gets tasks of it." if found.paused_at else "It goes on.")
    return redirect("queue", slug, found.pk) if "stay" in request.POST else redirect("queues", slug)


@require_POST
def pause_own(request: HttpRequest, slug: str) -> HttpResponse:
    """Pause the project's own queue, or let it go on."""
    project = access.project_for(request.user, slug, access.MANAGE)
    project = projects.change_project(project=project, paused=not project.paused)
    messages.success(request, "The project's own queue is paused." if project.paused else "It goes on.")
    return redirect("queues", slug)


@require_http_methods(["GET", "HEAD", "POST"])
def new_group(request: HttpRequest, slug: str) -> HttpResponse:
    return group_page(request, access.project_for(request.user, slug, access.MANAGE), None)


@require_http_methods(["GET", "HEAD", "POST"])
def group(request: HttpRequest, slug: str, group_id: int) -> HttpResponse:
    project = access.project_for(request.user, slug, access.MANAGE)
    return group_page(request, project, grouping.find(project, group_id))


def group_page(request: HttpRequest, project: Project, found: Group | None) -> HttpResponse:
    """The form of a group, made or changed; or its end."""
    if found and "remove" in request.POST:
        try:
            grouping.remove(found)
            messages.success(request, "The group is taken away.")
            return redirect("queues", project.slug)
        except DomainError as error:
            messages.error(request, f"{error.detail.capitalize()}.")
            return redirect("group", project.slug, found.pk)
    initial = {}
    if found:
        initial = {
            "name": found.name,
            "about": found.about,
            "members": list(found.members.values_list("pk", flat=True)),
        }
    form = GroupForm(request.POST or None, project=project, initial=initial)
    if form.is_bound and form.is_valid():
        with refusals_into(form):
            if found:
                grouping.change(found, **form.cleaned_data)
            else:
                grouping.add(project=project, **form.cleaned_data)
            messages.success(request, "The group is changed." if found else "The group is made.")
            return redirect("queues", project.slug)
    context = {"project": project, "form": form, "group": found}
    return render(request, "work/group.html", context, status=422 if form.errors else 200)


@require_POST
def pause(request: HttpRequest, slug: str, annotator_id: int) -> HttpResponse:
    """Pause a person with a reason, or let them go on."""
    project = access.project_for(request.user, slug, access.MANAGE)
    found = pausing.find(project, annotator_id)
    try:
        if "resume" in request.POST:
            checking.resume(found)
            messages.success(request, f"{found.user or found} goes on.")
        else:
            pausing.pause(found, request.POST.get("reason", ""), own(request))
            messages.success(request, f"{found.user or found} is paused and sees your reason.")
    except DomainError as error:
        messages.error(request, f"{error.detail.capitalize()}.")
    return redirect("queues", slug)


@require_safe
def accepted(request: HttpRequest, slug: str, run_id: Any) -> HttpResponse:
    """What a bulk acceptance wrote and still stands, each with the way to take it back."""
    project = access.project_for(request.user, slug, access.MANAGE)
    run = Run.objects.filter(project=project, pk=run_id, method="accept").first()
    if run is None:
        raise NotFound("no such bulk acceptance")
    given = request.GET.get("after", "")
    after = int(given) if given.isascii() and given.isdigit() and len(given) < 19 else 0
    rows = accepting.accepted_by(run).filter(pk__gt=after)
    related = ("task__pair__item", "task__response__item", "task__item", "annotator__user")
    found = list(rows.select_related(*related).prefetch_related("preferences")[: SHOWN + 1])
    context = {
        "project": project,
        "run": run,
        "rows": [(one, item_of(one)) for one in found[:SHOWN]],
        "first": after > 0,
        "following": found[SHOWN - 1].pk if len(found) > SHOWN else 0,
    }
    return render(request, "work/accepted.html", context)


def item_of(answer: Annotation) -> Item:
    task = answer.task
    found: Item = task.item or (task.pair or task.response).item  # type: ignore[union-attr]
    return found


@require_POST
def take_back(request: HttpRequest, slug: str, annotation_id: int) -> HttpResponse:
    """Take back one answer of a bulk acceptance."""
    project = access.project_for(request.user, slug, access.MANAGE)
    try:
        accepting.take_back(project, annotation_id)
        messages.success(request, "Taken back. The task is open to everybody again.")
    except DomainError as error:
        messages.error(request, f"{error.detail.capitalize()}.")
    run = request.POST.get("run", "")
    return redirect(f"{reverse('queues', args=[slug])}accepted/{run}/") if is_run(run) else redirect("queues", slug)


def is_run(given: str) -> bool:
    """Whether it may stand in an address: the letters of a UUID."""
    return 0 < len(given) <= 36 and all(one in "0123456789abcdef-" for one in given)


@require_POST
def ask_item(request: HttpRequest, slug: str, item_id: int) -> HttpResponse:
    """Ask for another number of answers on one item."""
    item = browsing.item_of(access.project_for(request.user, slug, access.MANAGE), item_id)
    given = request.POST.get("overlap", "")
    try:
        wanted = int(given) if given.isascii() and given.isdigit() and len(given) < 4 else 0
        changed = queues.ask_item(item, wanted)
        messages.success(request, f"{changed} task{'' if changed == 1 else 's'} of this item ask for {wanted} now.")
    except DomainError as error:
        messages.error(request, f"{error.detail.capitalize()}.")
    return redirect("item", slug, item.pk)
