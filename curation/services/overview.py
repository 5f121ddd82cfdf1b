"""How a project is going, from counters that the writes keep: nothing here counts annotations."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import Count, Q, Sum
from django.utils import timezone

from curation.models import Annotator, Progress, Project, Tally, User
from curation.services.desk import ProgressNow, progress_from, progress_now

DAYS = 30
MOST_PEOPLE = 100
BEGUN = Q(done__gt=0)


@dataclass(frozen=True, slots=True)
class Totals:
    """A project in five numbers."""

    items: int
    tasks: int
    complete: int
    answers: int
    people: int
    active_ms: int

    @property
    def percent(self) -> float:
        return 100 * self.complete / self.tasks if self.tasks else 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How often one answer was given: `side` is first, tie, second, both-bad or skip."""

    key: str
    label: str
    side: str
    strength: int
    count: int


def totals_of(projects: Iterable[Project]) -> dict[int, Totals]:
    """The totals of each project, by its id."""
    projects = list(projects)
    sums: dict[int, dict[str, Any]] = {
        row["project"]: dict(row)
        for row in Progress.objects.filter(project__in=projects)
        .values("project")
        .annotate(complete=Sum("closed"), answers=Sum("done"), ms=Sum("active_ms"), people=Count("pk", filter=BEGUN))
    }
    return {project.pk: totals(project, sums.get(project.pk, {})) for project in projects}


def totals(project: Project, sums: dict[str, Any]) -> Totals:
    return Totals(
        items=project.item_count,
        tasks=project.task_count,
        complete=min(project.task_count, max(0, sums.get("complete") or 0)),
        answers=sums.get("answers") or 0,
        people=sums.get("people") or 0,
        active_ms=sums.get("ms") or 0,
    )


def own_progress(project: Project, user: User) -> ProgressNow:
    """How far `user` is; somebody who has not begun has everything before them."""
    annotator = Annotator.objects.filter(project=project, user=user).values_list("pk", flat=True).first()
    if annotator is not None:
        return progress_now(annotator)
    closed = Progress.objects.filter(project=project).aggregate(sum=Sum("closed"))["sum"]
    return progress_from(project.task_count, 0, 0, 0, closed)


def per_day(project: Project, *, days: int = DAYS) -> list[tuple[date, int]]:
    """Answers on each of the last days, today last. An answer on several axes counts once."""
    first = timezone.now().date() - timedelta(days=days - 1)
    rows = (
        Tally.objects.filter(project=project, day__gte=first)
        .exclude(outcome="skip")
        .values_list("day", "axis")
        .annotate(Sum("count"))
    )
    most: dict[date, int] = defaultdict(int)
    for day, _axis, count in rows:
        most[day] = max(most[day], count)
    return [(day, most[day]) for day in (first + timedelta(days=n) for n in range(days))]


def outcomes(project: Project, axis: str) -> list[Outcome]:
    """Answers on one axis by outcome, from "first much better" to "second much better", then both bad, skipped."""
    counts = Counter(
        dict(
            Tally.objects.filter(Q(project=project), Q(axis=axis) | Q(outcome="skip"))
            .values_list("outcome")
            .annotate(Sum("count"))
        )
    )
    widest = max([project.protocol.strengths if project.protocol else 2, *(strength(key) for key in counts)])
    values = [str(value) for value in range(-widest, widest + 1)]
    return [described(key, widest, counts[key]) for key in [*values, "both_bad", "skip"]]


def strength(key: str) -> int:
    return abs(int(key)) if key.lstrip("-").isdigit() else 0


def described(key: str, widest: int, count: int) -> Outcome:
    if key in ("both_bad", "skip"):
        label, side = {"both_bad": ("Both bad", "both-bad"), "skip": ("Skipped", "skip")}[key]
        return Outcome(key, label, side, 0, count)
    value = int(key)
    if value == 0:
        return Outcome(key, "Tie", "tie", 0, count)
    side = "first" if value < 0 else "second"
    return Outcome(key, f"{side.capitalize()} {how_much(abs(value), widest)}", side, abs(value), count)


def how_much(steps: int, widest: int) -> str:
    """The words of a step on a scale with `widest` steps to each side."""
    if widest == 3:
        return ("slightly better", "better", "much better")[steps - 1]
    return ("better", "much better")[steps - 1]


def people_of(project: Project) -> list[Progress]:
    """The progress of everybody who annotates here, the busiest first."""
    rows = Progress.objects.filter(project=project).exclude(done=0, skipped=0)
    return list(rows.select_related("annotator__user").order_by("-done", "pk")[:MOST_PEOPLE])
