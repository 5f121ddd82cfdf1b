"""Crowd links: what a guest sees before, between and after the tasks, and what a manager sees of all of them."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from curation import access
from curation.errors import Conflict, DomainError, Forbidden, Invalid, NotFound, TooMany
from curation.models import CrowdLink, Project, User
from curation.rendering import markdown
from curation.services import crowd
from curation.views.entering import BACKEND
from curation.views.forms import CrowdForm, refusals_into
from curation.views.people import own

SHOWN = 50


# --- Guests -------------------------------------------------------------------------------------------


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def welcome(request: HttpRequest, secret: str) -> HttpResponse:
    """What awaits somebody; a POST begins, so that a preview of the link makes nobody."""
    link = crowd.open_link(secret)
    if isinstance(request.user, User) and request.user.kind == User.Kind.PERSON:
        return refused(request, link, "signed-in")
    platform_id = request.GET.get(link.parameter, "") if link.parameter else ""
    try:
        crowd.named(link, platform_id)
        if request.method == "POST":
            return seated(request, link, platform_id)
    except (Conflict, Forbidden, Invalid, TooMany) as error:
        return refused(request, link, "no", error)
    context = {"link": link, "text": markdown(link.welcome) if link.welcome else ""}
    response = render(request, "crowd/welcome.html", context)
    response["X-Robots-Tag"] = "noindex"
    return response


def seated(request: HttpRequest, link: CrowdLink, platform_id: str) -> HttpResponse:
    guest = request.user if isinstance(request.user, User) else None
    person = crowd.begin(link, platform_id=platform_id, guest=guest)
    if request.user.pk != person.user_id:
        login(request, person.user, backend=BACKEND)
    return redirect("crowd-seat" if person.finished_at else reverse("annotate", args=[link.project.slug]))


def refused(request: HttpRequest, link: CrowdLink, why: str, error: DomainError | None = None) -> HttpResponse:
    context = {"link": link, "why": why, "detail": error.detail if error else ""}
    return render(request, "crowd/refused.html", context, status=error.status if error else 409)


@never_cache
@require_safe
def seat(request: HttpRequest) -> HttpResponse:
    """How far a guest is, and the code once they are done."""
    found = crowd.seat_of(request.user)
    if found is None:
        return render(request, "crowd/nobody.html", status=403)
    return render(request, "crowd/seat.html", {"seat": found})


@require_POST
def finish(request: HttpRequest) -> HttpResponse:
    if crowd.seat_of(request.user) is None:
        return render(request, "crowd/nobody.html", status=403)
    crowd.finish(request.user)
    return redirect("crowd-seat")


# --- Managers -----------------------------------------------------------------------------------------


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def index(request: HttpRequest, slug: str) -> HttpResponse:
    """All links, and the form of a new one; the answer to that shows its address, and nothing stores it."""
    project = access.project_for(request.user, slug, access.MANAGE)
    form = CrowdForm(request.POST or None, project=project)
    made, address = None, ""
    if form.is_bound and form.is_valid():
        with refusals_into(form):
            made, secret = crowd.make_link(project=project, by=own(request), **form.cleaned_data)
            address = address_of(request, made, secret)
            form = CrowdForm(project=project)
    before = request.GET.get("before", "")
    rows = crowd.links_of(project)
    if before.isascii() and before.isdigit() and len(before) < 19:
        rows = rows.filter(pk__lt=int(before))
    found = list(rows[: SHOWN + 1])
    context = {
        "project": project,
        "form": form,
        "made": made,
        "address": address,
        "links": found[:SHOWN],
        "older": found[SHOWN - 1].pk if len(found) > SHOWN else None,
    }
    return render(request, "crowd/index.html", context, status=201 if made else 422 if form.errors else 200)


def address_of(request: HttpRequest, link: CrowdLink, secret: str) -> str:
    """What is given to the platform: with the placeholder that Prolific fills in, where the parameter is Prolific's."""
    address = request.build_absolute_uri(reverse("crowd", args=[secret]))
    if not link.parameter:
        return address
    filled = "{{%PROLIFIC_PID%}}" if link.parameter == "PROLIFIC_PID" else "…"
    return f"{address}?{link.parameter}={filled}"


@require_safe
def page(request: HttpRequest, slug: str, link_id: int) -> HttpResponse:
    """One link and its people, the latest first."""
    project, link = managed(request, slug, link_id)
    before = request.GET.get("before", "")
    rows = link.people.select_related("user", "link").order_by("-pk")
    if before.isascii() and before.isdigit() and len(before) < 19:
        rows = rows.filter(pk__lt=int(before))
    found = list(rows[: SHOWN + 1])
    context: dict[str, Any] = {
        "project": project,
        "link": link,
        "people": crowd.with_progress(found[:SHOWN]),
        "older": found[SHOWN - 1].pk if len(found) > SHOWN else None,
    }
    return render(request, "crowd/link.html", context)


@require_POST
def act(request: HttpRequest, slug: str, link_id: int, what: str) -> HttpResponse:
    """Close or open a link; exclude one of its people, or count what they did as complete."""
    _, link = managed(request, slug, link_id)
    if what in ("close", "open"):
        (crowd.close if what == "close" else crowd.reopen)(link)
    elif what in ("exclude", "complete"):
        person = crowd.person_of(link, number(request.POST.get("person", "")))
        (crowd.exclude if what == "exclude" else crowd.complete)(person)
    else:
        raise NotFound("there is nothing of that name to do")
    return redirect("crowd-link", slug, link_id)


def number(given: str) -> int:
    return int(given) if given.isascii() and given.isdigit() and len(given) < 19 else 0


def managed(request: HttpRequest, slug: str, link_id: int) -> tuple[Project, CrowdLink]:
    project = access.project_for(request.user, slug, access.MANAGE)
    return project, crowd.find(project, link_id)
