"""Shards: laid by a run's plan, taken by any worker, done once.

A shard's rows and its "done" are one transaction, under the lease as a fence: a second delivery finds nothing to
take, and a worker that lost its lease cannot commit. What fails is tried again after a while, then set aside with
its traceback while the rest goes on; what does not fit into memory is cut in two.
"""

from __future__ import annotations

import logging
import os
import random
import socket
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Max, Q
from django.utils import timezone

from curation import queue
from curation.errors import DomainError
from curation.models import Run, RunLine, Shard
from curation.services.beating import Beat
from curation.services.method import Method, Piece
from curation.services.running import Cancelled, LostLease, Report, lease, method_of
from workers import warm
from workers.judging import OutOfMemory

log = logging.getLogger("touchstone.shards")

MAX_ATTEMPTS = 5
"""Beginnings of one shard: a shard that kills its worker so often is set aside."""
MAX_FAILURES = 3
"""A shard that raises at its third attempt, or later, is set aside."""
LAID_AT_ONCE = 500
LOOKED_AT = 8
"""So many free shards are looked at before one is found that nobody takes first."""


# --- Laying and closing: by whoever holds the run ---------------------------------------------------


def lay(run: Run, method: Method, report: Report) -> None:
    """Write the plan as shards, some hundred in a transaction; then let go of the run."""
    assert method.plan is not None
    laid, total = run.checkpoint.get("laid", 0), run.checkpoint.get("rows", 0)
    pieces = method.plan(run, method.params.model_validate(run.params), run.checkpoint.get("last"))
    for batch in batches(pieces, LAID_AT_ONCE):
        with transaction.atomic():
            Shard.objects.bulk_create(shards_of(run, batch, first=laid))
            laid += len(batch)
            total += sum(piece.size for piece in batch)
            Run.objects.filter(pk=run.pk).update(shards_total=F("shards_total") + len(batch))
            at = {"laid": laid, "rows": total, "last": batch[-1].spec}
            report.checkpoint(done=done_of(run), total=total, at=at)
        queue.wake_shards(run.queue)
    released = Run.objects.filter(pk=run.pk, holder=report.holder, state=Run.State.RUNNING)
    released.update(phase=Run.Phase.WORK, holder="", lease_until=None, attempts=0, total=total)
    advance(run)


def shards_of(run: Run, pieces: Sequence[Piece], *, first: int) -> list[Shard]:
    """Rows for pieces, numbered from `first` on."""
    shared = {"run": run, "queue": run.queue, "model_id": run.model_id}
    return [Shard(**shared, number=first + n, spec=one.spec, size=one.size) for n, one in enumerate(pieces)]


def done_of(run: Run) -> int:
    """Rows that shards have finished while others were still laid."""
    return Run.objects.values_list("done", flat=True).get(pk=run.pk)


def batches(pieces: Iterator[Piece], size: int) -> Iterator[list[Piece]]:
    batch: list[Piece] = []
    for piece in pieces:
        batch.append(piece)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def advance(run: Run) -> None:
    """Have the run closed, if none of its shards is left to do."""
    at_work = Run.objects.filter(pk=run.pk, state=Run.State.RUNNING, phase=Run.Phase.WORK)
    if Shard.objects.filter(run_id=run.pk, state__in=Shard.LIVE).exists():
        return
    if at_work.update(phase=Run.Phase.CLOSE, holder="", lease_until=timezone.now() - timedelta(seconds=1)):
        queue.wake(run)


def close(run: Run, method: Method, report: Report) -> dict[str, Any]:
    """The result of a run whose shards have all ended."""
    if method.close:
        return method.close(run, method.params.model_validate(run.params), report)
    return summed(run)


def summed(run: Run) -> dict[str, Any]:
    """The numbers in the results of a run's shards, added up name by name."""
    sums: dict[str, Any] = {}
    results = Shard.objects.filter(run=run, state=Shard.State.DONE).values_list("result", flat=True)
    for result in results.iterator(chunk_size=1000):
        for name, value in result.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                sums[name] = sums.get(name, 0) + value
    return sums


# --- Working: by anybody ----------------------------------------------------------------------------


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


