"""What is remembered of many entries, in a file: memory stays the same however many there are.

SQLite with a page cache of 8 MB and sorts on the disk. Entries are known by their place, from 0. A ledger with a path
outlives the process that fills it: what was added is added in whole blocks, and a next one goes on behind them. Two
processes may have it open, one of which is held for dead: they add the same, and each step is one transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from workers.clustering import BANDS

CACHE_KB = 8192
PATIENCE = 600
"""Seconds to wait for a step of a process that is held for dead, and is not."""
NUMBERED = [f"b{n}" for n in range(BANDS)]
COLUMNS = ", ".join(f"{name} INTEGER NOT NULL" for name in NUMBERED)
TABLES = f"""
CREATE TABLE IF NOT EXISTS entry (place INTEGER PRIMARY KEY, weight INTEGER NOT NULL, said BLOB, told TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS band (place INTEGER PRIMARY KEY, {COLUMNS});
CREATE TABLE IF NOT EXISTS above (place INTEGER PRIMARY KEY, above INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS near (place INTEGER PRIMARY KEY, leader INTEGER NOT NULL, cosine REAL NOT NULL);
CREATE TABLE IF NOT EXISTS twin (place INTEGER PRIMARY KEY, kept INTEGER NOT NULL, likeness REAL NOT NULL);
CREATE TABLE IF NOT EXISTS step (name TEXT PRIMARY KEY);
"""
TOLD = """
SELECT t.place, t.kept, t.likeness, a.told, b.told
FROM twin t JOIN entry a ON a.place = t.place JOIN entry b ON b.place = t.kept ORDER BY t.place
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """`weight`: of the same ones the heaviest is kept, of equal ones the first. `told`: whatever else who asks wants
    to know of it at the end."""

    place: int
    weight: int
    told: str = ""
    said: bytes | None = None
    bands: Sequence[int] = ()
    """Numbers below 2^64."""


class Twin(NamedTuple):
    """An entry that says the same as one that is kept. `likeness`: 1 where it is the same."""

    place: int
    kept: int
    likeness: float
    told: str = ""
    told_of_kept: str = ""


class Ledger:
    """Entries, and which of them say the same; without a path a file that is gone when it is closed."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self.db = sqlite3.connect(path or "", timeout=PATIENCE, isolation_level=None)
        self.db.execute(f"PRAGMA cache_size = -{CACHE_KB}")
        self.db.execute("PRAGMA temp_store = FILE")
        self.db.executescript(TABLES)

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        """Close it; nobody needs the file any more where everything was told."""
        self.db.close()
        if kind is None and self.path is not None:
            self.path.unlink(missing_ok=True)

    def __len__(self) -> int:
        """How many entries were added, in the order of their places."""
        return self.number("SELECT COALESCE(MAX(place) + 1, 0) FROM entry")

    def number(self, statement: str, *given: Any) -> int:
        """The one number that a statement asks for; 0 where it finds nothing."""
        found = self.db.execute(statement, given).fetchone()
        return int(found[0]) if found else 0

    @contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """One transaction."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield self.db
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    def add(self, some: Sequence[Entry], near: Sequence[tuple[int, int, float]] = ()) -> None:
        """A block of entries; `near`: of some of them the place of the leader of their group and the cosine to it."""
        with self.changing() as db:
            rows = ((one.place, one.weight, one.said, one.told) for one in some)
            db.executemany("INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?)", rows)
            banded = ([one.place, *map(signed, one.bands)] for one in some if one.bands)
            db.executemany(f"INSERT OR REPLACE INTO band VALUES (?{', ?' * BANDS})", banded)
            db.executemany("INSERT OR REPLACE INTO near VALUES (?, ?, ?)", near)

    @contextmanager
    def once(self, name: str) -> Iterator[bool]:
        """One transaction, in which a step is done that nobody did before; whether it is still to do."""
        with self.changing() as db:
            fresh = not self.number("SELECT COUNT(*) FROM step WHERE name = ?", name)
            yield fresh
            db.execute("INSERT OR IGNORE INTO step VALUES (?)", (name,))

    def twins(self) -> Iterator[Twin]:
        """All that were found, in the order of their places."""
        return map(Twin._make, self.db.execute(TOLD))

    # --- What hangs together (union-find); only entries that were joined have a row ----------------------

    def top(self, place: int) -> int:
        """The first of the set that an entry is in."""
        top = place
        while (found := self.db.execute("SELECT above FROM above WHERE place = ?", (top,)).fetchone()) and (
            found[0] != top
        ):
            top = found[0]
        if top != place:
            self.db.execute("UPDATE above SET above = ? WHERE place = ?", (top, place))
        return top

    def join(self, one: int, other: int) -> None:
        low, high = sorted((self.top(one), self.top(other)))
        if low != high:
            self.db.execute("INSERT OR REPLACE INTO above VALUES (?, ?), (?, ?)", (low, low, high, low))


def signed(number: int) -> int:
    """A number below 2^64 as SQLite keeps it."""
    return number - 2**64 if number >= 2**63 else number
