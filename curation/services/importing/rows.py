"""One item as the importer keeps it: checked, hashed, with its pairs chosen."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from itertools import combinations
from typing import Any, NamedTuple

import orjson

from workers.rows import ItemRow, Message, ResponseRow, RowError, VoteRow

ALL_PAIRS_UP_TO = 4
MOST_RESPONSES = 100
LONGEST_MODEL = 200
PAIRINGS = ("auto", "all", "ring", "first")


class Stored(NamedTuple):
    """A response as its table has it."""

    text: str
    messages: str | None
    model: str
    metadata: str
    text_hash: str


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

    @property
    def messages(self) -> list[Message]:
        """The prompt's messages."""
        found: list[Message] = orjson.loads(self.prompt)
        return found


def checked(line: int, item: ItemRow, pairing: str) -> Landing:
    """Raises RowError for what no format can allow: too few, identical or unstorable responses."""
    responses = item.responses
    pairs = chosen_pairs(item, pairing)
    prompt = orjson.dumps(item.prompt)
    content = content_of(item, pairs)
    return Landing(
        line=line,
        external_id=item.external_id or f"sha-{short(content)}",
        prompt=prompt.decode(),
        prompt_hash=short(prompt),
        content_hash=short(content),
        context=dumped(item.context),
        metadata=dumped(item.metadata),
        responses=responses,
        stored=[stored(response) for response in responses],
        pairs=pairs,
        votes=item.votes,
    )


def stored(response: ResponseRow) -> Stored:
    several = orjson.dumps(response.messages).decode() if response.messages else None
    text = response.text
    return Stored(text, several, response.model[:LONGEST_MODEL], dumped(response.metadata), short(text.encode()))


def chosen_pairs(item: ItemRow, pairing: str) -> list[tuple[int, int]]:
    """The pairs to compare, those with votes among them. Identical responses are no pair."""
    responses = item.responses
    if len(responses) == 2 and not item.pairs:
        if responses[0].text.strip() == responses[1].text.strip():
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
    """For each response the first one of the same text, white space around it aside. Raises RowError for too few."""
    if len(responses) < 2:
        raise RowError("needs at least two responses", "responses")
    if len(responses) > MOST_RESPONSES:
        raise RowError(f"has {len(responses)}; at most {MOST_RESPONSES}", "responses")
    first: dict[str, int] = {}
    authors: set[tuple[int, str]] = set()
    twins = []
    for n, response in enumerate(responses):
        twin = first.setdefault(response.text.strip(), n)
        if (twin, response.model) in authors and len(responses) > 2:
            raise RowError(f"is identical to responses.{twin}, from the same model", f"responses.{n}")
        authors.add((twin, response.model))
        twins.append(twin)
    return twins


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
    whole = (item.external_id, item.prompt, item.responses, pairs, item.votes, item.context, item.metadata)
    return orjson.dumps(whole, option=orjson.OPT_SORT_KEYS, default=str)


def short(data: bytes) -> str:
    return blake2b(data, digest_size=16).hexdigest()


def dumped(value: Mapping[str, Any] | Any) -> str:
    return orjson.dumps(value, default=str).decode() if value else "{}"
