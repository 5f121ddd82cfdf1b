"""What stands of some tasks at a moment, as agreement reads it: who says what of which unit.

A unit is what several annotators can say the same thing of: a pair on an axis, a response under a question, a response
with its spans, the responses of an item in order. Of one annotator's answers to a task the last counts, a model's
suggestion like a person's answer. Only what is standing when the annotation `upto` was written is read, so what was
counted before can be read again as it was and taken away.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from django.db.models import Exists, F, OuterRef, QuerySet
from django.db.models.fields.json import KeyTransform
from django.db.models.functions import Length

from curation.models import (
    Annotation,
    Annotator,
    Critique,
    Preference,
    Project,
    Protocol,
    Rank,
    Response,
    Task,
    Verdict,
)
from curation.services.label_names import CurrentNames, Reading, current_names
from workers.agreeing.overlaps import Span

SPANS, RANKING = "spans", "ranking"
LONGEST_SLICE = 60
Unit = tuple[str, Any]
"""A label, and what of the task it is said of."""


@dataclass(slots=True)
class Said:
    """One annotator's standing answer to a task."""

    id: int
    task: int
    annotator: int
    machine: bool
    reading: Reading
    asks_critiques: bool
    texts: frozenset[str]
    own: bool
    """Whether it was given on the annotation page or over the API by a person, so that unmarked means unmarked."""
    day: date
    imported: bool = False
    values: dict[Unit, str] = field(default_factory=dict)
    spans: dict[tuple[int, int], list[Span]] = field(default_factory=dict)
    types: dict[int, set[str]] = field(default_factory=dict)
    places: dict[int, float] = field(default_factory=dict)

    @property
    def marks(self) -> bool:
        """Whether it says of each response what is wrong with it, be it nothing."""
        if self.spans or self.types:
            return True
        return self.asks_critiques and (self.own or not (self.values or self.places))


@dataclass(slots=True)
class Book:
    """What is the same for all tasks of a project: protocols, their names, who is a machine."""

    project: Project
    names: CurrentNames | None
    critiques: dict[int, bool]
    texts: dict[int, frozenset[str]]
    machines: set[int]

    @classmethod
    def of(cls, project: Project) -> Book:
        protocols = Protocol.objects.filter(project=project)
        texts = {
            one.pk: frozenset(question["name"] for question in one.questions if question.get("kind") == "text")
            for one in protocols
        }
        machines = Annotator.objects.filter(project=project).exclude(kind=Annotator.Kind.PERSON)
        return cls(
            project,
            current_names(project.protocol) if project.protocol else None,
            {one.pk: bool(one.critiques.get("on")) for one in protocols},
            texts,
            set(machines.values_list("pk", flat=True)),
        )


@dataclass(frozen=True, slots=True)
class Spoken:
    """One task with everything that stands on it."""

    task: int
    said: list[Said]
    slice: str = ""
    responses: tuple[tuple[int, tuple[int, ...]], ...] = ()
    """Its responses, each with the lengths of its messages; only where somebody marks."""


def spoken(book: Book, tasks: Collection[int], upto: int, by: str = "") -> list[Spoken]:
    """What stood on some tasks when annotation `upto` was written; tasks without answers are left out."""
    if not tasks:
        return []
    said, brought = standing(book, tasks, upto)
    within = {"annotation__task__in": tasks, "annotation__project": book.project, "annotation__lte": upto}
    read_preferences(said | brought, Preference.objects.filter(**within).order_by("annotation"))
    read_verdicts(said, Verdict.objects.filter(**within))
    read_critiques(said, Critique.objects.filter(**within).exclude(review=Critique.Review.REJECTED))
    read_ranks(said, Rank.objects.filter(**within))
    by_task: defaultdict[int, list[Said]] = defaultdict(list)
    for one in said.values():
        by_task[one.task].append(one)
    slices = slices_of(by_task, by)
    marked = [task for task, some in by_task.items() if sum(one.marks for one in some) > 1]
    responses = responses_of(marked)
    return [Spoken(task, some, slices.get(task, ""), responses.get(task, ())) for task, some in by_task.items()]


