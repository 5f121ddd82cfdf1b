"""What stands before every page and call: who is asking and from where, and what a guest may open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.middleware import get_user
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import SimpleLazyObject

from curation import access
from curation.errors import Forbidden
from curation.models import ApiToken, User
from curation.services import auditing, crowd
from curation.views.addresses import client_address
from curation.views.problems import as_json, wants_json

SECOND_STEP = "second-step"
"""The session's key for how its user got past a second step; see `User.entered`."""


class Doors:
    """Tells the verbs who is at the door, users how their session began, and guests where their way ends."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.user = SimpleLazyObject(lambda: with_entry(request))  # type: ignore[assignment]
        with auditing.at_the_door(caller_of(request)):
            return self.get_response(request)

    def process_view(self, request: HttpRequest, _view: Any, _args: Any, _kwargs: Any) -> HttpResponse | None:
        """Guests open what is on the list of `access`, and what is work only until theirs is done."""
        user = request.user if request.session.session_key else AnonymousUser()
        if not isinstance(user, User) or user.kind != User.Kind.GUEST:
            return None
        name = request.resolver_match.view_name if request.resolver_match else ""
        if name in access.GUESTS_OPEN or (name in access.GUESTS_WORK and crowd.may_work(user)):
            return None
        error = Forbidden("you came by a link that is for annotating, and this is not part of it")
        scripted = wants_json(request) or request.path_info.startswith(("/api/", "/hub/"))
        if scripted:
            return as_json(error, error.status)
        return render(request, "crowd/closed.html", {"detail": error.detail}, status=error.status)


def with_entry(request: HttpRequest) -> User | AnonymousUser:
    user = get_user(request)
    if isinstance(user, User):
        user.entered = request.session.get(SECOND_STEP, "")
    return user  # type: ignore[return-value]


def caller_of(request: HttpRequest) -> auditing.Caller:
    def user() -> User | None:
        return request.user if isinstance(request.user, User) else None

    def token() -> ApiToken | None:
        found = getattr(request, "auth", None)
        return found if isinstance(found, ApiToken) else None

    return auditing.Caller(client_address(request), user, token)
