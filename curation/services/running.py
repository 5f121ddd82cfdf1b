"""Runs: started, claimed under a lease, kept alive by a heartbeat, resumed after their worker died.

A method is a function `(run, report) -> result`. It does its work in transactions that each end with
`report.checkpoint(...)`: the same commit holds the rows and where to go on, so that work done twice or
broken off ends with the same rows. The lease is a fence: a worker that lost it cannot checkpoint.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection
from django.db.models import F, Q, Value
from django.db.models.functions import Concat
from django.utils import timezone

from curation import queue
from curation.errors import Conflict, DomainError, NotFound
from curation.models import Project, Run, User

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger("touchstone.runs")

MAX_ATTEMPTS = 5

Method = Callable[[Run, "Report"], dict[str, Any]]


class LostLease(Exception):
    """Another worker holds this run now."""


class Cancelled(Exception):
    """Somebody asked the run to stop."""


class Report:
    """What a method tells about itself while it works."""

    def __init__(self, run: Run, holder: str) -> None:
        self.run = run
        self.holder = holder

    def checkpoint(
        self,
        *,
        done: int,
        total: int | None = None,
        at: dict[str, Any] | None = None,
        result: dict[str, Any] | None = None,
    ) -> None:
        """Record progress; inside the transaction of the rows it speaks of.

        Raises LostLease if another worker took over, Cancelled if somebody asked for it: both undo the
        surrounding transaction.
        """
        changes: dict[str, Any] = {"done": done}
        if total is not None:
            changes["total"] = total
        if at is not None:
            changes["checkpoint"] = at
        if result is not None:
            changes["result"] = result
        mine = Run.objects.filter(pk=self.run.pk, holder=self.holder, state=Run.State.RUNNING)
        if mine.filter(cancel_requested=False).update(**changes) == 0:
            raise Cancelled if mine.exists() else LostLease
        for name, value in changes.items():
            setattr(self.run, name, value)

    def log(self, line: str) -> None:
        """Append one line, with its time, to the log that the run's page shows."""
        stamped = f"{timezone.now():%Y-%m-%d %H:%M:%S} {line}\n"
        Run.objects.filter(pk=self.run.pk).update(log=Concat(F("log"), Value(stamped)))


def start(
    *,
    project: Project,
    method: str,
    params: dict[str, Any],
    user: User | None,
    unit: str = "rows",
    run: Run | None = None,
) -> Run:
    """Queue a run; a worker is woken when the transaction commits. `run` may be one prepared with files."""
    run = run or Run()
    run.project, run.method, run.params, run.created_by, run.unit = project, method, params, user, unit
    run.code_version = settings.VERSION
    run.save(force_insert=True)
    queue.wake(run)
    return run


def execute(run_id: str) -> None:
    """Do a queued or abandoned run; safe to call twice and at the same time."""
    run = claim(run_id)
    if run is None:
        return
    report = Report(run, run.holder)
    with heartbeat(run):
        perform(run, report)


def wait(run_id: str, *, every: float = 0.5) -> None:
    """Return when a run has ended: a worker may have taken it before `execute` could."""
    while Run.objects.filter(pk=run_id, state__in=Run.LIVE).exists():
        time.sleep(every)


def claim(run_id: str) -> Run | None:
    """Take a run if nobody holds it: one conditional UPDATE whose row count says who was first."""
    holder = f"{socket.gethostname()}:{os.getpid()}:{threading.get_ident()}:{timezone.now().timestamp()}"
    now = timezone.now()
    free = Q(state=Run.State.QUEUED) | Q(state=Run.State.RUNNING, lease_until__lt=now)
    taken = Run.objects.filter(free, pk=run_id).update(
        state=Run.State.RUNNING, holder=holder[:80], lease_until=now + lease(), attempts=F("attempts") + 1
    )
    if not taken:
        return None
    Run.objects.filter(pk=run_id, started_at__isnull=True).update(started_at=now)
    return Run.objects.select_related("project", "created_by").get(pk=run_id)


