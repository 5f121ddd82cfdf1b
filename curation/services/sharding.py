"""Shards: taken by any worker, done once.

A shard's rows and its "done" are one transaction, under the lease as a fence: a second delivery finds nothing to
take, and a worker that lost its lease cannot commit. What fails is tried again after a while, then set aside with
its traceback while the rest goes on; what does not fit into memory is cut in two. When the database itself does not
answer, nothing is written of the shard: its lease runs out, and the sweeper frees it.
"""

from __future__ import annotations

import logging
import random
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import Error, transaction
from django.db.models import Exists, F, OuterRef
from django.utils import timezone

from curation import queue
from curation.errors import DomainError
from curation.models import Run, RunLine, Shard
from curation.services import laying, running
from curation.services.beating import Beat
from curation.services.method import Method
from curation.services.running import SILENT, Cancelled, LostLease, lease, method_of
from workers import warm
from workers.judging import OutOfMemory, Unusable

log = logging.getLogger("touchstone.shards")

MAX_ATTEMPTS = 5
"""Beginnings of one shard: a shard that kills its worker so often is set aside."""
MAX_FAILURES = 3
"""A shard that raises at its third attempt, or later, is set aside."""
HOPELESS = 20
"""So many shards set aside and none done: the run fails, the rest is not tried."""
LOOKED_AT = 8
"""So many free shards are looked at before one is found that nobody takes first."""


# --- Taking and doing: by anybody -------------------------------------------------------------------


