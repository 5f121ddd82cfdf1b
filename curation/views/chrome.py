"""What every page shows around its content."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def chrome(request: HttpRequest) -> dict[str, Any]:
    theme = request.user.theme if hasattr(request, "user") and request.user.is_authenticated else "auto"
    return {"theme": theme, "version": settings.VERSION}
