"""Many rows at once: COPY on PostgreSQL, executemany on SQLite. The one place that knows which."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

import orjson
from django.db import IntegrityError, connection, transaction
from django.db.models import Model

AT_ONCE = 500
"""Rows of a block that is sent to COPY."""


def allocate_ids(model: type[Model], count: int) -> Sequence[int]:
    """`count` fresh primary keys, rising. On SQLite inside a transaction, whose write lock keeps others away."""
    if count == 0:
        return ()
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            return from_sequence(cursor, table, count)
        cursor.execute(f'SELECT COALESCE(MAX(id), 0) FROM "{table}"')
        last = cursor.fetchone()[0]
        return range(last + 1, last + 1 + count)


def from_sequence(cursor: Any, table: str, count: int) -> Sequence[int]:
    """As a range where nobody else drew from the sequence meanwhile, else one by one."""
    named = "(SELECT pg_get_serial_sequence(%s, 'id')::regclass)"
    drawn = f"SELECT nextval({named}) AS id FROM generate_series(1, %s)"
    cursor.execute(f"SELECT min(id), max(id) FROM ({drawn}) drawn", [table, count])
    first, last = cursor.fetchone()
    if last - first + 1 == count:
        return range(first, last + 1)
    cursor.execute(drawn, [table, count])
    return sorted(row[0] for row in cursor.fetchall())


def insert(model: type[Model], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows given in the order of `columns` (JSON already as text)."""
    table, names = model._meta.db_table, ", ".join(f'"{name}"' for name in columns)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with connection.wrap_database_errors, cursor.copy(f'COPY "{table}" ({names}) FROM STDIN') as copy:
                for row in rows:
                    copy.write_row(row)
        else:
            slots = ", ".join(["%s"] * len(columns))
            cursor.executemany(f'INSERT INTO "{table}" ({names}) VALUES ({slots})', list(rows))


def insert_alike(
    model: type[Model],
    columns: Sequence[str],
    rows: Iterable[tuple[Any, ...]],
    *,
    fixed: Mapping[str, Any] | None = None,
    texts: Sequence[str] = (),
) -> None:
    """Insert rows that have much in common: whole numbers for `columns` and, where there are `texts`, behind them one
    sequence of these, texts or nothing, or what `ready` made of it. `fixed` are columns with one value for all rows.

    With this the text of COPY is made by one formatting a row.
    """
    fixed = fixed or {}
    if connection.vendor != "postgresql":
        given = ((*row[: len(columns)], *fixed.values(), *(row[-1] if texts else ())) for row in rows)
        insert(model, [*columns, *fixed, *texts], given)
        return
    names = ", ".join(f'"{name}"' for name in (*columns, *fixed, *texts))
    alike = "\t".join([*["%d"] * len(columns), *[written([value]).replace("%", "%%") for value in fixed.values()]])
    form = alike.encode() + (b"\t%b" if texts else b"")
    statement = f'COPY "{model._meta.db_table}" ({names}) FROM STDIN'
    lines = (form % ((*row[:-1], line(row[-1])) if texts else row) for row in rows)
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(statement) as copy:
        while block := list(islice(lines, AT_ONCE)):
            copy.write(b"\n".join([*block, b""]))


@contextmanager
def keys_at_once(models: Sequence[type[Model]], held: Mapping[type[Model], int | None]) -> Iterator[None]:
    """Inside a transaction: foreign keys of the rows of `models` that are inserted in here are looked up by one
    statement at the end; row by row that is nearly as much work as inserting them.

    The rows may name each other, and the `held` ones, which nobody can remove until the transaction ends, as under the
    usual check. Where the database's role may not leave that out, it is done as usual. Raises IntegrityError.
    """
    if connection.vendor != "postgresql" or not may_leave_triggers_out():
        yield
        return
    with transaction.atomic(), connection.cursor() as cursor:  # whatever fails, the usual checks are back
        for model, pk in held.items():
            cursor.execute(f'SELECT id FROM "{model._meta.db_table}" WHERE id = %s FOR KEY SHARE', [pk])
        before = last_ids(cursor, models)
        cursor.execute("SET LOCAL session_replication_role = replica")
        yield
        cursor.execute("SET LOCAL session_replication_role = origin")
        look_up(cursor, models, before)


