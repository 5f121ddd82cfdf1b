"""How far those behind a version agree on what is no preference: spans of critiques, answers to questions, rankings.

Where a version takes everybody's answers the sums of agreement are read, less what came after it; where it chooses
whose answers it takes, what stands is walked task by task with constant memory. Figures and their reasons are those of
the agreement page (`concord/figuring.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby, islice
from operator import itemgetter
from time import sleep
from typing import Any, TypeVar

from django.db import transaction

from curation.models import AgreementState, Annotation, Project, TaskKind
from curation.services.concord import keeping
from curation.services.concord.figuring import (
    MANY_RESAMPLES,
    Choice,
    Label,
    Reader,
    Rows,
    Told,
    as_dict,
    labels_of,
    plain_title,
    rows_of,
    titles,
)
from curation.services.concord.speaking import RANKING, SPANS, Book, Spoken, spoken
from curation.services.concord.summing import ALL, PEOPLE, Sums, add_units
from curation.services.deciding import ANSWERED
from curation.services.filtering import CHOOSING
from curation.services.freezing.selecting import Selection
from curation.services.reading import stream
from workers.writers import Target

AT_ONCE = 1_000
"""Tasks whose answers are in memory at a time."""
WAIT = 0.5
QUESTION = "question"
LEFT_OUT = ("alpha_interval",)
"""Figures that a card does without; the agreement page has them."""


@dataclass(frozen=True, slots=True)
class Summed:
    """Rows of sums by label."""

    rows: dict[str, Rows]

    def told(self, label: Label) -> Told:
        return Reader(label, self.rows.get(label.key, []), []).all(MANY_RESAMPLES)


def beside(selection: Selection, alive: Callable[[], None]) -> list[dict[str, Any]]:
    """Of each label that the target has its title, units and figures; `alive` is called while sums are brought up.

    A label of the protocol that no two answered is told too: its figures are undefined, with the reason.
    """
    wanted = families(selection.target, selection.project)
    if not wanted:
        return []
    if summed_up(selection):
        state = up_to_date(selection.project, alive)
        labels = chosen(selection, wanted, {label.key for label in labels_of(selection.project, state)})
        summed = of_sums(selection, state, labels)
    else:
        sums = of_walk(selection)
        labels = chosen(selection, wanted, {name[0] for name in sums.rows})
        summed = Summed(grouped(sums, selection.filters.annotators))
    return [as_facts(label, summed.told(label)) for label in labels]


def families(target: Target, project: Project) -> set[str]:
    """Which kinds of labels are in the rows of a target, besides preferences."""
    found = {RANKING} if project.kind == TaskKind.RANKING and target.source != "compared" else set()
    if target.source == "decided":
        return found | ({SPANS} if target.reasoned else set())
    found.add(QUESTION)
    if target.source != "compared" and (not target.questions or "critique" in target.columns):
        found.add(SPANS)
    return found


def chosen(selection: Selection, wanted: set[str], there: set[str]) -> list[Label]:
    """The labels of these kinds: what the protocol asks, in its order, then what was answered besides."""
    protocol, known = selection.project.protocol, titles(selection.project)
    texts = {f"question|{one['name']}" for one in (protocol.questions if protocol else []) if one.get("kind") == "text"}
    silent = texts | (set() if protocol and protocol.critiques.get("on") else {SPANS})
    if selection.project.kind != TaskKind.RANKING:
        silent.add(RANKING)
    keys = [key for key in known if key in there or key not in silent]
    keys += sorted(there - set(known))
    labels = [Label(key, known.get(key) or plain_title(key), key.partition("|")[0]) for key in keys]
    return [label for label in labels if label.family in wanted and asked(label, selection.target)]


def asked(label: Label, target: Target) -> bool:
    """Whether a target that reads certain questions reads this one; compared ones read what goes along with them."""
    return (
        label.family != QUESTION
        or not target.questions
        or target.source == "compared"
        or label.name in target.questions
    )


def as_facts(label: Label, told: Told) -> dict[str, Any]:
    figures = [
        {"name": one.name, "title": one.title, **rounded(as_dict(one.figure))}
        for one in told.measures
        if one.name not in LEFT_OUT and (told.dominant or not one.gwet)
    ]
    return {"label": label.key, "title": label.title, "units": told.units, "figures": figures}


def rounded(figure: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in figure.items()}


# --- Everybody's answers: out of the sums ------------------------------------------------------------------


def summed_up(selection: Selection) -> bool:
    """Whether the sums are over those whose answers a version takes."""
    filters = selection.filters
    return filters.annotators in ("people", "all") and not any(getattr(filters, name) for name in CHOOSING)


def up_to_date(project: Project, alive: Callable[[], None]) -> AgreementState:
    """The sums of a project with every answer in them; whoever else brings them up is waited for."""
    while not (kept := keeping.kept_up(project)).complete:
        alive()
        sleep(WAIT if kept.done else 0)
    return kept.state


def of_sums(selection: Selection, state: AgreementState, labels: Iterable[Label]) -> Summed:
    """The sums as they stood at the last answer of a version: as they are, less what its later answers changed."""
    choice = Choice(part_of(selection.filters.annotators))
    with transaction.atomic():
        upto = AgreementState.objects.select_for_update().get(pk=state.pk).upto
        rows = {label.key: rows_of(state, label.key, choice) for label in labels}
    for key, some in grouped(since(selection, upto), selection.filters.annotators).items():
        if key in rows:
            rows[key] = [*rows[key], *some]
    return Summed(rows)


def since(selection: Selection, upto: int) -> Sums:
    """What the answers behind a version's last one changed, taken away."""
    sums, book = Sums(), Book.of(selection.project)
    later = Annotation.objects.filter(project=selection.project, pk__gt=selection.upto, pk__lte=upto)
    tasks = sorted(set(later.values_list("task_id", flat=True)))
    for some in batched(tasks):
        for at, sign in ((upto, -1), (selection.upto, 1)):
            for task in spoken(book, some, at):
                add_units(sums, task, sign)
    return sums


# --- Some people's answers: walked --------------------------------------------------------------------------


def of_walk(selection: Selection) -> Sums:
    sums, book = Sums(), Book.of(selection.project)
    rows = stream(f"SELECT a.task_id, a.id {ANSWERED} {selection.condition} ORDER BY a.task_id, a.id", selection.params)
    by_task = ((task, {pk for _, pk in some}) for task, some in groupby(rows, key=itemgetter(0)))
    for part in batched(by_task):
        of = dict(part)
        for task in only(spoken(book, list(of), selection.upto), of):
            add_units(sums, task, 1)
    return sums


def only(tasks: Iterable[Spoken], of: dict[int, set[int]]) -> Iterator[Spoken]:
    """Tasks with those of their answers that were chosen."""
    for task in tasks:
        said = [one for one in task.said if one.id in of[task.task]]
        if said:
            yield replace(task, said=said)


T = TypeVar("T")


def batched(some: Iterable[T]) -> Iterator[list[T]]:
    """AT_ONCE of them at a time."""
    rest = iter(some)
    while part := list(islice(rest, AT_ONCE)):
        yield part


def part_of(annotators: str) -> str:
    return PEOPLE if annotators in ("people", "signed-in", "imported") else ALL


def grouped(sums: Sums, annotators: str) -> dict[str, Rows]:
    """Sums in memory as rows of the table, by label."""
    found: dict[str, Rows] = {}
    for (label, part, slice_, key), told in sums.rows.items():
        if part == part_of(annotators):
            found.setdefault(label, []).append((slice_, key, dict(told)))
    return found
