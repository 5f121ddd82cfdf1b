"""Comments on the pages of items and on the annotation screen, and the inbox of what others wrote."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from curation import access
from curation.errors import DomainError
from curation.services import browsing, commenting
from curation.services.commenting import Written
from curation.views.people import own


@require_POST
def write(request: HttpRequest, slug: str, item_id: int) -> HttpResponse:
    """Write on the page of an item, then show it there."""
    item = browsing.item_of(access.project_for(request.user, slug, access.READ), item_id)
    parent = request.POST.get("reply_to", "")
    try:
        made = commenting.write(
            item=item,
            user=own(request),
            text=request.POST.get("text", ""),
            reply_to=int(parent) if parent.isascii() and parent.isdigit() and len(parent) < 19 else None,
        )
        tell(request, made)
    except DomainError as error:
        messages.error(request, f"{error.detail.capitalize()}.")
    return redirect(f"{reverse('item', args=[slug, item.pk])}#comments")


def tell(request: HttpRequest, made: Written) -> None:
    if made.told:
        messages.success(request, f"Written; {', '.join(map(str, made.told))} will find it in their inbox.")
    if made.untold:
        names = ", ".join(f"@{name}" for name in made.untold)
        messages.warning(request, f"Not told: {names}. They are no members, or may not read comments here.")


@require_POST
def remove(request: HttpRequest, slug: str, comment_id: int) -> HttpResponse:
    project = access.project_for(request.user, slug, access.READ)
    found = project.comments.filter(pk=comment_id).first()
    try:
        commenting.remove(project=project, user=own(request), comment_id=comment_id)
        messages.success(request, "The comment is removed.")
    except DomainError as error:
        messages.error(request, f"{error.detail.capitalize()}.")
    return redirect(f"{reverse('item', args=[slug, found.item_id])}#comments") if found else redirect("items", slug)


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def inbox(request: HttpRequest) -> HttpResponse:
    """What others wrote to this person; a POST marks all of it as read."""
    user = own(request)
    if request.method == "POST":
        commenting.read(user)
        return redirect("inbox")
    given = request.GET.get("before", "")
    before = int(given) if given.isascii() and given.isdigit() and len(given) < 19 else 0
    rows, older = commenting.inbox(user, before)
    shown = [(row, commenting.reads_all(user, row.comment.project)) for row in rows]
    return render(request, "people/inbox.html", {"rows": shown, "older": older, "before": before})
