"""What was right on a task of the training, shown over the task once it is answered."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from annotate.views.screen import check_id
from curation.rendering import markdown
from curation.services.desk import desk_in
from curation.services.gold import telling


@never_cache
@login_required
@require_GET
def lesson(request: HttpRequest, slug: str, task_id: int) -> HttpResponse:
    """A dialog. 404 for whatever is not to be told."""
    desk = desk_in(request.user, slug)
    check_id(task_id)
    told = telling.lesson(desk.annotator_id, task_id)
    words = told.gold.explanation
    context = {
        "desk": desk,
        "told": told,
        "why": markdown(words) if words.strip() else "",
        "after": telling.after_lesson(desk),
    }
    return render(request, "annotate/_lesson.html", context)
