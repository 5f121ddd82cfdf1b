"""The heat map of a task, as numbers for the script of the screen."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from annotate.views.screen import check_id
from curation.services import heating


@never_cache
@login_required
@require_GET
def heat(request: HttpRequest, slug: str, task_id: int) -> JsonResponse:
    """Token rewards by response as shown; without `responses` where there is nothing to be seen now."""
    check_id(task_id)
    return JsonResponse(heating.heat(request.user, slug, task_id))  # type: ignore[arg-type]
