"""`/healthz`: this process answers. `/readyz`: what it needs is there. Both for machines, as JSON."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from curation.services import health


@never_cache
@require_safe
def healthz(_request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def readyz(_request: HttpRequest) -> JsonResponse:
    """503 while the database is not ready; a missing worker is told, but pages work without."""
    checks = {check.name: check for check in (health.database(), health.migrations(), health.worker())}
    ready = bool(checks["database"].ok and checks["migrations"].ok)
    parts: dict[str, dict[str, object]] = {name: {"ok": check.ok} for name, check in checks.items()}
    parts["worker"]["detail"] = checks["worker"].words
    parts["models"] = {"installed": bool(health.models().ok)}
    parts["training"] = {"installed": bool(health.training().ok)}
    return JsonResponse({"status": "ready" if ready else "not ready", **parts}, status=200 if ready else 503)
