"""One item as the importer keeps it: checked, hashed, with its pairs chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from hashlib import blake2b
from itertools import chain, combinations
from operator import attrgetter
from typing import Any, NamedTuple

import orjson

from curation import bulk
from curation.models import TaskKind
from curation.services.images import Kept
from curation.services.importing.pictures import beside
from curation.services.importing.placing import once, placed
from workers.rows import AnswerRow, GoldRow, ItemRow, Message, ResponseRow, RowError, VoteRow

ALL_PAIRS_UP_TO = 4
MOST_RESPONSES = 100
LONGEST_MODEL = 200
PAIRINGS = ("auto", "all", "ring", "first")


TEXTS = ("external_id", "prompt", "context", "metadata", "prompt_hash", "content_hash")
"""The columns of an item that a row fills."""
texts_of = attrgetter(*TEXTS)


class Stored(NamedTuple):
    """A response as its table has it."""

    text: str
    messages: str | None
    model: str
    metadata: str
    unit: str
    units: str | None
    text_hash: str


class Ready(NamedTuple):
    """The texts of an item and of its responses as their tables take them (`bulk.ready`)."""

    item: Any = ()
    responses: Sequence[Any] = ()


class Landing(NamedTuple):
    """A checked item with everything that is written of it."""

    line: int
    external_id: str
    prompt: str
    prompt_hash: str
    content_hash: str
    context: str
    metadata: str
    responses: list[ResponseRow]
    stored: list[Stored]
    pairs: list[tuple[int, int]]
    votes: list[VoteRow]
    answers: list[AnswerRow]
    images: Sequence[Kept] = ()
    gold: Sequence[GoldRow] = ()
    ready: Ready = Ready()
    """What it is written as where it is new; `readied` makes it."""

    @property
    def messages(self) -> list[Message]:
        """The prompt's messages."""
        found: list[Message] = orjson.loads(self.prompt)
        return found


def readied(rows: Sequence[Landing]) -> list[Landing]:
    """The rows with what they are written as where they are new."""
    made = iter(bulk.ready(chain.from_iterable((texts_of(row), *row.stored) for row in rows)))
    return [row._replace(ready=Ready(next(made), [next(made) for _ in row.stored])) for row in rows]


def checked(line: int, item: ItemRow, pairing: str, kind: str = TaskKind.PREFERENCE) -> Landing:
    """The row for a project whose tasks are of `kind`: pairs are chosen only where pairs are compared.

    Raises RowError for what no format can allow: too few, identical or unstorable responses, critiques of what
    is not there.
    """
    responses = item.responses
    check_count(responses, at_least=1 if kind == TaskKind.RESPONSE else 2)
    pairs = chosen_pairs(item, pairing) if kind == TaskKind.PREFERENCE else []
    answers = [placed(answer, responses, f"answers.{n}") for n, answer in enumerate(item.answers)]
    once(answers)
    gold = [golden(one, responses, f"gold.{n}") for n, one in enumerate(item.gold)]
    prompt = orjson.dumps(item.prompt)
    content = short(content_of(item, pairs))
    metadata = dumped(item.metadata if pairs or not item.votes else with_votes(item))
    return Landing(
        line=line,
        external_id=item.external_id or f"sha-{content}",
        prompt=prompt.decode(),
        prompt_hash=short(prompt),
        content_hash=content,
        context=dumped(item.context),
        metadata=metadata,
        responses=responses,
        stored=[stored(response) for response in responses],
        pairs=pairs,
        votes=item.votes if pairs else [],
        answers=answers,
        gold=gold,
    )


def golden(row: GoldRow, responses: list[ResponseRow], field: str) -> GoldRow:
    """Gold with every critique at its place."""
    return row if row.answer is None else replace(row, answer=placed(row.answer, responses, field))


def with_votes(item: ItemRow) -> dict[str, Any]:
    """The metadata of a row with its votes, where a project compares no pairs: nothing of a row is lost."""
    return {**item.metadata, "votes": [asdict(vote) for vote in item.votes]}


def check_count(responses: list[ResponseRow], *, at_least: int) -> None:
    if len(responses) < at_least:
        raise RowError("needs at least two responses" if at_least == 2 else "needs a response", "responses")
    if len(responses) > MOST_RESPONSES:
        raise RowError(f"has {len(responses)}; at most {MOST_RESPONSES}", "responses")


def stored(response: ResponseRow) -> Stored:
    several = orjson.dumps(response.messages).decode() if response.messages else None
    text = response.text
    units = orjson.dumps(response.units).decode() if response.units else None
    model, metadata = response.model[:LONGEST_MODEL], dumped(response.metadata)
    return Stored(
        text, several, model, metadata, response.unit if units else "", units, short((text + beside(response)).encode())
    )


def chosen_pairs(item: ItemRow, pairing: str) -> list[tuple[int, int]]:
    """The pairs to compare, those with votes among them. Identical responses are no pair."""
    responses = item.responses
    if len(responses) == 2 and not item.pairs:
        if words_of(responses[0]) == words_of(responses[1]):
            raise RowError("are identical", "responses")
        return [(0, 1)]
    twins = twins_of(responses)
    named = item.pairs if item.pairs is not None else paired(len(twins), pairing)
    wanted = set(named) | {(min(v.first, v.second), max(v.first, v.second)) for v in item.votes}
    if not wanted:
        raise RowError("names no pair to compare", "pairs")
    pairs = sorted((a, b) for a, b in wanted if twins[a] != twins[b])
    if not pairs:
        raise RowError("are identical", "responses")
    return pairs


def twins_of(responses: list[ResponseRow]) -> list[int]:
    """For each response the first one of the same text and pictures."""
    first: dict[str, int] = {}
    authors: set[tuple[int, str]] = set()
    twins = []
    for n, response in enumerate(responses):
        twin = first.setdefault(words_of(response), n)
        if (twin, response.model) in authors and len(responses) > 2:
            raise RowError(f"is identical to responses.{twin}, from the same model", f"responses.{n}")
        authors.add((twin, response.model))
        twins.append(twin)
    return twins


def words_of(response: ResponseRow) -> str:
    """What makes two responses the same: their text, white space around it aside, and their pictures."""
    return response.text.strip() + beside(response)


def paired(count: int, pairing: str) -> list[tuple[int, int]]:
    """Which of `count` responses to compare: all pairs, each with the next in a ring, or the first with each."""
    if pairing == "first":
        return [(0, n) for n in range(1, count)]
    if pairing == "all" or (pairing == "auto" and count <= ALL_PAIRS_UP_TO):
        return list(combinations(range(count), 2))
    ring = {(min(n, (n + 1) % count), max(n, (n + 1) % count)) for n in range(count)}
    return sorted(ring)


def content_of(item: ItemRow, pairs: list[tuple[int, int]]) -> bytes:
    """Everything that makes two rows the same, in one string of bytes."""
    rest = (
        (item.votes, item.answers, item.context, item.metadata)
        if item.answers
        else (item.votes, item.context, item.metadata)
    )
    rest = (*rest, item.gold) if item.gold else rest
    whole = (item.external_id, item.prompt, item.responses, pairs, *rest)
    return orjson.dumps(whole, option=orjson.OPT_SORT_KEYS, default=str)


def short(data: bytes) -> str:
    return blake2b(data, digest_size=16).hexdigest()


def dumped(value: Mapping[str, Any] | Any) -> str:
    return orjson.dumps(value, default=str).decode() if value else "{}"
