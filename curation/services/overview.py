"""How a project is going, from counters that the writes keep: nothing here counts annotations."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import Count, Q, Sum
from django.utils import timezone

from curation.models import Annotator, Progress, Project, Tally, TaskKind, User
from curation.protocols import Asked, Label, Question
from curation.services.desk import ProgressNow, asked, progress_from, progress_now
from curation.services.label_names import Reading, current_names

DAYS = 30
MOST_PEOPLE = 100
BEGUN = Q(done__gt=0)
SKIPPED = Q(axis="", outcome="skip")


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


@dataclass(frozen=True, slots=True)
class Counted:
    """How often each answer to a question was given, or each type of critique: labels and counts, in order."""

    name: str
    title: str
    note: str
    rows: list[tuple[str, int]]

    @property
    def total(self) -> int:
        return sum(count for _, count in self.rows)


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
    rows = Tally.objects.filter(project=project, day__gte=first).exclude(SKIPPED)
    if project.kind == TaskKind.PREFERENCE:
        rows = rows.exclude(axis__in=asked_ever(project))
    else:
        rows = rows.filter(axis="", outcome="answered")
    most: dict[date, int] = defaultdict(int)
    for day, _axis, count in rows.values_list("day", "axis").annotate(Sum("count")):
        most[day] = max(most[day], count)
    return [(day, most[day]) for day in (first + timedelta(days=n) for n in range(days))]


def asked_ever(project: Project) -> set[str]:
    """Under which names something is counted that may come more than once in an answer: questions and critiques."""
    versions = project.protocols.values_list("questions", flat=True)
    return {"critique"} | {question["name"] for questions in versions for question in questions}


def outcomes(project: Project, axis: str) -> list[Outcome]:
    """Answers on one axis by outcome, from "first much better" to "second much better", then both bad, skipped."""
    counts = Counter(
        dict(
            Tally.objects.filter(Q(project=project), Q(axis=axis) | SKIPPED)
            .values_list("outcome")
            .annotate(Sum("count"))
        )
    )
    widest = max([project.protocol.strengths if project.protocol else 2, *(strength(key) for key in counts)])
    values = [str(value) for value in range(-widest, widest + 1)]
    return [described(key, widest, counts[key]) for key in [*values, "both_bad", "skip"]]


def answers_to(project: Project) -> list[Counted]:
    """The answers to each question of the present protocol, then critiques by type; earlier names as read now."""
    if project.protocol is None:
        return []
    wanted = asked(project.protocol)
    if not wanted.questions and not wanted.critiques.on:
        return []
    reading = current_names(project.protocol).since(0)
    names = {question.name for question in wanted.questions}
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    found = Tally.objects.filter(project=project).exclude(axis="").values_list("axis", "outcome")
    for axis, outcome, count in found.annotate(Sum("count")):
        name = axis if axis in names or axis == "critique" else reading.question(axis) or ""
        counts[name][read_as(wanted, reading, axis, name, outcome)] += count
    told = [
        Counted(each.name, each.question, note_on(each, wanted.unit), listed(each, counts[each.name]))
        for each in wanted.questions
    ]
    if wanted.critiques.on:
        types = words_of(wanted.critiques.types)
        rows = in_order(types or {"untyped": "Written or accepted"}, counts["critique"], CRITIQUES)
        title = "Critiques by type" if types else "Critiques"
        told.append(Counted("critique", title, "An answer may hold several.", rows))
    return told


CRITIQUES = {"untyped": "Without a type", "rejected": "Suggestions rejected"}


def read_as(wanted: Asked, reading: Reading, axis: str, name: str, outcome: str) -> str:
    """An outcome under its present name; a label that is still there keeps it."""
    if name == "critique":
        labels = [label.name for label in wanted.critiques.types]
        return outcome if outcome in (*labels, *CRITIQUES) else reading.type(outcome) or outcome
    labels = [label.name for question in wanted.questions if question.name == name for label in question.options]
    return outcome if outcome in labels else reading.option(axis, outcome) or outcome


def listed(question: Question, counts: Counter[str]) -> list[tuple[str, int]]:
    """The answers to a question in the order of its protocol."""
    match question.kind:
        case "yesno":
            known = {"yes": "Yes", "no": "No"}
        case "rating":
            known = {str(value): str(value) for value in range(question.low, question.high + 1)}
        case "text":
            return [("Answered in words", counts.total())]
        case _:
            known = words_of(question.options)
    return in_order(known, counts, {"none": "None of them"})


def words_of(labels: Sequence[Label]) -> dict[str, str]:
    return {label.name: label.words for label in labels}


def in_order(known: dict[str, str], counts: Counter[str], words: dict[str, str]) -> list[tuple[str, int]]:
    """Counts of all that is known, then of whatever else was said."""
    others = {name: words.get(name, name) for name in sorted(counts) if counts[name] and name not in known}
    return [(said, counts[name]) for name, said in (known | others).items()]


def note_on(question: Question, unit: str) -> str:
    """Where one answer to the question may hold several of these."""
    if question.scope == "unit":
        return f"Of each {unit}."
    return "One answer may name several." if question.kind == "choices" else ""


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
