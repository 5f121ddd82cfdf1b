"""The runs that are a plan's own: each does what its stage says."""

from __future__ import annotations

from typing import Any

from curation.errors import Conflict
from curation.models import Plan, PlanStep, Run
from curation.services import running
from curation.services.planning.recipe import recipe_of
from curation.services.running import Report


def execute(run: Run, report: Report) -> dict[str, Any]:
    """The work of the stage that a run was started for. Raises Conflict where its plan is gone."""
    where = {"plan": run.params["plan"], "round": run.params["round"], "stage": run.params["stage"]}
    step = PlanStep.objects.select_related("plan__project__protocol").filter(**where).first()
    if step is None:
        raise Conflict("this run belongs to no step of a plan")
    work = recipe_of(step.plan).stages[step.stage].work
    if work is None:
        raise Conflict(f"{step} does nothing by itself")
    return work(step.plan, step, run, report)


def start(plan: Plan, step: PlanStep, method: str, **more: Any) -> Run:
    """A run of the plan's own for a step."""
    where = {"plan": plan.pk, "round": step.round, "stage": step.stage, "annotators": "signed-in"}
    return running.start(
        project=plan.project, method=method, params=where, user=plan.created_by, unit="pairs", seed=plan.seed, **more
    )
