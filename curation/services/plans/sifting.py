"""Stage 2: what two reward models and, in doubt, judges say of every label that nobody verified, as proposals.

The gold model learnt from verified pairs alone, none of which it sifts. What is kept needs no proposal; flips and
drops are accepted at once, so that the version takes them; what people are to be asked stays open and is left out.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from curation.models import ModelVersion, Plan, PlanPair, PlanStep, Proposal, Run
from curation.services.curating import performing
from curation.services.deciding import last_annotation
from curation.services.plans import judging, pool
from curation.services.plans.measuring import agreeing
from curation.services.plans.pool import PoolPair
from curation.services.plans.settings import settings_of
from curation.services.plans.verifying import confidence
from curation.services.running import Report
from workers.consistency import Outcome, audited, needs_judge, outcome, reason
from workers.curating import Subject

ROLE = PlanPair.Role
CAUSES = {
    Outcome.FLIP: "both reward models disagree with the label",
    Outcome.DROP: "the reward models do not agree on the label",
    Outcome.ASK: "models and judges do not agree on the label",
}
AUDIT = "drawn for an audit of what is dropped"


@dataclass(frozen=True, slots=True)
class Sifted:
    """A pair with its label, what the models say of it, and what the judges do, if they were asked."""

    pair: PoolPair
    label: str
    gold: float
    """Score of the first response above that of the second, by the gold model."""
    best: float
    judge: bool | None

    @property
    def gold_agrees(self) -> bool:
        return agreeing(self.gold, self.label)

    @property
    def best_agrees(self) -> bool:
        return agreeing(self.best, self.label)


def doubt(plan: Plan, step: PlanStep, run: Run, report: Report) -> dict[str, Any]:
    """Put the labels that the best model contradicts to the judges: those first of which it is the surest."""
    if not run.checkpoint:
        worst: list[tuple[float, int]] = []
        most = settings_of(plan).judged
        for one in walked(plan, step, 0, last_annotation(plan.project)):
            if needs_judge(one.best_agrees) and one.judge is None:
                heapq.heappush(worst, (1 - confidence(one.best, one.label), one.pair.task))
                if len(worst) > most:
                    heapq.heappop(worst)
        rows = [PlanPair(plan=plan, task_id=task, round=step.round, role=ROLE.DOUBTED) for _, task in sorted(worst)]
        at = {"after": 0, "judged": 0, "split": 0, "calls": 0}
        with transaction.atomic():
            PlanPair.objects.bulk_create(rows, batch_size=500)
            report.checkpoint(done=0, total=len(rows), at=at)
    return judging.label(plan, step, report, run, ROLE.DOUBTED, ROLE.HEARD)


def sift(plan: Plan, step: PlanStep, run: Run, report: Report) -> dict[str, Any]:
    """Write a proposal for every label that is not kept; how many of each."""
    counts = dict.fromkeys((*map(str, Outcome), "audit"), 0)
    at = run.checkpoint or {"after": 0, "as_of": last_annotation(plan.project), **counts}
    share = settings_of(plan).audit
    waiting: list[Sifted] = []

    def write(some: Sequence[Sifted]) -> None:
        made = []
        for one in some:
            found = outcome(one.gold_agrees, one.best_agrees, one.judge)
            audit = found is Outcome.DROP and audited(one.pair.prompt_hash, plan.seed, share)
            at[found] += 1
            at["audit"] += audit
            if found is not Outcome.KEEP:
                made.append(proposal(plan, run, one, Outcome.ASK if audit else found, AUDIT if audit else ""))
        at["after"] = some[-1].pair.task
        with transaction.atomic():
            Proposal.objects.bulk_create(made, batch_size=500)
            report.checkpoint(done=sum(at[name] for name in Outcome), at=at)

    for one in walked(plan, step, at["after"], at["as_of"]):
        waiting.append(one)
        if len(waiting) == pool.AT_ONCE:
            write(waiting)
            waiting = []
    if waiting:
        write(waiting)
    counts = {name.value: at[name] for name in Outcome}
    return {"curator": f"plan {plan.pk}, stage 2", **counts, "audit": at["audit"], **performing.told(run)}


def walked(plan: Plan, step: PlanStep, after: int, as_of: int) -> Iterator[Sifted]:
    """Every label of the pool that nobody verified and that both models have scored, by task."""
    gold, best = models_of(plan, step.round)
    taken, held = pool.taken(plan), pool.held_prompts(plan)
    out = {task for task, row in taken.items() if row.role in (*PlanPair.VERIFIED, ROLE.DISCARDED)}
    for block in pool.blocks(plan, after):
        pairs = [pair for pair in block if pair.task not in out and pair.prompt_hash not in held]
        own = pool.own_labels(plan, [pair.task for pair in pairs], as_of)
        by_gold, by_best = pool.margins(plan, gold, pairs), pool.margins(plan, best, pairs)
        for pair in pairs:
            label, judge = label_of(taken.get(pair.task), pool.clear(own.get(pair.task)))
            if label and pair.task in by_gold and pair.task in by_best:
                yield Sifted(pair, label, by_gold[pair.task], by_best[pair.task], judge)


def label_of(row: PlanPair | None, own: str) -> tuple[str, bool | None]:
    """The label that is sifted, and whether judges stand behind it."""
    if row is not None and row.role == ROLE.JUDGED:
        return row.label, True
    if row is not None and row.role == ROLE.SPLIT:
        return "", None
    heard = row is not None and row.role == ROLE.HEARD and bool(row.label)
    return own, row.label == own if heard and row is not None else None


def models_of(plan: Plan, round_: int) -> tuple[ModelVersion, ModelVersion]:
    """The model of the verified pairs alone, and the best model of the rounds."""
    return pool.trained(plan, round_, "gold-train"), pool.trained(plan, best_round(plan))


def best_round(plan: Plan) -> int:
    """The round whose model was right most often on held-out pairs; of several the last."""
    steps = PlanStep.objects.filter(plan=plan, stage="measure").exclude(ended_at=None)
    return max((step.counts.get("accuracy") or 0.0, step.round) for step in steps)[1]


def proposal(plan: Plan, run: Run, one: Sifted, action: Outcome, audit: str) -> Proposal:
    """What is to become of a pair: flips and drops are decided with the plan."""
    chosen, rejected = one.pair.sides(one.label)
    subject = Subject(one.pair.item, one.pair.pair, None, chosen, rejected)
    p = confidence(one.gold, one.label)
    words = f"{reason(one.gold_agrees, one.best_agrees, one.judge)}; gold model: {p:.2f} for the label, "
    words += f"best model: {confidence(one.best, one.label):.2f}" + (f"; {audit}" if audit else "")
    settled = action is not Outcome.ASK
    return Proposal(
        project=plan.project,
        run=run,
        subject=subject.key,
        item_id=one.pair.item,
        pair_id=one.pair.pair,
        chosen_id=chosen,
        rejected_id=rejected,
        action=action.value,
        score=1 - p,
        reason=words,
        cause=audit or CAUSES[action],
        state=Proposal.State.ACCEPTED if settled else Proposal.State.OPEN,
        decided_by=plan.created_by if settled else None,
        decided_at=timezone.now() if settled else None,
    )
