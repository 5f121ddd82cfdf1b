"""A run done in the process that started it, or watched from there: for commands."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator

from django.db import Error, connection

from curation.models import Run
from curation.services import running, sharding

log = logging.getLogger("touchstone.runs")

PAUSE = 0.5
"""Seconds between two looks when others hold what is left, or it waits to be tried again."""


def do(run: Run, *, every: float) -> Iterator[None]:
    """Do a run to its end in this process, beside whatever workers take; yields now and then, the row read anew."""
    worker = threading.Thread(target=work, args=(run,), daemon=True)
    worker.start()
    while worker.is_alive():
        worker.join(every)
        run.refresh_from_db()
        if run.live:
            yield


def watch(run: Run, *, every: float) -> Iterator[None]:
    """Yield now and then until a run has ended; workers do it."""
    run.refresh_from_db()
    while run.live:
        yield
        time.sleep(every)
        run.refresh_from_db()


def work(run: Run) -> None:
    """Plan a run, do its shards, close it; and sweep, for there may be no worker that does."""
    try:
        while True:
            try:
                running.execute(str(run.pk))
                while shard := sharding.take(run.queue, run=run):
                    sharding.perform(shard)
                if not Run.objects.filter(pk=run.pk, state__in=Run.LIVE).exists():
                    return
                if running.free(run):
                    continue
                sharding.sweep()
            except Error:
                log.exception("%s: the database did not answer", run)
                running.reconnect()
            time.sleep(PAUSE)
    finally:
        connection.close()
