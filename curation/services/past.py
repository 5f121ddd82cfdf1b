"""Items, responses and pairs as they were: the statements that read them, over what the changes since have kept.

A change keeps what an item was (`services/changes.py`), so the earliest one behind a moment tells what it was then.
Each table in a statement is replaced by a subquery that finds it by the indexes of the changes: joined on PostgreSQL,
looked up row by row on SQLite. Nothing is loaded, and what nobody has changed is read as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
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
        if connection.vendor == "postgresql":
            with connection.cursor() as setting:  # it takes its time for what it believes to be billions of rows
                setting.execute("SET jit = off")
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
        tables = kept_tables()
        return TABLE.sub(lambda found: f"{tables[found[1]].subquery(self.project_id, self.last or 0)} ", sql)


NOW = Past()


def fetched(sql: str, params: Sequence[Any]) -> Rows:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())


@dataclass(frozen=True, slots=True)
class Kept:
    """How a table is read as it was: where its rows name their item, the columns that never change, those that do, each
    as the change `c` has it of the row `n`, and which rows were there at all."""

    name: str
    item: str
    fixed: Sequence[str]
    changing: Mapping[str, str]
    there: str = ""

    def subquery(self, project_id: int, last: int) -> str:
        return (self.united if connection.vendor == "postgresql" else self.row_by_row)(project_id, last)

    def united(self, project_id: int, last: int) -> str:
        """Rows that nobody has changed, and the others from the changes: the planner knows how many either are."""
        names = [*self.fixed, *self.changing]
        behind = f"c.project_id = {project_id} AND c.id > {last}"
        earlier = f"SELECT 1 FROM curation_change b WHERE b.item_id = c.item_id AND b.id > {last} AND b.id < c.id"
        past = ", ".join([*(f"n.{name}" for name in self.fixed), *self.changing.values()])
        there = f" AND {self.there}" if self.there else ""
        return (
            f"(SELECT {', '.join(f'n.{name}' for name in names)} FROM curation_{self.name} n"
            f" WHERE NOT EXISTS (SELECT 1 FROM curation_change c WHERE c.item_id = n.{self.item} AND {behind})"
            f" UNION ALL SELECT {past} FROM curation_change c JOIN curation_{self.name} n ON n.{self.item} = c.item_id"
            f" WHERE {behind} AND NOT EXISTS ({earlier}){there})"
        )

    def row_by_row(self, _project_id: int, last: int) -> str:
        """Every row with what its change has, looked up: SQLite would make a table of a union first."""

        def first(sql: str) -> str:
            behind = f"c.item_id = n.{self.item} AND c.id > {last}"
            return f"(SELECT {sql} FROM curation_change c WHERE {behind} ORDER BY c.id LIMIT 1)"

        past = [
            f"CASE WHEN {first('1')} THEN {first(sql)} ELSE n.{name} END AS {name}"
            for name, sql in self.changing.items()
        ]
        columns = ", ".join([*(f"n.{name}" for name in self.fixed), *past])
        there = f" WHERE COALESCE({first(self.there)}, 1)" if self.there else ""
        return f"(SELECT {columns} FROM curation_{self.name} n{there})"


def kept_tables() -> dict[str, Kept]:
    """The tables in the words of the database at hand."""
    postgres = connection.vendor == "postgresql"

    def part(name: str, kind: str = "") -> str:
        """What a change has under a name."""
        if postgres:
            return {"": f"c.before->'{name}'", "text": f"c.before->>'{name}'"}.get(
                kind, f"(c.before->>'{name}')::{kind}"
            )
        return f"json_extract(c.before, '$.{name}')"

    def under(name: str) -> str:
        """The number that an object of the change has under the row's id."""
        if postgres:
            return f"(c.before->'{name}'->>(n.id::text))::int"
        return f"json_extract(c.before, '$.{name}.\"' || n.id || '\"')"

    away = "CASE WHEN {} IS NULL THEN CURRENT_TIMESTAMP END"
    item = {name: part(name) for name in ("prompt", "context", "metadata")}
    item |= {"prompt_hash": part("prompt_hash", "text"), "source_id": part("source_id", "bigint")}
    item["deleted_at"] = "CASE WHEN c.kind = 'restored' THEN n.created_at END"
    place = f"COALESCE({under('responses')}, {under('away')})"
    response = {"position": place, "deleted_at": away.format(under("responses"))}
    texts = ("id", "item_id", "text", "messages", "model", "metadata", "unit", "units")
    return {
        "item": Kept("item", "id", ("id", "project_id", "external_id", "created_at"), item),
        "response": Kept("response", "item_id", texts, response, f"{place} IS NOT NULL"),
        "pair": Kept(
            "pair", "item_id", ("id", "item_id", "first_id", "second_id"), {"deleted_at": away.format(under("pairs"))}
        ),
    }
