"""Scores of a model over a project: every response that has none yet, shard by shard.

A score is what one version of a model says of one response, and never changes: another opinion is another version.
What a shard holds in memory are its numbers; prompts are read some dozens at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from statistics import fmean
from typing import Any

from django.db.models import QuerySet
from pydantic import Field

from curation.errors import Invalid
from curation.models import Item, ModelVersion, Plan, Project, Response, Run, Score, Shard
from curation.services import candidates, laying, maps
from curation.services.candidates import opened
from curation.services.method import Method, Params, Piece
from curation.services.running import Report
from curation.services.sharding import ShardReport
from workers.judging import Given, Judged

KINDS = ("reward", "cost", "token", "step", "implicit")
SHARD_SIZES = {"cpu": 128, "gpu": 1024}
"""Items in a shard by queue: about a minute of work, and not so little that a GPU waits for the database."""
LISTED = 100
"""So many of the responses that a model did not see to their end are named."""

__all__ = ["KINDS", "LISTED", "METHOD", "SHARD_SIZES", "judged", "opened", "shard_size", "write"]


class ScoreParams(Params):
    model: int = Field(
        title="Model", description="which model scores", json_schema_extra={"choose": "model", "kinds": list(KINDS)}
    )
    items_per_shard: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        title="Items in a shard",
        description="a shard is what one worker does at a time; by default 128, on a GPU 1024",
    )
    plan: int | None = Field(default=None, ge=1, title="Plan", description="only the pool of this plan")


def settle(project: Project | None, params: ScoreParams) -> ScoreParams:
    """Raises Invalid for a plan of another project."""
    if params.plan is not None and not Plan.objects.filter(project=project, pk=params.plan).exists():
        raise Invalid("is no plan of this project", field="params.plan")
    return params


def shard_size(run: Run, wanted: int | None) -> int:
    return wanted or SHARD_SIZES.get(run.queue, SHARD_SIZES["cpu"])


def items_of(project: Project) -> QuerySet[Item]:
    return Item.objects.filter(project=project, deleted_at=None)


def plan(run: Run, params: ScoreParams, after: dict[str, Any] | None) -> Iterator[Piece]:
    return candidates.pieces(wanted(run, params), shard_size(run, params.items_per_shard), after)


def wanted(run: Run, params: ScoreParams) -> QuerySet[Item]:
    """The items that a run is about."""
    if params.plan is None:
        return items_of(run.home)
    from curation.services.plans import pool

    found: QuerySet[Item] = pool.items_in(Plan.objects.get(pk=params.plan, project=run.home))
    return found


def work(run: Run, shard: Shard, params: ScoreParams, report: ShardReport) -> None:
    """Score the responses of a range of items; those that have a score keep it."""
    assert run.model is not None
    rows = candidates.given(
        candidates.in_range(wanted(run, params), shard.spec),
        candidates.unscored(run.model),
        unit=candidates.unit_of(run.home),
    )
    found = judged(run.model, rows, report)
    report.progress(max(0, shard.size - report.rows))
    with report.committing(**told(found)):
        write(run, found)


def judged(model: ModelVersion, rows: Iterable[Given], report: ShardReport) -> list[Judged]:
    """What a model says of rows, with an item's progress as each is through; it is loaded only if there are any."""
    coming = iter(rows)
    first = next(coming, None)
    if first is None:
        return []
    judge = opened(model)
    report.device = judge.device
    last: set[int] = set()

    def noted() -> Iterator[Given]:
        for row in chain([first], coming):
            last.add(row.candidates[-1].key if row.candidates else row.key)
            yield row

    found = []
    for one in judge.judge(noted()):
        found.append(one)
        report.progress(int(one.key in last), tokens=one.tokens, tokens_out=one.tokens_out)
    return found


def told(found: list[Judged]) -> dict[str, Any]:
    """A shard's result: counts, and which responses were cut off."""
    cut = [one.key for one in found if one.truncated]
    return {"scored": len(found), "truncated": len(cut), "cut": named(cut[:LISTED])}


def named(responses: list[int]) -> list[str]:
    """Responses as people know them: the item's id in its import, and the place among its responses, from 1."""
    rows = Response.objects.filter(pk__in=responses).order_by("item_id", "position")
    return [f"{item} #{place + 1}" for item, place in rows.values_list("item__external_id", "position")]


def close(run: Run, params: Any, report: Report) -> dict[str, Any]:
    """Sums over the shards, and the first responses that the model did not see to their end."""
    result = laying.summed(run)
    if result.get("truncated"):
        result["cut off"] = cut_off(run)
    return result


def cut_off(run: Run) -> list[str]:
    names: list[str] = []
    shards = Shard.objects.filter(run=run, state=Shard.State.DONE).order_by("number").values_list("result", flat=True)
    for result in shards.iterator(chunk_size=500):
        names += result.get("cut", ())
        if len(names) >= LISTED:
            break
    return names[:LISTED]


def write(run: Run, found: list[Judged]) -> None:
    """Scores and maps as rows; one that is there already stays."""
    assert run.model is not None
    Score.objects.bulk_create(
        (
            Score(
                model=run.model,
                response_id=one.key,
                head=head,
                value=value,
                spread=one.spread,
                tokens=one.tokens,
                truncated=one.truncated,
                run=run,
            )
            for one in found
            for head, value in numbers(one).items()
        ),
        ignore_conflicts=True,
        batch_size=1000,
    )
    maps.write(run, found)


def numbers(one: Judged) -> dict[str, float]:
    """The scores by head; of a judge that speaks of places alone the mean over them, which marks it as judged."""
    if one.scores or not one.maps:
        return dict(one.scores)
    return {mapped.head: fmean(mapped.values) for mapped in one.maps if mapped.values} or {"": 0.0}


METHOD = Method(
    name="score",
    title="Score responses",
    about="A model gives every response a number; responses that it scored before are left out.",
    params=ScoreParams,
    unit="items",
    plan=plan,
    work=work,
    close=close,
    split=candidates.halves,
    settle=settle,
)
