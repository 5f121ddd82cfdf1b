"""Long reads with constant memory: a cursor on the server (PostgreSQL) or a walking statement (SQLite)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

from django.db import connection, transaction

from workers.ahead import ahead

CHUNK = 2000
Rows = list[tuple[Any, ...]]
PLANNING = """
SET LOCAL cursor_tuple_fraction = 1; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;
SET LOCAL jit = off
"""
"""All rows are wanted, in an order that ids have: rows are then found by their ids one after the other, as they lie on
the disk. Joined otherwise, the planner would sort them afterwards, with all their texts, in files of gigabytes."""


def stream(sql: str, params: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """The rows of one statement in its order, `CHUNK` at a time. JSON columns and times come as text.

    On PostgreSQL, outside of a transaction, a thread with a connection of its own reads the next chunk meanwhile: a
    cursor in a transaction of its own gives the first rows at once, one without would first write all into a file.
    """
    if connection.vendor != "postgresql" or connection.in_atomic_block:
        for rows in chunks(sql, params):
            yield from rows
        return
    with closing(ahead(chunks_apart(sql, params))) as found:
        for rows in found:
            yield from rows


def chunks(sql: str, params: Sequence[Any]) -> Iterator[Rows]:
    with closing(connection.chunked_cursor()) as cursor:
        as_text(cursor)
        cursor.execute(sql, params)
        while rows := cursor.fetchmany(CHUNK):
            yield rows


def as_text(cursor: Any) -> None:
    """Times come as texts in UTC, as they do on SQLite: to make an object of each takes longer than to fetch it."""
    if connection.vendor == "postgresql":
        from psycopg.types.string import TextLoader

        cursor.cursor.adapters.register_loader("timestamptz", TextLoader)


def chunks_apart(sql: str, params: Sequence[Any]) -> Iterator[Rows]:
    """In a thread of its own, whose connection ends with it."""
    try:
        with transaction.atomic():
            with connection.cursor() as setting:
                setting.execute(PLANNING)
            yield from chunks(sql, params)
    finally:
        connection.close()
