"""The people of a project at work: how much, how fast, how well, what it costs, and when it will be done.

Read from counters that the writes keep (Progress, Tally), from the newest checks and the latest reliability; nothing
here counts annotations.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Q, Sum
from django.utils import timezone

from curation.errors import Invalid
from curation.models import (
    Annotation,
    Annotator,
    Assignment,
    Check,
    Membership,
    Progress,
    Project,
    Queue,
    Review,
    Share,
    Tally,
    Task,
)
from curation.services import overview
from curation.services.checking import telling
from workers.forecast import Forecast, forecast

DAYS = 28
WEEKS = 12
MOST = 500
"""People, and queues, that are told at once."""
FEW_WAITING = 1_000
SORTS = {
    "answers": lambda row: -row.done,
    "name": lambda row: row.name.casefold(),
    "pace": lambda row: -(row.per_hour or 0),
    "time": lambda row: -row.active_ms,
    "agreement": lambda row: -(row.agreement if row.agreement is not None else -1),
    "reliability": lambda row: -(row.reliability if row.reliability is not None else -1),
    "returned": lambda row: -row.returned,
    "seen": lambda row: -(row.last_at.timestamp() if row.last_at else 0),
}
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Row:
    """One person. Shares are from 0 to 1, times in ms, cost in the project's money."""

    annotator: Annotator
    name: str
    done: int
    skipped: int
    recent: int
    """Answers in the last seven days."""
    active_ms: int
    last_at: datetime | None
    accepted: int
    fixed: int
    returned: int
    agreement: float | None
    reliability: float | None
    flags: Sequence[str]
    paused: bool
    gone: bool
    """No member any more, or deactivated; what was answered stays."""

    @property
    def per_hour(self) -> float | None:
        """Answers in an hour of active time."""
        return self.done * HOUR_MS / self.active_ms if self.active_ms else None

    @property
    def per_answer_ms(self) -> float | None:
        return self.active_ms / self.done if self.done and self.active_ms else None

    def cost(self, hourly: float | None) -> float | None:
        """What an answer that was not returned cost; None where no hourly cost is set or no time is known."""
        kept = self.done - self.returned
        return self.active_ms / HOUR_MS * hourly / kept if hourly and kept > 0 and self.active_ms else None


@dataclass(frozen=True, slots=True)
class Health:
    """One queue: tasks that are left, tasks in hands and since when, and until when it should be done."""

    name: str
    address: int | None
    left: int
    total: int
    in_hands: int
    oldest: datetime | None
    deadline: datetime | None
    paused: bool

    @property
    def overdue(self) -> bool:
        return self.deadline is not None and self.left > 0 and self.deadline < timezone.now()


@dataclass(frozen=True, slots=True)
class Team:
    """Everybody, and the project as a whole."""

    rows: list[Row]
    more: bool
    """Whether there are people with fewer answers than MOST others, who are not among the rows."""
    queues: list[Health]
    per_day: list[tuple[date, int]]
    done: int
    active_ms: int
    complete: int
    left: int
    """Answers that are still wanted, at the project's overlap."""
    forecast: Forecast | None
    hourly: float | None

    @property
    def label_cost(self) -> float | None:
        """What a complete task cost, all answers to it together."""
        return self.active_ms / HOUR_MS * self.hourly / self.complete if self.hourly and self.complete else None


