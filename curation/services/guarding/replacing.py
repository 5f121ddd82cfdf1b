"""Pairs of what a policy wrote and what it stands in for, each with an open task on which the cost model prefers it.

Stood in for is the response that people preferred, of each pair that is decided, and where none is the one of the
lowest cost. That the gate's cost is lower is a suggestion, no answer: whether the new response is the better one too is
for people to say. A pair that is there already stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from django.db.models import F

from curation.models import Pair, Project, Run, TaskKind
from curation.services import pairing, prelabelling, queueing
from curation.services.guarding import proposing
from curation.services.guarding.asking import GateParams
from curation.services.guarding.regenerating import Rounds
from curation.services.importing.storing import insert_pairs

if TYPE_CHECKING:
    from curation.services.guarding.moderating import Looked


def write(run: Run, params: GateParams, looked: Looked, rounds: Rounds, made: Mapping[tuple[int, int], int]) -> int:
    """The pairs of a shard, in the transaction that ends it; how many are new.

    `made` has the ids of what was written, by item and round. Call it when the scores of these are kept, and before
    anything is proposed.
    """
    if run.home.kind != TaskKind.PREFERENCE or not params.pair:
        return 0
    passing = {item: pk for item in rounds.passed if (pk := made.get((item, rounds.written[item][-1].round)))}
    project = Project.objects.select_for_update(no_key=True, of=("self",)).get(pk=run.home.pk)
    wanted = {(item, *sorted((passing[item], old))) for item, old in stood_in_for(run, params, looked, passing)}
    there = set(Pair.objects.filter(item__in=passing).values_list("item_id", "first_id", "second_id"))
    fresh = sorted(one for one in wanted if one not in there and (one[0], one[2], one[1]) not in there)
    pairs = insert_pairs(project, fresh)  # type: ignore[arg-type]
    if pairs:
        Project.objects.filter(pk=project.pk).update(task_count=F("task_count") + len(pairs))
        queueing.start_over([project.pk])
        assert run.model is not None
        axis = prelabelling.axis_of(project, run.model, run.model.config.get("axis") or params.axis)
        pairing.suggested(run, pairing.speaker(run, axis, params.head), [pair for pair, _ in pairs])
    return len(pairs)


def stood_in_for(run: Run, params: GateParams, looked: Looked, passing: Mapping[int, int]) -> Iterator[tuple[int, int]]:
    """Items with the responses that the passing one is set against."""
    preferred: dict[int, set[int]] = {}
    for row in proposing.pairs(run, params, looked):
        if row.item in passing and row.labelled:
            preferred.setdefault(row.item, set()).add(row.chosen.id)
    for item in sorted(passing):
        known = [one.pk for one in looked.responses[item] if one.pk in looked.costs]
        lowest = min(known, key=lambda pk: (looked.costs[pk], pk))
        for old in sorted(preferred.get(item, {lowest})):
            yield item, old
