"""Other responses of a policy where none passes: asked for in rounds, scored, and kept with who wrote them.

Each question is put to the policy once, whatever becomes of the shard that asked it (see `completions`); rows are
written when the shard ends, and a response that is there already is not written again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from django.db.models import F

from curation.models import Item, ModelVersion, Project, Response, Run, TaskKind
from curation.services import candidates, changes, completions, scoring
from curation.services.guarding import costing
from curation.services.importing.rows import stored
from curation.services.importing.storing import insert_responses, insert_tasks
from curation.services.sharding import ShardReport
from workers import warm
from workers.asking import Reply, Request, Speaker
from workers.judging import Candidate, Given, Judged, judges
from workers.rows import ResponseRow
from workers.spans import said

MOST_RESPONSES = 100
"""An item with so many responses gets no other."""
SEEDS_APART = 1000


@dataclass(frozen=True, slots=True)
class Written:
    """One response of the policy to an item: its round, from 1, and what the cost model said of it."""

    item: int
    text: str
    round: int
    cost: float
    judged: Judged


@dataclass(slots=True)
class Rounds:
    """All that was written, by item in the order of the rounds; `passed` are items whose last one passes."""

    written: defaultdict[int, list[Written]] = field(default_factory=lambda: defaultdict(list))
    passed: set[int] = field(default_factory=set)
    refused: int = 0
    """Questions that the policy's server did not take, or that came back empty."""


@dataclass(frozen=True, slots=True)
class Writer:
    """The policy, the cost model that judges it, and how it is asked."""

    policy: ModelVersion
    cost: ModelVersion
    head: str
    rounds: int
    temperature: float
    max_tokens: int
    seed: int
    passes: Callable[[float], bool]


def opened(policy: ModelVersion) -> Speaker:
    """The policy, ready to be asked. Raises Unusable."""
    spec = candidates.spec_of(policy)
    return cast(Speaker, warm.get(policy.pk, lambda: judges.get("critic").open(spec)))


def regenerated(items: Sequence[Item], writer: Writer, report: ShardReport) -> Rounds:
    """Up to so many rounds for each item, until a response passes."""
    found = Rounds()
    left = list(items)
    for number in range(1, writer.rounds + 1):
        if not left:
            break
        texts = asked(left, writer, number, found, report)
        costs = judged([(item, texts[item.pk]) for item in left if texts[item.pk]], writer, report)
        for item in left:
            if one := costs.get(item.pk):
                cost = one.scores[writer.head]
                found.written[item.pk].append(Written(item.pk, texts[item.pk], number, cost, one))
                if writer.passes(cost):
                    found.passed.add(item.pk)
        left = [item for item in left if item.pk not in found.passed]
    return found


def asked(items: Sequence[Item], writer: Writer, number: int, found: Rounds, report: ShardReport) -> dict[int, str]:
    """What the policy writes to each item in a round; nothing where it was not let write."""

    def told(reply: Reply | None) -> None:
        report.progress(0, tokens=reply.tokens if reply else 0, tokens_out=reply.tokens_out if reply else 0)

    requests = [
        Request(
            [{"role": str(one.get("role", "user")), "content": said([one])} for one in item.prompt],
            temperature=writer.temperature,
            max_tokens=writer.max_tokens,
            seed=(writer.seed * SEEDS_APART + number) % 2**31,
        )
        for item in items
    ]
    done = completions.once(writer.policy, opened(writer.policy), requests, told)
    for reason in dict.fromkeys(one.refused for one in done if one.refused):
        report.log(f"the policy refused a prompt: {reason}")
    found.refused += sum(not one.raw.strip() for one in done)
    return {item.pk: one.raw.strip() for item, one in zip(items, done, strict=True)}


def judged(given: Sequence[tuple[Item, str]], writer: Writer, report: ShardReport) -> dict[int, Judged]:
    """What the cost model says of each, by item; that it had no number for an item leaves it out."""
    rows = [Given(item.pk, item.prompt, [Candidate(item.pk, text)], item.context) for item, text in given]
    return {one.key: one for one in costing.judged(writer.cost, rows, report) if writer.head in one.scores}


# --- As rows ------------------------------------------------------------------------------------------


def write(run: Run, rounds: Rounds, policy: ModelVersion) -> dict[tuple[int, int], int]:
    """Responses with their costs, those that are not there yet; the id of each by item and round.

    Called in the transaction that ends the shard. Items are kept as they were before, so that versions are made again.
    """
    project = Project.objects.select_for_update(no_key=True, of=("self",)).get(pk=run.home.pk)
    before = changes.states(rounds.written)
    rows = Response.objects.filter(item__in=rounds.written, deleted_at=None)
    there = {(item, digest, model): pk for pk, item, digest, model in
             rows.order_by("-pk").values_list("pk", "item_id", "text_hash", "model")}  # fmt: skip
    last: dict[int, int] = {}
    for item, position in Response.objects.filter(item__in=rounds.written).values_list("item_id", "position"):
        last[item] = max(last.get(item, -1), position)
    fresh: list[tuple[int, int, Any]] = []
    ids: dict[Any, int] = {}
    for item in sorted(rounds.written):
        for one in rounds.written[item]:
            row = stored(ResponseRow(one.text, str(policy), metadata={"gate": str(run.pk), "round": one.round}))
            same = (item, row.text_hash, row.model)
            if same not in there and last[item] + 1 < MOST_RESPONSES:
                last[item] += 1
                there[same] = -len(fresh) - 1
                fresh.append((item, last[item], row))
            if same in there:
                ids[item, one.round] = there[same]
    made = insert_responses(fresh)
    ids = {key: pk if pk > 0 else made[-pk - 1] for key, pk in ids.items()}
    told = [(ids[one.item, one.round], one.judged) for each in rounds.written.values() for one in each
            if (one.item, one.round) in ids]  # fmt: skip
    scoring.write(run, [replace(one, key=pk) for pk, one in told])
    if project.kind == TaskKind.RESPONSE and fresh:
        tasks = insert_tasks(project, made, TaskKind.RESPONSE)
        Project.objects.filter(pk=project.pk).update(task_count=F("task_count") + len(tasks))
    changes.note(project, before, user=run.created_by, reason="a policy wrote other responses", run=run)
    return ids
