"""What people said when they were asked again, and what critics said in both orders: who says the same both ways."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import asdict
from typing import Any

from curation.models import Annotation, Annotator, Evaluation, Project, Repeat
from curation.services.agreeing import contents
from workers.habits.company import with_the_rest
from workers.habits.repeats import BOTH_BAD, Said, consistency, sign
from workers.intervals import wilson

AT_ONCE = 300
BOTH_ORDERS = "same in both orders"
"""The figure of an evaluation that asked a critic twice."""
Figures = dict[str, Any]


def repeats(project: Project, axis: str) -> Iterator[tuple[int, Said, Said]]:
    """Of each answered repeat the annotator, what was said at first and what again, in the order of the pair.

    A first answer that was taken back or changed since is none that could be repeated.
    """
    answered, last = Repeat.objects.filter(project=project, state=Repeat.State.ANSWERED).order_by("pk"), 0
    while rows := list(answered.filter(pk__gt=last)[:AT_ONCE]):
        last = rows[-1].pk
        yield from of_batch(project, axis, rows)


def of_batch(project: Project, axis: str, rows: Sequence[Repeat]) -> Iterator[tuple[int, Said, Said]]:
    standing = Annotation.objects.answers().filter(pk__in=[row.first_id for row in rows])
    first = contents(project, standing.values_list("pk", flat=True))
    for row in rows:
        annotator, pk, preferences = row.annotator_id, row.first_id, row.preferences
        if pk not in first:
            continue
        before = first[pk].preferences.get(axis)
        after = next((said for name, said in preferences.items() if first[pk].reading.axis(name) == axis), None)
        if before is not None and after is not None:
            yield annotator, before if before == BOTH_BAD else int(before), after


def add_repeats(found: MutableMapping[int, Figures], project: Project, axis: str) -> None:
    """The figure of each person who was asked again, beside the others' share; and of critics, where there is one."""
    by: dict[int, list[tuple[Said, Said]]] = {}
    for annotator, before, after in repeats(project, axis):
        by.setdefault(annotator, []).append((before, after))
    same = {pk: [sign(before) == sign(after) for before, after in each] for pk, each in by.items()}
    count, n = sum(map(sum, same.values())), sum(map(len, same.values()))
    for pk, own in same.items():
        beside = with_the_rest(own, (count - sum(own), n - len(own)))
        told = consistency(by[pk])
        found.setdefault(pk, {"answers": 0})["repeats"] = {
            **asdict(beside.own),
            "others": beside.others,
            "p": beside.p,
            "strengths": {name: asdict(share) for name, share in told.strengths.items()},
            "same_side": asdict(told.same_side),
        }
    for pk, figure in of_critics(project).items():
        if pk in found:
            found[pk]["repeats"] = figure


def of_critics(project: Project) -> dict[int, Figures]:
    """Of models that answered here: in how many of this project's decided pairs they preferred the same response in
    both orders, as their newest evaluation on them found."""
    models = Annotator.objects.filter(project=project, kind=Annotator.Kind.MODEL)
    names = dict(models.values_list("name", "pk"))
    evaluated = Evaluation.objects.filter(project=project, model__name__in=names).order_by("pk")
    figures = {}
    for name, scores, pk in evaluated.values_list("model__name", "scores", "pk"):
        if told := scores.get(BOTH_ORDERS):
            share = wilson(round(told["value"] * told["n"]), told["n"])
            figures[names[name]] = {**asdict(share), "evaluation": pk}
    return figures
