"""Signing in and out, joining by invite, and the own account."""

from __future__ import annotations

import secrets
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from curation.errors import NotFound
from curation.models import User
from curation.services import identities, people, two_factor
from curation.views.entering import arrive, let_in
from curation.views.forms import JoinForm, PasswordForm, ProfileForm, refusals_into
from curation.views.problems import wants_json


class SignIn(LoginView):
    template_name = "people/sign_in.html"
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        user = form.get_user()
        assert isinstance(user, User)
        return arrive(self.request, user, how="password", goal=self.get_success_url())

    def get_context_data(self, **more: Any) -> dict[str, Any]:
        return super().get_context_data(providers=settings.SIGN_IN_PROVIDERS, **more)


class SignOut(LogoutView):
    http_method_names = ["post", "options"]


@never_cache
@require_safe
def sign_in_by_link(request: HttpRequest, secret: str) -> HttpResponse:
    """One click in a terminal or a message signs in; the link is then used up."""
    if request.method == "HEAD":  # a preview looks, and must not use the link up
        return HttpResponse()
    try:
        user = people.use_sign_in_link(secret=secret)
    except NotFound:
        return render(request, "people/link_used.html", status=404)
    return arrive(request, user, how="link", goal=reverse("projects"))


@never_cache
def join(request: HttpRequest, secret: str) -> HttpResponse:
    """What an invite offers; a member-to-be accepts, a newcomer also chooses a name and a password."""
    try:
        invite = people.open_invite(secret=secret)
    except NotFound:
        return render(request, "people/invite_used.html", status=404)
    newcomer = not request.user.is_authenticated
    form = JoinForm(request.POST or None) if newcomer else None
    if request.method == "POST" and (form is None or form.is_valid()):
        if form is None:
            people.accept_invite(secret=secret, user=own(request))
            return redirect("project", invite.project.slug)
        with refusals_into(form):
            user = people.join_as_newcomer(secret=secret, **form.cleaned_data)
            return let_in(request, user, how="invite", goal=reverse("project", args=[invite.project.slug]))
    context = {"invite": invite, "form": form, "secret": secret, "providers": settings.SIGN_IN_PROVIDERS}
    return render(request, "people/join.html", context, status=422 if invalid(form) else 200)


@login_required
def account(request: HttpRequest) -> HttpResponse:
    user = own(request)
    action = request.POST.get("action")
    profile = ProfileForm(request.POST if action == "profile" else None, initial={"display_name": user.display_name})
    password = PasswordForm(
        request.POST if action == "password" else None, has_password=user.has_usable_password(), prefix="password"
    )
    if profile.is_bound and profile.is_valid():
        people.change_profile(user=user, display_name=profile.cleaned_data["display_name"])
        return saved(request, "Saved.")
    if password.is_bound and password.is_valid():
        with refusals_into(password):
            given = password.cleaned_data
            people.change_password(user=user, current=given.get("current", ""), password=given["password"])
            update_session_auth_hash(request, user)
            return saved(request, "Your password is changed. Other browsers are signed out.")
    context = {
        "profile": profile,
        "password": password,
        "has_password": user.has_usable_password(),
        "two_factor": two_factor.standing(user),
        "owes": user.entered == "" and people.owes_second_step(user),
        **providers_of(request, user),
    }
    return render(request, "people/account.html", context, status=422 if invalid(profile, password) else 200)


@login_required
@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    people.change_theme(user=own(request), theme=request.POST.get("theme", ""))
    if wants_json(request):
        return HttpResponse(status=204)
    return redirect(back(request))


@login_required
@require_POST
def keys(request: HttpRequest) -> HttpResponse:
    """Keep which keys of the annotation screen somebody has changed."""
    people.change_keys(user=own(request), body=request.body)
    return HttpResponse(status=204)


def providers_of(request: HttpRequest, user: User) -> dict[str, Any]:
    """Which providers sign somebody in, and which could; with the secret by which the page links one."""
    names = {one.key: one.name for one in settings.SIGN_IN_PROVIDERS}
    linked = list(identities.linked(user))
    there = {one.provider for one in linked}
    more = [one for one in settings.SIGN_IN_PROVIDERS if one.key not in there]
    return {
        "linked": [(one, names.get(one.provider, one.provider)) for one in linked],
        "linkable": more,
        "linking": linking_secret(request) if more else "",
    }


LINKING = "provider-link"
"""The session's key for the secret without which no address links a provider to the account."""


def linking_secret(request: HttpRequest) -> str:
    secret: str = request.session.setdefault(LINKING, secrets.token_urlsafe(16))
    return secret


def own(request: HttpRequest) -> User:
    """The signed-in user of a request that was let in."""
    assert isinstance(request.user, User)
    return request.user


def back(request: HttpRequest) -> str:
    """Where the form says it was, if that is on this site."""
    target = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return target if safe else "projects"


def saved(request: HttpRequest, text: str) -> HttpResponse:
    messages.success(request, text)
    return redirect("account")


def invalid(*forms: object) -> bool:
    return any(getattr(form, "is_bound", False) and getattr(form, "errors", None) for form in forms)
