"""Rows to files, twice at once: JSON lines and Parquet, in chunks, with constant memory.

A chunk is written by a thread of the table's own, while the caller makes the rows of the next one. A table of more
rows than a shard holds is cut into shards, named as the Hub does: `train-00000-of-00003.parquet`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
CHUNK = 2000
KINDS = ("jsonl", "parquet")
SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-\d{5}")
"""What the name of a shard is, without its ending."""


class Table:
    """One table under way to `<stem>.jsonl` and `<stem>.parquet` in a folder, or to shards of `most` rows."""

    def __init__(self, folder: Path, stem: str, schema: pa.Schema, most: int | None = None) -> None:
        self.folder, self.schema, self.stem, self.most, self.rows = folder, schema, stem, most, 0
        self.shards = self.written = 0
        self.begin()
        self.waiting: list[dict[str, Any]] = []
        self.room = self.next_chunk()
        self.writer = ThreadPoolExecutor(1, thread_name_prefix=stem)
        self.writing: Future[None] | None = None

    def __enter__(self) -> Table:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.flush()
                self.settle()
        finally:
            self.writer.shutdown()
            self.end()
        if kind is None:
            self.name()

    def begin(self) -> None:
        """Open the files of the next shard."""
        lines, parquet = (self.place(self.shards, kind) for kind in KINDS)
        self.lines = lines.open("wb")
        self.parquet = pq.ParquetWriter(parquet, self.schema, compression="zstd", compression_level=1)
        self.shards += 1

    def end(self) -> None:
        self.parquet.close()
        self.lines.close()

    def place(self, number: int, kind: str) -> Path:
        """A shard while nobody knows how many there will be."""
        return self.folder / f"{self.stem}-{number:05d}.{kind}"

    def name(self) -> None:
        """Give all shards the names that say how many they are; a single one that of the table."""
        for number in range(self.shards):
            stem = self.stem if self.shards == 1 else f"{self.stem}-{number:05d}-of-{self.shards:05d}"
            for kind in KINDS:
                self.place(number, kind).replace(self.folder / f"{stem}.{kind}")

    def add(self, row: dict[str, Any]) -> None:
        self.waiting.append(row)
        if len(self.waiting) == self.room:
            self.flush()

    def next_chunk(self) -> int:
        """Rows of the next chunk: as many as a chunk holds, or as the shard has room for."""
        return min(CHUNK, self.most - self.rows % self.most) if self.most else CHUNK

    def flush(self) -> None:
        """Hand over what waits, once the chunk before is written; an error of that one is raised here."""
        if not self.waiting:
            return
        rows, self.waiting = self.waiting, []
        self.rows += len(rows)
        self.room = self.next_chunk()
        self.settle()
        self.writing = self.writer.submit(self.write, rows)

    def settle(self) -> None:
        if self.writing:
            self.writing.result()
            self.writing = None

    def write(self, rows: list[dict[str, Any]]) -> None:
        """Rows as lines and as one row group; where the shard is full, of the next. No chunk lies in two shards."""
        if self.most and self.written and self.written % self.most == 0:
            self.end()
            self.begin()
        self.written += len(rows)
        self.lines.write(b"\n".join(map(orjson.dumps, rows)) + b"\n")
        columns = [column([row[field.name] for row in rows], field.type) for field in self.schema]
        self.parquet.write_table(pa.Table.from_arrays(columns, schema=self.schema))


def column(values: list[Any], kind: pa.DataType) -> pa.Array:
    """Values of one column; conversations are flattened first, which is several times faster than to infer them.

    In a column of text, a value that has no one shape (Label Studio's results) is the text of its JSON.
    """
    if kind == pa.string():
        values = [one if one is None or isinstance(one, str) else orjson.dumps(one).decode() for one in values]
    if kind != MESSAGES:
        return pa.array(values, type=kind, from_pandas=False)
    flat = [message for conversation in values for message in conversation]
    texts = [pa.array([message[name] for message in flat], pa.string()) for name in ("role", "content")]
    return pa.ListArray.from_arrays(offsets(values), pa.StructArray.from_arrays(texts, names=["role", "content"]))


def offsets(lists: Sequence[Sequence[Any]]) -> pa.Array:
    """Where each list begins in the flat one, and where the last ends."""
    found = [0]
    for one in lists:
        found.append(found[-1] + len(one))
    return pa.array(found, pa.int32())


def shards(folder: Path, stem: str, kind: str) -> list[Path]:
    """The files of a finished table in one format, in order; an empty list when there are none."""
    whole = folder / f"{stem}.{kind}"
    return [whole] if whole.is_file() else sorted(folder.glob(f"{stem}-?????-of-?????.{kind}"))


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
