"""Times as files have them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

WHOLE = len("2026-01-31 12:34:56.123456+00")


def in_utc(moment: Any) -> str:
    """A time as ISO 8601 in UTC; SQLite gives it as a text without its zone, which is UTC."""
    if isinstance(moment, str) and len(moment) == WHOLE and moment.endswith("+00"):  # as PostgreSQL writes most
        return f"{moment[:10]}T{moment[11:]}:00"
    given = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    utc = given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)
    return utc.isoformat(timespec="microseconds")
