"""Attributes of the pairs that a plan takes: a critic describes them, people change them, and who did is kept."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, cast

from django.db import transaction

from curation.errors import Invalid, NotFound
from curation.models import (
    Act,
    AttributesEdit,
    ModelVersion,
    Pair,
    PairAttributes,
    Plan,
    PlanPair,
    PlanStep,
    Project,
    Run,
    User,
)
from curation.services import auditing, candidates, completions, queueing, rounds
from curation.services.plans import pool
from curation.services.plans.settings import settings_of
from curation.services.running import Report
from workers import attributing
from workers.asking import Reply
from workers.attributing import NAMES
from workers.criticising import Critic, Subject

AT_ONCE = 16
PICK = "plan"


def describe(plan: Plan, step: PlanStep, run: Run, report: Report) -> dict[str, Any]:
    """Let the first judge describe the pairs that this round took and that nobody has described."""
    at = run.checkpoint or {"after": 0, "described": 0, "unread": 0, "calls": 0}
    model = ModelVersion.objects.get(pk=settings_of(plan).judges[0])
    rows = PlanPair.objects.filter(plan=plan, round=step.round).order_by("task_id")
    while some := list(rows.filter(task_id__gt=at["after"]).values_list("task_id", flat=True)[:AT_ONCE]):
        pairs = list(pool.some(some).values())
        known = of([one.pair for one in pairs])
        made, unread, calls = said_of(plan.project, model, [one for one in pairs if one.pair not in known], report)
        at = {
            "after": some[-1],
            "described": at["described"] + len(made),
            "unread": at["unread"] + unread,
            "calls": at["calls"] + calls,
        }
        with transaction.atomic():
            PairAttributes.objects.bulk_create(made, ignore_conflicts=True)
            report.checkpoint(done=at["described"] + at["unread"], at=at)
    with transaction.atomic():
        reorder(plan, step)
        report.checkpoint(done=at["described"] + at["unread"], at=at)
    return {name: at[name] for name in ("described", "unread", "calls")}


def said_of(
    project: Project, model: ModelVersion, pairs: Sequence[pool.PoolPair], report: Report
) -> tuple[list[PairAttributes], int, int]:
    """What a critic says of pairs, how many answers could not be used, and how many calls that took now."""
    if not pairs:
        return [], 0, 0
    critic, known = cast(Critic, candidates.opened(model)), rounds.pairs_of(project, [one.task for one in pairs])
    subjects = [Subject(one.prompt, one.texts, one.documents) for one in known]
    asked = [attributing.request(one, max_tokens=critic.max_tokens) for one in subjects]

    def told(_reply: Reply | None) -> None:
        report.checkpoint(done=report.run.done)

    made, unread = [], 0
    done = completions.completed(model, critic, asked, told)
    by_task = {one.task: one.pair for one in pairs}
    for pair, answer in zip(known, done, strict=True):
        try:
            made.append(PairAttributes(pair_id=by_task[pair.task], model=model, **attributing.checked(answer.parsed)))
        except ValueError:
            unread += 1
    return made, unread, sum(answer.calls for answer in done)


def reorder(plan: Plan, step: PlanStep) -> None:
    """Put what is objective and little disputed first in the queue, then what the most errors pulled."""
    rows = PlanPair.objects.filter(plan=plan, round=step.round, role=PlanPair.Role.ASKED)
    asked = list(rows.values_list("task_id", "task__pair_id", "pulls"))
    known = of([pair for _, pair, _ in asked])
    ordered = sorted(asked, key=lambda one: (attributing.urgency(known.get(one[1], {})), -one[2], one[0]))
    placed = sorted((task, len(ordered) - place, PICK) for place, (task, _, _) in enumerate(ordered))
    queueing.place(project_id=plan.project_id, rows=placed)


def of(pairs: Collection[int]) -> dict[int, dict[str, Any]]:
    """The five attributes by pair, of those that have some."""
    rows = PairAttributes.objects.filter(pair__in=pairs).values("pair_id", *NAMES)
    return {row.pop("pair_id"): row for row in rows}


def for_annotators(task_id: int) -> dict[str, str]:
    """What kind of task a pair is and by what to choose, while a plan asks people about it; nothing otherwise.

    Its critic described the pair without its label, so that this gives nothing away.
    """
    asked = PlanPair.objects.filter(task=task_id, role=PlanPair.Role.ASKED, plan__state__in=Plan.LIVE)
    known = asked.exclude(task__pair__attributes=None)
    place = "task__pair__attributes__"
    found = known.values_list(f"{place}category", f"{place}guideline").first()
    return dict(zip(("category", "guideline"), found, strict=True)) if found else {}


def values(found: PairAttributes | None) -> dict[str, Any]:
    return {name: getattr(found, name) for name in NAMES} if found else {}


@transaction.atomic
def edit(plan: Plan, task_id: int, given: dict[str, Any], user: User) -> PairAttributes:
    """Say what a pair's attributes are, or say it anew; the edit is kept. Raises Invalid naming what is wrong."""
    try:
        checked = attributing.checked(given)
    except ValueError as error:
        field, _, words = str(error).partition(": ")
        raise Invalid(words, field=field) from None
    row = pair_of(plan, task_id)
    assert row.task.pair is not None
    Pair.objects.select_for_update(of=("self",)).get(pk=row.task.pair.pk)
    found = PairAttributes.objects.filter(pair=row.task.pair).first()
    before = values(found)
    if found is not None and before == checked:
        return found
    found = found or PairAttributes(pair=row.task.pair)
    for name, value in checked.items():
        setattr(found, name, value)
    found.save()
    AttributesEdit.objects.create(attributes=found, by=user, before=before, after=checked)
    auditing.record(Act.ATTRIBUTES_CHANGED, project=plan.project, by=user, thing=found, pair=row.task.pair_id)
    return found


def pair_of(plan: Plan, task_id: int) -> PlanPair:
    """A pair that the plan took, by its task. Raises NotFound."""
    rows = PlanPair.objects.filter(plan=plan, task=task_id)
    found = rows.select_related("task__pair__item", "task__pair__first", "task__pair__second").first()
    if found is None:
        raise NotFound("the plan did not take such a pair")
    return found
