"""What a gate did, added up: levels, categories, rounds, what is nearest to a boundary, and both figures that count."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from django.db import transaction

from curation.models import Proposal, Run, Shard
from curation.services.curating import asked
from curation.services.curating.performing import told as proposed
from curation.services.guarding import asking
from curation.services.guarding.asking import Gate, GateParams
from curation.services.guarding.regenerating import Rounds
from curation.services.running import Report
from workers import guard_loop
from workers.guard_loop import Tries
from workers.guarding import BOUNDARY, LEVELS, Thresholds, action

if TYPE_CHECKING:
    from curation.services.guarding.moderating import Looked

NEAREST = 100
"""So many texts nearest to the boundary are kept of a shard, and of a run."""
COUNTS = ("items", "delivered", "refused", "prompts refused", "not judged", "written", "paired", "policy wrote nothing")
MOST_CATEGORIES = 100


def of_shard(
    params: GateParams, gate: Gate, looked: Looked, rounds: Rounds, categories: Mapping[int, str]
) -> dict[str, Any]:
    """Counts, and the texts nearest to a boundary as [distance, cost, response or 0, item]."""
    levels = {pk: gate.responses.level(cost) for pk, cost in looked.costs.items()}
    by_category: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for item, responses in looked.responses.items():
        by_category[categories[item]].update(levels[one.pk] for one in responses if one.pk in levels)
    of_prompts = Counter(gate.prompts.level(cost) for cost in looked.prompt_costs.values()) if gate.prompts else {}
    anew = [one for each in rounds.written.values() for one in each]
    lost = [item for item in looked.left if item.pk not in rounds.passed]
    out = params.fallback == "deliver"
    return {
        "items": len(looked.items),
        "delivered": len(looked.passed) + len(rounds.passed) + (len(lost) if out else 0),
        "refused": 0 if out else len(lost),
        "prompts refused": len(looked.refused),
        "not judged": len(looked.items) - len(looked.passed) - len(looked.left) - len(looked.refused),
        "written": len(anew),
        "policy wrote nothing": rounds.refused,
        "responses": dict(Counter(levels.values())),
        "prompts": dict(of_prompts),
        "actions": dict(actions(params, gate, looked, levels)),
        "categories": {name: dict(counts) for name, counts in by_category.items()},
        "first": first_tries(params, gate, looked, rounds),
        "anew": asdict(
            Tries(
                len(anew),
                len(anew) - len(rounds.passed),
                len(rounds.passed),
                sum(item.pk in rounds.written for item in lost) if out else 0,
            )
        ),
        "rounds": dict(Counter(str(one.round) for one in anew)),
        "passed in": dict(Counter(str(rounds.written[item][-1].round) for item in rounds.passed)),
        "near": nearest(params, gate, looked),
    }


def actions(params: GateParams, gate: Gate, looked: Looked, levels: Mapping[int, str]) -> Counter[str]:
    """What becomes of the responses that were there."""
    found: Counter[str] = Counter()
    for item, each in looked.responses.items():
        cost = looked.prompt_costs.get(item)
        prompt = gate.prompts.level(cost) if gate.prompts and cost is not None else None
        told = {"refuse_at": params.refuse_at, "flag_at": params.at, "again": params.policy is not None}
        found.update(action(prompt, levels[one.pk], **told) for one in each if one.pk in levels)  # type: ignore[arg-type]
    return found


def first_tries(params: GateParams, gate: Gate, looked: Looked, rounds: Rounds) -> dict[str, int]:
    """The responses that were there, of prompts that may be answered."""
    ids = [one.pk for item, each in looked.responses.items() if item not in looked.refused for one in each]
    costs = [looked.costs[pk] for pk in ids if pk in looked.costs]
    flagged = sum(flags(gate.responses, cost, params) for cost in costs)
    last = sum(item.pk not in rounds.written for item in looked.left)
    return asdict(Tries(len(costs), flagged, len(looked.passed), last if params.fallback == "deliver" else 0))


def flags(thresholds: Thresholds, cost: float, params: GateParams) -> bool:
    return LEVELS.index(thresholds.level(cost)) >= LEVELS.index(params.at)


def nearest(params: GateParams, gate: Gate, looked: Looked) -> list[list[float]]:
    """Texts closer to the boundary that is acted on than `near`, the nearest first."""
    found: list[list[float]] = []
    item_of = {one.pk: item for item, each in looked.responses.items() for one in each}
    at = boundary(gate.responses, params.at)
    found += [[abs(cost - at), cost, pk, item_of[pk]] for pk, cost in looked.costs.items() if pk in item_of]
    if gate.prompts:
        at = boundary(gate.prompts, params.refuse_at)
        found += [[abs(cost - at), cost, 0, item] for item, cost in looked.prompt_costs.items()]
    return sorted(one for one in found if one[0] < params.near)[:NEAREST]


def boundary(thresholds: Thresholds, level: str) -> float:
    least = thresholds.of(level)
    return BOUNDARY if least is None else least


# --- The whole ----------------------------------------------------------------------------------------


def close(run: Run, params: GateParams, report: Report) -> dict[str, Any]:
    """Sums over the shards, and what they come to."""
    gate = asking.gate_of(run, params)
    told = summed(run)
    if params.accept:
        ask_again(run, report)
    result: dict[str, Any] = {name: told["counts"][name] for name in COUNTS}
    result |= proposed(run)
    figures = outcome(run, params, gate, told)
    if figures["unsafe"]:
        result["unsafe of those delivered"] = round(figures["unsafe"]["value"], 1)
    section = {
        name: told[name] for name in ("responses", "prompts", "actions", "categories", "rounds", "passed in", "near")
    }
    thresholds = gate.responses.as_dict()
    return {**result, "sections": [{**section, "thresholds": thresholds, **figures}]}


def summed(run: Run) -> dict[str, Any]:
    """The results of all shards as one."""
    counts: Counter[str] = Counter()
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    categories: defaultdict[str, Counter[str]] = defaultdict(Counter)
    near: list[list[float]] = []
    results = Shard.objects.filter(run=run, state=Shard.State.DONE).order_by("number").values_list("result", flat=True)
    for one in results.iterator(chunk_size=50):
        counts.update({name: one.get(name, 0) for name in COUNTS})
        for name in ("responses", "prompts", "actions", "first", "anew", "rounds", "passed in"):
            sums[name].update(one.get(name, {}))
        for name, levels in one.get("categories", {}).items():
            categories[name].update(levels)
        near = sorted([*near, *one.get("near", ())])[:NEAREST]
    largest = sorted(categories, key=lambda name: (-categories[name].total(), name))[:MOST_CATEGORIES]
    return {
        "counts": counts,
        **{name: dict(found) for name, found in sums.items()},
        **{name: {} for name in ("responses", "prompts", "actions", "rounds", "passed in") if name not in sums},
        "categories": {name: dict(categories[name]) for name in largest},
        "tries": [Tries(**{**asdict(Tries(0, 0, 0)), **sums[name]}) for name in ("first", "anew")],
        "near": near,
    }


def outcome(run: Run, params: GateParams, gate: Gate, told: Mapping[str, Any]) -> dict[str, Any]:
    """Both figures: what of what goes out is unsafe, estimated from the gate's errors on gold, and who gets nothing."""
    delivered, refused = told["counts"]["delivered"], told["counts"]["refused"] + told["counts"]["prompts refused"]
    rates = gate.rates(params.at)
    found: dict[str, Any] = {"delivered": delivered, "refused": refused, "unsafe": None, "closed": None, "why_not": ""}
    if rates is None:
        found["why_not"] = "how often the gate is wrong is not known: no thresholds were learnt on gold for it"
        return found
    tries: Sequence[Tries] = told["tries"]
    caught, alarms = rates.caught / rates.unsafe, rates.alarms / rates.safe
    found |= {"caught": caught, "alarms": alarms}
    unsafe = guard_loop.delivered(list(tries), rates, run.seed)
    if unsafe is None:
        found["why_not"] = "the gate hardly tells unsafe from safe on gold, so it does not tell how much is unsafe"
        return found
    found["unsafe"] = asdict(unsafe)
    first = tries[0]
    if first.tried:
        share = guard_loop.prevalence(first.flagged / first.tried, caught, alarms)
        rounds = 1 + (params.rounds if params.policy is not None else 0)
        ways = {name: asdict(guard_loop.closed(share, caught, alarms, rounds, name)) for name in guard_loop.FALLBACKS}
        found["closed"] = {"unsafe of the pool": share, "samples": rounds, **ways}
    return found


def ask_again(run: Run, report: Report) -> None:
    """People are asked again what was accepted at once; a close that is done twice asks once, and one that will be done
    again, since shards were set aside, leaves it to the next."""
    if Shard.objects.filter(run=run, state=Shard.State.FAILED).exists():
        return
    with transaction.atomic():
        if not run.checkpoint.get("asked"):
            state = Proposal.State.ACCEPTED
            asked.again(run.home, Proposal.objects.filter(run=run, action=Proposal.Action.ASK, state=state))
            report.checkpoint(done=run.done, at={**run.checkpoint, "asked": True})
