"""Many suggestions of one model accepted at once, as answers of the person who says so; each can be taken back.

The answers are marked as what they are (`source` bulk), so that exports and measures can tell them from read ones, and
a random share of them is put before other reviewers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from pydantic import Field

from curation import access
from curation.errors import Conflict, DomainError, Invalid, NotFound
from curation.models import Annotation, Annotator, Project, Review, Run, Task
from curation.services import annotating, assigning, queues, suggesting, taking
from curation.services.annotating import Commit, Judgement
from curation.services.answering import Answer, Judged, Said
from curation.services.desk import Desk, desk_of
from curation.services.filling import fitting
from curation.services.filtering import Condition
from curation.services.locating import COLUMNS
from curation.services.method import Method, Params
from curation.services.prioritising import coin
from curation.services.reviewed import waiting
from curation.services.running import Report
from curation.statements import together

AT_ONCE = 50
BULK = Annotation.Source.BULK


class AcceptParams(Params):
    critic: int = Field(
        title="Suggestions of", description="a model or program", json_schema_extra={"choose": "critic"}
    )
    least: float | None = Field(
        default=None,
        title="As sure as",
        description="only suggestions whose own score is at least this, or, without one, whose likelier side is at "
        "least so likely",
    )
    where: list[Condition] = Field(
        default_factory=list,
        max_length=20,
        title="Conditions",
        description='all must hold, such as [{"field": "item.metadata.topic", "op": "eq", "value": "code"}]',
    )
    queue: int | None = Field(
        default=None,
        title="Queue",
        description="only tasks of this queue; none: of any",
        json_schema_extra={"choose": "queue"},
    )
    most: int | None = Field(default=None, ge=1, le=1_000_000, title="At most", description="so many answers")
    audit: float = Field(
        default=0.1, ge=0, le=1, title="Audited share", description="of the answers, drawn at random for review"
    )


def execute(run: Run, report: Report) -> dict[str, Any]:
    """Accept some suggestions at a time, by id; after a fall it goes on behind the last."""
    params = AcceptParams.model_validate(run.params)
    if run.created_by is None:
        raise Conflict("a bulk acceptance needs a person who answers for it")
    desk = desk_of(run.home, access.annotator_for(run.created_by, run.home))
    counts, at = Counter[str](run.checkpoint.get("counts", {})), dict(run.checkpoint)
    for some in suggestions(run.home, params, at.get("last", 0)):
        with transaction.atomic():
            for one in chosen(run.home, params, some):
                if params.most is not None and counts["accepted"] >= params.most:
                    break
                made = accept(desk, run, params, one, counts)
                at = {**at, "first": at.get("first") or made, "until": made} if made else at
            counts["looked at"] += len(some)
            at |= {"last": some[-1].pk, "counts": dict(counts)}
            report.checkpoint(done=counts["looked at"], total=run.home.task_count, at=at)
        if params.most is not None and counts["accepted"] >= params.most:
            break
    kept = {name: at[name] for name in ("first", "until") if name in at}
    return {"accepted": counts["accepted"], "audited": counts["audited"], **passed(counts), **kept}


def passed(counts: Counter[str]) -> dict[str, int]:
    """Why suggestions were passed over, where they were."""
    return {name: n for name, n in sorted(counts.items()) if n and name not in ("accepted", "audited", "looked at")}


def suggestions(project: Project, params: AcceptParams, after: int) -> Iterator[list[Annotation]]:
    """The standing suggestions of the critic on open tasks, some at a time."""
    rows = Annotation.objects.answers().filter(project=project, annotator=params.critic, task__state=Task.State.OPEN)
    if params.queue is not None:
        rows = rows.filter(task__queue=params.queue)
    rows = rows.select_related("task", "annotator").prefetch_related("preferences", "critiques", "verdicts", "ranks")
    while some := list(rows.filter(pk__gt=after).order_by("pk")[:AT_ONCE]):
        after = some[-1].pk
        yield some


def chosen(project: Project, params: AcceptParams, some: list[Annotation]) -> list[Annotation]:
    """Those that are sure enough and whose items are as asked."""
    sure = [
        one for one in some if params.least is None or (found := sureness(one)) is not None and found >= params.least
    ]
    if not params.where or not sure:
        return sure
    tasks = Task.objects.filter(pk__in=[one.task_id for one in sure]).order_by("pk")
    fit = set(fitting(project, params.where, list(tasks.values_list("pk", *COLUMNS[project.kind]))))  # type: ignore[index]
    return [one for one in sure if one.task_id in fit]


def sureness(one: Annotation) -> float | None:
    """How sure a suggestion says it is; None where it says nothing of that."""
    if one.score is not None:
        return one.score
    chances = [said.probability for said in one.preferences.all() if said.probability is not None]
    return min(max(chance, 1 - chance) for chance in chances) if chances else None


def accept(desk: Desk, run: Run, params: AcceptParams, one: Annotation, counts: Counter[str]) -> int | None:
    """Say what a suggestion says, as an answer of this desk; its id, or None with the reason counted."""
    if not assigning.claim(desk=desk, task_id=one.task_id):
        counts["already answered, or in others' hands"] += 1
        return None
    shown = taking.held(desk, one.task_id)
    [said] = suggesting.told(desk, shown, [one])
    try:
        with transaction.atomic():
            made = annotating.submit(
                desk=desk,
                task_id=one.task_id,
                judgements=[Judgement(p["axis"], p["value"], p["both_bad"]) for p in said["preferences"]],
                rationale=one.rationale if desk.scale.rationale == "required" else "",
                more=answer_of(said),
                commit=Commit(key=f"bulk-{run.pk}-{one.task_id}", source=BULK),
            )
    except DomainError:
        assigning.release(annotator_id=desk.annotator_id, task_id=one.task_id)
        counts["say less than is asked"] += 1
        return None
    counts["accepted"] += 1
    if coin(run.seed, one.task_id, "audit") < params.audit:
        together([waiting(desk.project_id, made.id, desk.annotator_id, why=Review.Why.AUDIT)])
        counts["audited"] += 1
    return made.id


def answer_of(said: dict[str, Any]) -> Answer:
    """What a suggestion says besides preferences, each part derived from its own."""
    critiques = [
        Said(**{name: value for name, value in one.items() if name != "id"}, derived_from=one["id"])
        for one in said["critiques"]
    ]
    verdicts = [
        Judged(**{name: value for name, value in one.items() if name != "id"}, derived_from=one["id"])
        for one in said["verdicts"]
    ]
    return Answer(critiques=critiques, verdicts=verdicts, ranks=said["ranks"])


def accepted_by(run: Run) -> QuerySet[Annotation]:
    """The answers that a bulk acceptance made and that still stand, by id."""
    first, until = run.result.get("first"), run.result.get("until")
    if not first:
        return Annotation.objects.none()
    rows = Annotation.objects.answers().filter(pk__gte=first, pk__lte=until, project=run.project_id, source=BULK)
    return rows.filter(idempotency_key__startswith=f"bulk-{run.pk}-").order_by("pk")


@transaction.atomic
def take_back(project: Project, annotation_id: int) -> None:
    """Take back one answer that was accepted in bulk; its task goes back to everybody."""
    rows = Annotation.objects.filter(project=project, source=BULK).select_related("annotator")
    found = rows.filter(pk=annotation_id).first() if annotation_id < 2**63 else None
    if found is None:
        raise NotFound("no such answer of a bulk acceptance")
    desk = desk_of(project, found.annotator)
    annotating.undo(desk=desk, annotation_id=found.pk, commit=Commit(key=f"undo-{found.pk}", source=BULK))
    assigning.release(annotator_id=found.annotator_id, task_id=found.task_id)


def settle(project: Project | None, params: AcceptParams) -> AcceptParams:
    """Raises Invalid for who is no critic here, and for a queue of another project."""
    assert project is not None
    machines = Annotator.objects.filter(project=project).exclude(kind=Annotator.Kind.PERSON)
    if not machines.filter(pk=params.critic).exists():
        raise Invalid("must be a model or program that speaks in this project", field="params.critic")
    if params.queue is not None:
        queues.find(project, params.queue)
    return params


METHOD = Method(
    name="accept",
    title="Accept suggestions",
    about="Writes what a model suggests as your own answers, marked as accepted in bulk. Each can be taken back, and a "
    "random share is drawn for review by others.",
    params=AcceptParams,
    unit="suggestions",
    execute=execute,
    settle=settle,
    capability=access.MANAGE,
)
