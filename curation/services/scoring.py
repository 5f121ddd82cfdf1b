"""Scores of a model over a project: every response that has none yet, shard by shard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet
from pydantic import Field

from curation.models import Item, ModelVersion, Run, Score, Shard
from curation.services import candidates
from curation.services.method import Method, Params, Piece
from curation.services.sharding import ShardReport
from workers import warm
from workers.judging import Judged, Opened, judges

KINDS = ("reward", "cost", "token", "step", "implicit")


class ScoreParams(Params):
    model: int = Field(
        title="Model", description="which model scores", json_schema_extra={"choose": "model", "kinds": list(KINDS)}
    )
    items_per_shard: int = Field(
        default=128, ge=1, le=10_000, title="Items in a shard", description="a shard is what one worker does at a time"
    )


def opened(model: ModelVersion) -> Opened:
    """The model, loaded: from memory if this process holds it."""
    spec = candidates.spec_of(model)
    judge = judges.get("program" if model.reference.startswith("program:") else model.kind)
    return warm.get(model.pk, lambda: judge.open(spec))


def items_of(run: Run) -> QuerySet[Item]:
    return Item.objects.filter(project=run.home, deleted_at=None)


def plan(run: Run, params: ScoreParams, after: dict[str, Any] | None) -> Iterator[Piece]:
    return candidates.pieces(items_of(run), params.items_per_shard, after)


def work(run: Run, shard: Shard, params: ScoreParams, report: ShardReport) -> None:
    """Score the responses of a range of items; those that have a score keep it."""
    assert run.model is not None
    rows = candidates.given(candidates.in_range(items_of(run), shard.spec), candidates.unscored(run.model))
    judge = opened(run.model)
    report.device = judge.device
    judged = []
    for one in judge.judge(rows):
        judged.append(one)
        report.progress(0, tokens=one.tokens)
    report.progress(shard.size)
    with report.committing(
        scored=len(judged), truncated=sum(one.truncated for one in judged), tokens=sum(one.tokens for one in judged)
    ):
        write(run, judged)


def write(run: Run, judged: list[Judged]) -> None:
    """Scores as rows; one that is there already stays."""
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
            for one in judged
            for head, value in one.scores.items()
        ),
        ignore_conflicts=True,
        batch_size=1000,
    )


METHOD = Method(
    name="score",
    title="Score responses",
    about="A model gives every response a number; responses that it scored before are left out.",
    params=ScoreParams,
    unit="items",
    plan=plan,
    work=work,
    split=candidates.halves,
)
