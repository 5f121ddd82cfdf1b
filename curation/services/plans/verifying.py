"""What people are asked: a seed drawn from the pool, later what the reward model's errors pull; and what they said.

Held-out pairs are drawn with the seed, each of a prompt of its own, and stay the same in every round, so that the
accuracies of rounds can be compared. Nothing of their prompts is ever learnt from.
"""

from __future__ import annotations

import heapq
import math
from array import array
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Any

from django.db import transaction
from django.utils import timezone

from curation.errors import Conflict
from curation.models import Plan, PlanPair, PlanStep, Queue, Run, Task
from curation.services import queueing, queues
from curation.services.plans import measuring, pool
from curation.services.plans.pool import PoolPair
from curation.services.plans.settings import settings_of
from curation.services.running import Report

ROLE = PlanPair.Role
FIRST_IN_QUEUE = 100
"""Priority of a plan's queue; the project's own has 0."""
PICK = "plan"
ABOUT = (
    "Pairs that a plan asks for. Answer as the guidelines say; look facts up, run code, work sums out. "
    "A pair that cannot be decided is a tie: it is left out."
)
PULL_BLOCK = 16
"""Blocks of the pool that are compared at a time."""


def budget_left(plan: Plan) -> int:
    """Pairs that people may still be asked."""
    budget = settings_of(plan).budget
    return budget - spent(plan) if budget else 2**31


def spent(plan: Plan) -> int:
    """Pairs on which people answered."""
    return PlanPair.objects.filter(plan=plan, role__in=(*PlanPair.VERIFIED, ROLE.DISCARDED)).count()


# --- Which pairs --------------------------------------------------------------------------------------


def seed(plan: Plan, step: PlanStep, run: Run, report: Report) -> dict[str, Any]:
    """Draw the held-out pairs and the seed, and with judges some for them. Raises Conflict for too small a pool."""
    if run.checkpoint:
        return dict(run.checkpoint)
    params = settings_of(plan)
    people = min(params.validation + params.seed_pairs, budget_left(plan))
    wanted = people + (params.judged if params.judges else 0)
    drawn = draw(plan, wanted)
    if len(drawn) < min(people, params.validation + 1):
        raise Conflict(f"the pool has {len(drawn)} pairs of different prompts; {params.validation + 1} are needed")
    rows = [
        PlanPair(
            plan=plan,
            task_id=pair.task,
            role=ROLE.ASKED if place < people else ROLE.CANDIDATE,
            held_out=place < params.validation,
        )
        for place, pair in enumerate(drawn)
    ]
    told = {"asked": min(people, len(drawn)), "held out": min(params.validation, len(drawn))}
    ask(plan, rows, report, told)
    return told


def draw(plan: Plan, wanted: int) -> list[PoolPair]:
    """So many pairs of different prompts, each prompt as likely as any other; by the seed alone."""
    kept: list[tuple[int, PoolPair]] = []
    prompts: set[str] = set()
    for block in pool.blocks(plan):
        for pair in block:
            if pair.prompt_hash in prompts:
                continue
            place = drawn_at(plan.seed, pair.prompt_hash)
            if len(kept) < wanted:
                heapq.heappush(kept, (-place, pair))
            elif kept and -place > kept[0][0]:
                prompts.discard(heapq.heapreplace(kept, (-place, pair))[1].prompt_hash)
            else:
                continue
            prompts.add(pair.prompt_hash)
    return [pair for _, pair in sorted(kept, key=lambda one: -one[0])]


def drawn_at(seed: int, prompt_hash: str) -> int:
    return int.from_bytes(blake2b(f"{seed}:seed:{prompt_hash}".encode(), digest_size=8).digest())


def acquire(plan: Plan, step: PlanStep, run: Run, report: Report) -> dict[str, Any]:
    """Take the pairs of the pool that this round's errors pull: the first go to people, the next to judges."""
    from workers.acquiring import neighbours_wanted

    if run.checkpoint:
        return dict(run.checkpoint)
    params = settings_of(plan)
    people = max(0, min(params.per_round, budget_left(plan)))
    wanted = people + (params.judged if params.judges else 0)
    verified = pool.taken(plan, ROLE.GOLD)
    gold = list(pool.some(list(verified)).values())
    above = unseen_margins(plan, step.round, gold, report)
    gold = [pair for pair in gold if pair.task in above]
    sure = [confidence(above[pair.task], verified[pair.task].label) for pair in gold]
    pulled = nearest(plan, gold, sure, wanted, report) if gold and wanted else []
    before = pool.own_labels(plan, [task for task, _ in pulled])
    rows = [
        PlanPair(
            plan=plan,
            task_id=task,
            round=step.round,
            role=ROLE.ASKED if place < people else ROLE.CANDIDATE,
            before=pool.clear(before.get(task)),
            pulls=one.pulls,
            similarity=one.similarity,
        )
        for place, (task, one) in enumerate(pulled)
    ]
    told = {
        "errors": sum(p <= 0.5 for p in sure),
        "pulling": sum(neighbours_wanted(p) > 0 for p in sure),
        "asked": min(people, len(rows)),
        "to judges": max(0, len(rows) - people),
    }
    ask(plan, rows, report, told)
    return told


def unseen_margins(plan: Plan, round_: int, gold: Sequence[PoolPair], report: Report) -> dict[int, float]:
    """Of verified pairs how much better the first response is by a model of the round that learnt nothing of their
    prompts; by the round's own model where the plan makes no others."""
    folds = settings_of(plan).left_out
    if not folds:
        return pool.margins(plan, pool.trained(plan, round_), gold)
    above: dict[int, float] = {}
    for fold in range(1, folds + 1):
        mine = [pair for pair in gold if pool.fold_of(plan, pair.prompt_hash, folds) == fold]
        model = pool.trained(plan, round_, f"fold-{fold}-train")
        measuring.score(model, plan, mine, report)
        above |= pool.margins(plan, model, mine)
    return above


