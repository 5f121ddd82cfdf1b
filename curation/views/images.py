"""A picture of a prompt or response, to everybody who may see its project."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.http import require_safe

from curation import access
from curation.services.images import image_of
from curation.serving import picture


@login_required
@require_safe
def image(request: HttpRequest, slug: str, sha256: str) -> HttpResponseBase:
    return picture(request, image_of(access.project_for(request.user, slug, access.SEE), sha256))