def perform(run: Run, report: Report) -> None:
    """Call the method and write how it ended; one of the three places that catch everything."""
    from curation.services.methods import METHODS

    if run.attempts > 1:
        report.log(f"attempt {run.attempts}: going on from {run.checkpoint or 'the start'}")
    try:
        if run.cancel_requested:
            raise Cancelled
        if run.attempts > MAX_ATTEMPTS:
            raise Conflict(f"given up after {MAX_ATTEMPTS} attempts whose worker died")
        result = METHODS[run.method](run, report)
    except LostLease:
        log.warning("%s: another worker took over", run)
    except Cancelled:
        finish(run, Run.State.CANCELLED)
    except DomainError as error:
        finish(run, Run.State.FAILED, error=error.detail)
    except Exception as error:
        log.exception("%s failed", run)
        report.log(traceback.format_exc())
        finish(run, Run.State.FAILED, error=f"{type(error).__name__}: {error}")
    else:
        finish(run, Run.State.SUCCEEDED, result=result)


def finish(run: Run, state: str, *, result: dict[str, Any] | None = None, error: str = "") -> None:
    """Write the end of a run, unless another worker holds it."""
    from curation.services.methods import ENDINGS

    changes: dict[str, Any] = {
        "state": state,
        "error": error,
        "ended_at": timezone.now(),
        "lease_until": None,
    }
    if result is not None:
        changes["result"] = result
    if Run.objects.filter(pk=run.pk, holder=run.holder, state=Run.State.RUNNING).update(**changes):
        run.refresh_from_db()
        if ending := ENDINGS.get(run.method):
            ending(run)


@contextmanager
def heartbeat(run: Run) -> Iterator[None]:
    """Renew the lease from a thread of its own while the work goes on."""
    stop = threading.Event()

    def beat() -> None:
        try:
            while not stop.wait(settings.RUN_LEASE_SECONDS / 3):
                Run.objects.filter(pk=run.pk, holder=run.holder, state=Run.State.RUNNING).update(
                    lease_until=timezone.now() + lease()
                )
        finally:
            connection.close()

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def lease() -> timedelta:
    return timedelta(seconds=settings.RUN_LEASE_SECONDS)


def resume_lost() -> int:
    """Wake a worker for every run whose lease ran out, or that was queued and never taken; how many."""
    now = timezone.now()
    late = Q(state=Run.State.RUNNING, lease_until__lt=now) | Q(
        state=Run.State.QUEUED, created_at__lt=now - timedelta(seconds=5)
    )
    lost = list(Run.objects.filter(late)[:100])
    for run in lost:
        queue.wake(run)
    return len(lost)


def cancel(run: Run) -> Run:
    """Stop a run: at once if queued, at its next checkpoint if running."""
    now = timezone.now()
    if Run.objects.filter(pk=run.pk, state=Run.State.QUEUED).update(state=Run.State.CANCELLED, ended_at=now):
        run.refresh_from_db()
        from curation.services.methods import ENDINGS

        if ending := ENDINGS.get(run.method):
            ending(run)
        return run
    if not Run.objects.filter(pk=run.pk, state=Run.State.RUNNING).update(cancel_requested=True):
        raise Conflict("this run has already ended")
    run.refresh_from_db()
    return run


def retry(run: Run) -> Run:
    """Queue an ended run again; it goes on from its checkpoint."""
    ended = [Run.State.FAILED, Run.State.CANCELLED]
    changed = Run.objects.filter(pk=run.pk, state__in=ended).update(
        state=Run.State.QUEUED,
        attempts=0,
        cancel_requested=False,
        error="",
        ended_at=None,
        created_at=timezone.now(),
    )
    if not changed:
        raise Conflict("only a failed or cancelled run can be tried again")
    run.refresh_from_db()
    queue.wake(run)
    return run


def get(run_id: str) -> Run:
    run = Run.objects.select_related("project").filter(pk=run_id).first()
    if run is None:
        raise NotFound("no such run")
    return run
