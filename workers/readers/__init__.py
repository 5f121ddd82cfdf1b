"""The shelf of import formats: a row of a file in, an ItemRow or JudgementRow out.

A format is one file: `detect` says how sure it is that a row is its own (0: not at all), `read` turns the row
or raises RowError with a reason for a person.

Where an item is spread over several rows that follow each other (a row a sentence, a row an error), `gather` gives
what these rows have in common, and `read_many` makes one item of them; a RowError says in `row` which of them is bad.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from workers.rows import ItemRow, JudgementRow
from workers.shelf import Shelf

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Options:
    """What an import was told: a column mapping, and texts by id from a companion file."""

    mapping: Mapping[str, str] = field(default_factory=dict)
    companion: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reader:
    name: str
    title: str
    detect: Callable[[Row], int]
    read: Callable[[Row, Options], ItemRow | JudgementRow]
    example: str = ""
    needs_companion: bool = False
    gather: Callable[[Row], str] | None = None
    read_many: Callable[[list[Row], Options], ItemRow] | None = None


readers: Shelf[Reader] = Shelf("workers.readers", "format")


def recognise(rows: list[Row]) -> Reader | None:
    """The format that is surest of the first rows taken together, or None when none is."""
    best = max(readers, key=lambda reader: sum(reader.detect(row) for row in rows))
    return best if any(best.detect(row) for row in rows) else None
