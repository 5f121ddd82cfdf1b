"""A method with shards for tests: `numbers` writes a row of the log for each number of a range.

What happens to a shard is in its `deeds`: {first number: what to do}, one of the functions below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from curation.errors import Invalid
from curation.models import Run, RunLine, Shard
from curation.services import running, sharding
from curation.services.method import Method, Params, Piece
from curation.services.sharding import ShardReport
from workers.judging import OutOfMemory

Deed = Callable[[Shard, ShardReport], None]


class NumberParams(Params):
    count: int = 40
    per_shard: int = 10


def plan(run: Run, params: NumberParams, after: dict[str, Any] | None) -> Iterator[Piece]:
    for first in range(after["to"] if after else 0, params.count, params.per_shard):
        to = min(first + params.per_shard, params.count)
        yield Piece({"from": first, "to": to}, to - first)


def split(spec: dict[str, Any]) -> list[Piece]:
    middle = (spec["from"] + spec["to"]) // 2
    if middle == spec["from"]:
        return []
    return [
        Piece({"from": first, "to": to}, to - first) for first, to in ((spec["from"], middle), (middle, spec["to"]))
    ]


def numbers_method(deeds: dict[int, Deed], **more: Any) -> Method:
    def work(run: Run, shard: Shard, params: NumberParams, report: ShardReport) -> None:
        numbers = range(shard.spec["from"], shard.spec["to"])
        if deed := deeds.get(numbers[0]):
            deed(shard, report)
        report.progress(len(numbers), tokens=2 * len(numbers))
        with report.committing(written=len(numbers)):
            RunLine.objects.bulk_create(RunLine(run=run, text=f"number {number}") for number in numbers)

    return Method(name="numbers", title="Numbers", params=NumberParams, plan=plan, work=work, split=split, **more)


def written(run: Run) -> list[int]:
    """The numbers that shards have written, in order."""
    lines = RunLine.objects.filter(run=run, text__startswith="number ").values_list("text", flat=True)
    return sorted(int(line.removeprefix("number ")) for line in lines)


def counters_are_right(run: Run) -> bool:
    """Whether what the run's row says of its shards is what the shards say."""
    run.refresh_from_db()
    shards = Shard.objects.filter(run=run)
    count = {state: shards.filter(state=state).count() for state in Shard.State.values}
    done = sum(shards.filter(state="done").values_list("done", flat=True))
    told = (run.shards_total, run.shards_done, run.shards_failed, run.done)
    return told == (shards.count() - count["split"], count["done"], count["failed"], done)


def through(run: Run) -> Run:
    """Do a run to its end in this process, as workers would."""
    running.execute(str(run.pk))
    while sharding.work(run.queue):
        pass
    running.execute(str(run.pk))
    run.refresh_from_db()
    return run


def begin(project: Any, user: Any = None, **params: Any) -> Run:
    return running.start(project=project, method="numbers", params=NumberParams(**params).model_dump(), user=user)


def refuse(shard: Shard, report: ShardReport) -> None:
    raise Invalid("these numbers are not wanted")


def break_down(shard: Shard, report: ShardReport) -> None:
    raise ZeroDivisionError("a poisoned number")


def fill_memory(shard: Shard, report: ShardReport) -> None:
    raise OutOfMemory


def cancel(shard: Shard, report: ShardReport) -> None:
    running.cancel(shard.run)
    report.beat.beat()


def fail_twice(shard: Shard, report: ShardReport) -> None:
    if shard.attempts < 3:
        raise ConnectionError("not now")
