"""How the model of a round does on held-out pairs, and how sure it is of verified ones: only these are scored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction

from curation.models import Item, ModelVersion, Plan, PlanPair, PlanStep, Run
from curation.services import candidates, scoring
from curation.services.plans import pool
from curation.services.plans.pool import PoolPair
from curation.services.running import Report
from workers.consistency import agrees
from workers.intervals import wilson

AT_ONCE = 64


def measure(plan: Plan, step: PlanStep, run: Run, report: Report) -> dict[str, Any]:
    """Score what is verified, and say how often the model is right on what it never saw."""
    model = pool.trained(plan, step.round)
    verified = pool.taken(plan, *PlanPair.VERIFIED)
    pairs = list(pool.some(list(verified)).values())
    score(model, plan, pairs, report)
    above = pool.margins(plan, model, pairs)
    told: dict[str, Any] = {"model": str(model)}
    for role, name in ((PlanPair.Role.VALIDATION, ""), (PlanPair.Role.GOLD, "gold ")):
        mine = [row for row in verified.values() if row.role == role and row.task_id in above]
        right = sum(agreeing(above[row.task_id], row.label) for row in mine)
        share = wilson(right, len(mine))
        told |= {f"{name}right": right, f"{name}n": len(mine), f"{name}accuracy": share.share}
        if not name:
            told |= {"low": share.low, "high": share.high}
    return told


def agreeing(first_above: float, label: str) -> bool:
    """Whether a model is on the side of a label; a tie is not."""
    return agrees(first_above, 0.0) if label == "first" else agrees(0.0, first_above)


def score(model: ModelVersion, plan: Plan, pairs: Sequence[PoolPair], report: Report) -> None:
    """The responses of pairs that this model has not scored, some at a time."""
    for start in range(0, len(pairs), AT_ONCE):
        block = pairs[start : start + AT_ONCE]
        items = Item.objects.filter(pk__in={pair.item for pair in block})
        wanted = {response for pair in block for response in (pair.first, pair.second)}
        missing = candidates.unscored(model).filter(pk__in=wanted)
        rows = list(candidates.given(items, missing, unit=candidates.unit_of(plan.project)))
        found = list(candidates.opened(model).judge(iter(rows))) if rows else []
        with transaction.atomic():
            scoring.write(Run(pk=report.run.pk, model=model), found)
            report.checkpoint(done=start + len(block), total=len(pairs))