def take(served: str, held: Sequence[int] = ()) -> Shard | None:
    """Claim a free shard, of a model that is warm here if there is one: a conditional UPDATE says who was first."""
    free = Shard.objects.filter(queue=served, state=Shard.State.QUEUED, not_before__lte=timezone.now())
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
    holder = f"{socket.gethostname()}:{os.getpid()}:{threading.get_ident()}:{now.timestamp()}"
    return bool(
        Shard.objects.filter(pk=pk, state=Shard.State.QUEUED).update(
            state=Shard.State.RUNNING,
            holder=holder[:80],
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
            wanted = Run.objects.filter(pk=shard.run_id, state=Run.State.RUNNING, cancel_requested=False)
            spent = {f"{self.kind}_seconds": F(f"{self.kind}_seconds") + seconds}
            if not wanted.update(
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


def perform(shard: Shard, *, mortal: bool = False) -> None:
    """Do one shard and write how it went; one of the places that catch everything."""
    try:
        method = method_of(shard.run)
        with Beat(shard, limit=method.shard_seconds, mortal=mortal) as beat:
            report = ShardReport(shard, beat)
            try:
                assert method.work is not None
                method.work(shard.run, shard, method.params.model_validate(shard.run.params), report)
                if shard.state != Shard.State.DONE:
                    raise AssertionError(f"{method.name} left {shard} without committing it")
            finally:
                if shard.state != Shard.State.DONE:
                    spend(shard, report)
    except LostLease:
        log.warning("%s: another worker took over", shard)
    except Cancelled:
        give_back(shard, Shard.State.CANCELLED, ended_at=timezone.now())
    except OutOfMemory:
        warm.forget()
        halve(shard, method)
    except DomainError as error:
        set_aside(shard, error.detail)
    except Exception:
        log.exception("%s failed", shard)
        again_or_aside(shard, traceback.format_exc())
    advance(shard.run)


def spend(shard: Shard, report: ShardReport) -> None:
    """What an attempt cost that came to nothing is the run's cost all the same."""
    name = f"{report.kind}_seconds"
    Run.objects.filter(pk=shard.run_id).update(**{name: F(name) + report.seconds})


def give_back(shard: Shard, state: str, **changes: Any) -> bool:
    """Let go of a shard that is ours."""
    mine = Shard.objects.filter(pk=shard.pk, holder=shard.holder, state=Shard.State.RUNNING)
    return bool(mine.update(state=state, lease_until=None, **changes))


def again_or_aside(shard: Shard, error: str) -> None:
    """Try a failed shard again after a while that doubles, or set it aside."""
    if shard.attempts >= MAX_FAILURES:
        set_aside(shard, error)
        return
    pause = settings.SHARD_PAUSE_SECONDS * 2 ** (shard.attempts - 1) * random.uniform(0.8, 1.2)
    if give_back(shard, Shard.State.QUEUED, error=error, not_before=timezone.now() + timedelta(seconds=pause), done=0):
        last = error.strip().splitlines()[-1]
        told = f"attempt {shard.attempts} failed, again in {pause:.0f} s: {last}"
        RunLine.objects.create(run_id=shard.run_id, shard=shard.number, text=told)


def set_aside(shard: Shard, error: str) -> None:
    """Leave a shard out; its run goes on without it and can be asked to try it again."""
    with transaction.atomic():
        if give_back(shard, Shard.State.FAILED, error=error, ended_at=timezone.now(), done=0):
            Run.objects.filter(pk=shard.run_id).update(shards_failed=F("shards_failed") + 1)
            RunLine.objects.create(run_id=shard.run_id, shard=shard.number, text=f"set aside: {error.strip()}")


def halve(shard: Shard, method: Method) -> None:
    """Put two smaller shards in the place of one that did not fit into memory."""
    halves = method.split(shard.spec) if method.split else []
    if not halves:
        set_aside(shard, "out of memory, and it cannot be cut smaller")
        return
    with transaction.atomic():
        run = Run.objects.select_for_update().get(pk=shard.run_id)
        if not give_back(shard, Shard.State.SPLIT, ended_at=timezone.now(), done=0):
            return
        number = Shard.objects.filter(run=run).aggregate(last=Max("number"))["last"] + 1
        Shard.objects.bulk_create(shards_of(run, halves, first=number))
        Run.objects.filter(pk=run.pk).update(shards_total=F("shards_total") + len(halves) - 1)
        RunLine.objects.create(run=run, shard=shard.number, text=f"out of memory: cut into {len(halves)}")
    queue.wake_shards(shard.queue)


# --- Sweeping and trying again ----------------------------------------------------------------------


def sweep() -> int:
    """Free the shards whose worker died, wake workers for those that wait, close runs that are through; how many."""
    now = timezone.now()
    lost = list(Shard.objects.filter(state=Shard.State.RUNNING, lease_until__lt=now)[:500])
    for shard in lost:
        if shard.attempts >= MAX_ATTEMPTS:
            set_aside(shard, f"given up: {shard.attempts} workers died or hung at it, the last on {shard.holder}")
        elif shard.run.cancel_requested:
            give_back(shard, Shard.State.CANCELLED, ended_at=now)
        elif give_back(shard, Shard.State.QUEUED, not_before=now, done=0):
            told = f"its worker was lost ({shard.holder.split(':')[0]}); attempt {shard.attempts + 1} follows"
            RunLine.objects.create(run_id=shard.run_id, shard=shard.number, text=told)
    waiting = Shard.objects.filter(state=Shard.State.QUEUED, not_before__lte=now)
    for served in queue.QUEUES:
        if waiting.filter(queue=served).order_by("id").exists():
            queue.wake_shards(served)
    for run in Run.objects.filter(state=Run.State.RUNNING, phase=Run.Phase.WORK, lease_until=None)[:100]:
        advance(run)
    return len(lost)


def requeue(run: Run) -> int:
    """Queue a run's set-aside and cancelled shards again; how many. A run without any is closed again."""
    left = Q(state=Shard.State.FAILED) | Q(state=Shard.State.CANCELLED)
    with transaction.atomic():
        changed = Shard.objects.filter(left, run=run).update(
            state=Shard.State.QUEUED, attempts=0, error="", not_before=timezone.now(), ended_at=None, done=0
        )
        Run.objects.filter(pk=run.pk).update(shards_failed=0)
    if changed:
        queue.wake_shards(run.queue)
    advance(run)
    return changed
