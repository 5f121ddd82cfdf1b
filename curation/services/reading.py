"""Long reads with constant memory: a cursor on the server (PostgreSQL) or a walking statement (SQLite)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

from django.db import connection

CHUNK = 2000


def stream(sql: str, params: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """The rows of one statement in its order, `CHUNK` at a time. JSON columns come as text.

    PostgreSQL is told that all of them are wanted: for a cursor it would else choose a plan whose first rows come soon.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as setting:
            setting.execute("SET cursor_tuple_fraction = 1")
    with closing(connection.chunked_cursor()) as cursor:
        cursor.execute(sql, params)
        while rows := cursor.fetchmany(CHUNK):
            yield from rows
