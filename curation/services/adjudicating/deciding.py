"""A decision kept: an annotation like any other, of the person who decided, and labels that go before every vote.

The annotation is not counted: it is no vote among the others, takes no place in the overlap, and agreement and
reliability do not read it. A later decision on the same task supersedes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone

from curation.access import annotator_for
from curation.errors import Conflict, Invalid
from curation.models import (
    Adjudication,
    Annotation,
    Critique,
    Decision,
    Preference,
    Project,
    Rank,
    Response,
    Task,
    User,
    Verdict,
)
from curation.services import fits
from curation.services.adjudicating.bounds import Bounds, kept_of, moved
from curation.services.adjudicating.edits import Edits, edited
from curation.services.adjudicating.elements import REJECTED, Answer, Element, Option, answers_of, elements_of
from curation.services.desk import asked

LONGEST_KEY = 120
LONGEST_REASON = 2_000


def numbers_of(task: Task) -> dict[int, int]:
    """The responses of a task with their numbers on the screen, as stored: nobody has to be kept from a bias here."""
    if task.pair:
        return {task.pair.first_id: 1, task.pair.second_id: 2}
    if task.response_id:
        return {task.response_id: 1}
    live = Response.objects.filter(item=task.item_id, deleted_at=None).order_by("position")
    return {pk: n for n, pk in enumerate(live.values_list("pk", flat=True), 1)}


def elements(project: Project, task: Task) -> tuple[list[Answer], list[Element]]:
    """Everybody's answers on a task, and what can be decided. Raises Conflict without a protocol."""
    if project.protocol is None:
        raise Conflict("this project has no protocol yet")
    answers = answers_of(project, task)
    return answers, elements_of(project.protocol, project.kind, answers, numbers_of(task))


@transaction.atomic
def adjudicate(
    *,
    project: Project,
    task: Task,
    user: User,
    choices: Mapping[str, Any],
    key: str,
    reason: str = "",
    bounds: Bounds | None = None,
    edits: Edits | None = None,
) -> Adjudication:
    """Keep what `user` decided: for each element its place and the key of the chosen option; `bounds` are other ends of
    a chosen mark, `edits` other labels and words of a chosen mark or answer.

    The same idempotency key gives the same adjudication again. Raises Invalid naming the element that is undecided, or
    that there is not; Conflict where nobody has answered.
    """
    me = annotator_for(user, project)
    known = Adjudication.objects.filter(annotation__annotator=me, annotation__idempotency_key=key).first()
    if known is not None:
        return known
    if not 1 <= len(key) <= LONGEST_KEY:
        raise Invalid(f"must have 1 to {LONGEST_KEY} characters", field="key")
    Task.objects.select_for_update(no_key=True).get(pk=task.pk)
    answers, found = elements(project, task)
    protocol: Any = project.protocol
    if not found:
        raise Conflict("nobody has answered this task")
    chosen = edited(asked(protocol), moved(chosen_of(found, choices), bounds or {}), edits or {})
    last = standing(task)
    mine = last.annotation if last and last.annotation.annotator_id == me.pk else None
    annotation = Annotation.objects.create(
        project=project, task=task, annotator=me, protocol=protocol, event=Annotation.Event.ANSWER,
        source=Annotation.Source.WEB, counted=False, rationale=reason.strip()[:LONGEST_REASON], idempotency_key=key,
        supersedes=mine,
    )  # fmt: skip
    for element, option in chosen:
        write(annotation, element, option)
    if last is not None:
        Adjudication.objects.filter(pk=last.pk).update(undone_at=timezone.now())
    behind = [one.annotation.pk for one in answers]
    made = Adjudication.objects.create(annotation=annotation, made_by=user, sources=behind)
    for element, option in chosen:
        settle(task, element, option, user, [annotation.pk])
    return made


def standing(task: Task) -> Adjudication | None:
    """The adjudication of a task that stands."""
    found = Adjudication.objects.filter(annotation__task=task, undone_at=None).select_related("annotation")
    return found.order_by("-pk").first()


