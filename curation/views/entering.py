"""The last steps of every way in: a second step where there is one, then the session."""

from __future__ import annotations

import time
from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from axes.signals import user_locked_out
from django.contrib.auth import login
from django.contrib.auth.signals import user_logged_out, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache

from curation.errors import Forbidden
from curation.models import Act, User
from curation.services import auditing, two_factor
from curation.views.doors import SECOND_STEP
from curation.views.forms import CodeForm

BACKEND = "django.contrib.auth.backends.ModelBackend"
PENDING = "second-step-pending"
PATIENCE = 600
"""Seconds between the first step and the second."""


def arrive(request: HttpRequest, user: User, *, how: str, goal: str) -> HttpResponse:
    """Whoever has proved by a password or a link that they are `user`: in, or on to the second step."""
    if user.kind != User.Kind.PERSON:
        raise Forbidden("this account cannot sign in")
    if not two_factor.is_on(user):
        return let_in(request, user, how=how, goal=goal)
    request.session.cycle_key()
    request.session[PENDING] = {"user": user.pk, "how": how, "goal": goal, "at": time.time()}
    return redirect("second-step")


def let_in(request: HttpRequest, user: User, *, how: str, goal: str, second: str = "") -> HttpResponse:
    """Begin the session. `second` is the step that was taken besides `how`."""
    request.session.pop(PENDING, None)
    login(request, user, backend=BACKEND)
    request.session[SECOND_STEP] = user.entered = second
    auditing.record(Act.SIGNED_IN, by=user, how=how, second="" if second == "provider" else second)
    return redirect(goal)


@never_cache
def second_step(request: HttpRequest) -> HttpResponse:
    """The code of the app, or a recovery code; wrong ones count like wrong passwords."""
    pending = pending_of(request)
    if pending is None:
        return redirect("sign-in")
    user, form = pending["user"], CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if second := proved(request, user, form.cleaned_data["code"]):
            return let_in(request, user, how=pending["how"], goal=pending["goal"], second=second)
        form.add_error("code", two_factor.WRONG[:1].upper() + two_factor.WRONG[1:] + ".")
    return render(request, "people/second_step.html", {"form": form}, status=422 if form.errors else 200)


def pending_of(request: HttpRequest) -> dict[str, Any] | None:
    """Whose second step this is, unless too long ago or somebody who is gone meanwhile."""
    found = request.session.get(PENDING)
    if not isinstance(found, dict) or time.time() - found["at"] > PATIENCE:
        return None
    user = User.objects.filter(pk=found["user"], is_active=True).first()
    return {**found, "user": user} if user else None


def proved(request: HttpRequest, user: User, code: str) -> str:
    """As `two_factor.check`; guessing is stopped by the same counter as that of passwords."""
    credentials = {"username": user.username}
    if AxesProxyHandler.is_allowed(request, credentials):
        if second := two_factor.check(user=user, code=code):
            return second
        user_login_failed.send(sender=__name__, credentials=credentials, request=request)
    else:
        request.axes_locked_out = True  # type: ignore[attr-defined]
    return ""


@receiver(user_login_failed)
def failed(credentials: dict[str, Any], request: HttpRequest | None = None, **_more: Any) -> None:
    """Note a failed sign-in, unless the door was locked already. Names that nobody has are not kept: some are
    passwords that slipped into the wrong field."""
    if request is not None and not getattr(request, "axes_locked_out", False):
        auditing.record(Act.SIGN_IN_FAILED, thing=known_by(credentials.get("username")))


@receiver(user_locked_out)
def locked(username: str = "", **_more: Any) -> None:
    auditing.record(Act.SIGN_IN_FAILED, thing=known_by(username), locked=True)


def known_by(name: Any) -> User | None:
    return User.objects.filter(username=str(name or "").replace("\0", "")[:150]).first()


@receiver(user_logged_out)
def left(user: User | None = None, **_more: Any) -> None:
    if isinstance(user, User):
        auditing.record(Act.SIGNED_OUT, by=user)
