"""Plans started, stopped, sent on and repeated."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from pydantic import ValidationError

from curation import access
from curation.errors import Conflict, Invalid, NotFound
from curation.models import Act, Membership, Plan, PlanPair, PlanStep, Project, Queue, Run, Task, TaskKind, User
from curation.services import auditing, queues, running
from curation.services.planning import advancing
from curation.services.planning.recipe import Recipe, recipe_of, recipes

MOST_PROJECTS, MOST_SOURCES = 50, 200
"""So many are offered to run a plan again on."""


def start(
    *,
    project: Project,
    method: str,
    params: dict[str, Any],
    user: User | None,
    seed: int = 0,
    again_of: Plan | None = None,
) -> Plan:
    """A plan over the pairs that a project has now, moved to its first run. Raises Invalid naming what is wrong."""
    recipe = recipes().get(method)
    if recipe is None:
        raise Invalid(f"no plan {method!r}; there is: {', '.join(recipes())}", field="method")
    checked = recipe.settle(project, validated(recipe, params))
    last = Task.objects.filter(project=project).aggregate(last=Max("pk"))["last"] or 0
    with transaction.atomic():
        plan = Plan.objects.create(
            project=project,
            method=method,
            params=checked.model_dump(mode="json"),
            seed=seed,
            stage=recipe.first,
            last_task=last,
            again_of=again_of,
            created_by=user,
        )
        auditing.record(Act.PLAN_STARTED, project=project, by=user, thing=plan, method=method)
    return advancing.advance(plan)


def validated(recipe: Recipe, params: dict[str, Any]) -> Any:
    try:
        return recipe.params.model_validate(params)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(["params", *(str(part) for part in first["loc"])])
        if first["type"] == "extra_forbidden":
            raise Invalid(f"unknown; known are: {', '.join(recipe.params.model_fields)}", field=place) from None
        raise Invalid(first["msg"].removeprefix("Value error, "), field=place) from None


def again(plan: Plan, *, user: User | None, project: Project | None = None, **changed: Any) -> Plan:
    """Another plan with the same settings, over the pairs that there are now, of its project or of another one;
    `changed` settings are another's. Raises Invalid naming a setting that does not hold there."""
    where, params = project or plan.project, {**plan.params, **changed}
    return start(project=where, method=plan.method, params=params, user=user, seed=plan.seed, again_of=plan)


def pools(user: User, first: Project) -> list[tuple[Project, list[str]]]:
    """The projects of pairs that somebody manages, with the names of their sources: where a plan can be run again."""
    roles = [role for role, can in access.CAN.items() if access.MANAGE in can]
    mine = Project.objects.filter(deleted_at=None, kind=TaskKind.PREFERENCE).exclude(pk=first.pk).order_by("name", "pk")
    if not user.is_superuser:
        member = Membership.objects.filter(user=user, role__in=roles, deactivated_at=None)
        mine = mine.filter(pk__in=member.values("project"))
    found = [first, *mine.prefetch_related("sources")[:MOST_PROJECTS]]
    return [(one, sorted(source.name for source in one.sources.all())[:MOST_SOURCES]) for one in found]


def find(project: Project, plan_id: int) -> Plan:
    found = Plan.objects.select_related("project", "queue", "version__dataset", "created_by", "again_of")
    one = found.filter(project=project, pk=plan_id).first() if plan_id < 2**63 else None
    if one is None:
        raise NotFound("no such plan")
    return one


def cancel(plan: Plan, user: User | None) -> Plan:
    """Stop a plan and the run that it is at. What was verified and trained stays; what people were still asked goes
    back where it was. Raises Conflict at its end."""
    now = timezone.now()
    if not Plan.objects.filter(pk=plan.pk, state__in=(*Plan.LIVE, Plan.State.FAILED)).update(
        state=Plan.State.CANCELLED, ended_at=now
    ):
        raise Conflict("this plan has already ended")
    auditing.record(Act.PLAN_CANCELLED, project=plan.project, by=user, thing=plan)
    step = standing(plan)
    if step is not None and step.run is not None and step.run.live:
        running.cancel(step.run)
    asked = PlanPair.objects.filter(plan=plan, role=PlanPair.Role.ASKED, task__state=Task.State.OPEN)
    if left := list(asked.order_by("task_id").values_list("task_id", flat=True)):
        queues.move(project=plan.project, ids=left, queue=None)
    plan.refresh_from_db()
    return plan


def go_on(plan: Plan, user: User | None, *, without_waiting: bool = False) -> Plan:
    """Move a plan: one that failed tries its step again, one that waits may go on with what people did so far.

    Raises Conflict at its end.
    """
    if plan.state in (Plan.State.FINISHED, Plan.State.CANCELLED):
        raise Conflict("this plan has already ended")
    auditing.record(Act.PLAN_SENT_ON, project=plan.project, by=user, thing=plan, waited=not without_waiting)
    step = standing(plan)
    if plan.state == Plan.State.FAILED:
        if step is not None and step.run is not None and step.run.state in (Run.State.FAILED, Run.State.CANCELLED):
            running.retry(step.run)
        changes: dict[str, Any] = {"state": Plan.State.RUNNING, "error": ""}
        if step is not None and step.run is None:
            changes["deadline"] = recipe_deadline(plan)
            Queue.objects.filter(pk=plan.queue_id or 0).update(deadline=changes["deadline"])
        Plan.objects.filter(pk=plan.pk, state=Plan.State.FAILED).update(**changes)
    elif without_waiting and plan.state == Plan.State.WAITING:
        Plan.objects.filter(pk=plan.pk, state=Plan.State.WAITING).update(deadline=timezone.now())
    return advancing.advance(plan)


def recipe_deadline(plan: Plan) -> Any:
    """Until when people are asked from now on."""
    return recipe_of(plan).params.model_validate(plan.params).until(timezone.now())  # type: ignore[attr-defined]


def standing(plan: Plan) -> PlanStep | None:
    """The step that a plan stands at, if it was begun."""
    found = PlanStep.objects.select_related("run__project").filter(plan=plan, round=plan.round, stage=plan.stage)
    return found.first()
