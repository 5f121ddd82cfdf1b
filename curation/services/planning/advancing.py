"""From one step of a plan to the next: when a run has ended, when the people are done, by the clock, or by a button.

Each move is one transaction under the plan's lock: the step's row and its run are made together, so that a worker that
dies leaves either both or neither, and two that move the same plan do it once.
"""

from __future__ import annotations

import logging

from django.db import Error, transaction
from django.utils import timezone

from curation.errors import DomainError
from curation.models import Plan, PlanStep, Run
from curation.services.planning.recipe import Recipe, Stage, recipe_of

log = logging.getLogger("touchstone.plans")

AT_ONCE = 100
"""Plans that one look by the clock moves."""


def advance(plan: Plan) -> Plan:
    """Move a plan as far as it goes now: to a run that is at work, to people who are waited for, or to its end."""
    try:
        while move(plan.pk):
            pass
    except DomainError as error:
        fail(plan.pk, error.detail)
    plan.refresh_from_db()
    return plan


@transaction.atomic
def move(plan_id: int) -> bool:
    """One step begun, or one ended; whether there may be more to do."""
    locked = Plan.objects.select_for_update(of=("self",)).select_related("project__protocol", "created_by")
    plan = locked.get(pk=plan_id)
    if not plan.live:
        return False
    recipe = recipe_of(plan)
    stage = recipe.stages[plan.stage]
    step = PlanStep.objects.select_related("run").filter(plan=plan, round=plan.round, stage=plan.stage).first()
    if step is None:
        begin(plan, stage)
        return True
    if step.ended_at is None and not ready(plan, step, stage):
        return False
    end(plan, step, stage)
    return follow(plan, recipe, step)


def begin(plan: Plan, stage: Stage) -> None:
    """Make the step and start its run."""
    step = PlanStep.objects.create(plan=plan, round=plan.round, stage=plan.stage)
    step.run = stage.begin(plan, step) if stage.begin else None
    step.save(update_fields=["run"])
    plan.state = Plan.State.RUNNING
    plan.save()


def ready(plan: Plan, step: PlanStep, stage: Stage) -> bool:
    """Whether a step is over; a plan whose run failed is failed, one that waits for people says so."""
    if step.run is not None and step.run.live:
        return False
    if step.run is not None and step.run.state != Run.State.SUCCEEDED:
        plan.state, plan.error = Plan.State.FAILED, f"{stage.title}: {step.run.error or step.run.get_state_display()}"
        plan.save()
        return False
    if stage.over and not stage.over(plan, step):
        if plan.state != Plan.State.WAITING:
            plan.state = Plan.State.WAITING
            plan.save(update_fields=["state"])
        return False
    return True


def end(plan: Plan, step: PlanStep, stage: Stage) -> None:
    if step.ended_at is not None:
        return
    step.counts = stage.ended(plan, step) if stage.ended else numbers(step.run)
    step.ended_at = timezone.now()
    step.save(update_fields=["counts", "ended_at"])


def numbers(run: Run | None) -> dict[str, int | float | str]:
    """What a run's result tells in numbers and short words."""
    result = run.result if run else {}
    return {name: value for name, value in result.items() if isinstance(value, int | float | str)}


def follow(plan: Plan, recipe: Recipe, step: PlanStep) -> bool:
    """Stand at the next stage; at the end of the last one the plan is finished."""
    following = recipe.following(plan, step)
    plan.state, plan.error = Plan.State.RUNNING, ""
    if following is None:
        plan.state, plan.ended_at = Plan.State.FINISHED, timezone.now()
    else:
        plan.round, plan.stage = following
    plan.save()
    return following is not None


def fail(plan_id: int, words: str) -> None:
    Plan.objects.filter(pk=plan_id, state__in=Plan.LIVE).update(state=Plan.State.FAILED, error=words)


def run_ended(run: Run) -> None:
    """Move the plan whose step a run was; one that had failed goes on when its run succeeds at last."""
    step = PlanStep.objects.select_related("plan").filter(run=run).first()
    if step is None:
        return
    if run.state == Run.State.SUCCEEDED:
        failed = Plan.objects.filter(pk=step.plan_id, state=Plan.State.FAILED, stage=step.stage, round=step.round)
        failed.update(state=Plan.State.RUNNING, error="")
    moved(step.plan)


def advance_all() -> int:
    """Move every plan that is at work or waits, by the clock; how many were looked at."""
    live = list(Plan.objects.filter(state__in=Plan.LIVE, project__deleted_at=None).order_by("pk")[:AT_ONCE])
    for plan in live:
        moved(plan)
    return len(live)


def moved(plan: Plan) -> None:
    """Move a plan where nobody is there to be told; one of the places that catch everything."""
    try:
        advance(plan)
    except Error:
        raise
    except Exception as error:
        log.exception("%s could not go on", plan)
        fail(plan.pk, f"{type(error).__name__}: {error}")
