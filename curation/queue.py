"""How work wakes a worker: after commit, by id or by queue. Losing a message loses nothing: sweepers find the rows."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone
from kombu.exceptions import OperationalError

from curation.models import Run, Shard, Worker

log = logging.getLogger("touchstone.queue")

QUEUES = ("cpu", "gpu")
MOST_WOKEN = 64
SWEPT_AGAIN = 60
"""Seconds after which a call that nobody took is worth nothing: the sweeper has made others."""
CROWDED = 2.0
"""Seconds that a call for shards waits in the broker when each process has one to come back to."""


def wake(run: Run, *, expires: float | None = None) -> None:
    """Ask a worker to look at `run` once the surrounding transaction has committed."""
    transaction.on_commit(lambda: send("curation.jobs.execute_run", [str(run.pk)], run.queue, expires=expires))


def wake_shards(queue: str, *, at_least: int = 0) -> None:
    """Ask the idle processes of a queue to look for shards; each goes on until none is left.

    Busy ones look by themselves when they are done, so that calls do not pile up in the broker while all are at work.
    """

    def call() -> None:
        for _ in range(max(at_least, idle(queue))):
            call_for_shards(queue)

    transaction.on_commit(call)


def wake_deliveries() -> None:
    """Ask a worker to send what is in the outbox of webhooks, once the surrounding transaction has committed."""
    transaction.on_commit(lambda: send("curation.jobs.deliver_webhooks", [], "cpu", expires=SWEPT_AGAIN))


def allowed_addresses() -> list[str]:
    """Where webhooks may lead besides the public internet, as the administrator says."""
    return list(settings.WEBHOOK_ALLOW)


def call_for_shards(queue: str) -> None:
    send("curation.jobs.work_shards", [queue, [socket.gethostname(), time.time()]], queue, expires=SWEPT_AGAIN)


def crowded(sent: Sequence[Any]) -> bool:
    """Whether a call waited so long that there must be more calls than processes: it need not be repeated.

    Clocks of two machines differ, so only a call of this one is judged.
    """
    return bool(sent) and sent[0] == socket.gethostname() and time.time() - sent[1] > CROWDED


def idle(queue: str) -> int:
    """How many processes of a queue have nothing in hand, as far as the rows say."""
    now = timezone.now()
    shards = Shard.objects.filter(queue=queue, state=Shard.State.RUNNING, lease_until__gt=now)
    runs = Run.objects.filter(queue=queue, state=Run.State.RUNNING, lease_until__gt=now)
    return max(0, listening(queue) - shards.count() - runs.count())


def listening(queue: str) -> int:
    """How many processes serve a queue, as lately reported; at least one, which may come yet."""
    fresh = Worker.objects.filter(seen_at__gt=timezone.now() - timedelta(seconds=60), queues__contains=queue)
    return max(1, min(MOST_WOKEN, fresh.aggregate(sum=Sum("processes"))["sum"] or 0))


def send(task: str, args: list[Any], queue: str, *, expires: float | None = None) -> None:
    """Put a call into the broker. One that a sweeper makes expires before it sweeps many times again."""
    from curation.celery import app

    try:
        app.send_task(task, args, queue=queue, retry=False, expires=expires)
    except (OperationalError, OSError) as error:
        log.warning("the broker did not take %s %s (%s); the sweeper will find it", task, args, error)
