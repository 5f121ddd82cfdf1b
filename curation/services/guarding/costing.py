"""Costs of what is no response of an item: prompts, whose last message is said after what came before it, and texts of
a policy before they are kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from curation.models import Item, ModelVersion
from curation.services import candidates
from curation.services.sharding import ShardReport
from workers.judging import Candidate, Given, Judged
from workers.spans import said


def given(items: Iterable[Item]) -> Iterator[Given]:
    """Each prompt as a text to judge, under its item's id; what is no message of somebody is left out."""
    for item in items:
        if item.prompt:
            *before, last = item.prompt
            yield Given(item.pk, before, [Candidate(item.pk, said([last]), [last])], item.context)


def costs(model: ModelVersion, items: Sequence[Item], head: str, report: ShardReport) -> dict[int, float]:
    """The cost of each prompt by its item's id. They are not kept as scores, which belong to responses."""
    found = judged(model, list(given(items)), report)
    return {one.key: one.scores[head] for one in found if head in one.scores}


def judged(model: ModelVersion, rows: Sequence[Given], report: ShardReport) -> list[Judged]:
    """What the cost model says of texts; they are no progress of the shard, which counts items."""
    if not rows:
        return []
    judge = candidates.opened(model)
    report.device = judge.device
    found = []
    for one in judge.judge(rows):
        found.append(one)
        report.progress(0, tokens=one.tokens, tokens_out=one.tokens_out)
    return found
