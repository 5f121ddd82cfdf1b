"""How fast a run goes, how long it still takes, and how its shards stand: a few rows read, however many shards it has.

Counters on the run say what is finished; the shards at work (as many as there are processes) say the rest. The rate
of late comes from the shards of the last minute, each counted for the part of its time that lies in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from curation.models import Run, Shard

LATELY = timedelta(seconds=60)
FINISHED_READ = 200
"""Shards finished last; when there were more in the last minute, the rate is of a shorter time."""
WORKING_READ = 200


@dataclass(frozen=True)
class Stretch:
    """Rows that one shard did, from when to when."""

    began: datetime
    ended: datetime
    rows: int

    def since(self, moment: datetime) -> float:
        """The rows of the part after a moment, as if they had come evenly."""
        whole = (self.ended - self.began).total_seconds()
        if self.began >= moment or whole <= 0:
            return float(self.rows) if self.ended >= moment else 0.0
        return self.rows * max(0.0, (self.ended - moment).total_seconds()) / whole


@dataclass(frozen=True)
class Pace:
    """A run as it goes. Rates are None while nothing can be said."""

    done: int
    """Rows of finished shards and of those at work."""
    percent: int | None
    working: int
    """Shards at work."""
    waiting: int
    """Shards that nobody works at: queued, or cancelled with the run."""
    lately: float | None
    """Rows a second in the last minute."""
    overall: float | None
    """Rows a second since it began."""
    tokens: float | None
    """Tokens a second, read and written, at the rate of late."""
    left: float | None
    """Seconds."""


def pace_of(run: Run, now: datetime | None = None) -> Pace:
    now = now or timezone.now()
    working = at_work(run) if run.live and run.shards_total else []
    done = run.done + sum(shard.done for shard in working)
    took = ((run.ended_at or now) - run.started_at).total_seconds() if run.started_at else 0
    overall = done / took if took > 0 and done else None
    lately = rate(run, working, now) if run.live and run.shards_total else None
    rate_now = lately or overall
    spent = run.tokens + run.tokens_out
    return Pace(
        done=done,
        percent=percent(run, done),
        working=len(working),
        waiting=max(0, run.shards_total - run.shards_done - run.shards_failed - len(working)),
        lately=lately,
        overall=overall,
        tokens=spent / run.done * rate_now if spent and run.done and rate_now else None,
        left=left(run, done, rate_now),
    )


def at_work(run: Run) -> list[Shard]:
    running = Shard.objects.filter(run=run, state=Shard.State.RUNNING)
    return list(running.only("done", "started_at", "run_id")[:WORKING_READ])


def percent(run: Run, done: int) -> int | None:
    """Whole percent; 100 only when it has succeeded, None while the total is unknown."""
    if run.state == Run.State.SUCCEEDED:
        return 100
    return min(99, int(100 * done / run.total)) if run.total else None


def left(run: Run, done: int, rate: float | None) -> float | None:
    """Seconds, once all its shards are laid: before that nobody knows how many rows there are."""
    planning = run.shards_total and run.phase == Run.Phase.PLAN
    if not run.live or run.total is None or not rate or planning:
        return None
    return max(0, run.total - done) / rate


def rate(run: Run, working: list[Shard], now: datetime) -> float | None:
    """Rows a second over the last minute, or over as much of it as the run has lasted."""
    ended = Shard.objects.filter(run=run, state=Shard.State.DONE, ended_at__gt=now - LATELY)
    finished = ended.order_by("-ended_at").values_list("started_at", "ended_at", "done")[:FINISHED_READ]
    stretches = [Stretch(began, end, rows) for began, end, rows in finished if began and end]
    since = now - LATELY
    if len(stretches) == FINISHED_READ:
        since = stretches[-1].ended
    stretches += [Stretch(shard.started_at, now, shard.done) for shard in working if shard.started_at]
    if not stretches:
        return None
    since = max(since, min(stretch.began for stretch in stretches))
    span = (now - since).total_seconds()
    rows = sum(stretch.since(since) for stretch in stretches)
    return rows / span if span > 0 and rows else None
