"""The shards of a run as a whole: laid by its plan, queued again, cut smaller, closed when none is left.

Whatever makes a shard wait again locks the run's row first, and so does whoever finds that none is left: so a run
is never closed over work that somebody has just queued.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import F, Max
from django.utils import timezone

from curation import queue
from curation.models import Run, Shard

if TYPE_CHECKING:
    from curation.services.method import Method, Piece
    from curation.services.running import Report

LAID_AT_ONCE = 500


def lay(run: Run, method: Method, report: Report) -> None:
    """Write the plan as shards, some hundred in a transaction; then let go of the run."""
    assert method.plan is not None
    laid, total = run.checkpoint.get("laid", 0), run.checkpoint.get("rows", 0)
    pieces = method.plan(run, method.params.model_validate(run.params), run.checkpoint.get("last"))
    for batch in batches(pieces, LAID_AT_ONCE):
        laid += len(batch)
        total += sum(piece.size for piece in batch)
        with transaction.atomic():
            done = locked(run).done
            add(run, batch)
            at = {"laid": laid, "rows": total, "last": batch[-1].spec}
            report.checkpoint(done=done, total=total, at=at)
        queue.wake_shards(run.queue)
    released = Run.objects.filter(pk=run.pk, holder=report.holder, state=Run.State.RUNNING)
    released.update(phase=Run.Phase.WORK, holder="", lease_until=None, attempts=0, total=total)
    queue.wake_shards(run.queue)
    advance(run)


def batches(pieces: Iterator[Piece], size: int) -> Iterator[list[Piece]]:
    batch: list[Piece] = []
    for piece in pieces:
        batch.append(piece)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def locked(run: Run) -> Run:
    """The run's row as it stands, ours until the end of the transaction."""
    return Run.objects.select_for_update(no_key=True).get(pk=run.pk)


def add(run: Run, pieces: Sequence[Piece]) -> None:
    """Rows for pieces, numbered on. The caller has locked the run."""
    last = Shard.objects.filter(run=run).aggregate(last=Max("number"))["last"]
    first = 0 if last is None else last + 1
    shared = {"run": run, "queue": run.queue, "model_id": run.model_id}
    Shard.objects.bulk_create(
        Shard(**shared, number=number, spec=piece.spec, size=piece.size) for number, piece in enumerate(pieces, first)
    )
    Run.objects.filter(pk=run.pk).update(shards_total=F("shards_total") + len(pieces))


def requeue(run: Run, *states: str) -> int:
    """Queue the shards in these states again; how many. The caller has locked the run."""
    changed = Shard.objects.filter(run=run, state__in=states).update(
        state=Shard.State.QUEUED, attempts=0, error="", not_before=timezone.now(), ended_at=None, done=0
    )
    if Shard.State.FAILED in states:
        Run.objects.filter(pk=run.pk).update(shards_failed=0)
    if changed:
        queue.wake_shards(run.queue)
    return changed


def advance(run: Run) -> None:
    """Have the run closed, or end it if it was cancelled, once none of its shards is left to do.

    A shard that was let go while the run was cancelled, and then tried again, is queued once more.
    """
    from curation.services import running

    live = Shard.objects.filter(run_id=run.pk, state__in=Shard.LIVE)
    if live.exists():
        return
    with transaction.atomic():
        at_work = Run.objects.filter(pk=run.pk, state=Run.State.RUNNING, phase=Run.Phase.WORK)
        found = at_work.select_for_update(no_key=True).first()
        if found is None or live.exists():
            return
        if found.cancel_requested:
            at_work.update(state=Run.State.CANCELLED, ended_at=timezone.now(), lease_until=None)
        elif requeue(found, Shard.State.CANCELLED):
            return
        else:
            free = timezone.now() - timedelta(seconds=1)
            at_work.update(phase=Run.Phase.CLOSE, holder="", lease_until=free)
            queue.wake(found)
            return
    running.ended(found)


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
