"""Who is in a project: roles, and links that invite."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from curation import access
from curation.errors import Conflict, Forbidden, Invalid
from curation.models import Invite, Project, Role, User
from curation.services import pausing, people, service_accounts
from curation.views.forms import InviteForm, ServiceForm, refusals_into
from curation.views.people import own

SHOWN = 50

WHAT_ROLES_DO = (
    (Role.VIEWER, "reads answers and datasets"),
    (Role.ANNOTATOR, "annotates; sees neither other people’s answers nor model names"),
    (Role.REVIEWER, "annotates, reviews, and reads all answers and datasets"),
    (Role.MANAGER, "also imports, gives out work, makes dataset versions, invites and changes settings"),
    (Role.OWNER, "also makes owners and removes the project"),
    (Role.SERVICE, "for scripts: reads, imports and makes dataset versions, but does not annotate"),
)


@require_safe
def page(request: HttpRequest, slug: str) -> HttpResponse:
    project = access.project_for(request.user, slug, access.MANAGE)
    return shown(request, project)


def shown(request: HttpRequest, project: Project, form: InviteForm | None = None, **more: Any) -> HttpResponse:
    """The page: members, service accounts apart, open invites; guests are on the page of their crowd link."""
    after = request.GET.get("after", "").replace("\0", "")
    members = list(
        project.memberships.select_related("user")
        .filter(user__kind=User.Kind.PERSON, user__username__gt=after)
        .order_by("user__username")[: SHOWN + 1]
    )
    owns = may_own(request, project)
    context = {
        "project": project,
        "members": members[:SHOWN],
        "after": after,
        "following": members[SHOWN - 1].user.username if len(members) > SHOWN else "",
        "owners": project.memberships.filter(role=Role.OWNER, deactivated_at=None).count(),
        "invites": open_invites(project),
        "form": form or InviteForm(project=project, may_own=owns),
        "services": service_accounts.of(project),
        "service_form": ServiceForm(),
        "roles": [choice for choice in Role.choices if owns or choice[0] != Role.OWNER],
        "may_own": owns,
        "what_roles_do": [(Role(role).label, what) for role, what in WHAT_ROLES_DO],
        **more,
    }
    return render(request, "members/page.html", context, status=more.get("status", 200))


def may_own(request: HttpRequest, project: Project) -> bool:
    return access.OWN in access.capabilities(request.user, project)


@require_POST
def change(request: HttpRequest, slug: str, membership_id: int) -> HttpResponse:
    """Another role for a member, or the end of the membership."""
    project = access.project_for(request.user, slug, access.MANAGE)
    by = own(request)
    try:
        if "remove" in request.POST:
            people.remove_member(project=project, by=by, membership_id=membership_id)
            messages.success(request, "Removed. What they annotated stays.")
        elif "active" in request.POST:
            lets_in = request.POST["active"] == "yes"
            verb = pausing.reactivate if lets_in else pausing.deactivate
            member = verb(project=project, by=by, membership_id=membership_id)
            told = "is let in again" if lets_in else "is let in no longer; every answer stays"
            messages.success(request, f"{member.user} {told}.")
        else:
            role = request.POST.get("role", "")
            member = people.change_role(project=project, by=by, membership_id=membership_id, role=role)
            messages.success(request, f"{member.user} is {member.get_role_display().lower()} now.")
    except (Conflict, Forbidden, Invalid) as error:
        messages.error(request, error.detail[:1].upper() + error.detail[1:] + ".")
    gone = not access.capabilities(by, project) >= {access.MANAGE}
    return redirect("projects") if gone else redirect("members", slug)


@never_cache
@require_POST
def invite(request: HttpRequest, slug: str) -> HttpResponse:
    """Make an invite; the answer to this very request shows its link, and nothing stores it."""
    project = access.project_for(request.user, slug, access.MANAGE)
    form = InviteForm(request.POST, project=project, may_own=may_own(request, project))
    if form.is_valid():
        with refusals_into(form):
            made, secret = people.make_invite(project=project, by=own(request), **form.cleaned_data)
            link = request.build_absolute_uri(reverse("join", args=[secret]))
            return shown(request, project, made=made, link=link, status=201)
    return shown(request, project, form, status=422)


@require_POST
def withdraw(request: HttpRequest, slug: str, invite_id: int) -> HttpResponse:
    project = access.project_for(request.user, slug, access.MANAGE)
    people.withdraw_invite(project=project, invite_id=invite_id)
    messages.success(request, "The invite is withdrawn; its link no longer works.")
    return redirect("members", slug)


def open_invites(project: Project) -> QuerySet[Invite]:
    live = project.invites.filter(expires_at__gt=timezone.now(), uses_left__gt=0)
    return live.select_related("created_by", "group").order_by("-created_at")