def work(served: str, *, seconds: float = 5, mortal: bool = False) -> bool:
    """Do shards of a queue, one after the other, for a while; whether there may be more.

    `mortal`: the process may end itself when a shard hangs beyond its limit (Celery starts another).
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        shard = take(served, held=warm.held())
        if shard is None:
            return False
        perform(shard, mortal=mortal)
    return True


def take(served: str, held: Sequence[int] = (), run: Run | None = None) -> Shard | None:
    """Claim a free shard, of a model that is warm here if there is one: a conditional UPDATE says who was first."""
    free = Shard.objects.filter(queue=served, state=Shard.State.QUEUED, not_before__lte=timezone.now())
    if run is not None:
        free = free.filter(run=run)
    for wanted in [free.filter(model__in=held), free] if held else [free]:
        while candidates := list(wanted.order_by("id").values_list("pk", flat=True)[:LOOKED_AT]):
            for pk in candidates:
                if claim(pk):
                    return Shard.objects.select_related("run__project__protocol", "run__created_by", "run__model").get(
                        pk=pk
                    )
    return None


def claim(pk: int) -> bool:
    now = timezone.now()
    return bool(
        Shard.objects.filter(pk=pk, state=Shard.State.QUEUED).update(
            state=Shard.State.RUNNING,
            holder=running.new_holder(),
            lease_until=now + lease(),
            attempts=F("attempts") + 1,
            started_at=now,
            done=0,
        )
    )


class ShardReport:
    """What a method tells while it does a shard."""

    def __init__(self, shard: Shard, beat: Beat) -> None:
        self.shard, self.beat = shard, beat
        self.rows = self.tokens = self.tokens_out = 0
        self.device = "cpu"
        self.began, self.began_cpu = time.monotonic(), time.process_time()

    @property
    def seconds(self) -> float:
        """Processor time of this process since the shard began; on a GPU the time it was held."""
        return time.process_time() - self.began_cpu if self.device == "cpu" else time.monotonic() - self.began

    def progress(self, rows: int, *, tokens: int = 0, tokens_out: int = 0) -> None:
        """So many more rows are through. Cheap. Raises Cancelled, LostLease or TimedOut when work should stop."""
        self.rows += rows
        self.tokens += tokens
        self.tokens_out += tokens_out
        self.beat.rows = self.rows
        self.beat.check()

    def log(self, line: str) -> None:
        RunLine.objects.create(run_id=self.shard.run_id, shard=self.shard.number, text=line)

    @contextmanager
    def committing(self, **result: Any) -> Iterator[None]:
        """One transaction for the rows that its body writes, and for the shard's end with `result`.

        Raises LostLease or Cancelled, and nothing was written, if the shard is no longer ours to finish.
        """
        shard, seconds = self.shard, self.seconds
        with transaction.atomic():
            mine = Shard.objects.filter(pk=shard.pk, holder=shard.holder, state=Shard.State.RUNNING)
            if not mine.update(
                state=Shard.State.DONE,
                done=self.rows,
                seconds=seconds,
                device=self.device,
                tokens=self.tokens,
                tokens_out=self.tokens_out,
                result=result,
                error="",
                ended_at=timezone.now(),
                lease_until=None,
            ):
                raise LostLease
            yield
            spent = {f"{self.kind}_seconds": F(f"{self.kind}_seconds") + seconds}
            if not wanting(shard).update(
                done=F("done") + self.rows,
                shards_done=F("shards_done") + 1,
                tokens=F("tokens") + self.tokens,
                tokens_out=F("tokens_out") + self.tokens_out,
                **spent,
            ):
                raise Cancelled
        shard.state = Shard.State.DONE

    @property
    def kind(self) -> str:
        return "cpu" if self.device == "cpu" else "gpu"


def wanting(shard: Shard) -> Any:
    """Its run, as a query that finds nothing once the run has ended or is asked to stop."""
    return Run.objects.filter(pk=shard.run_id, state=Run.State.RUNNING, cancel_requested=False)


def perform(shard: Shard, *, mortal: bool = False) -> None:
    """Do one shard and write how it went; nothing is written of it when the database does not answer."""
    try:
        attempt(shard, mortal=mortal)
        laying.advance(shard.run)
    except Error:
        log.exception("%s: the database did not answer; the sweeper will free it", shard)
        running.reconnect()


def attempt(shard: Shard, *, mortal: bool) -> None:
    """Do one shard; one of the places that catch everything."""
    report: ShardReport | None = None
    try:
        if not wanting(shard).exists():
            raise Cancelled
        method = method_of(shard.run)
        assert method.work is not None
        with Beat(shard, limit=method.shard_seconds, mortal=mortal) as beat:
            report = ShardReport(shard, beat)
            method.work(shard.run, shard, method.params.model_validate(shard.run.params), report)
        if shard.state != Shard.State.DONE:
            raise AssertionError(f"{method.name} left {shard} without committing it")
    except LostLease:
        log.warning("%s: another worker took over", shard)
    except Cancelled:
        give_back(shard, Shard.State.CANCELLED, ended_at=timezone.now(), done=0)
    except OutOfMemory:
        warm.forget()
        halve(shard, method)
    except DomainError as error:
        set_aside(shard, error.detail)
    except Unusable as error:
        set_aside(shard, str(error))
    except SILENT:
        running.reconnect()
        again_or_aside(shard, traceback.format_exc(), most=MAX_ATTEMPTS)
    except Exception:
        log.exception("%s failed", shard)
        again_or_aside(shard, traceback.format_exc(), most=MAX_FAILURES)
    if report is not None and shard.state != Shard.State.DONE:
        spend(shard, report)


def spend(shard: Shard, report: ShardReport) -> None:
    """What an attempt cost that came to nothing is the run's cost all the same."""
    name = f"{report.kind}_seconds"
    Run.objects.filter(pk=shard.run_id).update(**{name: F(name) + report.seconds})


# --- How an attempt ends that came to nothing -------------------------------------------------------


def give_back(shard: Shard, state: str, **changes: Any) -> bool:
    """Let go of a shard that is ours."""
    mine = Shard.objects.filter(pk=shard.pk, holder=shard.holder, state=Shard.State.RUNNING)
    return bool(mine.update(state=state, lease_until=None, **changes))


def again_or_aside(shard: Shard, error: str, *, most: int) -> None:
    """Try a failed shard again after a while that doubles, or set it aside at its attempt number `most`."""
    if shard.attempts >= most:
        set_aside(shard, error)
        return
    pause = pause_after(shard.attempts)
    if give_back(shard, Shard.State.QUEUED, error=error, not_before=timezone.now() + timedelta(seconds=pause), done=0):
        last = error.strip().splitlines()[-1]
        told = f"attempt {shard.attempts} failed, again in {pause:.0f} s: {last}"
        RunLine.objects.create(run_id=shard.run_id, shard=shard.number, text=told)


