"""Which fit of labels is in use in a project, and what people settled by hand, which goes before every fit.

A fit is a finished run of `decide`. A manager puts one in use; from then on each later fit that was started with the
same choices takes its place when it is finished. Dataset versions keep the run that they were decided by.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Max, QuerySet

from curation.errors import Invalid
from curation.models import Annotator, Decision, Project, Reliability, Run, Task, User

METHOD = "decide"
PLANNED = "plan-label"
"""Labels that a plan wrote down: a version may be decided by them, and no fit of a project is."""
IN_USE = "in-use"
MAJORITY = "majority"
BATCH = 500


def finished(project: Project) -> QuerySet[Run]:
    """The fits of a project, the newest first."""
    return Run.objects.filter(project=project, method=METHOD, state=Run.State.SUCCEEDED).order_by("-created_at")


def find(project: Project, given: str, field: str, *, planned: bool = False) -> Run:
    """The fit called so: `in-use`, or the id of its run; with `planned` also the labels of a plan.

    Raises Invalid naming `field`.
    """
    if given == IN_USE:
        if project.fit_id is None:
            raise Invalid("no fit is in use in this project; put one in use, or name its run", field=field)
        found = Run.objects.filter(pk=project.fit_id).first()
    else:
        try:
            methods = (METHOD, PLANNED) if planned else (METHOD,)
            ended = Run.objects.filter(project=project, method__in=methods, state=Run.State.SUCCEEDED)
            found = ended.filter(pk=UUID(given)).first()
        except ValueError:
            found = None
    if found is None:
        raise Invalid("is no finished run of decide in this project", field=field)
    return found


def use(project: Project, run: Run | None) -> None:
    """Put a finished fit in use, or none. Raises Invalid for a run that is no finished fit of the project."""
    if run is not None:
        find(project, str(run.pk), "run")
    with transaction.atomic():
        adopt(project, run)


def adopt(project: Project, run: Run | None) -> None:
    Project.objects.filter(pk=project.pk).update(fit=run)
    project.fit = run
    told = dict(Reliability.objects.filter(run=run, kind="").values_list("annotator_id", "value")) if run else {}
    changed = []
    for one in Annotator.objects.filter(project=project).only("pk", "reliability").iterator(chunk_size=BATCH):
        if one.reliability != told.get(one.pk):
            one.reliability = told.get(one.pk)
            changed.append(one)
    Annotator.objects.bulk_update(changed, ["reliability"], batch_size=BATCH)


def succeed(run: Run) -> None:
    """Put a fit that is about to be finished in use, where the one in use was started with the same choices and read
    no later answers."""
    project = Project.objects.select_related("fit").get(pk=run.home.pk)
    before = project.fit
    if before is not None and choices(before) == choices(run) and before.created_at <= run.created_at:
        adopt(project, run)


def choices(run: Run) -> tuple[dict[str, Any], int]:
    return {name: value for name, value in run.params.items() if value not in (None, "")}, run.seed


# --- By hand ------------------------------------------------------------------------------------------


def last_settled(project: Project) -> int:
    """The id up to which what people settled is seen: what comes later does not change a version under way."""
    return Decision.objects.filter(project=project, run=None).aggregate(n=Max("pk"))["n"] or 0


def settle(
    task: Task,
    *,
    kind: str,
    name: str,
    outcome: str,
    how: str,
    made_by: User | None = None,
    place: str = "",
    **said: Any,
) -> Decision:
    """Keep what a person settled: an adjudication, or gold. An empty outcome takes the one before back.

    `place` is what a run calls it: `axis:NAME`, `rank:FIRST:SECOND`, `question:NAME:RESPONSE` and `:START` behind it
    for a part, `span:RESPONSE:MESSAGE:START`; of an axis it follows. `said` are further fields of a Decision.
    """
    if how not in Decision.How.values:
        raise Invalid(f"must be one of: {', '.join(Decision.How.values)}", field="how")
    place = place or f"{kind}:{name}"
    said = {"confidence": 1.0, **said}
    return Decision.objects.create(
        project=task.project,
        task=task,
        kind=kind,
        name=name,
        place=place,
        outcome=outcome,
        how=how,
        made_by=made_by,
        **said,
    )
