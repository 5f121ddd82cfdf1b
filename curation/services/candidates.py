"""Items of a project as judges take them: walked by id, some hundred at a time, each with its responses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import Exists, OuterRef, Prefetch, QuerySet

from curation.models import Item, ModelVersion, Response, Score
from curation.services.method import Piece
from workers.judging import Candidate, Given, Spec


def pieces(items: QuerySet[Item], size: int, after: dict[str, Any] | None) -> Iterator[Piece]:
    """Items cut into ranges of ids, `size` items each, from where the last range ended."""
    last = after["to"] if after else 0
    while ids := list(items.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:size]):
        yield Piece({"from": ids[0], "to": ids[-1]}, len(ids))
        last = ids[-1]


def halves(spec: dict[str, Any]) -> list[Piece]:
    """A range of ids cut in the middle; the sizes are then only an estimate."""
    first, last = spec["from"], spec["to"]
    if first >= last:
        return []
    middle = (first + last) // 2
    return [
        Piece({"from": first, "to": middle}, middle - first + 1),
        Piece({"from": middle + 1, "to": last}, last - middle),
    ]


def in_range(items: QuerySet[Item], spec: dict[str, Any]) -> QuerySet[Item]:
    return items.filter(pk__gte=spec["from"], pk__lte=spec["to"]).order_by("pk")


def given(items: QuerySet[Item], responses: QuerySet[Response]) -> Iterator[Given]:
    """Each item with those of its responses that are wanted; items without one are left out."""
    wanted = Prefetch("responses", queryset=responses.order_by("position"), to_attr="wanted")
    for item in items.prefetch_related(wanted):
        if item.wanted:  # type: ignore[attr-defined]
            yield Given(
                key=item.pk,
                prompt=item.prompt,
                context=item.context,
                candidates=[candidate(response) for response in item.wanted],  # type: ignore[attr-defined]
            )


def candidate(response: Response) -> Candidate:
    return Candidate(
        key=response.pk,
        text=response.text,
        messages=response.messages or (),
        units=[(start, end) for start, end in response.units or ()],
    )


def unscored(model: ModelVersion) -> QuerySet[Response]:
    """Responses that have no score of this model version."""
    scored = Score.objects.filter(model=model, response=OuterRef("pk"))
    return Response.objects.filter(~Exists(scored), deleted_at=None)


def spec_of(model: ModelVersion) -> Spec:
    """A model version as the machine side takes it."""
    folder = str(model.made_by.folder / "model") if model.made_by_id and model.made_by else ""
    return Spec(
        key=model.pk,
        kind=model.kind,
        reference=model.reference,
        revision=model.revision,
        config=model.config,
        trusted_code=model.trusted_code,
        folder=folder,
    )
