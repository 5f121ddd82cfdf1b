"""The shelf of consumers: whoever reads an export, reading it before it is offered.

A consumer is one file: `read` takes the files of a version as its users would, and says in a line what it read, or
raises Refused naming file, row and column. Consumers with heavy packages run in a process of their own
(`python -m workers.consumers`), so that these never load in a worker or a web process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import orjson

from workers.shelf import Shelf

SAMPLED = 256
"""Rows that go through a trainer's own preprocessing; all rows go through the rules of `invariants.py`."""


class Refused(Exception):
    """A file that its consumer would not read, or not read rightly."""

    def __init__(self, reason: str, *, file: str = "", row: int | None = None, column: str = "") -> None:
        place = [file, f"row {row}" if row is not None else "", column]
        super().__init__(f"{', '.join(part for part in place if part)}: {reason}" if any(place) else reason)
        self.reason, self.file, self.row, self.column = reason, file, row, column


@dataclass(frozen=True, slots=True)
class Files:
    """The data files of a version: Parquet and JSON lines by split (those with rows), and the rows of each split."""

    folder: Path
    target: str
    parquet: dict[str, list[str]]
    lines: dict[str, list[str]]
    rows: dict[str, int] = field(default_factory=dict)
    edition: int | None = None
    """Of the target; None: the newest."""

    @property
    def total(self) -> int:
        return sum(self.rows.values())

    def paths(self) -> dict[str, list[str]]:
        return {split: [str(self.folder / name) for name in names] for split, names in self.parquet.items()}

    def read_lines(
        self,
        split: str,
        where: bytes = b"",
        mend: Callable[[Any], Any] | None = None,
        wanted: Callable[[int], bool] | None = None,
    ) -> Iterator[tuple[int, Any]]:
        """Number in the split and content of each JSON line, after `mend` of those in which `where` stands; only of
        the numbers that are `wanted`. Raises Refused for a line that is none."""
        numbers = count()
        for name in self.lines[split]:
            with (self.folder / name).open("rb") as lines:
                for line, number in zip(lines, numbers, strict=False):
                    if wanted and not wanted(number):
                        continue
                    try:
                        row = orjson.loads(line)
                    except ValueError as error:
                        raise Refused(f"is no JSON: {error}", file=f"{split}.jsonl", row=number) from None
                    yield number, mend(row) if mend and where in line else row

    def sample(self, most: int = SAMPLED) -> list[dict[str, Any]]:
        """Rows out of the Parquet files, spread evenly over their row groups."""
        import pyarrow.parquet as pq

        groups = [
            (path, n)
            for paths in self.paths().values()
            for path in paths
            for n in range(pq.ParquetFile(path).num_row_groups)
        ]
        step = max(1, len(groups) // 8)
        chosen = groups[::step]
        each = max(1, most // max(1, len(chosen)))
        found: list[dict[str, Any]] = []
        for path, n in chosen:
            found += pq.ParquetFile(path).read_row_group(n).slice(0, each).to_pylist()
        return found[:most]


@dataclass(frozen=True, slots=True)
class Consumer:
    name: str
    package: str
    """The package whose version is told; empty: our own code."""
    read: Callable[[Files], str]
    load: Callable[[], object] = object
    """Imports what `read` needs of the package, which takes seconds."""


consumers: Shelf[Consumer] = Shelf("workers.consumers", "consumer")
