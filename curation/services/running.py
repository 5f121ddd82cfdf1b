"""Runs: started, claimed under a lease, kept alive by a heartbeat, resumed after their worker died.

A method that works alone does so in transactions that each end with `report.checkpoint(...)`: the same commit holds
the rows and where to go on, so that work done twice or broken off ends with the same rows. The lease is a fence: a
worker that lost it cannot checkpoint. A method with shards is planned and closed here; `laying.py` and `sharding.py`
do the rest. When the database does not answer, nothing is written: the lease runs out, and the sweeper finds the run.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import traceback
import uuid
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import Error, InterfaceError, OperationalError, connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from curation import queue
from curation.errors import Conflict, DomainError, NotFound
from curation.models import Act, ModelVersion, Project, Run, RunLine, Shard, User, Worker
from curation.services import auditing, telling

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curation.services.method import Method

log = logging.getLogger("touchstone.runs")

MAX_ATTEMPTS = 5
"""Beginnings of one run without a checkpoint in between."""
SILENT = (OperationalError, InterfaceError)
"""What is raised when a database restarts, is full or too busy: it says nothing about the work itself."""
LINES_SHOWN = 500
SEEN_WITHIN = timedelta(seconds=60)
"""A worker that was silent for longer is not counted on."""


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
        changes: dict[str, Any] = {"done": done, "attempts": 1}
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
        RunLine.objects.create(run=self.run, text=line)


def start(
    *,
    project: Project | None,
    method: str,
    params: dict[str, Any],
    user: User | None,
    unit: str = "rows",
    run: Run | None = None,
    model: ModelVersion | None = None,
    queue: str = "cpu",
    seed: int = 0,
) -> Run:
    """Queue a run; a worker is woken when the transaction commits. `run` may be one prepared with files."""
    run = run or Run()
    run.project, run.method, run.params, run.created_by, run.unit = project, method, params, user, unit
    run.model, run.queue, run.seed = model, queue, seed
    run.code_version = settings.VERSION
    run.save(force_insert=True)
    started(run)
    wake(run)
    return run


def started(run: Run) -> None:
    """Record who asked for a run."""
    act = Act.IMPORTED if run.method == "import" else Act.RUN_STARTED
    told = {"method": run.method, "file": run.params.get("filename"), "source": run.params.get("source")}
    auditing.record(act, project=run.project, by=run.created_by, thing=run, **told)


def queue_for(model: ModelVersion | None) -> str:
    """Where a model runs: on the GPU when a worker with one was seen lately, and the model wants it."""
    if model is None or model.reference.split(":", 1)[0] in ("program", "openai"):
        return "cpu"
    fresh = Worker.objects.filter(seen_at__gt=timezone.now() - SEEN_WITHIN)
    return "gpu" if any("gpu" in queues.split(",") for queues in fresh.values_list("queues", flat=True)) else "cpu"


def wake(run: Run) -> None:
    """Ask a worker to look at a run. What needs no shard is done by any worker, unless it holds a model itself."""
    queue.wake(run)


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
    now = timezone.now()
    taken = Run.objects.filter(unheld(now), pk=run_id).update(
        state=Run.State.RUNNING, holder=new_holder(), lease_until=now + lease(), attempts=F("attempts") + 1
    )
    if not taken:
        return None
    Run.objects.filter(pk=run_id, started_at__isnull=True).update(started_at=now)
    return Run.objects.select_related("project", "created_by").get(pk=run_id)


def unheld(now: datetime) -> Q:
    """Runs that wait for a worker, or whose worker gave no more sign of life."""
    return Q(state=Run.State.QUEUED) | Q(state=Run.State.RUNNING, lease_until__lt=now)


def free(run: Run) -> bool:
    """Whether anybody may take the run itself now."""
    return Run.objects.filter(unheld(timezone.now()), pk=run.pk).exists()


def new_holder() -> str:
    """The name of one claim: where it is held, and what no other claim is called."""
    return f"{socket.gethostname()[:40]}:{os.getpid()}:{uuid.uuid4().hex[:16]}"


def perform(run: Run, report: Report) -> None:
    """Do what the run's phase asks and write how it went; one of the places that catch everything."""
    if run.attempts > 1:
        report.log(f"attempt {run.attempts}: going on from {run.checkpoint or 'the start'}")
    try:
        if run.cancel_requested:
            raise Cancelled
        if run.attempts > MAX_ATTEMPTS:
            raise Conflict(f"given up after {MAX_ATTEMPTS} attempts in a row that came to nothing")
        result = proceed(run, report)
    except LostLease:
        log.warning("%s: another worker took over", run)
    except Cancelled:
        finish(run, Run.State.CANCELLED)
    except DomainError as error:
        finish(run, Run.State.FAILED, error=error.detail)
    except SILENT as error:
        log.exception("%s: the database did not answer; the sweeper will find it", run)
        reconnect()
        with suppress(Error):
            report.log(f"the database did not answer, and the run goes on after a while: {error}")
    except Exception as error:
        log.exception("%s failed", run)
        report.log(traceback.format_exc())
        finish(run, Run.State.FAILED, error=f"{type(error).__name__}: {error}")
    else:
        if result is not None:
            settle(run, result)


