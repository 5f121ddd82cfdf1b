"""Rows to files, twice at once: JSON lines and Parquet, in chunks, with constant memory.

A chunk is written by a thread of the table's own, while the caller makes the rows of the next one. A table of more
rows than a shard holds is cut into shards, named as the Hub does: `train-00000-of-00003.parquet`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from io import BytesIO
from itertools import accumulate, chain
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.json as pj
import pyarrow.parquet as pq

MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
CHUNK = 2000
MOST_OF_LINES = 2**30
"""Bytes of a chunk that are read at once; pyarrow takes less than 2^31."""
KINDS = ("jsonl", "parquet")
SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-\d{5}")
"""What the name of a shard is, without its ending."""


class Table:
    """One table under way to `<stem>.jsonl` and `<stem>.parquet` in a folder, or to shards of `most` rows.

    Once it is finished, `digests` has the SHA-256 of each file by its name.
    """

    def __init__(self, folder: Path, stem: str, schema: pa.Schema, most: int | None = None) -> None:
        self.folder, self.schema, self.stem, self.most, self.rows = folder, schema, stem, most, 0
        self.shards = self.written = 0
        self.hashed: list[tuple[str, str]] = []
        self.digests: dict[str, str] = {}
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
                self.writer.submit(self.end).result()
        finally:
            self.writer.shutdown()
            self.close()
        if kind is None:
            self.name()

    def begin(self) -> None:
        """Open the files of the next shard."""
        lines, parquet = (self.place(self.shards, kind) for kind in KINDS)
        self.lines = Lines(lines)
        self.parquet = pq.ParquetWriter(parquet, self.schema, compression="zstd", compression_level=1)
        self.shards += 1

    def end(self) -> None:
        """The files of a shard are finished: the Parquet file, which is written without Python, is read for its digest
        while the system still has it in memory."""
        self.close()
        self.hashed.append((self.lines.sha256.hexdigest(), sha256(self.place(self.shards - 1, "parquet"))))

    def close(self) -> None:
        self.parquet.close()
        self.lines.file.close()

    def place(self, number: int, kind: str) -> Path:
        """A shard while nobody knows how many there will be."""
        return self.folder / f"{self.stem}-{number:05d}.{kind}"

    def name(self) -> None:
        """Give all shards the names that say how many they are; a single one that of the table."""
        for number in range(self.shards):
            stem = self.stem if self.shards == 1 else f"{self.stem}-{number:05d}-of-{self.shards:05d}"
            for kind, digest in zip(KINDS, self.hashed[number], strict=True):
                self.place(number, kind).replace(self.folder / f"{stem}.{kind}")
                self.digests[f"{stem}.{kind}"] = digest

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
        lines = self.lines.write(rows)
        self.parquet.write_table(from_lines(lines, self.schema) or from_rows(rows, self.schema))


class Lines:
    """JSON lines under way, and the SHA-256 of what was written so far.

    Lines go one by one into memory that is used again for the next chunk. Thousands of them in a list would be memory
    that the system takes back and gives anew, emptied, which costs five times what making them does.
    """

    def __init__(self, path: Path) -> None:
        self.file, self.sha256, self.room = path.open("wb", buffering=0), hashlib.sha256(), BytesIO()

    def write(self, rows: Iterable[Any]) -> bytes:
        """The lines that were written."""
        self.room.seek(0)
        for row in rows:
            self.room.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
        with self.room.getbuffer() as all_of_it, all_of_it[: self.room.tell()] as made:
            self.sha256.update(made)
            written = 0
            while written < len(made):
                written += self.file.write(made[written:])
            return bytes(made)


def from_lines(lines: bytes, schema: pa.Schema) -> pa.Table | None:
    """A table out of JSON lines, each with the fields of the schema: faster than out of rows, and without
    holding up other threads. None where a value has not the type of its column."""
    if len(lines) > MOST_OF_LINES:
        return None
    try:
        found = pj.read_json(
            pa.BufferReader(lines),
            pj.ReadOptions(use_threads=False, block_size=len(lines) + 1),
            pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
        )
    except pa.ArrowException:
        return None
    return found.select(schema.names)


def from_rows(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """The same out of rows, whose values may have to be made fit (`column`)."""
    columns = [column(list(map(itemgetter(field.name), rows)), field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def column(values: list[Any], kind: pa.DataType) -> pa.Array:
    """Values of one column; conversations are flattened first, which is several times faster than to infer them.

    In a column of text, a value that has no one shape (Label Studio's results) is the text of its JSON.
    """
    if kind == MESSAGES:
        flat = list(chain.from_iterable(values))
        texts = [pa.array(list(map(itemgetter(name), flat)), pa.string()) for name in ("role", "content")]
        return pa.ListArray.from_arrays(offsets(values), pa.StructArray.from_arrays(texts, names=["role", "content"]))
    if kind == pa.string():
        try:
            return pa.array(values, type=kind, from_pandas=False)
        except (pa.ArrowException, TypeError):
            values = [one if one is None or isinstance(one, str) else orjson.dumps(one).decode() for one in values]
    return pa.array(values, type=kind, from_pandas=False)


def offsets(lists: Sequence[Sequence[Any]]) -> pa.Array:
    """Where each list begins in the flat one, and where the last ends."""
    return pa.array(list(accumulate(map(len, lists), initial=0)), pa.int32())


def shards(folder: Path, stem: str, kind: str) -> list[Path]:
    """The files of a finished table in one format, in order; an empty list when there are none."""
    whole = folder / f"{stem}.{kind}"
    return [whole] if whole.is_file() else sorted(folder.glob(f"{stem}-?????-of-?????.{kind}"))


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
