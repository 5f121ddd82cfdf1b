"""Suggestions: standing answers of models and programs on a task, which a person may accept, edit or reject.

They are annotations like any other, but nobody's answer until a person makes them one. Each person sees them on
most tasks and never on a random share, so that their influence can be measured.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from typing import Any

from django.db.models import QuerySet

from curation.models import Annotation, Annotator, Response
from curation.services import maps
from curation.services.desk import Desk
from curation.services.evidence import as_seen, shown_place
from curation.services.label_names import names_under
from curation.services.taking import Shown

MOST_SHOWN = 8
"""Suggestions of so many annotators at most, the latest first."""


def standing(task_id: int) -> QuerySet[Annotation]:
    """The suggestions that stand on a task, the latest first."""
    machines = [Annotator.Kind.MODEL, Annotator.Kind.PROGRAM]
    return Annotation.objects.answers().filter(task=task_id, annotator__kind__in=machines).order_by("-id")


def held_out(desk: Desk, task_id: int) -> bool:
    """Whether this person never sees suggestions on this task, as by a coin that falls the same at every look."""
    digest = hashlib.md5(f"{desk.seed}:{task_id}:{desk.annotator_id}:help".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < desk.scale.asked.help.holdout


def help_on(desk: Desk, task_id: int, *, answered: bool) -> str:
    """What the annotator sees of what models say of a task: a value of Annotation.Help.

    A heat map that can be opened is help as much as a suggestion is.
    """
    mode = desk.scale.asked.help.mode
    if mode == "off" or not (standing(task_id).exists() or maps.concern(desk.project_id, task_id)):
        return Annotation.Help.NONE
    if held_out(desk, task_id):
        return Annotation.Help.HELD_OUT
    if mode == "shown":
        return Annotation.Help.SHOWN
    return Annotation.Help.REVEALED if answered else Annotation.Help.BEFORE


def answered_before(desk: Desk, task_id: int) -> bool:
    """Whether this person answered a task, though the answer was taken back: what was revealed then was seen."""
    told = Annotation.objects.filter(task=task_id, annotator=desk.annotator_id, event=Annotation.Event.ANSWER)
    return desk.scale.asked.help.mode == "reveal" and told.exists()


def for_screen(desk: Desk, task: Shown) -> list[dict[str, Any]]:
    """The suggestions on a task as its screen shows them: in shown order, with origin, version and score."""
    found = standing(task.task_id).select_related("annotator")[:MOST_SHOWN]
    shown = list(found.prefetch_related("preferences", "critiques", "verdicts", "ranks"))
    return told(desk, task, shown)


def told(desk: Desk, task: Shown, annotations: list[Annotation], *, own: bool = False) -> list[dict[str, Any]]:
    """Annotations as the screen of a task shows them, their labels as the desk's protocol calls them."""
    names = names_under(desk.scale.protocol_id, [one.protocol_id for one in annotations])
    places = {response.id: place for place, response in enumerate(task.responses)}
    shown = [(one, as_shown(one, places, task.order, own=own)) for one in annotations]
    return [names.of(one.protocol_id).shown(said) if names else said for one, said in shown]


def proofs(annotation: Annotation, places: dict[int, int], order: str) -> Callable[[Any], dict[str, Any] | None]:
    """Turns evidence so that it names responses by their places as shown. Imports name them among all of the item."""

    @cache
    def beside(response_id: int) -> list[int]:
        live = Response.objects.filter(item__responses=response_id, deleted_at=None)
        return list(live.order_by("position").values_list("pk", flat=True))

    def imported(among: list[int], place: Any) -> int | None:
        return places.get(among[place]) if place in range(len(among)) else None

    def seen(said: Any) -> dict[str, Any] | None:
        if annotation.source == Annotation.Source.IMPORT:
            return as_seen(said.evidence, lambda place: imported(beside(said.response_id), place))
        return as_seen(said.evidence, lambda place: shown_place(place, order, len(places)))

    return seen


def as_shown(annotation: Annotation, places: dict[int, int], order: str, *, own: bool = False) -> dict[str, Any]:
    """An annotation with its responses named by their places as shown; of an `own` one, what was reviewed too."""
    proof = proofs(annotation, places, order)
    return {
        "annotation": annotation.pk,
        "origin": annotation.annotator.name,
        "kind": annotation.annotator.kind,
        "version": annotation.version,
        "score": annotation.score,
        "rationale": annotation.rationale,
        "preferences": [
            {
                "axis": said.axis,
                "value": -said.value if order == "ba" and said.value is not None else said.value,
                "both_bad": said.both_bad,
                "probability": 1 - said.probability
                if order == "ba" and said.probability is not None
                else said.probability,
            }
            for said in annotation.preferences.all()
        ],
        "critiques": [
            {name: getattr(said, name) for name in CRITIQUE}
            | ({"derived_from": said.derived_from_id, "review": said.review} if own else {})
            | {"response": places[said.response_id], "evidence": proof(said)}
            for said in annotation.critiques.all()
            if said.response_id in places and (own or said.review != said.Review.REJECTED)
        ],
        "verdicts": [
            {name: getattr(said, name) for name in VERDICT}
            | ({"derived_from": said.derived_from_id} if own else {})
            | {"response": places[said.response_id], "evidence": proof(said)}
            for said in annotation.verdicts.all()
            if said.response_id in places
        ],
        "ranks": ranks_of(annotation, places),
    }


CRITIQUE = (
    "id", "message", "unit", "start", "end", "quote", "type", "severity", "polarity", "comment", "edit", "omission",
)  # fmt: skip
VERDICT = ("id", "question", "answer", "comment", "start", "end")


def ranks_of(annotation: Annotation, places: dict[int, int]) -> list[int]:
    """The place given to each response in shown order; empty without a ranking."""
    given = {places[said.response_id]: said.rank for said in annotation.ranks.all() if said.response_id in places}
    return [given[place] for place in range(len(places))] if len(given) == len(places) else []
