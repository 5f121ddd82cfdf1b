"""A safety gate over a project: every prompt and response gets its level by a cost model, what is unsafe a proposal.

Where no response to a prompt passes, a policy may write others until one does. Both figures are told: how much of what
goes out is unsafe all the same, as the gate's errors on gold have it, and how many prompts end without an answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Prefetch

from curation.models import Item, Project, Response, Run, Score, Shard
from curation.services import candidates, scoring
from curation.services.deciding import settled
from curation.services.guarding import asking, costing, proposing, regenerating, replacing, said, summing
from curation.services.guarding.asking import Gate, GateParams
from curation.services.guarding.regenerating import Rounds, Writer
from curation.services.method import Method, Piece
from curation.services.sharding import ShardReport
from workers.guarding import at_least

ITEMS_PER_SHARD = 64
NO_CATEGORY = "none named"
LONGEST_CATEGORY = 60


def plan(run: Run, params: GateParams, after: dict[str, Any] | None) -> Iterator[Piece]:
    return candidates.pieces(scoring.items_of(run.home), ITEMS_PER_SHARD, after)


@dataclass(slots=True)
class Looked:
    """What a shard found out, before anything is written."""

    items: Sequence[Item]
    responses: Mapping[int, Sequence[Response]]
    costs: dict[int, float]
    """By response."""
    prompt_costs: Mapping[int, float]
    """By item, where prompts are looked at."""
    passed: dict[int, int] = field(default_factory=dict)
    """The response that goes out, by item."""
    refused: set[int] = field(default_factory=set)
    """Items whose prompt gets no answer at all."""
    left: list[Item] = field(default_factory=list)
    """Items of which no response passes."""


def work(run: Run, shard: Shard, params: GateParams, report: ShardReport) -> None:
    """Moderate a range of items."""
    assert run.model is not None
    gate = asking.gate_of(run, params)
    wanted = candidates.in_range(scoring.items_of(run.home), shard.spec)
    missing = candidates.given(wanted, candidates.unscored(run.model), unit=candidates.unit_of(run.home))
    scored = scoring.judged(run.model, missing, report)
    looked = looked_over(run, params, gate, shard, scored, report)
    sort_out(looked, params, gate)
    rounds, policy = Rounds(), None
    if params.policy is not None and looked.left:
        policy = asking.policy(run.home, params.policy)
        rounds = regenerating.regenerated(room(looked), writer(run, params, gate, policy), report)
    report.progress(max(0, shard.size - report.rows))
    with report.committing():
        scoring.write(run, scored)
        made = regenerating.write(run, rounds, policy) if policy is not None and rounds.written else {}
        new = {
            pk: (one.item, one.cost)
            for each in rounds.written.values()
            for one in each
            if (pk := made.get((one.item, one.round)))
        }
        paired = replacing.write(run, params, looked, rounds, made) if made else 0
        proposing.write(run, params, gate, looked, new)
        result = summing.of_shard(params, gate, looked, rounds, categories(run.home, looked, params))
        Shard.objects.filter(pk=shard.pk).update(result={**result, "paired": paired})


def looked_over(
    run: Run, params: GateParams, gate: Gate, shard: Shard, scored: Sequence[Any], report: ShardReport
) -> Looked:
    """The items with their live responses and all costs, those just told among them."""
    assert run.model is not None
    live = Prefetch("responses", Response.objects.filter(deleted_at=None).order_by("position"), to_attr="wanted")
    items = list(candidates.in_range(scoring.items_of(run.home), shard.spec).prefetch_related(live))
    responses = {item.pk: item.wanted for item in items}  # type: ignore[attr-defined]
    ids = [one.pk for each in responses.values() for one in each]
    kept = Score.objects.filter(model=run.model, head=params.head, response__in=ids)
    costs = dict(kept.values_list("response_id", "value"))
    costs |= {one.key: value for one in scored if (value := scoring.numbers(one).get(params.head)) is not None}
    of_prompts = costing.costs(run.model, items, params.head, report) if gate.prompts else {}
    return Looked(items, responses, costs, of_prompts)


def sort_out(looked: Looked, params: GateParams, gate: Gate) -> None:
    """Which response to each prompt goes out: the first that passes."""
    for item in looked.items:
        cost = looked.prompt_costs.get(item.pk)
        if gate.prompts and cost is not None and at_least(gate.prompts.level(cost), params.refuse_at):
            looked.refused.add(item.pk)
            continue
        known = [one.pk for one in looked.responses[item.pk] if one.pk in looked.costs]
        passing = [pk for pk in known if not at_least(gate.responses.level(looked.costs[pk]), params.at)]
        if passing:
            looked.passed[item.pk] = passing[0]
        elif known:
            looked.left.append(item)


def room(looked: Looked) -> list[Item]:
    """Items that can have more responses."""
    most = regenerating.MOST_RESPONSES
    return [item for item in looked.left if len(looked.responses[item.pk]) < most]


def writer(run: Run, params: GateParams, gate: Gate, policy: Any) -> Writer:
    assert run.model is not None
    return Writer(
        policy=policy,
        cost=run.model,
        head=params.head,
        rounds=params.rounds,
        temperature=params.temperature,
        max_tokens=params.max_tokens,
        seed=run.seed,
        passes=lambda cost: not at_least(gate.responses.level(cost), params.at),
    )


def categories(project: Project, looked: Looked, params: GateParams) -> dict[int, str]:
    """What each item is about: the first harm that people named of its responses, else a field of its metadata."""
    rows = said.of_people(project).filter(response__item__in=[item.pk for item in looked.items], question="harm")
    named: dict[int, list[list[str]]] = {}
    for pk, answer in rows.order_by("pk").values_list("response__item_id", "answer"):
        if isinstance(answer, list):
            named.setdefault(pk, []).append(answer)
    found = {}
    for item in looked.items:
        harms = settled(named.get(item.pk, [])) or []
        given = harms[0] if harms else item.metadata.get(params.category)
        found[item.pk] = str(given)[:LONGEST_CATEGORY] if isinstance(given, str | int) and given != "" else NO_CATEGORY
    return found


METHOD = Method(
    name="safety-gate",
    title="Safety gate",
    about="Moderates prompts and responses by a cost model: what is unsafe is flagged or filtered by proposals, and "
    "where no response passes a policy can write others.",
    params=GateParams,
    unit="items",
    plan=plan,
    work=work,
    close=summing.close,
    split=candidates.halves,
    settle=asking.settle,
    shard_seconds=3600,
)
