"""Comments on the annotation screen: what this annotator wrote about a task, what was replied, and a field for more."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from annotate.views.screen import check_id
from curation.errors import Invalid, NotFound
from curation.models import User
from curation.services import commenting
from curation.services.desk import desk_in


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def comments(request: HttpRequest, slug: str, task_id: int) -> HttpResponse:
    """The list with its form, as a fragment; a POST writes first."""
    desk = desk_in(request.user, slug)
    check_id(task_id)
    assert isinstance(request.user, User)
    project, item = commenting.item_for(request.user, task_id)
    if project.pk != desk.project_id:
        raise NotFound("this task is not yours")
    context: dict[str, object] = {"task_id": task_id, "slug": slug}
    if request.method == "POST":
        parent = request.POST.get("reply_to", "")
        try:
            context["made"] = commenting.write(
                item=item,
                user=request.user,
                text=request.POST.get("text", ""),
                reply_to=int(parent) if parent.isascii() and parent.isdigit() and len(parent) < 19 else None,
            )
        except Invalid as error:
            context["problem"] = error.detail
    context["comments"] = commenting.on(item, request.user)
    return render(request, "annotate/_comments.html", context, status=422 if "problem" in context else 200)
