"""How work wakes a worker: after commit, by id or by queue. Losing a message loses nothing: sweepers find the rows."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Sum
from django.utils import timezone
from kombu.exceptions import OperationalError

from curation.models import Run, Worker

log = logging.getLogger("touchstone.queue")

QUEUES = ("cpu", "gpu")
MOST_WOKEN = 64


def wake(run: Run) -> None:
    """Ask a worker to look at `run` once the surrounding transaction has committed."""
    transaction.on_commit(lambda: send("curation.jobs.execute_run", [str(run.pk)], run.queue))


def wake_shards(queue: str) -> None:
    """Ask as many processes of a queue as there are to look for shards; each goes on until none is left."""

    def call() -> None:
        for _ in range(listening(queue)):
            send("curation.jobs.work_shards", [queue], queue)

    transaction.on_commit(call)


def listening(queue: str) -> int:
    """How many processes serve a queue, as lately reported; at least one, which may come yet."""
    fresh = Worker.objects.filter(seen_at__gt=timezone.now() - timedelta(seconds=60), queues__contains=queue)
    return max(1, min(MOST_WOKEN, fresh.aggregate(sum=Sum("processes"))["sum"] or 0))


def send(task: str, args: list[Any], queue: str) -> None:
    from curation.celery import app

    try:
        app.send_task(task, args, queue=queue, retry=False)
    except (OperationalError, OSError) as error:
        log.warning("the broker did not take %s %s (%s); the sweeper will find it", task, args, error)