def pause_after(attempts: int) -> float:
    """Seconds until a shard is tried again, twice as many each time; not quite the same for all that failed at once."""
    return settings.SHARD_PAUSE_SECONDS * 2.0 ** (attempts - 1) * random.uniform(0.8, 1.2)


def set_aside(shard: Shard, error: str) -> None:
    """Leave a shard out; its run goes on without it and can be asked to try it again."""
    with transaction.atomic():
        if not give_back(shard, Shard.State.FAILED, error=error, ended_at=timezone.now(), done=0):
            return
        Run.objects.filter(pk=shard.run_id).update(shards_failed=F("shards_failed") + 1)
        RunLine.objects.create(run_id=shard.run_id, shard=shard.number, text=f"set aside: {error.strip()}")
        gone = wanting(shard).filter(shards_done=0, shards_failed__gte=HOPELESS)
        words = (
            f"the first {HOPELESS} shards were all set aside, so the rest was not tried; the last: {last_line(error)}"
        )
        given_up = gone.update(state=Run.State.FAILED, error=words, ended_at=timezone.now(), lease_until=None)
    if given_up:
        running.ended(shard.run)


def last_line(error: str) -> str:
    return (error.strip().splitlines() or [""])[-1]


def halve(shard: Shard, method: Method) -> None:
    """Put two smaller shards in the place of one that did not fit into memory."""
    halves = method.split(shard.spec) if method.split else []
    if not halves:
        set_aside(shard, "out of memory, and it cannot be cut smaller")
        return
    with transaction.atomic():
        run = laying.locked(shard.run)
        if not give_back(shard, Shard.State.SPLIT, ended_at=timezone.now(), done=0):
            return
        laying.add(run, halves)
        Run.objects.filter(pk=run.pk).update(shards_total=F("shards_total") - 1)
        RunLine.objects.create(run=run, shard=shard.number, text=f"out of memory: cut into {len(halves)}")


# --- Sweeping ---------------------------------------------------------------------------------------


def sweep() -> int:
    """Free the shards whose worker died, wake workers for those that wait, close runs that are through; how many."""
    now = timezone.now()
    lost = list(Shard.objects.filter(state=Shard.State.RUNNING, lease_until__lt=now).select_related("run")[:500])
    for shard in lost:
        free(shard)
    waiting = Shard.objects.filter(state=Shard.State.QUEUED, not_before__lte=now)
    at_hand = Shard.objects.filter(state=Shard.State.RUNNING)
    for served in queue.QUEUES:
        if waiting.filter(queue=served).exists():
            queue.wake_shards(served, at_least=0 if at_hand.filter(queue=served).exists() else 1)
    at_work = Run.objects.filter(state=Run.State.RUNNING, phase=Run.Phase.WORK)
    left = Shard.objects.filter(run=OuterRef("pk"), state__in=Shard.LIVE)
    for run in at_work.filter(~Exists(left))[:100]:
        laying.advance(run)
    return len(lost)


def free(shard: Shard) -> None:
    """Let another worker have a shard whose own gave no more sign of life.

    A worker that ended once was most likely restarted; a shard that loses a second one lets others go first.
    """
    if shard.run.cancel_requested or shard.run.state != Run.State.RUNNING:
        give_back(shard, Shard.State.CANCELLED, ended_at=timezone.now(), done=0)
        return
    if shard.attempts >= MAX_ATTEMPTS:
        set_aside(shard, f"given up: {shard.attempts} workers died or hung at it, the last on {shard.holder}")
        return
    pause = timedelta(seconds=pause_after(shard.attempts - 1) if shard.attempts > 1 else 0)
    if give_back(shard, Shard.State.QUEUED, not_before=timezone.now() + pause, done=0):
        told = f"its worker was lost ({shard.holder.split(':')[0]}); attempt {shard.attempts + 1} follows"
        RunLine.objects.create(run_id=shard.run_id, shard=shard.number, text=told)
