"""The outbox of webhooks sent: claimed, signed, posted; tried again with longer and longer pauses, then given up.

A delivery is claimed by moving its due time ahead, in one UPDATE that names the time it saw: two workers never send one
at once, and one whose worker died is due again after the lease, under the same id.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
from django.conf import settings
from django.db.models import F
from django.utils import timezone

from curation import queue
from curation.models import Delivery, Webhook
from workers import outside

PAUSES = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000)
"""Seconds after the first, second … failure (Standard Webhooks, "Deliverability and reliability"); then it is dead."""
LEASE = timedelta(seconds=90)
AT_ONCE = 16
GONE = 410


@dataclass(frozen=True, slots=True)
class Outcome:
    status: int | None
    error: str = ""

    @property
    def ok(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def deliver_due(most: int = 200) -> int:
    """Send what is due, some at once; how many were tried."""
    tried = 0
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="webhook") as threads:
        while tried < most and (claimed := claim()):
            posts = [(one.webhook.url, body_of(one), headers_of(one)) for one in claimed]
            for delivery, outcome in zip(claimed, threads.map(post, *zip(*posts, strict=True)), strict=True):
                settle(delivery, outcome)
            tried += len(claimed)
    return tried


def claim() -> list[Delivery]:
    """Due deliveries that are nobody else's now."""
    now = timezone.now()
    due = Delivery.objects.filter(state=Delivery.State.PENDING, due_at__lte=now, webhook__active=True)
    found = []
    for one in due.select_related("webhook").order_by("due_at")[:AT_ONCE]:
        mine = Delivery.objects.filter(pk=one.pk, state=Delivery.State.PENDING, due_at=one.due_at)
        if mine.update(due_at=now + LEASE, attempts=F("attempts") + 1):
            one.attempts, one.due_at = one.attempts + 1, now + LEASE
            found.append(one)
    return found


def body_of(delivery: Delivery) -> bytes:
    return orjson.dumps(delivery.payload, option=orjson.OPT_SORT_KEYS)


def headers_of(delivery: Delivery) -> dict[str, str]:
    """The three headers of Standard Webhooks; during a change of secrets with a signature by each."""
    webhook, now = delivery.webhook, timezone.now()
    secrets = [webhook.secret]
    if webhook.old_secret and webhook.rotated_until and webhook.rotated_until > now:
        secrets.append(webhook.old_secret)
    return {
        "Content-Type": "application/json",
        "User-Agent": f"Touchstone/{settings.VERSION}",
        "webhook-id": str(delivery.message),
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(sign(one, delivery, now) for one in secrets),
    }


def sign(secret: str, delivery: Delivery, now: datetime) -> str:
    """`v1,` and the base64 HMAC-SHA256 of `id.timestamp.body` (Standard Webhooks, "Signature scheme")."""
    content = b".".join([str(delivery.message).encode(), str(int(now.timestamp())).encode(), body_of(delivery)])
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return f"v1,{base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()}"


def post(url: str, body: bytes, headers: dict[str, str]) -> Outcome:
    try:
        return Outcome(outside.post(url, body, headers, allowed=queue.allowed_addresses()))
    except outside.Refused as error:
        return Outcome(None, f"not sent: the address {refusal(error)}"[:300])
    except (OSError, http.client.HTTPException) as error:
        return Outcome(None, f"{type(error).__name__}: {error}"[:300])


def refusal(error: outside.Refused) -> str:
    """Why an address is refused, and how an administrator lets it through where that is possible."""
    way = "; an administrator can allow it with TOUCHSTONE_WEBHOOK_ALLOW"
    return f"{error}{way if isinstance(error, outside.NotPublic) else ''}"


def settle(delivery: Delivery, outcome: Outcome) -> None:
    """Write how it went: delivered, due again later, or dead. A receiver that says 410 wants no more.

    Whoever took it over after the lease, or sends it again by hand, has moved its due time: then this says nothing.
    """
    now = timezone.now()
    changes: dict[str, object] = {"status": outcome.status, "error": outcome.error or f"answered {outcome.status}"}
    if outcome.ok:
        changes |= {"state": Delivery.State.DELIVERED, "delivered_at": now, "error": ""}
    elif outcome.status == GONE:
        changes |= {"state": Delivery.State.DEAD}
        Webhook.objects.filter(pk=delivery.webhook_id).update(active=False)
    elif delivery.attempts > len(PAUSES):
        changes |= {"state": Delivery.State.DEAD}
    else:
        pause = PAUSES[delivery.attempts - 1] * random.uniform(0.9, 1.1)
        changes |= {"due_at": now + timedelta(seconds=pause)}
    mine = Delivery.objects.filter(pk=delivery.pk, state=Delivery.State.PENDING, due_at=delivery.due_at)
    mine.update(**changes)


def health(webhooks: Sequence[Webhook]) -> dict[int, Delivery | None]:
    """The last delivery of each webhook."""
    return {one.pk: Delivery.objects.filter(webhook=one).order_by("-pk").first() for one in webhooks}
