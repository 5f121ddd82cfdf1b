"""The items behind a figure: those on which annotators say different things, the latest answered first.

A page looks at a bounded number of answers behind its key, as all lists of things said do (`services/browsing.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any

from django.utils import timezone

from curation.models import Annotation, Annotator, Item, Project, Task
from curation.services.browsing import LOOKED_AT
from curation.services.concord.figuring import Choice, Label, side
from curation.services.concord.speaking import PATHS, RANKING, SPANS, Book, Said, Spoken, spoken
from curation.services.concord.summing import ALL
from curation.services.deciding import last_annotation
from workers.agreeing.overlaps import all_pairs, pieces
from workers.agreeing.rankings import tau_b

SHOWN = 50
NOTHING = "nothing marked"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which disputes: on a label, of some units, of anybody or of one or two annotators, who say just this."""

    label: Label
    choice: Choice = Choice()
    by: str = ""
    """The field by which slices are told apart."""
    one: int = 0
    other: int = 0
    said: tuple[str, str] | None = None
    """Of two annotators the answers, as a table has them; they may be equal."""


@dataclass(frozen=True, slots=True)
class Dispute:
    """An item with what was said of it: a line for each annotator and unit."""

    item: Item
    task: int
    answers: list[tuple[str, str]]
    others: int = 0
    """Annotators that are not told of."""


@dataclass(frozen=True, slots=True)
class Page:
    disputes: list[Dispute]
    next: int | None
    looked: int
    names: Mapping[int, str] = field(default_factory=dict)


def page(project: Project, wanted: Wanted, before: int = 0, limit: int = SHOWN) -> Page:
    """The next disputes, and the key of the page behind them."""
    rows = Annotation.objects.filter(project=project)
    if before:
        rows = rows.filter(pk__lt=before)
    if wanted.one:
        rows = rows.filter(annotator=wanted.one)
    if wanted.choice.first:
        rows = rows.filter(created_at__gte=midnight(wanted.choice.first))
    if wanted.choice.last:
        rows = rows.filter(created_at__lt=midnight(wanted.choice.last) + timedelta(days=7))
    looked = list(rows.order_by("-pk").values_list("pk", "task_id")[:LOOKED_AT])
    ids = {pk for pk, _ in looked}
    tasks = spoken(Book.of(project), {task for _, task in looked}, last_annotation(project), wanted.by)
    found = [(key, task) for task in tasks if (key := key_of(task, wanted)) in ids and disputed(task, wanted)]
    found.sort(key=lambda one: -one[0])
    shown = found[:limit]
    if len(found) > limit:
        following = shown[-1][0]
    else:
        following = looked[-1][0] if len(looked) == LOOKED_AT else 0
    names = names_of(project, [one for _, task in shown for one in task.said])
    items = items_of([task.task for _, task in shown])
    disputes = [dispute(items[task.task], task, wanted, names) for _, task in shown if task.task in items]
    return Page(disputes, following or None, len(looked), names)


def midnight(day: str) -> datetime:
    return datetime.combine(datetime.fromisoformat(day).date(), time(), timezone.get_current_timezone())


def key_of(task: Spoken, wanted: Wanted) -> int:
    """The answer by which a task is listed, once: the last one, or that of the annotator who is asked for."""
    some = [one.id for one in task.said if not wanted.one or one.annotator == wanted.one]
    return max(some, default=0)


def disputed(task: Spoken, wanted: Wanted) -> bool:
    if wanted.choice.slice is not None and task.slice != wanted.choice.slice:
        return False
    some = concerned(task, wanted)
    if len(some) < 2 or (wanted.other and {one.annotator for one in some} != {wanted.one, wanted.other}):
        return False
    if wanted.said and len(some) == 2:
        first, second = some if some[0].annotator == wanted.one else some[::-1]
        return wanted.said in pairs(task, wanted, first, second)
    if wanted.label.key == SPANS:
        return differ_in_spans(task, [one for one in some if one.marks])
    if wanted.label.key == RANKING:
        rankings = [one.places for one in some if one.places]
        return any(tau_b(rankings[0], other).value not in (None, 1.0) for other in rankings[1:])
    return any(len(set(values.values())) > 1 for values in values_in(task, wanted, some).values())


