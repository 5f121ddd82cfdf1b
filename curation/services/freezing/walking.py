"""What SQLite needs while long statements are read: a place on the disk to sort, and a way to write meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from django.db import connection

from curation.services.running import Report

SORTED_ON_DISK = {"temp_store": 1, "cache_size": -8000}
"""Sorts beyond 8 MB go into a file; web requests sort in memory."""


@contextmanager
def sorting_on_disk() -> Iterator[None]:
    """Sorts take no more memory for more rows; on PostgreSQL they never do."""
    if not alone():
        yield
        return
    with connection.cursor() as cursor:
        before = {name: cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in SORTED_ON_DISK}
    pragmas(SORTED_ON_DISK)
    try:
        yield
    finally:
        pragmas(before)


def pragmas(values: dict[str, int]) -> None:
    with connection.cursor() as cursor:
        for name, value in values.items():
            cursor.execute(f"PRAGMA {name} = {value}")


def tell(report: Report, done: int, total: int | None) -> None:
    """Record progress while statements are being read. Raises LostLease or Cancelled."""
    apart(lambda: report.checkpoint(done=done, total=total))


def apart(write: Callable[[], None]) -> None:
    """Write while statements are being read.

    SQLite refuses a write beside an open read once somebody else has written, so there it has a connection of its own.
    """
    if not alone():
        write()
        return

    def on_its_own() -> None:
        try:
            write()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(on_its_own).result()


def alone() -> bool:
    """Whether this is SQLite outside of a transaction."""
    return connection.vendor == "sqlite" and not connection.in_atomic_block
