"""A project's own decided pairs as cases, and their responses as the scoring engine reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, islice

from curation.models import Gold, Item, Pair, Project, Protocol, Response, Run
from curation.services import candidates, deciding
from curation.services.deciding import Decision, Filters
from curation.services.gold.reading import expected_of, names_for
from workers.benchmarking import Case
from workers.judging import Given

AT_ONCE = 256


def pairs(run: Run, axis: str) -> Iterator[Case]:
    """The pairs on which people's answers have a majority for one response, in the order of their tasks."""
    found = deciding.decisions(run.home, Filters(axis=axis, annotators="people"))
    clear = (one for one in found if one.outcome in (deciding.FIRST, deciding.SECOND))
    while some := list(islice(clear, AT_ONCE)):
        yield from cases_of(some)


def golden(run: Run, axis: str) -> Iterator[Case]:
    """The pairs that are gold, where one response is right on the axis, in the order of their tasks."""
    found = (one for one in gold_decisions(run.home, axis) if one.outcome in (deciding.FIRST, deciding.SECOND))
    while some := list(islice(found, AT_ONCE)):
        yield from cases_of(some)


def gold_decisions(project: Project, axis: str) -> Iterator[Decision]:
    """What is right on each pair that is gold, or in a ranking that is, as a decision. Suspect gold is none."""
    rows = Gold.objects.filter(project=project, retired_at=None, suspect_at=None).select_related("task")
    names = names_for(project, Protocol.objects.filter(project=project).values_list("pk", flat=True))
    for gold in rows.order_by("task_id"):
        expected = expected_of(gold, names)
        for side in (expected.get("preferences") or {}).get(axis, [])[:1]:
            yield right(gold, axis, side, None)
        ranked = sorted((int(pk), rank) for pk, rank in (expected.get("ranks") or {}).items())
        for (one, before), (other, after) in combinations(ranked, 2):
            if before != after:
                yield right(gold, axis, deciding.FIRST if before < after else deciding.SECOND, (one, other))


def right(gold: Gold, axis: str, outcome: str, responses: tuple[int, int] | None) -> Decision:
    value = {deciding.FIRST: -1.0, deciding.SECOND: 1.0, deciding.TIE: 0.0}.get(outcome)
    made = [gold.annotation_id] if gold.annotation_id else []
    pair = gold.task.pair_id
    return Decision(gold.task_id, pair, axis, outcome, value, 1.0, 1, made, how="gold", responses=responses)


def cases_of(decided: Sequence[Decision]) -> Iterator[Case]:
    wanted = [one.pair_id for one in decided if one.pair_id]
    sides = {
        pk: (first, second)
        for pk, first, second in Pair.objects.filter(pk__in=wanted, deleted_at=None).values_list(
            "pk", "first_id", "second_id"
        )
    }
    both = [(one, one.responses or sides.get(one.pair_id or 0)) for one in decided]
    ids = {pk for _, pair in both if pair for pk in pair}
    texts = {
        row.pk: row
        for row in Response.objects.filter(pk__in=ids, deleted_at=None).select_related("item__source").order_by("pk")
    }
    for one, pair in both:
        if pair and pair[0] in texts and pair[1] in texts:
            yield case(one, texts[pair[0]], texts[pair[1]])


def case(decision: Decision, first: Response, second: Response) -> Case:
    item = first.item
    return Case(
        id=f"{item.external_id}: {first.position + 1} or {second.position + 1}",
        subset=item.source.name if item.source else "",
        prompt=item.prompt,
        responses=[first.text, second.text],
        truth={
            "gold": int(decision.outcome == deciding.SECOND),
            "confidence": decision.confidence,
            "strength": abs(decision.value or 0),
            "responses": [first.pk, second.pk],
        },
    )


def given(run: Run, cases: Sequence[Case]) -> Iterator[Given]:
    """The responses of cases by their ids: with their messages, steps and context, each once."""
    wanted = {pk for one in cases for pk in one.truth["responses"]}
    items = Item.objects.filter(pk__in=Response.objects.filter(pk__in=wanted).values("item")).order_by("pk")
    responses = Response.objects.filter(pk__in=wanted)
    return candidates.given(items, responses, unit=candidates.unit_of(run.home))
