"""Times as files have them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any


def in_utc(moment: Any) -> str:
    """A time as ISO 8601 in UTC; SQLite gives it as a text without its zone, which is UTC."""
    given = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    utc = given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)
    return utc.isoformat(timespec="microseconds")