def concerned(task: Spoken, wanted: Wanted) -> list[Said]:
    """Whose answers are held against each other."""
    if wanted.one:
        ids = {wanted.one, wanted.other} if wanted.other else {one.annotator for one in task.said}
        return [one for one in task.said if one.annotator in ids]
    return [one for one in task.said if wanted.choice.part == ALL or not one.machine]


def values_in(task: Spoken, wanted: Wanted, some: Sequence[Said]) -> dict[Any, dict[int, str]]:
    """By unit of the label, what each says; on an axis which side."""
    found: dict[Any, dict[int, str]] = {}
    if wanted.label.family == "type":
        for response, _ in task.responses:
            for one in some:
                if one.marks:
                    given = wanted.label.name in one.types.get(response, ())
                    found.setdefault(response, {})[one.annotator] = "yes" if given else "no"
        return found
    for one in some:
        for (label, unit), value in one.values.items():
            if label == wanted.label.key:
                found.setdefault(unit, {})[one.annotator] = value
    return found


def pairs(task: Spoken, wanted: Wanted, first: Said, second: Said) -> list[tuple[str, str]]:
    axis = wanted.label.family == "axis"
    told = [
        (values[first.annotator], values[second.annotator])
        for values in values_in(task, wanted, (first, second)).values()
        if len(values) == 2
    ]
    return [(side(a), side(b)) if axis else (a, b) for a, b in told]


def differ_in_spans(task: Spoken, some: Sequence[Said]) -> bool:
    for response, sizes in task.responses:
        for message, size in enumerate(sizes):
            cut = pieces({one.annotator: one.spans.get((response, message), ()) for one in some}, size)
            if all_pairs(cut, [one.annotator for one in some]).f1("severity").value not in (None, 1.0):
                return True
    return False


# --- What is shown ------------------------------------------------------------------------------------

MOST_ANSWERS = 6


def dispute(item: Item, task: Spoken, wanted: Wanted, names: Mapping[int, str]) -> Dispute:
    some = concerned(task, wanted)
    told = [(names.get(one.annotator, ""), words) for one in some if (words := in_words(task, wanted, one))]
    return Dispute(item, task.task, told[:MOST_ANSWERS], max(0, len(told) - MOST_ANSWERS))


def in_words(task: Spoken, wanted: Wanted, one: Said) -> str:
    if wanted.label.key == SPANS:
        count = sum(len(spans) for spans in one.spans.values())
        return f"{count} span{'s' if count != 1 else ''}" if count else NOTHING if one.marks else ""
    if wanted.label.key == RANKING:
        ordered = sorted(one.places.items(), key=lambda each: (each[1], each[0]))
        places = {pk: n for n, pk in enumerate(sorted(one.places), 1)}
        return " > ".join(str(places[pk]) for pk, _ in ordered)
    values = [values[one.annotator] for values in values_in(task, wanted, [one]).values()]
    if wanted.label.family == "axis":
        values = [value if value == "both_bad" else f"{side(value)} ({value.replace('-', '−')})" for value in values]
    return ", ".join(value.replace("_", " ") for value in values)


def names_of(project: Project, said: Sequence[Said]) -> dict[int, str]:
    rows = Annotator.objects.filter(project=project, pk__in={one.annotator for one in said}).select_related("user")
    return {one.pk: str(one.user) if one.user else str(one) for one in rows}


def items_of(tasks: Sequence[int]) -> dict[int, Item]:
    """The item of each task."""
    rows = Task.objects.filter(pk__in=tasks).values_list("pk", *(f"{path}_id" for path in PATHS))
    where = {pk: next(filter(None, ids), 0) for pk, *ids in rows}
    items = Item.objects.defer("context", "metadata").in_bulk(set(where.values()))
    return {task: items[item] for task, item in where.items() if item in items}