def team(project: Project, *, sort: str = "answers", query: str = "") -> Team:
    """Those who annotated here, MOST at most, in the order of `sort`; with `query` in their names, if it is given."""
    found = rows_of(project, query)
    rows, more = found[:MOST], len(found) > MOST
    rows.sort(key=SORTS.get(sort, SORTS["answers"]))  # type: ignore[arg-type]
    totals = overview.totals_of([project])[project.pk]
    days = overview.per_day(project, days=DAYS)
    left = max(0, (totals.tasks - totals.complete) * project.overlap)
    told = forecast([count for _, count in days], left, seed=project.seed)
    queues = health(project, totals.tasks, totals.complete)
    return Team(
        rows, more, queues, days, totals.answers, totals.active_ms, totals.complete, left, told, project.hourly_cost
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Effort:
    """What an answer that was not returned took, over everybody: hours of active time, and their cost where an hour's
    is known."""

    hours: float
    cost: float | None


def effort(project: Project) -> Effort | None:
    """None where no answer was kept or no time is known."""
    people = Progress.objects.filter(project=project, annotator__kind=Annotator.Kind.PERSON)
    sums = people.aggregate(ms=Sum("active_ms"), done=Sum("done"), returned=Sum("returned"))
    kept = (sums["done"] or 0) - (sums["returned"] or 0)
    if kept <= 0 or not sums["ms"]:
        return None
    hours = sums["ms"] / HOUR_MS / kept
    return Effort(hours, hours * project.hourly_cost if project.hourly_cost else None)


def rows_of(project: Project, query: str = "") -> list[Row]:
    """Those with most answers, one more than MOST if there are."""
    people = Progress.objects.filter(project=project, annotator__kind=Annotator.Kind.PERSON)
    people = people.filter(called(query)) if query else people
    progress = list(people.select_related("annotator__user").order_by("-done", "pk")[: MOST + 1])
    week = timezone.now().date() - timedelta(days=7)
    recent = answers_since(project, week)
    members = dict(Membership.objects.filter(project=project).values_list("user_id", "deactivated_at"))
    run = telling.latest(project)
    checks = {check.annotator_id: check for check in telling.checks(run)} if run else {}
    return [row_of(one, recent.get(one.annotator_id, 0), members, checks.get(one.annotator_id)) for one in progress]


def called(query: str) -> Q:
    """Whose name, as it is shown, has `query` in it."""
    user = Q(annotator__user__display_name="", annotator__user__username__icontains=query)
    user |= Q(annotator__user__display_name__icontains=query)
    return user | Q(annotator__user=None, annotator__name__icontains=query)


def row_of(one: Progress, recent: int, members: dict[int, Any], check: Check | None) -> Row:
    who = one.annotator
    signals = check.signals if check else {}
    gone = who.user_id is not None and members.get(who.user_id, True) is not None
    return Row(
        annotator=who, name=str(who.user or who.name), done=one.done, skipped=one.skipped, recent=recent,
        active_ms=one.active_ms, last_at=one.last_at, accepted=one.accepted, fixed=one.fixed, returned=one.returned,
        agreement=(signals.get("rest") or {}).get("share"), reliability=who.reliability,
        flags=check.flags if check else [], paused=who.paused_at is not None, gone=gone,
    )  # fmt: skip


def answers_since(project: Project, day: date) -> dict[int, int]:
    """Answers of each annotator from a day on: of several axes the one with most."""
    rows = Tally.objects.filter(project=project, day__gte=day).exclude(overview.SKIPPED)
    if project.kind == Task.Kind.PREFERENCE:
        rows = rows.exclude(axis__in=overview.asked_ever(project))
    else:
        rows = rows.filter(axis="", outcome="answered")
    found: dict[int, int] = defaultdict(int)
    for who, _axis, count in rows.values_list("annotator", "axis").annotate(Sum("count")):
        found[who] = max(found[who], count)
    return found


def health(project: Project, tasks: int, complete: int) -> list[Health]:
    """The project's own queue and those beside it."""
    shares = {row["queue"]: row["n"] for row in shares_of(project)}
    queues = list(Queue.objects.filter(project=project).order_by("-priority", "pk")[:MOST])
    hands = in_hands(project)
    queued_total = sum(queue.task_count for queue in queues)
    queued_closed = sum(shares.get(queue.pk, 0) or 0 for queue in queues)
    own = Health(
        "The project's own queue", None, max(0, tasks - queued_total - (complete - queued_closed)),
        tasks - queued_total, *hands.get(None, (0, None)), None, project.paused_at is not None,
    )  # fmt: skip
    others = [
        Health(
            queue.name,
            queue.pk,
            max(0, queue.task_count - (shares.get(queue.pk, 0) or 0)),
            queue.task_count,
            *hands.get(queue.pk, (0, None)),
            queue.deadline,
            queue.paused_at is not None,
        )  # fmt: skip
        for queue in queues
    ]
    return [own, *others]


def shares_of(project: Project) -> Any:
    return Share.objects.filter(queue__project=project).values("queue").annotate(n=Sum("closed"))


def in_hands(project: Project) -> dict[int | None, tuple[int, datetime | None]]:
    """Tasks that somebody has on the screen, by queue, and since when the oldest is there: FEW_WAITING at most."""
    held = Assignment.objects.filter(state=Assignment.State.RESERVED, annotator__project=project)
    rows = list(held.order_by("id").values_list("task__queue", "created_at")[:FEW_WAITING])
    found: dict[int | None, tuple[int, datetime | None]] = {}
    for queue, since in rows:
        count, oldest = found.get(queue, (0, None))
        found[queue] = (count + 1, min(oldest or since, since))
    return found


def set_hourly_cost(*, project: Project, amount: str) -> None:
    """What an hour of work costs, as it was typed; nothing: costs are hidden. Raises Invalid for what is no amount."""
    try:
        value = float(amount.replace(",", ".")) if amount.strip() else None
    except ValueError:
        raise Invalid("must be an amount, such as 24 or 19.5", field="hourly_cost") from None
    if value is not None and not 0 <= value < 1_000_000:
        raise Invalid("must be from 0 to 1 000 000", field="hourly_cost")
    Project.objects.filter(pk=project.pk).update(hourly_cost=value)


@dataclass(frozen=True, slots=True)
class Person:
    """One person by weeks, with what the checks and reviews say."""

    row: Row
    weeks: list[tuple[date, int]]
    per_day: list[tuple[date, int]]
    outcomes: list[tuple[str, int]]
    check: Check | None
    reviews: list[Review] = field(default_factory=list)


def person(project: Project, annotator: Annotator) -> Person:
    """What a manager sees of one person."""
    today = timezone.now().date()
    check = check_of(project, annotator)
    days = days_of(project, annotator, today - timedelta(days=7 * WEEKS - 1))
    outcomes = Tally.objects.filter(annotator=annotator).exclude(outcome="skip").values_list("axis", "outcome")
    told = [(f"{axis}: {outcome}" if axis else outcome, n) for axis, outcome, n in outcomes.annotate(Sum("count"))]
    return Person(
        row=own_row(project, annotator, days, check),
        weeks=weekly(days),
        per_day=days[-DAYS:],
        outcomes=sorted(told, key=lambda pair: -pair[1])[:20],
        check=check,
        reviews=list(returned(annotator)[:20]),
    )


def own_row(project: Project, annotator: Annotator, days: Sequence[tuple[date, int]], check: Check | None) -> Row:
    """The row of one person, whoever else there is; `days` are their latest days, today last."""
    progress = Progress.objects.filter(annotator=annotator).select_related("annotator__user").first()
    mine = Membership.objects.filter(project=project, user=annotator.user_id)
    recent = sum(count for _, count in days[-7:])
    members = dict(mine.values_list("user_id", "deactivated_at"))
    return row_of(progress or Progress(project=project, annotator=annotator), recent, members, check)


def check_of(project: Project, annotator: Annotator) -> Check | None:
    """What the newest checks found of one person."""
    run = telling.latest(project)
    return telling.checks(run).filter(annotator=annotator).first() if run else None


def returned(annotator: Annotator) -> Any:
    """Answers that a reviewer did not take as they were, the latest first."""
    found = Review.objects.filter(annotator=annotator, outcome__in=("returned", "fixed", "reassigned"))
    return found.select_related("annotation__task", "reviewer").order_by("-pk")


def days_of(project: Project, annotator: Annotator, first: date) -> list[tuple[date, int]]:
    """Answers of one person on each day from `first` to today."""
    rows = Tally.objects.filter(annotator=annotator, day__gte=first).exclude(overview.SKIPPED)
    if project.kind == Task.Kind.PREFERENCE:
        rows = rows.exclude(axis__in=overview.asked_ever(project))
    else:
        rows = rows.filter(axis="", outcome="answered")
    most: dict[date, int] = defaultdict(int)
    for day, _axis, count in rows.values_list("day", "axis").annotate(Sum("count")):
        most[day] = max(most[day], count)
    today = timezone.now().date()
    return [(day, most[day]) for day in (first + timedelta(days=n) for n in range((today - first).days + 1))]


def weekly(days: Sequence[tuple[date, int]]) -> list[tuple[date, int]]:
    """Days summed by sevens, each named by its first day."""
    return [(days[n][0], sum(count for _, count in days[n : n + 7])) for n in range(0, len(days), 7)]


def history(annotator: Annotator, *, before: int | None, most: int) -> list[Annotation]:
    """Own answers that stand, the latest first, behind the annotation `before`."""
    found = Annotation.objects.answers().filter(annotator=annotator)
    if before:
        found = found.filter(pk__lt=before)
    shown = found.select_related("task__pair__item", "task__response__item", "task__item")
    return list(shown.prefetch_related("preferences", "verdicts", "critiques", "ranks").order_by("-pk")[:most])