def confidence(first_above: float, label: str) -> float:
    """The model's probability of a label, from the margin of the first response."""
    margin = first_above if label == "first" else -first_above
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, margin))))


def nearest(
    plan: Plan, gold: Sequence[PoolPair], sure: Sequence[float], wanted: int, report: Report
) -> list[tuple[int, Any]]:
    """The tasks that gold pairs pull, with how. The pool passes by in blocks."""
    from workers.acquiring import acquire

    seen = array("q")

    def passing() -> Iterator[Any]:
        gathered: list[PoolPair] = []
        looked = 0
        for number, block in enumerate(unverified(plan), 1):
            gathered += block
            if number % PULL_BLOCK == 0:
                looked += len(gathered)
                report.checkpoint(done=looked)
                yield vectors(gathered)
                gathered = []
        yield vectors(gathered)

    def vectors(pairs: list[PoolPair]) -> Any:
        seen.extend(pair.task for pair in pairs)
        return pool.vectors(plan, pairs)

    found = acquire(pool.vectors(plan, gold), sure, passing(), wanted)
    return [(seen[one.place], one) for one in found]


def unverified(plan: Plan) -> Iterator[list[PoolPair]]:
    """What is left of the pool: nothing that the plan took, and no prompt that is held out."""
    out, held = set(pool.taken(plan)), pool.held_prompts(plan)
    for block in pool.blocks(plan):
        if left := [pair for pair in block if pair.task not in out and pair.prompt_hash not in held]:
            yield left


# --- Asking, and what was said ------------------------------------------------------------------------


def ask(plan: Plan, rows: Sequence[PlanPair], report: Report, told: dict[str, Any]) -> None:
    """Keep what was chosen and put what people are asked into the plan's queue, in one transaction.

    `told` goes into the checkpoint: a worker that dies behind it has nothing left to choose.
    """
    params = settings_of(plan)
    labels = pool.own_labels(plan, [row.task_id for row in rows if not row.before]) if rows else {}
    for row in rows:
        row.before = row.before or pool.clear(labels.get(row.task_id))
    people = [row.task_id for row in rows if row.role == ROLE.ASKED]
    deadline = params.until(timezone.now())
    with transaction.atomic():
        PlanPair.objects.bulk_create(rows, batch_size=500)
        queue = queue_of(plan)
        queues.change(queue, deadline=deadline, overlap=params.answers)
        queues.move(project=plan.project, ids=people, queue=queue)
        # those that the most errors pulled come first
        urgent = sorted((task, len(people) - place, PICK) for place, task in enumerate(people))
        queueing.place(project_id=plan.project_id, rows=urgent)
        Plan.objects.filter(pk=plan.pk).update(queue=queue, deadline=deadline)
        report.checkpoint(done=len(rows), total=len(rows), at=told)


def queue_of(plan: Plan) -> Queue:
    found = Queue.objects.filter(project=plan.project, name=f"Plan {plan.pk}").first()
    if found is not None:
        return found
    return queues.add(
        project=plan.project, user=plan.created_by, name=f"Plan {plan.pk}", about=ABOUT, priority=FIRST_IN_QUEUE
    )


def over(plan: Plan, step: PlanStep) -> bool:
    """Whether all that was asked is answered, or the deadline is past.

    Raises Conflict where nothing was answered of what a plan begins with.
    """
    asked = PlanPair.objects.filter(plan=plan, role=ROLE.ASKED, round=step.round)
    there = {"task__pair__deleted_at": None, "task__pair__item__deleted_at": None}  # nobody is asked of what is gone
    if not asked.filter(task__state=Task.State.OPEN, **there).exists():
        return True
    if plan.deadline is None or plan.deadline > timezone.now():
        return False
    if step.round == 0 and not pool.decided(plan, list(asked.values_list("task_id", flat=True)), "signed-in"):
        raise Conflict("nobody verified a pair before the deadline; go on to ask for the same time again")
    return True


def collect(plan: Plan, step: PlanStep) -> dict[str, Any]:
    """What people said of what they were asked. What nobody answered goes back into the pool."""
    rows = PlanPair.objects.filter(plan=plan, role=ROLE.ASKED, round=step.round).select_related("task")
    asked = list(rows.order_by("task_id"))
    said = pool.decided(plan, [row.task_id for row in asked], "signed-in")
    changed, back = [], []
    for row in asked:
        decision = said.get(row.task_id)
        row.label = pool.clear(decision)
        if row.label:
            row.role = ROLE.VALIDATION if row.held_out else ROLE.GOLD
        elif decision is not None or row.task.state != Task.State.OPEN:
            row.role = ROLE.DISCARDED
        else:
            back.append(row)
            continue
        changed.append(row)
    PlanPair.objects.bulk_update(changed, ["role", "label"], batch_size=500)
    PlanPair.objects.filter(pk__in=[row.pk for row in back]).delete()
    left = [row.task_id for row in asked if row.task.state == Task.State.OPEN]
    if left:
        queues.move(project=plan.project, ids=left, queue=None)
    known = [row for row in changed if row.label and row.before]
    if step.round == 0 and not any(row.role == ROLE.VALIDATION for row in changed):
        raise Conflict("no held-out pair was decided, so nothing can be measured; start a plan with another seed")
    return {
        "asked": len(asked),
        "verified": sum(bool(row.label) for row in changed),
        "discarded": sum(row.role == ROLE.DISCARDED for row in changed),
        "unanswered": len(back),
        "with a label": len(known),
        "turned": sum(row.label != row.before for row in known),
    }