def standing(book: Book, tasks: Collection[int], upto: int) -> tuple[dict[int, Said], dict[int, Said]]:
    """The last standing answer of each annotator to each task, by its id; and by the ids of earlier ones of an import,
    which brings an answer for each axis: their preferences count with the last."""
    later = Annotation.objects.filter(supersedes=OuterRef("pk"), pk__lte=upto)
    rows = Annotation.objects.filter(
        ~Exists(later), project=book.project, task__in=tasks, event=Annotation.Event.ANSWER, counted=True, pk__lte=upto
    ).order_by("pk")
    last: dict[tuple[int, int], Said] = {}
    imported: list[tuple[int, tuple[int, int]]] = []
    columns = ("pk", "task_id", "annotator_id", "protocol_id", "source", "created_at")
    for pk, task, annotator, protocol, source, at in rows.values_list(*columns):
        machine = annotator in book.machines
        last[task, annotator] = Said(
            pk,
            task,
            annotator,
            machine,
            book.names.of(protocol) if book.names else Reading(),
            book.critiques.get(protocol, False),
            book.texts.get(protocol, frozenset()),
            not machine and source != Annotation.Source.IMPORT,
            at.date(),
            source == Annotation.Source.IMPORT,
        )
        if source == Annotation.Source.IMPORT:
            imported.append((pk, (task, annotator)))
    brought = {pk: last[place] for pk, place in imported if last[place].id != pk and last[place].imported}
    return {one.id: one for one in last.values()}, brought


def read_preferences(said: dict[int, Said], rows: QuerySet[Preference]) -> None:
    for pk, axis, value, bad in rows.values_list("annotation_id", "axis", "value", "both_bad"):
        if (one := said.get(pk)) and (name := one.reading.axis(axis)):
            one.values[f"axis|{name}", 0] = "both_bad" if bad or value is None else str(value)


def read_verdicts(said: dict[int, Said], rows: QuerySet[Verdict]) -> None:
    columns = ("annotation_id", "response_id", "question", "start", "answer")
    for pk, response, question, start, answer in rows.values_list(*columns):
        one = said.get(pk)
        if one is None or question in one.texts or not (name := one.reading.question(question)):
            continue
        if (read := one.reading.answer(question, answer)) is not None:
            one.values[f"question|{name}", (response, start)] = as_value(read)


def as_value(answer: Any) -> str:
    if isinstance(answer, bool):
        return "yes" if answer else "no"
    if isinstance(answer, list):
        return "; ".join(sorted(map(str, answer))) or "none"
    return str(answer)


def read_critiques(said: dict[int, Said], rows: QuerySet[Critique]) -> None:
    columns = ("annotation_id", "response_id", "message", "start", "end", "type", "severity")
    for pk, response, message, start, end, kind, severity in rows.values_list(*columns):
        if not (one := said.get(pk)):
            continue
        kind = (one.reading.type(kind) or "") if kind else ""
        severity = (one.reading.severity(severity) or "") if severity else ""
        one.types.setdefault(response, set()).add(kind)
        if start is not None and end > start:
            one.spans.setdefault((response, message), []).append(Span(start, end, kind, severity))


def read_ranks(said: dict[int, Said], rows: QuerySet[Rank]) -> None:
    for pk, response, rank in rows.values_list("annotation_id", "response_id", "rank"):
        if one := said.get(pk):
            one.places[response] = rank


PATHS = ("pair__item", "response__item", "item")


def slices_of(tasks: Iterable[int], by: str) -> dict[int, str]:
    """The value of a field of each task's item: `source`, or `metadata.` and a key."""
    if not by:
        return {}
    found: dict[int, str] = {}
    kind, _, key = by.partition(".")
    rows = Task.objects.filter(pk__in=list(tasks))
    for path in PATHS:
        there = rows.filter(**{f"{path}__isnull": False})
        value: Any = F(f"{path}__source__name") if kind == "source" else KeyTransform(key, f"{path}__metadata")
        for pk, told in there.annotate(told=value).values_list("pk", "told"):
            found[pk] = as_slice(told)
    return found


def as_slice(value: Any) -> str:
    """A value of metadata in one line; nothing for what is not given."""
    if value is None or value == {} or value == []:
        return ""
    words = as_value(value) if isinstance(value, bool | list) else str(value)
    return " ".join(words.replace("\0", "").split())[:LONGEST_SLICE]


def responses_of(tasks: Collection[int]) -> dict[int, tuple[tuple[int, tuple[int, ...]], ...]]:
    """The responses that tasks are on, with the lengths of their messages in code points."""
    found: dict[int, tuple[tuple[int, tuple[int, ...]], ...]] = {}
    if not tasks:
        return found
    columns = ("pk", "pair__first_id", "pair__second_id", "response_id")
    on = {pk: tuple(filter(None, ids)) for pk, *ids in Task.objects.filter(pk__in=tasks).values_list(*columns)}
    rows = Response.objects.filter(pk__in={pk for ids in on.values() for pk in ids}).annotate(size=Length("text"))
    sizes = {
        pk: tuple(len(str(one.get("content", ""))) for one in messages) if messages else (size,)
        for pk, size, messages in rows.values_list("pk", "size", "messages")
    }
    return {task: tuple((pk, sizes[pk]) for pk in ids if pk in sizes) for task, ids in on.items()}


def monday(day: date) -> str:
    """The week of a day, by its Monday."""
    return (day - timedelta(days=day.weekday())).isoformat()
