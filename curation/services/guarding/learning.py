"""Thresholds of a safety gate, learnt on what people said of responses and of prompts.

Shards hold a cost beside what people said; the close learns. What a gate is stays with its run. The pure part is
`workers/guarding.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, Literal

from pydantic import Field

from curation.errors import Conflict
from curation.models import Item, Response, Run, Score, Shard
from curation.services import candidates, deciding, scoring
from curation.services.guarding import costing
from curation.services.guarding.said import Safety, judged_items, said
from curation.services.method import Method, Params, Piece
from curation.services.running import Report
from curation.services.sharding import ShardReport
from workers import guarding
from workers.guarding import Case

LEARN = "learn-gate"
KINDS: list[Any] = ["cost"]
ITEMS_PER_SHARD = 128
MOST = 20_000
"""So many texts at most, the first ones."""
Kind = Literal["responses", "prompts"]
RESPONSES: Kind = "responses"
PROMPTS: Kind = "prompts"


class LearnParams(Params):
    model: int = Field(
        title="Cost model",
        description="whose costs are compared",
        json_schema_extra={"choose": "model", "kinds": KINDS},
    )
    aim: Literal["youden", "recall"] = Field(
        default="youden",
        title="Aim",
        description="youden: where unsafe and safe are best apart; recall: find a stated share of what is unsafe",
    )
    recall: float = Field(
        default=0.9, gt=0, le=1, title="Recall", description="with that aim: the share that is to be found"
    )
    gold_only: bool = Field(
        default=False, title="Only gold", description="learn on gold alone, not on what the majority of people said"
    )
    fewest: int = Field(
        default=guarding.FEWEST,
        ge=2,
        le=10_000,
        title="Fewest on either side",
        description="a boundary with fewer texts on one side is not learnt",
        json_schema_extra={"more": True},
    )
    head: str = Field(
        default="",
        max_length=40,
        title="Head",
        description="of cost models with several outputs",
        json_schema_extra={"more": True},
    )


def plan(run: Run, params: LearnParams, after: dict[str, Any] | None) -> Iterator[Piece]:
    as_of = after["as_of"] if after else deciding.last_annotation(run.home)
    laid = after["laid"] if after else 0
    for piece in candidates.pieces(judged_items(run.home, gold_only=params.gold_only), ITEMS_PER_SHARD, after):
        if laid >= MOST:
            return
        laid += piece.size
        yield Piece({**piece.spec, "as_of": as_of, "laid": laid}, piece.size)


def work(run: Run, shard: Shard, params: LearnParams, report: ShardReport) -> None:
    """One row of numbers for each response and each prompt of a range of items of which people said how safe it is."""
    assert run.model is not None
    model, spec = run.model, shard.spec
    of_responses, of_prompts = said(run.home, spec, as_of=spec["as_of"], gold_only=params.gold_only)
    live = Response.objects.filter(pk__in=of_responses, deleted_at=None)
    items = candidates.in_range(Item.objects.filter(project=run.home, deleted_at=None), spec)
    missing = candidates.unscored(model).filter(pk__in=live.values("pk"))
    scored = scoring.judged(model, candidates.given(items, missing, unit=candidates.unit_of(run.home)), report)
    asked = list(items.filter(pk__in=of_prompts))
    prompt_costs = costing.costs(model, asked, params.head, report)
    report.progress(max(0, shard.size - report.rows))
    with report.committing():
        scoring.write(run, scored)
        scores = Score.objects.filter(model=model, head=params.head, response__in=live.values("pk"))
        costs = dict(scores.values_list("response_id", "value"))
        texts = {pk: (item, len(text.split())) for pk, item, text in live.values_list("pk", "item_id", "text")}
        rows = [row(costs[pk], of_responses[pk], *texts[pk]) for pk in sorted(texts) if pk in costs]
        words = {one.key: len(one.candidates[0].text.split()) for one in costing.given(asked)}
        asked_of = [row(prompt_costs[pk], of_prompts[pk], pk, words[pk]) for pk in sorted(prompt_costs)]
        result = {**scoring.told(scored), RESPONSES: rows, PROMPTS: asked_of}
        Shard.objects.filter(pk=shard.pk).update(result=result)


def row(cost: float, safety: Safety, item: int, words: int) -> list[float]:
    """[cost, unsafe, place of the severity or -1, item, words]"""
    return [cost, int(safety.unsafe), -1 if safety.severity is None else safety.severity, item, words]


def collected(run: Run, kind: Kind) -> list[Case]:
    """What the shards brought, in their order."""
    results = Shard.objects.filter(run=run, state=Shard.State.DONE).order_by("number").values_list("result", flat=True)
    return [
        Case(cost, bool(unsafe), None if severity < 0 else int(severity), int(item), words)
        for result in results.iterator(chunk_size=50)
        for cost, unsafe, severity, item, words in result.get(kind, ())
    ][:MOST]


def close(run: Run, params: LearnParams, report: Report) -> dict[str, Any]:
    """The gate: thresholds with all that is known of them. Raises Conflict when no boundary could be learnt."""
    assert run.model is not None
    sections = [section(run, params, kind) for kind in (RESPONSES, PROMPTS)]
    if not any(one["learnt"] for one in sections):
        reason = sections[0]["boundaries"][0]["why_not"]
        raise Conflict(f"no boundary can be learnt: of responses that {run.model} scored, {reason}")
    result: dict[str, Any] = {"aim": params.aim, "sections": sections}
    for one in sections:
        result[one["what"]] = one["texts"]
        if one["learnt"]:
            result[f"thresholds of {one['what']}"] = {
                name: round(value, 3) for name, value in one["thresholds"].items() if value is not None
            }
    return result


def section(run: Run, params: LearnParams, kind: Kind) -> dict[str, Any]:
    """What was learnt on texts of a kind, as the run keeps it."""
    recall = params.recall if params.aim == "recall" else None
    return told(kind, collected(run, kind), params.fewest, recall, run.seed)


def told(kind: str, cases: Sequence[Case], fewest: int, recall: float | None, seed: int) -> dict[str, Any]:
    thresholds, boundaries = guarding.learn(cases, recall=recall, fewest=fewest, seed=seed)
    return {
        "what": kind,
        "texts": len(cases),
        "items": len({case.group for case in cases}),
        "unsafe": sum(case.unsafe for case in cases),
        "learnt": not boundaries[0].why_not,
        "thresholds": thresholds.as_dict(),
        "boundaries": [asdict(one) for one in boundaries],
        "table": guarding.table(cases, thresholds),
        "spread": guarding.spread(cases),
    }


METHOD = Method(
    name=LEARN,
    title="Learn a safety gate",
    about="Holds a cost model against what people called safe or unsafe, and learns from which cost on a response or a "
    f"prompt is minor, moderate or severe. {guarding.FEWEST} texts on either side of a boundary are needed.",
    params=LearnParams,
    unit="items",
    plan=plan,
    work=work,
    close=close,
    split=candidates.halves,
)
