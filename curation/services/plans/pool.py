"""The pairs of a plan: its pool in blocks, the labels that it came with, and what the plan took out of it.

A pool of any size passes by some hundred pairs at a time. What people verified is held in memory: a few thousand.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from django.db.models import Exists, OuterRef

from curation.models import Embedding, Item, ModelVersion, Plan, PlanPair, PlanStep, Score, Task
from curation.services import prelabelling
from curation.services.deciding import FIRST, SECOND, Decision, decisions
from curation.services.filtering import Filters
from curation.services.plans.settings import settings_of

AT_ONCE = 500
OUT = (Task.State.RETIRED, Task.State.GOLD)


@dataclass(frozen=True, slots=True)
class PoolPair:
    """A pair with what tells its prompt from others."""

    task: int
    pair: int
    item: int
    prompt_hash: str
    first: int
    second: int

    def sides(self, label: str) -> tuple[int, int]:
        """The response that a label says is better, then the other."""
        return (self.second, self.first) if label == SECOND else (self.first, self.second)


def blocks(plan: Plan, after: int = 0) -> Iterator[list[PoolPair]]:
    """The pool by rising task, short of what is retired, taken out, or hidden gold."""
    found = live(plan)
    while rows := list(found.filter(pk__gt=after).values_list(*COLUMNS)[:AT_ONCE]):
        after = rows[-1][0]
        yield [PoolPair(*row) for row in rows]


COLUMNS = ("pk", "pair_id", "pair__item_id", "pair__item__prompt_hash", "pair__first_id", "pair__second_id")


def live(plan: Plan) -> Any:
    tasks = Task.objects.filter(project=plan.project_id, kind=Task.Kind.PREFERENCE, pk__lte=plan.last_task)
    tasks = tasks.exclude(state__in=OUT).filter(pair__deleted_at=None, pair__item__deleted_at=None)
    if source := plan.params.get("source"):
        tasks = tasks.filter(pair__item__source__name=source)
    return tasks.order_by("pk")


def some(tasks: Sequence[int]) -> dict[int, PoolPair]:
    """Pairs by their tasks."""
    found: dict[int, PoolPair] = {}
    for start in range(0, len(tasks), AT_ONCE):
        rows = Task.objects.filter(pk__in=tasks[start : start + AT_ONCE]).order_by("pk").values_list(*COLUMNS)
        found |= {row[0]: PoolPair(*row) for row in rows}
    return found


def decided(plan: Plan, tasks: Sequence[int], whose: str, as_of: int | None = None) -> dict[int, Decision]:
    """What some people or models say of pairs, where they prefer one side or cannot tell."""
    filters = Filters(axis=plan.params["axis"], annotators=whose)  # type: ignore[arg-type]
    found: dict[int, Decision] = {}
    for start in range(0, len(tasks), AT_ONCE):
        some_of = tasks[start : start + AT_ONCE]
        found |= {one.task_id: one for one in decisions(plan.project, filters, tasks=some_of, as_of=as_of)}
    return found


def clear(one: Decision | None) -> str:
    """The side that a decision prefers; nothing where it has none."""
    return one.outcome if one is not None and one.outcome in (FIRST, SECOND) else ""


def own_labels(plan: Plan, tasks: Sequence[int], as_of: int | None = None) -> dict[int, Decision]:
    """The labels that pairs came with, where they have one."""
    found = decided(plan, tasks, settings_of(plan).labels, as_of)
    return {task: one for task, one in found.items() if clear(one)}


def taken(plan: Plan, *roles: str) -> dict[int, PlanPair]:
    """The pairs that a plan took, by task in order; of some roles, if any are told."""
    rows = PlanPair.objects.filter(plan=plan)
    return {row.task_id: row for row in (rows.filter(role__in=roles) if roles else rows).order_by("task_id")}


def fold_of(plan: Plan, prompt_hash: str, folds: int) -> int:
    """The part that a prompt is dealt into, from 1, by the seed alone."""
    drawn = blake2b(f"{plan.seed}:fold:{prompt_hash}".encode(), digest_size=8).digest()
    return 1 + int.from_bytes(drawn) % folds


def fold_prompts(plan: Plan, fold: int, folds: int) -> set[str]:
    """The prompts of verified pairs that are in a part."""
    rows = PlanPair.objects.filter(plan=plan, role=PlanPair.Role.GOLD)
    prompts = rows.values_list("task__pair__item__prompt_hash", flat=True)
    return {one for one in prompts if fold_of(plan, one, folds) == fold}


def items_in(plan: Plan) -> Any:
    """The items of the pool."""
    mine = live(plan).order_by().filter(pair__item=OuterRef("pk"))
    return Item.objects.filter(Exists(mine), project=plan.project_id, deleted_at=None)


def held_prompts(plan: Plan) -> set[str]:
    """The prompts that nothing is learnt from, for they are measured on."""
    rows = PlanPair.objects.filter(plan=plan, held_out=True).exclude(role=PlanPair.Role.DISCARDED)
    return set(rows.values_list("task__pair__item__prompt_hash", flat=True))


# --- What models say of them --------------------------------------------------------------------------


def head_of(plan: Plan, model: ModelVersion) -> str:
    return prelabelling.head_of(model, plan.params["axis"], "")


def margins(plan: Plan, model: ModelVersion, pairs: Sequence[PoolPair]) -> dict[int, float]:
    """Score of the first response above that of the second, by task, of pairs whose responses both have one."""
    wanted = {response for pair in pairs for response in (pair.first, pair.second)}
    rows = Score.objects.filter(model=model, head=head_of(plan, model), response__in=wanted)
    values = dict(rows.values_list("response_id", "value"))
    return {
        pair.task: values[pair.first] - values[pair.second]
        for pair in pairs
        if pair.first in values and pair.second in values
    }


def vectors(plan: Plan, pairs: Sequence[PoolPair]) -> Any:
    """A row of float32 for each pair: the vector of its prompt; zeros where it has none."""
    import numpy as np

    rows = Embedding.objects.filter(
        model=plan.params["embedder"], response=None, item__in={pair.item for pair in pairs}
    )
    found = {item: bytes(vector) for item, vector in rows.values_list("item_id", "vector")}
    wide = max((len(vector) for vector in found.values()), default=0) // struct.calcsize("<e")
    nothing = np.zeros(wide, dtype=np.float32)
    made = [np.frombuffer(found[pair.item], dtype="<f2") if pair.item in found else nothing for pair in pairs]
    return np.asarray(made, dtype=np.float32).reshape(len(pairs), wide)


def trained(plan: Plan, round_: int, stage: str = "train") -> ModelVersion:
    """The model that a training of a plan made."""
    step = PlanStep.objects.select_related("run").get(plan=plan, round=round_, stage=stage)
    assert step.run is not None
    return ModelVersion.objects.get(pk=step.run.result["model"])
