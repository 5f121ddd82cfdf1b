"""Items, responses and pairs as they were: the statements that read them, over what the changes since have kept.

A change keeps what an item was (`services/changes.py`), so the earliest one behind a moment tells what it was then.
Each table in a statement is replaced by a subquery that looks it up by the index on item and change, row by row:
nothing is loaded, and what nobody has changed is read as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from django.db import connection
from django.db.models import Max

from curation.models import Change, Project
from curation.services.reading import stream

TABLE = re.compile(r"\bcuration_(item|response|pair) (?=\w)")
Rows = list[tuple[Any, ...]]


def last_change(project: Project) -> int:
    """The id up to which changes are seen: later ones do not change a version. Changes of a project are made one after
    the other, under the lock of its row."""
    return Change.objects.filter(project=project).aggregate(n=Max("pk"))["n"] or 0


@dataclass(frozen=True, slots=True)
class Past:
    """A project when `last` was its last change; None: as it is now."""

    project_id: int = 0
    last: int | None = None

    def stream(self, sql: str, params: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        """The rows of a statement as they were, in its order.

        Whether anything has changed is asked again when the statement has begun: what comes later it does not see.
        """
        if not self.left():
            rows = stream(sql, params)
            first = next(rows, None)
            if not self.left():
                yield from () if first is None else chain([first], rows)
                return
        yield from stream(self.read(sql), params)

    def rows(self, sql: str, params: Sequence[Any]) -> Rows:
        """As `stream`, all at once."""
        found = [] if self.left() else fetched(sql, params)
        return fetched(self.read(sql), params) if self.left() else found

    def left(self) -> bool:
        """Whether anything has changed since."""
        return self.last is not None and Change.objects.filter(project=self.project_id, pk__gt=self.last).exists()

    def read(self, sql: str) -> str:
        """The statement with each table as it was."""
        return TABLE.sub(lambda found: f"{TABLES[found[1]](Then(self.last or 0))} ", sql)


NOW = Past()


def fetched(sql: str, params: Sequence[Any]) -> Rows:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())


@dataclass(frozen=True, slots=True)
class Then:
    """What the earliest change behind `last` has kept, as expressions on either database."""

    last: int

    def first(self, item: str, what: str) -> str:
        """`what` of that change of an item; NULL where it has none."""
        return (
            f"(SELECT {what} FROM curation_change c WHERE c.item_id = {item} AND c.id > {self.last}"
            " ORDER BY c.id LIMIT 1)"
        )

    def json(self, name: str) -> str:
        if connection.vendor == "postgresql":
            return f"c.before->'{name}'"
        return f"json_extract(c.before, '$.{name}')"

    def text(self, name: str) -> str:
        return f"c.before->>'{name}'" if connection.vendor == "postgresql" else self.json(name)

    def number(self, name: str) -> str:
        return f"(c.before->>'{name}')::bigint" if connection.vendor == "postgresql" else self.json(name)

    def under(self, name: str, key: str) -> str:
        """The number that an object of the change has under an id."""
        if connection.vendor == "postgresql":
            return f"(c.before->'{name}'->>({key}::text))::int"
        return f"json_extract(c.before, '$.{name}.\"' || {key} || '\"')"


def items(then: Then) -> str:
    kept = ", ".join(
        f"COALESCE({then.first('n.id', then.json(name))}, n.{name}) AS {name}"
        for name in ("prompt", "context", "metadata")
    )
    prompt_hash = f"COALESCE({then.first('n.id', then.text('prompt_hash'))}, n.prompt_hash) AS prompt_hash"
    source = f"CASE WHEN {then.first('n.id', '1')} = 1 THEN {then.first('n.id', then.number('source_id'))}"
    source += " ELSE n.source_id END AS source_id"
    gone = f"CASE COALESCE({then.first('n.id', 'c.kind')}, '') WHEN '' THEN n.deleted_at"
    gone += " WHEN 'restored' THEN n.created_at END AS deleted_at"
    columns = f"n.id, n.project_id, n.external_id, n.created_at, {kept}, {prompt_hash}, {source}, {gone}"
    return f"(SELECT {columns} FROM curation_item n)"


def responses(then: Then) -> str:
    """Those that were there, put away ones among them, each at its place."""
    live, away = then.under("responses", "n.id"), then.under("away", "n.id")
    place = f"COALESCE({then.first('n.item_id', f'COALESCE({live}, {away}, -1)')}, n.position)"
    dead = then.first("n.item_id", f"CASE WHEN {live} IS NULL THEN 1 ELSE 0 END")
    gone = f"CASE {dead} WHEN 1 THEN CURRENT_TIMESTAMP WHEN 0 THEN NULL ELSE n.deleted_at END AS deleted_at"
    columns = "n.id, n.item_id, n.text, n.messages, n.model, n.metadata, n.unit, n.units"
    return f"(SELECT {columns}, {place} AS position, {gone} FROM curation_response n WHERE {place} >= 0)"


def pairs(then: Then) -> str:
    dead = then.first("n.item_id", f"CASE WHEN {then.under('pairs', 'n.id')} IS NULL THEN 1 ELSE 0 END")
    gone = f"CASE {dead} WHEN 1 THEN CURRENT_TIMESTAMP WHEN 0 THEN NULL ELSE n.deleted_at END AS deleted_at"
    return f"(SELECT n.id, n.item_id, n.first_id, n.second_id, {gone} FROM curation_pair n)"


TABLES = {"item": items, "response": responses, "pair": pairs}
