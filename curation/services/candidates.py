"""What goes to a judge: items with their responses, walked by keyset, some dozens in memory at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import Exists, OuterRef, Prefetch, QuerySet

from curation.models import Item, ModelVersion, Project, Response, Run, Score
from curation.segmenting import units_of
from curation.services.method import Piece
from workers import warm
from workers.judging import Candidate, Given, Opened, Spec, judges

READ_AT_ONCE = 64
"""So many items are read in one statement."""


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
        Piece({**spec, "from": first, "to": middle}, middle - first + 1),
        Piece({**spec, "from": middle + 1, "to": last}, last - middle),
    ]


def in_range(items: QuerySet[Item], spec: dict[str, Any]) -> QuerySet[Item]:
    return items.filter(pk__gte=spec["from"], pk__lte=spec["to"]).order_by("pk")


def batches(items: QuerySet[Item]) -> Iterator[list[Item]]:
    """Items by their ids, some at a time; a judge may read them in a thread of its own."""
    last = 0
    while some := list(items.filter(pk__gt=last).order_by("pk")[:READ_AT_ONCE]):
        yield some
        last = some[-1].pk


def given(items: QuerySet[Item], responses: QuerySet[Response], *, unit: str = "") -> Iterator[Given]:
    """Each item with those of its responses that are wanted; items without one are left out."""
    wanted = Prefetch("responses", queryset=responses.order_by("position"), to_attr="wanted")
    for some in batches(items.prefetch_related(wanted)):
        yield from with_responses(some, unit)


def with_responses(items: Iterable[Item], unit: str) -> Iterator[Given]:
    for item in items:
        responses: list[Response] = item.wanted  # type: ignore[attr-defined]
        if responses:
            each = [candidate(response, unit) for response in responses]
            yield Given(key=item.pk, prompt=item.prompt, context=item.context, candidates=each)


def candidate(response: Response, unit: str = "") -> Candidate:
    """A response as a judge takes it, cut where its import says, else as the protocol's `unit` would cut it."""
    units = response.units or (units_of(response.text, unit) if unit in ("sentence", "step") else ())
    return Candidate(
        key=response.pk,
        text=response.text,
        messages=response.messages or (),
        units=[(start, end) for start, end in units],
    )


def unit_of(project: Project) -> str:
    """What a project's responses are cut into: sentence, step or nothing."""
    unit = project.protocol.unit if project.protocol else ""
    return unit if unit in ("sentence", "step") else ""


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
        config={**model.config, "folders": folders_of(model)},
        trusted_code=model.trusted_code,
        folder=folder,
    )


def folders_of(model: ModelVersion) -> dict[str, str]:
    """Where the weights lie of the runs that its configuration names: members of an ensemble, a reference model."""
    named = [*model.config.get("members", ()), model.config.get("reference_model", "")]
    return {name: str(Run(pk=name.removeprefix("run:")).folder / "model") for name in named if name.startswith("run:")}


def opened(model: ModelVersion) -> Opened:
    """The model, loaded: from memory if this process holds it."""
    spec = spec_of(model)
    judge = judges.get("program" if model.reference.startswith("program:") else model.kind)
    opened: Opened = warm.get(model.pk, lambda: judge.open(spec))
    return opened