def reconnect() -> None:
    """Drop a connection that the database has closed, so that the next statement opens another."""
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()


def proceed(run: Run, report: Report) -> dict[str, Any] | None:
    """The result of a method that works alone, or of one whose shards have all ended; None while they are at work."""
    from curation.services import laying

    method = method_of(run)
    began = processor_time()
    try:
        if method.execute:
            return method.execute(run, report)
        if run.phase == Run.Phase.PLAN:
            laying.lay(run, method, report)
            return None
        return laying.close(run, method, report)
    finally:
        with suppress(Error):
            Run.objects.filter(pk=run.pk).update(cpu_seconds=F("cpu_seconds") + processor_time() - began)


def processor_time() -> float:
    """Seconds of this process and of those that it started and that have ended, as trainings are."""
    return sum(os.times()[:4])


def settle(run: Run, result: dict[str, Any]) -> None:
    """The end of a run that did its work: failed if shards were set aside, for they can be tried again."""
    run.refresh_from_db(fields=["shards_failed", "shards_total"])
    if run.shards_failed:
        words = f"{run.shards_failed} of {run.shards_total} shards were set aside; the rest is done"
        finish(run, Run.State.FAILED, result=result, error=words)
    else:
        finish(run, Run.State.SUCCEEDED, result=result)


def method_of(run: Run) -> Method:
    """Raises Conflict for a method that is no longer there."""
    from curation.services.methods import METHODS

    if run.method not in METHODS:
        raise Conflict(f"there is no method {run.method!r} any more")
    return METHODS[run.method]


def finish(run: Run, state: str, *, result: dict[str, Any] | None = None, error: str = "") -> None:
    """Write the end of a run, unless another worker holds it."""
    changes: dict[str, Any] = {
        "state": state,
        "error": error,
        "ended_at": timezone.now(),
        "lease_until": None,
    }
    if result is not None:
        changes["result"] = result
    with transaction.atomic():
        mine = Run.objects.filter(pk=run.pk, holder=run.holder, state=Run.State.RUNNING).update(**changes)
        if mine:
            telling.run_ended(run)
    if mine:
        ended(run)


def ended(run: Run) -> None:
    """Take its queued shards away, tell its method, and move the plan that waits for it."""
    from curation.services import methods
    from curation.services.planning import advancing

    run.refresh_from_db()
    if run.state != Run.State.SUCCEEDED:
        waiting = Shard.objects.filter(run=run, state=Shard.State.QUEUED)
        waiting.update(state=Shard.State.CANCELLED, ended_at=timezone.now())
    method = methods.METHODS.get(run.method)
    if method and method.ended:
        method.ended(run)
    advancing.run_ended(run)


