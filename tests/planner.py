"""What the database's planner believes of a table."""

from __future__ import annotations

from django.db import connection
from django.db.models import Model


def rows_known(model: type[Model]) -> int:
    """How many rows its statistics tell of; 0 where it has none."""
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT CAST(reltuples AS BIGINT) FROM pg_class WHERE relname = %s", [table])
        else:
            cursor.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat1'")
            if cursor.fetchone() is None:
                return 0
            cursor.execute("SELECT stat FROM sqlite_stat1 WHERE tbl = %s LIMIT 1", [table])
        found = cursor.fetchone()
    return int(str(found[0]).split()[0]) if found else 0
