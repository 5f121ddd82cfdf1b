"""Service accounts of a project: each on a page of its own with its tokens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from curation import access
from curation.errors import Conflict
from curation.models import ApiToken, Membership, Project
from curation.services import service_accounts
from curation.views.forms import ServiceForm, ServiceTokenForm, refusals_into
from curation.views.members import shown
from curation.views.people import own

SHOWN = 200


@require_POST
def make(request: HttpRequest, slug: str) -> HttpResponse:
    project = access.project_for(request.user, slug, access.MANAGE)
    form = ServiceForm(request.POST)
    if form.is_valid():
        with refusals_into(form):
            made = service_accounts.make(project=project, by=own(request), name=form.cleaned_data["name"])
            messages.success(request, "The service account is made. Give it a token.")
            return redirect("service-account", slug, made.pk)
    return shown(request, project, service_form=form, status=422)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest, slug: str, membership_id: int) -> HttpResponse:
    """One account with its tokens; a POST makes a token and shows its secret this once."""
    project, member = managed(request, slug, membership_id)
    form = ServiceTokenForm(request.POST or None)
    if form.is_bound and form.is_valid():
        given = form.cleaned_data
        ends = timezone.now() + timedelta(days=given["days"]) if given["days"] else None
        with refusals_into(form):
            made = service_accounts.make_token(member, name=given["name"], scopes=given["scopes"], expires_at=ends)
            return told(request, project, member, ServiceTokenForm(), made)
    return told(request, project, member, form)


def told(
    request: HttpRequest,
    project: Project,
    member: Membership,
    form: ServiceTokenForm,
    made: tuple[ApiToken, str] | None = None,
    *,
    rotated: bool = False,
) -> HttpResponse:
    context: dict[str, Any] = {
        "project": project,
        "member": member,
        "form": form,
        "secret": made[1] if made else "",
        "rotated": rotated,
        "tokens": member.user.api_tokens.order_by("-created_at")[:SHOWN],
        "now": timezone.now(),
    }
    status = 201 if made else 422 if form.errors else 200
    return render(request, "members/service.html", context, status=status)


@never_cache
@require_POST
def token(request: HttpRequest, slug: str, membership_id: str, token_id: str, what: str) -> HttpResponse:
    """Revoke a token, or give another in its place."""
    project, member = managed(request, slug, int(membership_id))
    try:
        if what == "rotate":
            made = service_accounts.rotate_token(member, int(token_id))
            return told(request, project, member, ServiceTokenForm(), made, rotated=True)
        service_accounts.revoke_token(member, int(token_id))
        messages.success(request, "The token is revoked; scripts that use it are refused from now on.")
    except Conflict as error:
        messages.error(request, error.detail[:1].upper() + error.detail[1:] + ".")
    return redirect("service-account", slug, membership_id)


@require_POST
def remove(request: HttpRequest, slug: str, membership_id: int) -> HttpResponse:
    _, member = managed(request, slug, membership_id)
    service_accounts.remove(member)
    messages.success(request, "The service account is taken out, and its tokens are revoked.")
    return redirect("members", slug)


def managed(request: HttpRequest, slug: str, membership_id: int) -> tuple[Project, Membership]:
    project = access.project_for(request.user, slug, access.MANAGE)
    return project, service_accounts.find(project, membership_id)
