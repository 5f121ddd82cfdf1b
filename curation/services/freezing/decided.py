"""Pairs with their decided preference: two ordered streams merged, decisions and the contents of their pairs.

In a project of rankings each two responses of an item are a pair: 4950 of 100 responses, the most that imports take.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, groupby
from math import inf
from typing import Any, NamedTuple

import orjson

from curation.models import TaskKind
from curation.services.deciding import BAD, FIRST, Decision, decisions, dropped_because
from curation.services.freezing.selecting import NOT_ANSWERED, Candidate, Fields, Selection
from workers.rows import DecidedRow, Message, WrongRow

LINEAGE: Fields = (
    ("item", "text"), ("pair", "whole"), ("task", "whole"), ("value", "real"), ("confidence", "real"),
    ("votes", "whole"), ("how", "text"), ("annotations", "ids"), ("chosen", "whole"), ("rejected", "whole"),
)  # fmt: skip

PAIRS = """
SELECT t.id, i.id, i.external_id, i.prompt, i.prompt_hash, f.id, f.text, f.messages, f.model,
       s.id, s.text, s.messages, s.model
FROM curation_task t
JOIN curation_pair p ON p.id = t.pair_id
JOIN curation_item i ON i.id = p.item_id
JOIN curation_response f ON f.id = p.first_id
JOIN curation_response s ON s.id = p.second_id
WHERE t.project_id = %s AND p.deleted_at IS NULL AND i.deleted_at IS NULL
ORDER BY t.id
"""
RANKED = """
SELECT t.id, i.id, i.external_id, i.prompt, i.prompt_hash, s.id, s.text, s.messages, s.model
FROM curation_task t
JOIN curation_item i ON i.id = t.item_id
JOIN curation_response s ON s.item_id = i.id AND s.deleted_at IS NULL
WHERE t.project_id = %s AND i.deleted_at IS NULL
ORDER BY t.id, s.id
"""


class Content(NamedTuple):
    """A pair of responses with its prompt, JSON still as text."""

    task_id: int
    item_id: int
    item: str
    prompt: str
    prompt_hash: str
    first_id: int
    first: str
    first_messages: str | None
    first_model: str
    second_id: int
    second: str
    second_messages: str | None
    second_model: str

    @property
    def key(self) -> tuple[int, int, int]:
        return self.task_id, self.first_id, self.second_id


def candidates(selection: Selection) -> Iterator[Candidate]:
    for content, decision in with_contents(selection):
        reason = dropped_because(decision, selection.filters) if decision else NOT_ANSWERED
        if decision and reason == BAD and selection.target.reasoned:
            yield from alone(content, decision)
            continue
        if reason or decision is None:
            yield Candidate(content.prompt_hash, reason=reason)
            continue
        trace = lineage(content, decision)
        sides = trace["chosen"], trace["rejected"]
        yield Candidate(content.prompt_hash, row(content, decision), None, (trace,), content.item_id, sides)


def with_contents(selection: Selection) -> Iterator[tuple[Content, Decision | None]]:
    """Every pair of the project with what is decided on it, or None where nobody answered."""
    project = selection.project
    past, upto = selection.past, selection.upto
    found = decisions(
        project,
        selection.filters,
        as_of=upto,
        protocol=selection.protocol,
        past=past,
        settled_upto=selection.settled,
    )
    ranking = project.kind == TaskKind.RANKING
    ahead = ((place_of(decision), decision) for decision in found)
    place, decision = next(ahead, END)
    for content in ranked(selection) if ranking else pairs(selection):
        key: tuple[float, ...] = content.key if ranking else content[:1]
        while place < key:
            place, decision = next(ahead, END)
        if place != key:
            yield content, None
        while place == key:
            yield content, decision
            place, decision = next(ahead, END)


def alone(content: Content, decision: Decision) -> Iterator[Candidate]:
    """Each response of a pair of which both are bad."""
    prompt, trace = orjson.loads(content.prompt), lineage(content, decision)
    sides = (
        (content.first_id, content.first, content.first_messages, content.first_model),
        (content.second_id, content.second, content.second_messages, content.second_model),
    )
    for pk, text, messages, model in sides:
        given = WrongRow(prompt, continuation(text, messages), content.item, model)
        told = {**trace, "chosen": None, "rejected": pk}
        yield Candidate(content.prompt_hash, given, None, (told,), content.item_id, (pk,))


END: tuple[tuple[float, ...], None] = ((inf,), None)
"""Behind the last decision."""


def place_of(decision: Decision) -> tuple[float, ...]:
    return (decision.task_id, *(decision.responses or ()))


def pairs(selection: Selection) -> Iterator[Content]:
    return map(Content._make, selection.past.stream(PAIRS, [selection.project.pk]))


def ranked(selection: Selection) -> Iterator[Content]:
    """Each two responses of every ranked item."""
    rows = selection.past.stream(RANKED, [selection.project.pk])
    for about, responses in groupby(rows, key=lambda row: row[:5]):
        for first, second in combinations([response[5:] for response in responses], 2):
            yield Content(*about, *first, *second)


def row(content: Content, decision: Decision) -> DecidedRow:
    first = continuation(content.first, content.first_messages)
    second = continuation(content.second, content.second_messages)
    models = content.first_model, content.second_model
    if decision.outcome != FIRST:
        first, second, models = second, first, models[::-1]
    margin = abs(decision.value or 0.0)
    return DecidedRow(orjson.loads(content.prompt), first, second, margin, decision.confidence, content.item, models)


def continuation(text: str, messages: str | None) -> list[Message]:
    found: list[Message] = orjson.loads(messages) if messages else [{"role": "assistant", "content": text}]
    return found


def lineage(content: Content, decision: Decision) -> dict[str, Any]:
    chosen, rejected = content.first_id, content.second_id
    if decision.outcome != FIRST:
        chosen, rejected = rejected, chosen
    return {
        "item": content.item,
        "pair": decision.pair_id,
        "task": decision.task_id,
        "value": decision.value,
        "confidence": decision.confidence,
        "votes": decision.votes,
        "how": decision.how,
        "annotations": decision.annotations,
        "chosen": chosen,
        "rejected": rejected,
    }
