"""Labels that a plan learns from, as decisions of a run: a version that is decided by the run holds just these.

Nothing of a held-out prompt is labelled, nor what people or judges could not decide. Written in pieces, each with
where to go on.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction

from curation.models import Decision as Row
from curation.models import Plan, PlanPair, PlanStep, Proposal, Run
from curation.services.deciding import Decision, last_annotation
from curation.services.plans import pool
from curation.services.plans.pool import PoolPair
from curation.services.plans.settings import settings_of
from curation.services.running import Report

ROLE = PlanPair.Role
GOLD, JUDGE, POOL = "gold", "judge", "pool"
UNTOUCHED = (ROLE.CANDIDATE, ROLE.DOUBTED, ROLE.HEARD)
"""Roles of pairs whose label is still that of the pool."""
SIGN = {"first": -1.0, "second": 1.0}
WHAT = {"labels": (JUDGE, POOL), "gold-labels": (GOLD,), "final-labels": (GOLD, JUDGE, POOL)}
"""Which labels a stage writes; in a round those of people too, where the plan learns from both. Stages `fold-N-labels`
write what `labels` does, short of the Nth part of the verified prompts."""


def write(plan: Plan, step: PlanStep, run: Run, report: Report) -> dict[str, Any]:
    """The labels of a stage; how many of each origin."""
    wanted, fold = WHAT.get(step.stage, WHAT["labels"]), fold_in(step.stage)
    if (step.stage == "labels" and settings_of(plan).learn == "both") or fold:
        wanted = (GOLD, *wanted)
    at = run.checkpoint or {"after": 0, "as_of": last_annotation(plan.project), GOLD: 0, JUDGE: 0, POOL: 0}
    taken, held = pool.taken(plan), pool.held_prompts(plan)
    if fold:
        held |= pool.fold_prompts(plan, fold, settings_of(plan).left_out)
    for block in pool.blocks(plan, at["after"]):
        left = [pair for pair in block if pair.prompt_hash not in held]
        if step.stage == "final-labels":
            left = not_asked(plan, step, left)
        rows = labelled(plan, run, left, taken, wanted, at["as_of"])
        at["after"] = block[-1].task
        for row in rows:
            at[row.how] += 1
        with transaction.atomic():
            Row.objects.bulk_create(rows, batch_size=500)
            report.checkpoint(done=sum(at[how] for how in (GOLD, JUDGE, POOL)), at=at)
    return {
        "method": f"plan {plan.pk}: {step}",
        "answers up to": at["as_of"],
        **{how: at[how] for how in wanted},
    }


def fold_in(stage: str) -> int:
    """The part of the verified prompts that a stage leaves out, from 1; 0 for a stage that leaves none out."""
    name, _, rest = stage.partition("-")
    return int(rest.partition("-")[0]) if name == "fold" else 0


def not_asked(plan: Plan, step: PlanStep, pairs: list[PoolPair]) -> list[PoolPair]:
    """Pairs short of those that people are to be asked about, after the last filter."""
    sifted = PlanStep.objects.get(plan=plan, round=step.round, stage="sift").run_id
    asks = Proposal.objects.filter(run=sifted, action=Proposal.Action.ASK, item__in={pair.item for pair in pairs})
    out = set(asks.values_list("pair_id", flat=True))
    return [pair for pair in pairs if pair.pair not in out]


def labelled(
    plan: Plan, run: Run, pairs: list[PoolPair], taken: dict[int, PlanPair], wanted: tuple[str, ...], as_of: int
) -> list[Row]:
    """The labels of a block, in the order of tasks."""
    verified = [pair.task for pair in pairs if pair.task in taken and taken[pair.task].role == ROLE.GOLD]
    said = pool.decided(plan, verified, "signed-in", as_of) if GOLD in wanted else {}
    others = [pair.task for pair in pairs if pair.task not in taken or taken[pair.task].role in UNTOUCHED]
    own = pool.own_labels(plan, others, as_of) if POOL in wanted else {}
    rows = []
    for pair in pairs:
        mine = taken.get(pair.task)
        if mine is not None and mine.role == ROLE.GOLD and GOLD in wanted:
            rows.append(row(plan, run, pair.task, mine.label, GOLD, said.get(pair.task)))
        elif mine is not None and mine.role == ROLE.JUDGED and JUDGE in wanted:
            said_by = sum(len(votes) for votes in mine.votes.values())
            rows.append(row(plan, run, pair.task, mine.label, JUDGE, None, votes=said_by))
        elif pair.task in own:
            rows.append(row(plan, run, pair.task, pool.clear(own[pair.task]), POOL, own[pair.task]))
    return rows


def row(plan: Plan, run: Run, task: int, label: str, how: str, behind: Decision | None, votes: int = 1) -> Row:
    """A label as a decision; with the answers behind it, where they still say the same."""
    axis = plan.params["axis"]
    same = behind is not None and pool.clear(behind) == label
    return Row(
        project=plan.project,
        run=run,
        task_id=task,
        kind=Row.Kind.AXIS,
        name=axis,
        place=f"{Row.Kind.AXIS}:{axis}",
        outcome=label,
        value=behind.value if same and behind else SIGN[label],
        confidence=behind.confidence if same and behind else 1.0,
        votes=behind.votes if same and behind else votes,
        annotations=behind.annotations if same and behind else [],
        how=how,
    )
