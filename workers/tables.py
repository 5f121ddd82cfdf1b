"""Rows to files, twice at once: JSON lines and Parquet, in chunks, with constant memory.

A chunk is written by a thread of the table's own, while the caller makes the rows of the next one.
"""

from __future__ import annotations

import hashlib
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


class Table:
    """One table under way to `<stem>.jsonl` and `<stem>.parquet` in a folder."""

    def __init__(self, folder: Path, stem: str, schema: pa.Schema) -> None:
        self.schema, self.stem, self.rows = schema, stem, 0
        self.lines = (folder / f"{stem}.jsonl").open("wb")
        self.parquet = pq.ParquetWriter(folder / f"{stem}.parquet", schema, compression="zstd", compression_level=1)
        self.waiting: list[dict[str, Any]] = []
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
            self.parquet.close()
            self.lines.close()

    def add(self, row: dict[str, Any]) -> None:
        self.waiting.append(row)
        if len(self.waiting) >= CHUNK:
            self.flush()

    def flush(self) -> None:
        """Hand over what waits, once the chunk before is written; an error of that one is raised here."""
        if not self.waiting:
            return
        rows, self.waiting = self.waiting, []
        self.rows += len(rows)
        self.settle()
        self.writing = self.writer.submit(self.write, rows)

    def settle(self) -> None:
        if self.writing:
            self.writing.result()
            self.writing = None

    def write(self, rows: list[dict[str, Any]]) -> None:
        """Rows as lines and as one row group."""
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


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(2**20):
            digest.update(chunk)
    return digest.hexdigest()
