"""Errors that are answers become pages: the middleware that turns a DomainError into a problem page."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from curation.errors import DomainError, Forbidden, NotFound

NEXT_STEP = {
    403: "Ask an owner or a manager of the project for another role, or go back to what you may open.",
    404: "It may have been removed, its link may have expired, or you may not be a member of the project.",
}


class DomainErrorPages:
    """Shows what a view raised: to strangers the sign-in page, to scripts JSON, to people a page."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, DomainError):
            return None
        stranger = not request.user.is_authenticated and isinstance(error, NotFound | Forbidden)
        if wants_json(request):
            return as_json(error, 401 if stranger else error.status)
        if stranger:
            return redirect_to_login(request.get_full_path() if request.method == "GET" else "/")
        return problem(request, error)


def wants_json(request: HttpRequest) -> bool:
    return "application/json" in request.headers.get("Accept", "")


def as_json(error: DomainError, status: int) -> HttpResponse:
    body = {"type": "about:blank", "title": error.title, "status": status, "detail": error.detail}
    if error.field:
        body["errors"] = [{"field": error.field, "detail": error.detail}]
    return JsonResponse(body, status=status, content_type="application/problem+json")


def problem(request: HttpRequest, error: DomainError) -> HttpResponse:
    """The page that says what is wrong and where to go from here."""
    shown = {"heading": error.title, "detail": error.detail, "next_step": NEXT_STEP.get(error.status, "")}
    return render(request, "problem.html", shown, status=error.status)
