"""Items taken out and brought back: from the list, those that are ticked, and from the page of one."""

from __future__ import annotations

from typing import Any, Protocol
from urllib.parse import parse_qs, urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from curation import access
from curation.errors import Invalid
from curation.models import User
from curation.services import removing

MOST = 1000
KEPT = ("q", "order", "critiques", "removed")
"""What the list is asked for, and is again afterwards."""


class Verb(Protocol):
    def __call__(self, *, project: Any, ids: Any, user: Any, reason: str) -> int: ...


@require_POST
def remove(request: HttpRequest, slug: str) -> HttpResponse:
    return changed(request, slug, removing.remove, "removed. What was said of it stays, and it can be brought back.")


@require_POST
def restore(request: HttpRequest, slug: str) -> HttpResponse:
    return changed(request, slug, removing.restore, "brought back.")


def changed(request: HttpRequest, slug: str, verb: Verb, words: str) -> HttpResponse:
    """Do `verb` to the items that the form names, and go back to where it stood."""
    project = access.project_for(request.user, slug, access.MANAGE)
    given = request.POST.getlist("item")
    ids = [int(one) for one in given if one.isascii() and one.isdigit() and len(one) < 19]
    if len(ids) != len(given) or len(ids) > MOST:
        raise Invalid(f"must be up to {MOST} numbers of items", field="item")
    user = request.user if isinstance(request.user, User) else None
    done = verb(project=project, ids=ids, user=user, reason=request.POST.get("reason", "").strip())
    if done:
        messages.success(request, f"{done} item{'s' if done > 1 else ''} {words}")
    else:
        messages.warning(request, "No item was ticked." if not ids else "Nothing was left to do.")
    if "back" not in request.POST and len(ids) == 1:
        return redirect("item", slug, ids[0])
    asked = {name: some[0] for name, some in parse_qs(request.POST.get("back", "")).items() if name in KEPT}
    return HttpResponseRedirect(f"{reverse('items', args=[slug])}?{urlencode(asked)}".removesuffix("?"))
