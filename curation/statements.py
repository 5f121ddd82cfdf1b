"""SQL by hand for the annotator's path, where a handful of statements decide how fast the product feels.

On PostgreSQL they are prepared on the server, so that a statement costs a round trip and not its planning.
JSON columns come back as text on both databases.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection


def rows(sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Run one statement (placeholders are %s) in the current transaction, if any; its rows."""
    if connection.vendor == "postgresql":
        import psycopg

        connection.ensure_connection()
        with psycopg.Cursor(connection.connection) as cursor:
            cursor.execute(sql, params, prepare=True)
            return cursor.fetchall() if cursor.description else []
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall() if cursor.description else []


def row(sql: str, params: Sequence[Any]) -> tuple[Any, ...] | None:
    """The first row of a statement, or None."""
    found = rows(sql, params)
    return found[0] if found else None
