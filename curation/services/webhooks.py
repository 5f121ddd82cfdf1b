"""Webhooks of a project: made, changed, paused, taken away; their secrets; what was sent, sent again."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from curation import queue
from curation.errors import Conflict, Invalid, NotFound
from curation.models import Act, Delivery, Project, User, Webhook
from curation.services import auditing, delivering, telling
from curation.services.telling import EVENTS
from workers.outside import Refused, checked

MOST = 20
"""Webhooks of one project."""
OVERLAP = timedelta(hours=24)
"""So long the secret before signs too."""
LONGEST = 500


def of(project: Project) -> Any:
    return Webhook.objects.filter(project=project, deleted_at=None).order_by("pk")


def find(project: Project, webhook_id: int) -> Webhook:
    found: Webhook | None = of(project).filter(pk=webhook_id).first()
    if found is None:
        raise NotFound("no such webhook")
    return found


def add(*, project: Project, url: str, events: Sequence[str], user: User | None) -> Webhook:
    """A new webhook with a secret of its own. Raises Invalid, Conflict."""
    address, wanted = check_url(url), check_events(events)
    with transaction.atomic():
        locked = Project.objects.select_for_update(no_key=True, of=("self",)).get(pk=project.pk)
        if locked.webhook_count >= MOST:
            raise Conflict(f"a project has at most {MOST} webhooks")
        made = Webhook.objects.create(project=project, url=address, events=wanted, secret=new_secret(), created_by=user)
        Project.objects.filter(pk=project.pk).update(webhook_count=F("webhook_count") + 1)
        note(made, "made")
    return made


def note(webhook: Webhook, what: str) -> None:
    auditing.record(Act.WEBHOOK_CHANGED, project=webhook.project, thing=webhook, what=what)


def change(
    webhook: Webhook, *, url: str | None = None, events: Sequence[str] | None = None, active: bool | None = None
) -> Webhook:
    """Another address, other events, paused or not. Raises Invalid."""
    if url is not None:
        webhook.url = check_url(url)
    if events is not None:
        webhook.events = check_events(events)
    if active is not None:
        webhook.active = active
    webhook.save(update_fields=["url", "events", "active"])
    note(webhook, "changed" if active is None else "on" if active else "paused")
    return webhook


def remove(webhook: Webhook) -> None:
    """Take it away; what was sent stays on record."""
    with transaction.atomic():
        if Webhook.objects.filter(pk=webhook.pk, deleted_at=None).update(deleted_at=timezone.now(), active=False):
            Project.objects.filter(pk=webhook.project_id).update(webhook_count=F("webhook_count") - 1)
            Delivery.objects.filter(webhook=webhook, state=Delivery.State.PENDING).update(state=Delivery.State.DEAD)
            note(webhook, "removed")


def rotate(webhook: Webhook) -> Webhook:
    """A new secret. For a day the old one signs too, so that the receiver can change over."""
    webhook.old_secret, webhook.secret = webhook.secret, new_secret()
    webhook.rotated_until = timezone.now() + OVERLAP
    webhook.save(update_fields=["secret", "old_secret", "rotated_until"])
    note(webhook, "new secret")
    return webhook


def ping(webhook: Webhook) -> Delivery:
    """Send a test event."""
    if webhook.deleted_at or not webhook.active:
        raise Conflict("it is paused")
    with transaction.atomic():
        (made,) = telling.send([webhook], telling.PING, {"project": webhook.project.slug, "webhook": webhook.pk})
    return made


def delivery(webhook: Webhook, message: str) -> Delivery:
    found = Delivery.objects.filter(webhook=webhook, message=message).first()
    if found is None:
        raise NotFound("no such delivery")
    return found


def afresh() -> dict[str, Any]:
    """A delivery as if it had not been tried."""
    return {
        "state": Delivery.State.PENDING,
        "attempts": 0,
        "due_at": timezone.now(),
        "error": "",
        "delivered_at": None,
    }


def replay(found: Delivery) -> Delivery:
    """Send it again, under the same id. Raises Conflict while it is on its way."""
    with transaction.atomic():
        if not Delivery.objects.filter(pk=found.pk).exclude(state=Delivery.State.PENDING).update(**afresh()):
            raise Conflict("it is on its way already")
        queue.wake_deliveries()
    found.refresh_from_db()
    return found


def replay_dead(webhook: Webhook) -> int:
    """Send everything again that was given up; how many."""
    with transaction.atomic():
        count = Delivery.objects.filter(webhook=webhook, state=Delivery.State.DEAD).update(**afresh())
        queue.wake_deliveries()
    return count


def check_url(url: str) -> str:
    """The address, if events may be sent there. Raises Invalid."""
    if len(url) > LONGEST:
        raise Invalid(f"is longer than {LONGEST} characters", field="url")
    try:
        checked(url, queue.allowed_addresses())
    except Refused as error:
        raise Invalid(delivering.refusal(error), field="url") from None
    return url


def check_events(events: Sequence[str]) -> list[str]:
    unknown = sorted(set(events) - set(EVENTS))
    if unknown or not events:
        raise Invalid(f"must be some of: {', '.join(EVENTS)}", field="events")
    return [event for event in EVENTS if event in events]


def new_secret() -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}"
