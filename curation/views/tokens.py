"""The own API tokens: make one, see its secret once, revoke."""

from __future__ import annotations

from datetime import timedelta

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from curation.services import people
from curation.views.forms import TokenForm, refusals_into
from curation.views.people import own

SHOWN = 200


@never_cache
@login_required
def page(request: HttpRequest) -> HttpResponse:
    form, secret, status = TokenForm(request.POST or None), "", 200
    if form.is_bound:
        secret = make(request, form) if form.is_valid() else ""
        status = 201 if secret else 422
        form = TokenForm() if secret else form
    tokens = own(request).api_tokens.order_by("-created_at")[:SHOWN]
    context = {"form": form, "secret": secret, "tokens": tokens, "now": timezone.now()}
    return render(request, "people/tokens.html", context, status=status)


def make(request: HttpRequest, form: TokenForm) -> str:
    """The secret, which the answer to this very request shows and nothing stores."""
    given = form.cleaned_data
    ends = timezone.now() + timedelta(days=given["days"]) if given["days"] else None
    with refusals_into(form):
        return people.issue_token(user=own(request), name=given["name"], scopes=given["scopes"], expires_at=ends)[1]
    return ""


@login_required
@require_POST
def revoke(request: HttpRequest, token_id: int) -> HttpResponse:
    people.revoke_token(user=own(request), token_id=token_id)
    messages.success(request, "The token is revoked; scripts that use it are refused from now on.")
    return redirect("tokens")