@contextmanager
def heartbeat(run: Run) -> Iterator[None]:
    """Renew the lease from a thread of its own while the work goes on."""
    stop = threading.Event()
    thread = threading.Thread(target=renew, args=(run, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def renew(run: Run, stop: threading.Event) -> None:
    """Put the end of its lease off until `stop` is set."""
    try:
        while not stop.wait(settings.RUN_LEASE_SECONDS / 3):
            try:
                Run.objects.filter(pk=run.pk, holder=run.holder, state=Run.State.RUNNING).update(
                    lease_until=timezone.now() + lease()
                )
            except Error:
                connection.close()
    finally:
        connection.close()


def lease() -> timedelta:
    return timedelta(seconds=settings.RUN_LEASE_SECONDS)


def resume_lost() -> int:
    """Wake a worker for every run whose lease ran out, or that was queued and never taken; how many."""
    now = timezone.now()
    late = Q(state=Run.State.RUNNING, lease_until__lt=now) | Q(
        state=Run.State.QUEUED, created_at__lt=now - timedelta(seconds=5)
    )
    lost = list(Run.objects.filter(late).order_by("created_at")[: queue.MOST_WOKEN])
    for served in {run.queue for run in lost}:
        mine = [run for run in lost if run.queue == served]
        for run in mine[: max(1, queue.idle(served))]:
            queue.wake(run, expires=queue.SWEPT_AGAIN)
    return len(lost)


def cancel(run: Run) -> Run:
    """Stop a run: at once if nobody is at work on it, else at the next sign of progress."""
    from curation.services import laying

    now = timezone.now()
    at_once = {"state": Run.State.CANCELLED, "ended_at": now, "lease_until": None, "holder": ""}
    with transaction.atomic():
        stopped = Run.objects.filter(unheld(now), pk=run.pk).update(**at_once)
        if stopped:
            telling.run_ended(run)
    if stopped:
        auditing.record(Act.RUN_CANCELLED, project=run.project, thing=run, method=run.method)
        ended(run)
        return run
    if not Run.objects.filter(pk=run.pk, state=Run.State.RUNNING).update(cancel_requested=True):
        raise Conflict("this run has already ended")
    auditing.record(Act.RUN_CANCELLED, project=run.project, thing=run, method=run.method)
    Shard.objects.filter(run=run, state=Shard.State.QUEUED).update(state=Shard.State.CANCELLED, ended_at=now)
    laying.advance(run)
    run.refresh_from_db()
    return run


def retry(run: Run) -> Run:
    """Queue an ended run again: it goes on from its checkpoint, or with the shards that are not done."""
    from curation.services import laying

    with transaction.atomic():
        found = laying.locked(run)
        if found.state not in (Run.State.FAILED, Run.State.CANCELLED):
            raise Conflict("only a failed or cancelled run can be tried again")
        found.attempts, found.cancel_requested, found.error, found.ended_at, found.holder = 0, False, "", None, ""
        found.state, found.lease_until = Run.State.RUNNING, None
        if found.phase != Run.Phase.PLAN:
            found.phase = Run.Phase.WORK
        elif found.shards_total:
            found.lease_until = timezone.now() - timedelta(seconds=1)
        else:
            found.state, found.created_at = Run.State.QUEUED, timezone.now()
        found.save()
        laying.requeue(found, Shard.State.FAILED, Shard.State.CANCELLED)
        auditing.record(Act.RUN_RETRIED, project=run.project, thing=run, method=run.method)
        if found.phase == Run.Phase.PLAN:
            wake(found)
    laying.advance(found)
    run.refresh_from_db()
    return run


def log_of(run: Run, most: int = LINES_SHOWN) -> str:
    """The last lines of a run's log, oldest first, each with its time."""
    last = list(RunLine.objects.filter(run=run).order_by("-id")[: most + 1])
    lines = [str(line) for line in reversed(last[:most])]
    return "\n".join(["…", *lines] if len(last) > most else lines)


def get(run_id: str) -> Run:
    run = Run.objects.select_related("project").filter(pk=run_id).first()
    if run is None:
        raise NotFound("no such run")
    return run
