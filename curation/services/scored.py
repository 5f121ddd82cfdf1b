"""What pages tell of scores: those of an item's responses, and what a run of them says as a whole, out of a sample.

The sample does not grow with the project: some items of shards that lie evenly over the run, all of it by indexes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from math import isfinite

from curation.models import Item, ModelVersion, Response, Run, Score, Shard, TaskKind
from curation.services import browsing, calibrating, candidates, deciding, prelabelling
from curation.services.filtering import Filters
from curation.services.locating import tasks_on
from workers.intervals import Share, wilson

ITEMS = 1000
"""Items that a run is told by, at most."""
RESPONSES = 4000
SHARDS = 20
PAIRS = 2000
"""Tasks whose decisions are looked at."""
HEADS = 4
BINS = 20
ENDS = 5
"""So many of the lowest and of the highest scores are named."""


def of_responses(responses: Iterable[int]) -> dict[int, list[Score]]:
    """The scores of some responses, by response: those of one model together, its latest version first."""
    found: defaultdict[int, list[Score]] = defaultdict(list)
    rows = Score.objects.filter(response__in=list(responses)).select_related("model")
    for row in rows.order_by("model__name", "-model__number", "head"):
        found[row.response_id].append(row)
    return dict(found)


@dataclass(frozen=True, slots=True)
class End:
    """A response whose score is among the lowest or the highest."""

    value: float
    item: Item
    place: int
    """Of the response in its item, from 0."""


@dataclass(frozen=True, slots=True)
class Head:
    """The scores of one head in the sample."""

    name: str
    count: int
    low: float
    high: float
    bins: list[int]
    lowest: list[End]
    highest: list[End]


@dataclass(frozen=True, slots=True)
class Scored:
    """What the model of a run says of the items that were looked at."""

    items: int
    heads: list[Head]
    more: int
    """Heads beyond those that are told."""
    axis: str = ""
    chosen: Share = field(default_factory=lambda: Share(0, 0))
    """Of the decided pairs, those where the better score is the chosen response's; a tie counts half."""


def of_run(run: Run) -> Scored | None:
    """What a run of scores says; None where none of its items is scored."""
    assert run.model is not None
    items = sampled(run)
    live = Response.objects.filter(item__in=items, deleted_at=None)
    responses = dict(live.values_list("pk", "item_id")[:RESPONSES])
    by_head: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)
    rows = Score.objects.filter(model=run.model, response__in=list(responses))
    for head, value, response in rows.values_list("head", "value", "response_id"):
        if isfinite(value):
            by_head[head].append((value, response))
    if not by_head:
        return None
    heads = [told(name, sorted(by_head[name]), responses) for name in sorted(by_head)[:HEADS]]
    scored = {responses[pk] for each in by_head.values() for _, pk in each}
    axis, chosen = agreeing(run, run.model, sorted(scored), by_head)
    return Scored(len(scored), heads, len(by_head) - len(heads), axis, chosen)


def sampled(run: Run) -> list[int]:
    """Items of the run: the first of some shards that lie evenly over it."""
    count = max(1, run.shards_total)
    numbers = range(0, count, -(-count // SHARDS))
    done = Shard.objects.filter(run=run, state=Shard.State.DONE, number__in=numbers).order_by("number")
    specs = list(done.values_list("spec", flat=True)[:SHARDS])
    found: list[int] = []
    for spec in specs:
        near = candidates.in_range(Item.objects.filter(project=run.home, deleted_at=None), spec)
        found += near.values_list("pk", flat=True)[: ITEMS // len(specs)]
    return found


def told(name: str, scores: Sequence[tuple[float, int]], responses: dict[int, int]) -> Head:
    """Scores of a head, in order, as counts in equal bins, with the ends."""
    low, high = scores[0][0], scores[-1][0]
    bins = [0] * (BINS if high > low else 1)
    for value, _ in scores:
        bins[min(len(bins) - 1, int(len(bins) * (value - low) / (high - low))) if high > low else 0] += 1
    ends = [scores[:ENDS], scores[: -ENDS - 1 : -1]]
    wanted = {responses[pk] for end in ends for _, pk in end}
    items, places = Item.objects.in_bulk(wanted), browsing.places_in(wanted)
    named = [[End(value, items[responses[pk]], places.get(pk, 0)) for value, pk in end] for end in ends]
    return Head(name, len(scores), low, high, bins, *named)


def agreeing(
    run: Run, model: ModelVersion, items: Sequence[int], by_head: dict[str, list[tuple[float, int]]]
) -> tuple[str, Share]:
    """The axis that the model speaks of, and how often its better score is the response that was chosen there."""
    project = run.home
    if project.kind == TaskKind.RESPONSE or project.protocol is None:
        return "", Share(0, 0)
    axis = prelabelling.axis_of(project, model, "")
    head = prelabelling.head_of(model, axis, "")
    values = {pk: value for value, pk in by_head.get(head, ())}
    tasks = [task for task, _ in islice(tasks_on(project, items), PAIRS)]
    by = str(project.fit_id) if project.fit_id else "majority"
    found = deciding.decisions(project, Filters(axis=axis, decided_by=by), tasks=tasks)
    right = pairs = 0.0
    for one in calibrating.decided(list(found)):
        if one.first in values and one.second in values:
            gap = values[one.second] - values[one.first]
            gap = -gap if model.kind == ModelVersion.Kind.COST else gap
            right += 0.5 if gap == 0 else float((gap > 0) == one.better_second)
            pairs += 1
    return axis, wilson(round(right), int(pairs))