def chosen_of(found: Sequence[Element], choices: Mapping[str, Any]) -> list[tuple[Element, Option]]:
    """The chosen option of each element; of those that nobody disputes the proposal, where none is named."""
    unknown = set(choices) - {element.place for element in found}
    if unknown:
        raise Conflict(f"the answers have changed since this page was opened: {sorted(unknown)[0]} is no longer there")
    chosen = []
    for element in found:
        key = choices.get(element.place) or ("" if element.disputed else element.proposal)
        option = next((one for one in element.options if one.key == key), None)
        if option is None:
            raise Invalid(f"{element.title} is not decided yet", field=element.place)
        chosen.append((element, option))
    return chosen


def write(annotation: Annotation, element: Element, option: Option) -> None:
    """One decided element as a row of the annotation."""
    name = element.place.split(":")[1] if ":" in element.place else ""
    response: Any = element.response
    from_: Any = option.source
    if element.kind == "axis":
        Preference.objects.create(annotation=annotation, axis=name, value=option.value, both_bad=option.value is None)
    elif element.kind == "ranking":
        Rank.objects.bulk_create(
            Rank(annotation=annotation, response_id=int(pk), rank=rank) for pk, rank in option.value.items()
        )
    elif element.kind == "question":
        source = Verdict.objects.filter(pk=from_).first()
        Verdict.objects.create(
            annotation=annotation, response_id=response, question=name, answer=option.value,
            start=element.start, end=element.end, comment=option.comment,
            evidence=source.evidence if source else None,
        )  # fmt: skip
    elif option.key != REJECTED:
        source_row = Critique.objects.get(pk=from_)
        Critique.objects.create(
            annotation=annotation, response_id=response, message=element.message, unit=source_row.unit,
            comment=option.comment, evidence=source_row.evidence, **kept_of(element, option, source_row),
            **option.value,
        )  # fmt: skip


SIDES = {-1: "first", 0: "tie", 1: "second"}


def settle(task: Task, element: Element, option: Option, user: User, behind: list[int]) -> None:
    """One decided element as decided labels: a ranking is one for each two of its responses."""
    said: dict[str, Any] = {"how": "adjudicated", "made_by": user, "annotations": behind, "votes": element.said}
    if element.kind == "axis":
        value = option.value
        side = "both_bad" if value is None else SIDES[(value > 0) - (value < 0)]
        name = element.place.removeprefix("axis:")
        fits.settle(task, kind="axis", name=name, outcome=side, value=value, place=element.place, **said)
    elif element.kind == "ranking":
        ranks = {int(pk): rank for pk, rank in option.value.items()}
        for first in ranks:
            for second in (pk for pk in ranks if pk > first):
                way = (ranks[first] > ranks[second]) - (ranks[first] < ranks[second])
                fits.settle(
                    task, kind="rank", name="overall", outcome=SIDES[way], value=float(way), first_id=first,
                    second_id=second, place=f"rank:{first}:{second}", **said,
                )  # fmt: skip
    elif element.kind == "question":
        name = element.place.split(":")[1]
        fits.settle(
            task, kind="question", name=name, outcome=str(option.words)[:200], answer=option.value,
            response_id=element.response, start=element.start, end=element.end, place=element.place, **said,
        )  # fmt: skip
    else:
        value = option.value or {}
        fits.settle(
            task, kind="span", name="", outcome=REJECTED if option.value is None else value["type"] or "marked",
            response_id=element.response, message=element.message, start=value.get("start", element.start),
            end=value.get("end", element.end), place=element.place[:150],
            answer={name: value.get(name) for name in ("severity", "polarity")} if value else None, **said,
        )  # fmt: skip


@transaction.atomic
def take_back(*, task: Task, user: User) -> None:
    """Undo the adjudication that stands: the labels are decided by the answers again. Doing it twice is the same."""
    last = standing(task)
    if last is None:
        return
    Adjudication.objects.filter(pk=last.pk).update(undone_at=timezone.now())
    by_hand = Decision.objects.filter(task=task, run=None, how=Decision.How.ADJUDICATED)
    places: dict[str, Decision] = {one.place: one for one in by_hand.order_by("pk")}
    for place, row in places.items():
        if row.outcome:
            fits.settle(
                task, kind=row.kind, name=row.name, outcome="", how="adjudicated", made_by=user, place=place,
                first_id=row.first_id, second_id=row.second_id, response_id=row.response_id,
            )  # fmt: skip
