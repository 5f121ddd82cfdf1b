"""A picture as an HTTP answer, for pages and API alike."""

from __future__ import annotations

from typing import Any

from django.http import FileResponse, HttpResponse, HttpResponseBase

from curation.models import Image
from curation.services.images import path_of

POLICY = "default-src 'none'; sandbox"
"""What a picture may do when somebody opens it by itself: nothing."""


def picture(request: Any, image: Image) -> HttpResponseBase:
    """The bytes. They never change under their address, so a browser asks once."""
    headers = {
        "ETag": f'"{image.sha256}"',
        "Cache-Control": "private, max-age=31536000, immutable",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": POLICY,
        "Content-Disposition": f'inline; filename="{image.sha256[:12]}.{image.type.partition("/")[2]}"',
    }
    if headers["ETag"] in request.headers.get("If-None-Match", ""):
        return HttpResponse(status=304, headers=headers)
    return FileResponse(path_of(image.sha256).open("rb"), content_type=image.type, headers=headers)
