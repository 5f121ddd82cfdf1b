"""The Content-Security-Policy of every page, and the wider one that the admin needs."""

from __future__ import annotations

from functools import cache

from csp.constants import HEADER, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from csp.utils import build_policy
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse

ADMIN = {"script-src": [SELF, UNSAFE_EVAL], "style-src": [SELF, UNSAFE_INLINE]}
"""The admin's Alpine evaluates the expressions of its own templates, and a style element carries the colours.
It has no inline script, so none is allowed there either; model texts are shown as plain text."""


class ContentPolicy(CSPMiddleware):
    """The policy of the settings, with the exceptions of the admin under its own address."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """The policy of nearly every answer is written once: writing it takes an eighth of an annotator's call."""
        own = any(name.startswith("_csp") for name in vars(response))
        if own or settings.DEBUG or HEADER in response or request.path_info.startswith(admin()):
            return super().process_response(request, response)
        response[HEADER] = usual()
        return response

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if not report_only and request.path_info.startswith(admin()):
            parts.replace = {**(parts.replace or {}), **ADMIN}
        return parts


@cache
def admin() -> str:
    """Where the admin is."""
    return reverse("admin:index")


@cache
def usual() -> str:
    """The policy of the settings, which has no nonce."""
    policy: str = build_policy()
    return policy
