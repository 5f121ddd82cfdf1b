"""The Content-Security-Policy of every page, and the wider one that the admin needs."""

from __future__ import annotations

from csp.constants import SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse

ADMIN = {"script-src": [SELF, UNSAFE_EVAL], "style-src": [SELF, UNSAFE_INLINE]}
"""The admin's Alpine evaluates the expressions of its own templates, and a style element carries the colours.
It has no inline script, so none is allowed there either; model texts are shown as plain text."""


class ContentPolicy(CSPMiddleware):
    """The policy of the settings, with the exceptions of the admin under its own address."""

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if not report_only and request.path_info.startswith(reverse("admin:index")):
            parts.replace = {**(parts.replace or {}), **ADMIN}
        return parts
