"""Pages of webhooks: the list with the form of a new one, one with its secret and deliveries, one delivery."""

from __future__ import annotations

from typing import Any

import orjson
from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from curation import access
from curation.errors import DomainError
from curation.models import Delivery, Project, User, Webhook
from curation.services import delivering, webhooks
from curation.services.telling import EVENTS

SHOWN = 50


class WebhookForm(forms.Form):
    url = forms.CharField(
        label="Address",
        max_length=500,
        widget=forms.URLInput(attrs={"placeholder": "https://example.org/touchstone", "autocomplete": "off"}),
    )
    events = forms.MultipleChoiceField(
        label="Events",
        choices=[(event, f"{event}: {words}") for event, words in EVENTS.items()],
        widget=forms.CheckboxSelectMultiple,
    )


@require_http_methods(["GET", "HEAD", "POST"])
def index(request: HttpRequest, slug: str) -> HttpResponse:
    project = access.project_for(request.user, slug, access.MANAGE)
    form = WebhookForm(request.POST or None, initial={"events": ["task.completed", "dataset.version.ready"]})
    if request.method == "POST" and form.is_valid():
        user = request.user if isinstance(request.user, User) else None
        try:
            made = webhooks.add(project=project, user=user, **form.cleaned_data)
        except DomainError as error:
            form.add_error(error.field if error.field in form.fields else None, error.detail)
        else:
            messages.success(request, "The webhook is made. Give its secret to the receiver, and send a ping.")
            return redirect("webhook", slug, made.pk)
    rows = list(webhooks.of(project))
    last = delivering.health(rows)
    context = {"project": project, "form": form, "rows": [(one, last[one.pk]) for one in rows]}
    return render(request, "webhooks/index.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest, slug: str, webhook_id: int) -> HttpResponse:
    """One webhook: its form, its secret, and what was sent, the latest first."""
    project, webhook = managed(request, slug, webhook_id)
    form = WebhookForm(request.POST or None, initial={"url": webhook.url, "events": webhook.events})
    if request.method == "POST" and form.is_valid():
        try:
            webhooks.change(webhook, **form.cleaned_data)
        except DomainError as error:
            form.add_error(error.field if error.field in form.fields else None, error.detail)
        else:
            messages.success(request, "The webhook is changed.")
            return redirect("webhook", slug, webhook.pk)
    state, before = request.GET.get("state", ""), request.GET.get("before", "")
    sent = Delivery.objects.filter(webhook=webhook).order_by("-pk")
    if state in Delivery.State.values:
        sent = sent.filter(state=state)
    if before.isascii() and before.isdigit() and len(before) < 19:
        sent = sent.filter(pk__lt=int(before))
    found = list(sent[: SHOWN + 1])
    context = {
        "project": project,
        "webhook": webhook,
        "form": form,
        "deliveries": found[:SHOWN],
        "older": found[SHOWN - 1].pk if len(found) > SHOWN else None,
        "state": state,
        "states": Delivery.State.choices,
        "dead": Delivery.objects.filter(webhook=webhook, state=Delivery.State.DEAD).exists(),
    }
    return render(request, "webhooks/webhook.html", context, status=422 if form.errors else 200)


@require_safe
def delivery(request: HttpRequest, slug: str, webhook_id: int, message: str) -> HttpResponse:
    project, webhook = managed(request, slug, webhook_id)
    found = webhooks.delivery(webhook, message)
    body = orjson.dumps(found.payload, option=orjson.OPT_INDENT_2).decode()
    context: dict[str, Any] = {"project": project, "webhook": webhook, "delivery": found, "body": body}
    return render(request, "webhooks/delivery.html", context)


@require_POST
def act(request: HttpRequest, slug: str, webhook_id: int, what: str) -> HttpResponse:
    """Ping, pause, rotate, take away, or send again what was given up."""
    _, webhook = managed(request, slug, webhook_id)
    try:
        if what == "ping":
            webhooks.ping(webhook)
            messages.success(request, "A ping is on its way.")
        elif what == "pause":
            webhooks.change(webhook, active=not webhook.active)
            messages.success(request, "It goes on." if webhook.active else "It is paused.")
        elif what == "rotate":
            webhooks.rotate(webhook)
            messages.success(request, "There is a new secret. For a day the old one signs too.")
        elif what == "replay":
            messages.success(request, f"{webhooks.replay_dead(webhook)} deliveries are on their way again.")
        else:
            webhooks.remove(webhook)
            messages.success(request, "The webhook is taken away.")
            return redirect("webhooks", slug)
    except DomainError as error:
        messages.error(request, f"{error.detail.capitalize()}.")
    return redirect("webhook", slug, webhook_id)


@require_POST
def replay(request: HttpRequest, slug: str, webhook_id: int, message: str) -> HttpResponse:
    _, webhook = managed(request, slug, webhook_id)
    try:
        webhooks.replay(webhooks.delivery(webhook, message))
        messages.success(request, "It is on its way again.")
    except DomainError as error:
        messages.error(request, f"{error.detail.capitalize()}.")
    return redirect("delivery", slug, webhook_id, message)


def managed(request: HttpRequest, slug: str, webhook_id: int) -> tuple[Project, Webhook]:
    project = access.project_for(request.user, slug, access.MANAGE)
    return project, webhooks.find(project, webhook_id)