def may_leave_triggers_out() -> bool:
    """Whether the role is a superuser's, or was granted to set session_replication_role."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_parameter_privilege('session_replication_role', 'SET')")
        return bool(cursor.fetchone()[0])


def last_ids(cursor: Any, models: Sequence[type[Model]]) -> Sequence[int]:
    """The last id that was drawn for each."""
    drawn = ", ".join(["COALESCE(pg_sequence_last_value(pg_get_serial_sequence(%s, 'id')::regclass), 0)"] * len(models))
    cursor.execute(f"SELECT {drawn}", [model._meta.db_table for model in models])
    found: Sequence[int] = cursor.fetchone()
    return found


def look_up(cursor: Any, models: Sequence[type[Model]], before: Sequence[int]) -> None:
    """Raises IntegrityError where a foreign key of the rows behind these ids names nothing. A subquery for each row
    keeps the planner, which does not know of them yet, from walking through whole tables."""
    each, bounds = [], list[int]()
    for model, first, last in zip(models, before, last_ids(cursor, models), strict=True):
        table = model._meta.db_table
        for field in model._meta.concrete_fields:
            if field.related_model:
                column, named = field.column, field.related_model._meta.db_table
                each.append(
                    f"(SELECT '{column} ' || n.\"{column}\" || ' of {table} ' || n.id FROM \"{table}\" n"
                    f' WHERE n.id BETWEEN %s AND %s AND n."{column}" IS NOT NULL'
                    f' AND (SELECT p.id FROM "{named}" p WHERE p.id = n."{column}") IS NULL LIMIT 1)'
                )
                bounds += [first + 1, last]
    cursor.execute(" UNION ALL ".join(each), bounds)
    if found := cursor.fetchone():
        raise IntegrityError(f"{found[0]} is not there")


def ready(rows: Iterable[Any]) -> Iterable[Any]:
    """The texts of rows as `insert_alike` sends them, made beforehand: where nothing waits for the database."""
    return map(line, rows) if connection.vendor == "postgresql" else rows


def line(values: Any) -> bytes:
    """Texts as COPY takes them; what is ready already stays so."""
    return values if values.__class__ is bytes else written(values).encode()


def written(values: Iterable[Any]) -> str:
    """Texts, numbers, moments and nothing in COPY's text format (https://www.postgresql.org/docs/current/sql-copy.html).

    Looking is many times faster than `replace` in texts that have nothing to escape, and splitting and joining twice as
    fast in those that have much of it.
    """
    found = []
    for value in values:
        if value is None:
            found.append("\\N")
            continue
        text = value if isinstance(value, str) else str(value)
        if "\\" in text:
            text = text.replace("\\", "\\\\")
        if "\n" in text:
            text = "\\n".join(text.split("\n"))
        if "\r" in text:
            text = text.replace("\r", "\\r")
        if "\t" in text:
            text = text.replace("\t", "\\t")
        found.append(text)
    return "\t".join(found)


def update(model: type[Model], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Set `columns` of rows given as their new values, then their id (JSON already as text)."""
    changes = ", ".join(f'"{name}" = %s' for name in columns)
    with connection.cursor() as cursor:
        cursor.executemany(f'UPDATE "{model._meta.db_table}" SET {changes} WHERE id = %s', list(rows))


def matching(
    model: type[Model], columns: Sequence[str], project_id: int, name: str, values: Sequence[str]
) -> list[Any]:
    """`columns` of the project's rows whose column `name` is one of `values`: one statement, one parameter."""
    among, given = one_of(values)
    wanted = ", ".join(f'"{column}"' for column in columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f'SELECT {wanted} FROM "{model._meta.db_table}" WHERE project_id = %s AND "{name}" {among}',
            [project_id, given],
        )
        return cursor.fetchall()


def one_of(values: Sequence[Any]) -> tuple[str, Any]:
    """A condition that a column is one of `values`, however many, with its one parameter."""
    if connection.vendor == "postgresql":
        return "= ANY(%s)", list(values)
    return "IN (SELECT value FROM json_each(%s))", orjson.dumps(values).decode()


def newest(model: type[Model], project_id: int, after: int = 0) -> int | None:
    """The highest id of the project's rows behind `after`, if there are any.

    The sum keeps the planner to the primary key: of a project that it has no statistics on yet, it thinks that an index
    over projects gives a handful of rows.
    """
    condition, given = (
        ("id > %s AND project_id + 0 = %s", [after, project_id]) if after else ("project_id = %s", [project_id])
    )
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT MAX(id) FROM "{model._meta.db_table}" WHERE {condition}', given)
        found: int | None = cursor.fetchone()[0]
        return found


def moment(value: datetime) -> Any:
    """A time as `insert` wants it on this database."""
    return value if connection.vendor == "postgresql" else connection.ops.adapt_datetimefield_value(value)


def uuid(value: UUID) -> Any:
    """An id of a run as a parameter of a statement on this database."""
    return value if connection.vendor == "postgresql" else value.hex


def commit_later() -> None:
    """Let the current transaction's commit not wait for the disk: a later commit that does wait covers it.

    For work that is done again when it is lost, as the batches of a run: their checkpoint is lost with them.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit TO off")


def refresh_statistics(*models: type[Model]) -> None:
    """Let the planner know what has just been inserted; a bulk import is over before autovacuum looks."""
    with connection.cursor() as cursor:
        for model in models:
            cursor.execute(f'ANALYZE "{model._meta.db_table}"')
