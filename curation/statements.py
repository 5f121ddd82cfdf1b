"""SQL by hand for the annotator's path, where a handful of statements decide how fast the product feels.

On PostgreSQL they are prepared on the server, so that a statement costs a round trip and not its planning.
JSON columns come back as text on both databases.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection

Statement = tuple[str, Sequence[Any]]
"""A statement with its parameters, for `together`."""


def rows(sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Run one statement (placeholders are %s) in the current transaction, if any; its rows."""
    if connection.vendor == "postgresql":
        import psycopg

        connection.ensure_connection()
        with psycopg.Cursor(connection.connection) as cursor:
            cursor.execute(sql, params, prepare=True)
            return fetched(cursor)
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall() if cursor.description else []


def together(statements: Sequence[Statement]) -> list[list[tuple[Any, ...]]]:
    """Run several statements in order in the current transaction, in one round trip on PostgreSQL; the rows of each."""
    if connection.vendor != "postgresql":
        return [rows(sql, params) for sql, params in statements]
    import psycopg

    connection.ensure_connection()
    with connection.connection.pipeline():
        cursors = [psycopg.Cursor(connection.connection) for _ in statements]
        for cursor, (sql, params) in zip(cursors, statements, strict=True):
            cursor.execute(sql, params, prepare=True)
    return [fetched(cursor) for cursor in cursors]


def fetched(cursor: Any) -> list[tuple[Any, ...]]:
    """The rows of a statement on PostgreSQL, if it gives any: asked of the result itself, since `description` makes an
    object of each column, which takes a tenth of an annotator's call."""
    return cursor.fetchall() if cursor.pgresult.nfields else []


def row(sql: str, params: Sequence[Any]) -> tuple[Any, ...] | None:
    """The first row of a statement, or None."""
    found = rows(sql, params)
    return found[0] if found else None
