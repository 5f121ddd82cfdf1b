"""The heart of a shard at work: renews its lease, tells how far it is, hears of cancelling, and counts the time."""

from __future__ import annotations

import logging
import os
import threading
import time
from types import TracebackType
from typing import Self

from django.conf import settings
from django.db import Error, connection
from django.utils import timezone

from curation.models import Run, Shard
from curation.services.running import Cancelled, LostLease, lease

log = logging.getLogger("touchstone.shards")

EVERY = 1.0
"""Seconds between two beats, at most; the bar of the run's page moves as often."""
GRACE = 1.5
"""A shard that does not stop within this many times its limit hangs, and its process with it."""


class TimedOut(Exception):
    """The shard took longer than its method allows."""


class Beat:
    """A thread beside the work on one shard. `rows` is what the work sets, `check` what it asks."""

    def __init__(self, shard: Shard, *, limit: float, mortal: bool = False) -> None:
        self.shard, self.limit, self.mortal = shard, limit, mortal
        self.rows = 0
        self.began = time.monotonic()
        self.stop = threading.Event()
        self.wrong: type[Exception] | None = None
        self.thread = threading.Thread(target=self.go_on, daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop.set()
        self.thread.join()

    def check(self) -> None:
        """Raises Cancelled, LostLease or TimedOut when the work should stop."""
        if self.wrong is not None:
            raise self.wrong
        if time.monotonic() - self.began > self.limit:
            raise TimedOut(f"took longer than {self.limit:.0f} s")

    def go_on(self) -> None:
        try:
            while not self.stop.wait(min(EVERY, settings.RUN_LEASE_SECONDS / 3)):
                try:
                    self.beat()
                except Error:
                    connection.close()
                self.end_if_hung()
        finally:
            connection.close()

    def beat(self) -> None:
        mine = Shard.objects.filter(pk=self.shard.pk, holder=self.shard.holder, state=Shard.State.RUNNING)
        if not mine.update(lease_until=timezone.now() + lease(), done=self.rows):
            if not self.stop.is_set():
                self.wrong = LostLease
        elif not Run.objects.filter(pk=self.shard.run_id, state=Run.State.RUNNING, cancel_requested=False).exists():
            self.wrong = Cancelled

    def end_if_hung(self) -> None:
        """End the process when the work does not listen: its shard is then tried again by another."""
        if self.mortal and time.monotonic() - self.began > GRACE * self.limit:
            log.error("%s hangs; ending this process", self.shard)
            os._exit(70)
