"""Prompts as a cost model reads them: the last message, said after what came before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from curation.models import Item, ModelVersion
from curation.services import scoring
from curation.services.sharding import ShardReport
from workers.judging import Candidate, Given
from workers.spans import said


def given(items: Iterable[Item]) -> Iterator[Given]:
    """Each prompt as a text to judge, under its item's id; what is no message of somebody is left out."""
    for item in items:
        if item.prompt:
            *before, last = item.prompt
            yield Given(item.pk, before, [Candidate(item.pk, said([last]), [last])], item.context)


def costs(model: ModelVersion, items: Sequence[Item], head: str, report: ShardReport) -> dict[int, float]:
    """The cost of each prompt by its item's id. They are not kept as scores, which belong to responses."""
    found = scoring.judged(model, given(items), report)
    return {one.key: one.scores[head] for one in found if head in one.scores}
